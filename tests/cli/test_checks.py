"""Validators of command settings accept valid values, and refuse others in one line."""

from typing import Any

import pytest
from omegaconf import OmegaConf

from anime_dcgan.cli.checks import (
    Check,
    boolean,
    check_command,
    extension,
    fraction,
    integer,
    one_of,
    optional,
    positive,
)
from anime_dcgan.system.errors import UserError

PAGE = extension(".html", ".htm", example="report.html")
FACES = extension(".png", ".zip", folder=True, example="faces.png")


@pytest.mark.parametrize(
    ("check", "value"),
    [
        *((integer(1), 1), (integer(0, 3), 3), (integer(-2), -2)),
        *((positive(100), 0.5), (positive(100), 3), (fraction(0.05), 0), (fraction(0.05), 0.99)),
        *((boolean(), False), (one_of("ema", "raw"), "raw")),
        *((PAGE, "a/b.HTML"), (FACES, "faces/"), (FACES, "faces_0.7/"), (FACES, "faces.zip")),
        *((optional(integer(1)), None), (optional(integer(1)), 2)),
    ],
)
def test_valid_values_pass(check: Check, value: Any):
    check("key", value)


@pytest.mark.parametrize(
    ("check", "value", "message"),
    [
        (integer(1, example=64), 0, "key=0 must be at least 1: use key=64"),
        (integer(1), "many", "key=many must be an integer: use key=1"),
        (integer(1), True, "key=true must be an integer: use key=1"),
        (integer(1), 1.5, "key=1.5 must be an integer: use key=1"),
        (integer(1), None, "key=null must be an integer: use key=1"),
        (integer(1, 12, example=6), 13, "key=13 must be at most 12: use key=12"),
        (positive(100), 0, "key=0 must be a number above 0: use key=100"),
        (positive(100), float("inf"), "key=inf must be a number above 0: use key=100"),
        (positive(100), float("nan"), "key=nan must be a number above 0: use key=100"),
        (fraction(0.05), 1, "key=1 must be a number in [0, 1): use key=0.05"),
        (fraction(0.05), False, "key=false must be a number in [0, 1): use key=0.05"),
        (boolean(), "maybe", "key=maybe must be true or false: use key=true"),
        (boolean(), 1, "key=1 must be true or false: use key=true"),
        (one_of("ema", "raw"), "best", "key=best is not an option: use key=ema or key=raw"),
        (one_of("ema", "raw"), None, "key=null is not an option: use key=ema or key=raw"),
        (PAGE, "a.pdf", "key=a.pdf must end in .html or .htm: use key=report.html"),
        (PAGE, 5, "key=5 must be the path of a file: use key=report.html"),
        (FACES, "a.bmp", "key=a.bmp must end in .png or .zip, or be a folder: use key=faces.png"),
        (FACES, ".", "key=. must be the path of a file or folder: use key=faces.png"),
        (optional(integer(1)), 0, "key=0 must be at least 1: use key=1"),
    ],
)
def test_invalid_values_are_refused_in_one_line_with_the_fix(
    check: Check, value: Any, message: str
):
    with pytest.raises(UserError) as caught:
        check("key", value)
    assert str(caught.value) == message


def test_a_list_is_shown_as_it_is_typed():
    with pytest.raises(UserError, match=r"^out=\[a,null\] must be the path of a file"):
        check_command(OmegaConf.create({"out": ["a", None]}), {"out": PAGE})


def test_nested_settings_are_checked_by_their_full_name():
    config = OmegaConf.create({"page": {"limit": -1}})
    with pytest.raises(UserError, match=r"^page\.limit=-1 must be at least 0: use page\.limit=9$"):
        check_command(config, {"page.limit": integer(0, example=9)})
