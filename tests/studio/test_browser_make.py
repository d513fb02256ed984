"""The studio in Chromium: a face of one's own, from a sheet to a card."""

from pathlib import Path

import pytest
from PIL import Image

from anime_dcgan.explore import parts
from tests.axe import problems
from tests.checkpoints import make_style_checkpoint
from tests.chromium import ENTER, ESCAPE, MISSING, RIGHT
from tests.studio.addresses import A
from tests.studio.window import Window

pytestmark = pytest.mark.skipif(MISSING, reason="no Chromium with its chromedriver on PATH")


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "SAMPLES", 64)


def choose(page: Window, number: int, step: str) -> None:
    page.painted(16, ".sheet")
    page.click(".sheet .tile", number)
    page.until(".steps [aria-current]", step)


def test_a_face_is_made_named_and_adopted(page: Window):
    page.open(f"#/make?{A}&seed=0")
    choose(page, 3, "2 Colours")
    choose(page, 5, "3 Details")
    page.painted(16, ".sheet")
    page.press(ESCAPE)
    page.until(".steps [aria-current]", "2 Colours")
    page.painted(16, ".sheet")
    page.focus(".sheet .tile")
    page.press(RIGHT, ENTER)
    page.until(".steps [aria-current]", "3 Details")
    assert problems(page) == []
    choose(page, 7, "4 Name")
    assert problems(page) == []
    page.open(page.run("location.hash"))  # survives a reload
    page.type(".adopt input", "Mio")
    page.type(".adopt textarea", "Keeper of the harbour.")
    page.press_button("Adopt")
    page.until("h1", "Mio is yours")
    assert problems(page) == []
    page.press_button("Download the card")
    with Image.open(page.downloaded(".png")) as card:
        assert card.size == (1080, 1500)
    page.press_button("Family")
    page.wait("document.querySelectorAll('.tree .tile').length == 4")
    page.open("#/saved?text=mio")
    page.until(".saved-grid .caption", "Mio")
    assert page.count(".saved-grid .tile") == 1  # her family is not among the saved


def test_style_layers_give_colours_and_details(page: Window, runs: Path):
    make_style_checkpoint(runs / "styles/checkpoints/epoch=0001.ckpt")
    page.open("#/make?run=styles&epoch=1&weights=ema&seed=0")
    choose(page, 3, "2 Colours")
    choose(page, 5, "3 Details")
    choose(page, 5, "4 Name")
    page.at("mix=2-3:", "4-5:")
