"""The studio in Chromium: keys, appearance, narrow screens and lost connections."""

from pathlib import Path

import pytest

from tests.axe import problems
from tests.checkpoints import make_checkpoint
from tests.chromium import ENTER, ESCAPE, MISSING
from tests.studio.addresses import WALL, A, face, parents
from tests.studio.window import Server, Window

pytestmark = pytest.mark.skipif(MISSING, reason="no Chromium with its chromedriver on PATH")


def test_shortcuts_open_every_view_and_are_listed(page: Window):
    page.open(WALL)
    page.painted(64)
    page.press("?")
    page.wait("document.querySelector('dialog').open")
    page.press(ESCAPE)
    for key, view in enumerate(("make", "wall", "epochs", "mix", "saved", "projection", "runs"), 1):
        page.press(str(key))
        page.at(f"#/{view}")
        page.has(f"#navigation [data-view={view}][aria-current]")
    page.run("history.back()")
    page.at("#/projection")


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
    assert (
        page.run("getComputedStyle(document.querySelector('.tile')).imageRendering") == "pixelated"
    )
    assert page.run("Object.keys(localStorage)") == ["anime_dcgan.appearance"]
    page.run("localStorage.clear()")


ADDRESSES = [
    *(WALL, f"#/face?{face(1)}", f"#/edit?{face(1)}", f"#/epochs?{A}&seed=0"),
    *(f"#/make?{A}&seed=0", f"#/map?{face(1)}"),
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
    !one.closest('#navigation, .skip, #live, .bar, .hidden-heading, .world')
    && one.checkVisibility() && (one.getBoundingClientRect().right > innerWidth + 1
    || one.getBoundingClientRect().left < -1)).map(one => one.outerHTML)"""


UNNAMED = """[...document.querySelectorAll('button, a, input, select, textarea')].filter(one =>
    one.checkVisibility() && !(one.textContent.trim() || one.getAttribute('aria-label')
    || one.labels?.length || one.querySelector('img[alt]:not([alt=""])')))
    .map(one => one.outerHTML)"""


@pytest.mark.parametrize("width", [320, 1280])
def test_nothing_overflows_and_everything_is_accessible(page: Window, width: int):
    page.emulate(width, dark=width == 320, touch=width == 320)
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
        assert problems(page) == [], address


def test_focus_goes_to_the_heading_and_back_to_what_was_left(page: Window):
    page.open(WALL)
    page.painted(64)
    page.focus(".tile:nth-child(3)")
    page.press(ENTER)
    page.wait("document.activeElement.matches('h1') && location.hash.includes('seed=2')")
    page.press(ESCAPE)
    page.wait("document.activeElement.matches('.tile:nth-child(3)')")
    page.run("location.hash = '#/__proto__'")
    page.until("#notice", "no page")
    page.at("#/wall")


def test_touch_selects_and_a_slideshow_opens(page: Window):
    page.emulate(390, touch=True)
    page.open(WALL)
    page.painted(64)
    touch = "document.querySelector('.tile').dispatchEvent(new PointerEvent('{}',"
    touch += " {{pointerType: 'touch', bubbles: true}}))"
    page.run(touch.format("pointerdown"))
    page.wait("document.querySelector('.tile').matches('.selected')")
    page.run(touch.format("pointerup"))
    page.press_button("Slideshow")
    page.wait("document.querySelector('.slideshow canvas').ariaLabel?.startsWith('seed')")
    page.press_button("Close")
    page.wait("!document.querySelector('.slideshow')")
    page.press_button("Clear")


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


def test_an_empty_folder_shows_the_demo_and_explains_how_to_train(window: Window, tmp_path: Path):
    server = Server(tmp_path, tmp_path / "studio")
    try:
        window.load(server.address)
        window.until("#notice", "python -m anime_dcgan.train")
        window.at("#/make?", "run=demo")  # at the first visit
        window.painted(16)
        make_checkpoint(tmp_path / "first" / "checkpoints" / "epoch=0001.ckpt")
        (tmp_path / "first" / "config.yaml").write_text("data: {image_size: 16}\n")
        window.until("#notice", "first has its first faces")
        assert "run=demo" in window.hash
        assert "run=" not in window.attribute("#navigation [data-view=wall]", "href")
        window.press_button("Show them", "#notice")
        window.at("#/epochs?", "run=first")
        window.painted(32)
        window.load("about:blank")
        window.load(server.address)
        window.at("#/", "run=first")
        window.load("about:blank")
    finally:
        server.stop()
