"""An `OSError` becomes one line with the reason and the fix; other errors propagate."""

import errno

import pytest

from anime_dcgan.system.errors import UserError, explain_os_error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a.png"), "No space left on device"),
        (OSError("unsupported\nformat"), "unsupported"),
        (OSError(), "OSError"),
    ],
)
def test_the_message_has_the_reason_and_the_fix_in_one_line(error: OSError, reason: str):
    with (
        pytest.raises(UserError) as caught,
        explain_os_error("out=a.png cannot be written", "use another out=..."),
    ):
        raise error
    assert str(caught.value) == f"out=a.png cannot be written ({reason}): use another out=..."


def test_other_errors_propagate():
    with pytest.raises(KeyError), explain_os_error("out=a cannot be written", "use out=b"):
        raise KeyError("a")
