"""The studio in Chromium: keys, appearance, narrow screens and lost connections."""

from pathlib import Path

import pytest

from tests.checkpoints import make_checkpoint
from tests.chromium import (
    ESCAPE,
    MISSING,
)
from tests.studio.addresses import WALL, A, face, parents
from tests.studio.window import Server, Window

pytestmark = pytest.mark.skipif(MISSING, reason="no Chromium with its chromedriver on PATH")


def test_shortcuts_open_every_view_and_are_listed(page: Window):
    page.open(WALL)
    page.painted(64)
    page.press("?")
    page.wait("document.querySelector('dialog').open")
    page.press(ESCAPE)
    for key, view in enumerate(("make", "wall", "epochs", "mix", "projection", "saved", "runs"), 1):
        page.press(str(key))
        page.at(f"#/{view}")
        assert page.attribute("#navigation [aria-current]", "data-view") == view
    page.run("history.back()")
    page.at("#/saved")


def test_the_appearance_is_stored(page: Window):
    page.open(WALL)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.run(ground)
    page.click("#theme")
    page.click("#theme")
    assert page.run(ground) != light
    page.press("s")
    page.open(WALL)
    page.painted(64)
    assert page.run(ground) != light
    assert page.run("getComputedStyle(document.querySelector('.tile')).imageRendering") == "auto"
    assert page.run("Object.keys(localStorage)") == ["anime_dcgan.appearance"]
    page.run("localStorage.clear()")


ADDRESSES = [
    *(WALL, f"#/face?{face(1)}", f"#/edit?{face(1)}", f"#/epochs?{A}&seed=0"),
    f"#/epochs?{A}&seed=0&run2=sweep/b&epoch2=1&weights2=ema",
    *(
        f"#/mix?{parents(1, 2)}",
        f"#/film?{parents(1, 2)}",
        f"#/projection?{A}",
        "#/saved",
        "#/runs",
    ),
]


OVERFLOWING = """[...document.querySelectorAll('body *')].filter(one =>
    !one.closest('#navigation, .skip, #live') && one.checkVisibility()
    && (one.getBoundingClientRect().right > innerWidth + 1
    || one.getBoundingClientRect().left < -1)).map(one => one.outerHTML)"""


UNNAMED = """[...document.querySelectorAll('button, a, input, select, textarea')].filter(one =>
    one.checkVisibility() && !(one.textContent.trim() || one.getAttribute('aria-label')
    || one.labels?.length || one.querySelector('img[alt]:not([alt=""])')))
    .map(one => one.outerHTML)"""


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_overflows_and_every_control_has_a_name(page: Window, width: int):
    page.emulate(width, dark=width == 360, touch=width == 360)
    page.open()
    for address in ADDRESSES:
        page.run(f"location.hash = {address!r}")
        name = address.removeprefix("#/").partition("?")[0]
        page.wait(f"document.querySelector('#view.view-{name}')?.childElementCount")
        assert page.run(OVERFLOWING) == [], address
        assert page.run(UNNAMED) == [], address
        page.run("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert page.run(OVERFLOWING) == [], address
        assert page.run("document.documentElement.scrollWidth <= innerWidth"), address


def test_a_rejected_request_shows_a_message(page: Window):
    page.open("#/wall?run=nowhere&epoch=1&weights=ema&seed=0")
    page.wait("!document.getElementById('notice').hidden")
    assert page.run("document.getElementById('notice').textContent.length") > 10
    page.open("#/face?run=nowhere&epoch=1&weights=ema&seed=0")
    page.until("#view", "This face is gone")
    assert all("wall.png" in line or "styles" in line for line in page.console())


def test_a_lost_connection_is_shown_and_restored(page: Window):
    page.open(WALL)
    page.painted(64)
    page.server.stop()
    page.wait("!document.getElementById('connection').hidden")
    page.server.start()
    page.wait("document.getElementById('connection').hidden")
    page.press("r")
    page.painted(64)
    assert all("ERR_CONNECTION" in line for line in page.console())


def test_an_empty_folder_explains_how_to_train(window: Window, tmp_path: Path):
    server = Server(tmp_path, tmp_path / "studio")
    try:
        window.load(server.address)
        window.until("#view", "python -m anime_dcgan.train")
        make_checkpoint(tmp_path / "first" / "checkpoints" / "epoch=0001.ckpt")
        (tmp_path / "first" / "config.yaml").write_text("data: {image_size: 16}\n")
        window.at("#/make?", "run=first")  # at the first visit
        window.painted(16)
        window.load("about:blank")
    finally:
        server.stop()
