"""Errors that a user can fix are reported in one line; bugs keep their traceback."""

import errno

import pytest
from hydra.errors import InstantiationException
from omegaconf.errors import OmegaConfBaseException

from anime_dcgan.cli.command import instantiate, user_message
from anime_dcgan.system.errors import UserError


def test_an_error_without_a_message_is_named_by_its_class():
    assert user_message(OmegaConfBaseException("")) == "OmegaConfBaseException"
    error = InstantiationException("")
    error.__cause__ = EOFError()
    assert user_message(error) == "the configuration cannot be built: EOFError"


def test_a_bug_keeps_its_traceback():
    assert user_message(ZeroDivisionError("division by zero")) is None


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "a/.lock"), "a/.lock cannot be used"),
        (OSError(errno.EROFS, "Read-only file system", "a"), "use another folder"),
        (OSError(errno.ENOSPC, "No space left on device", "a"), "free some space"),
        (MemoryError(), "there is not enough memory"),
    ],
)
def test_conditions_of_the_machine_are_one_line(error: Exception, message: str):
    assert message in (user_message(error) or "")


@pytest.mark.parametrize(
    "error", [FileNotFoundError(errno.ENOENT, "No such file", "a"), OSError("odd"), KeyError("a")]
)
def test_errors_that_may_be_bugs_keep_their_traceback(error: Exception):
    assert user_message(error) is None


def test_a_setting_that_cannot_be_built_is_named():
    with pytest.raises(InstantiationException) as caught:
        instantiate({"_target_": "fractions.Fraction", "numerator": "x"})
    assert (user_message(caught.value) or "").startswith("the configuration cannot be built: ")


def test_a_user_error_passes_through_a_constructor():
    settings = {"_target_": "anime_dcgan.game.regularizer.R1", "weight": -1.0}
    with pytest.raises(UserError, match="weight"):
        instantiate(settings)
