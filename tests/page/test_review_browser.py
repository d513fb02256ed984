"""The page of suspects under real keys and clicks."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from anime_dcgan.cleaning.choices import read_choices
from anime_dcgan.cleaning.findings import Suspect
from anime_dcgan.page.review import write_review
from tests.chromium import (
    CONTROL,
    DOWN,
    ENTER,
    ESCAPE,
    LEFT,
    MISSING,
    RIGHT,
    UP,
    Chromium,
    chromedriver,
)
from tests.page.test_review import HOSTILE, blurred, findings_of, key_of, near_duplicate

SLACK = 15  # times slower than measured on two busy cores

pytestmark = pytest.mark.skipif(MISSING, reason="no Chromium with its chromedriver on PATH")


class ReviewPage(Chromium):
    """The window with a page of suspects."""

    @property
    def state(self) -> str:
        return self.run("document.getElementById('state').textContent")

    @property
    def stored(self) -> dict[str, str]:
        """The choices that the browser keeps for this page."""
        return dict(self.run("JSON.parse(localStorage.getItem(data.store)).choices"))


@pytest.fixture(scope="module")
def driver() -> Iterator[int]:
    with chromedriver() as port:
        yield port


@pytest.fixture(scope="module")
def window(driver: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewPage]:
    window = ReviewPage(driver, tmp_path_factory.mktemp("downloads"))
    yield window
    window.close()


@pytest.fixture
def browser(window: ReviewPage) -> Iterator[ReviewPage]:
    """The window, without a word on its console but for those that a test has read."""
    for path in window.downloads.iterdir():
        path.unlink()
    window.emulate(1280)
    yield window
    window.run("saved = new Map(choices)")  # nothing asks before the next page is loaded
    assert not [
        line for line in window.console() if "Blocked attempt to show a 'beforeu" not in line
    ]


SUSPECTS = [
    *(near_duplicate(index) for index in range(6)),
    *(blurred(index) for index in range(20)),
    *(blurred(index, flagged=False) for index in range(100, 110)),
]


def page_of(tmp_path: Path, suspects: list[Suspect], title: str) -> Path:
    """The title is that of the test, because the browser keeps choices by it."""
    write_review(findings_of(suspects, title=title), tmp_path / "review.html")
    return tmp_path / "review.html"


def names(*suspects: Suspect) -> list[str]:
    return [suspect.key for suspect in suspects]


def test_keys_keep_drop_move_and_undo(browser: ReviewPage, tmp_path: Path):
    browser.load(page_of(tmp_path, SUSPECTS, "keys"))
    browser.press("1")
    assert "copy-00000.png" in browser.focused and "a copy of girls/first-0" in browser.focused
    browser.press("k")
    assert browser.stored == {SUSPECTS[0].key: "keep"}
    assert "copy-00001.png" in browser.focused  # it goes on by itself
    browser.press("D", RIGHT, "k")
    assert browser.stored == {SUSPECTS[0].key: "keep", SUSPECTS[1].key: "drop"} | {
        SUSPECTS[3].key: "keep"
    }
    browser.press("u", "u")
    assert browser.stored == {SUSPECTS[0].key: "keep"}
    assert "copy-00001.png" in browser.focused
    assert browser.state == "1 of 36 decided, 1 not saved"
    browser.press("u", "u")
    assert browser.stored == {} and browser.state == "0 of 36 decided, all saved"


def test_arrows_move_by_rows_and_over_the_divider(browser: ReviewPage, tmp_path: Path):
    browser.load(page_of(tmp_path, SUSPECTS, "arrows"))
    browser.press("2")
    columns = browser.run(
        "getComputedStyle(document.querySelector('#panel-1 .tiles'))"
        ".gridTemplateColumns.split(' ').length"
    )
    assert 5 <= columns <= 12
    browser.press(RIGHT, DOWN)
    assert f"blurred-{columns + 1:05d}" in browser.focused
    browser.press(*[DOWN] * (20 // columns))
    assert "blurred-00101" in browser.focused  # borderline, the second of its row
    browser.press(UP, UP, *[LEFT] * 40)
    assert "blurred-00000" in browser.focused
    assert browser.stored == {} and browser.state == "0 of 36 decided, all saved"


def test_clicks_toggle_and_all_of_a_part_are_one_step(browser: ReviewPage, tmp_path: Path):
    browser.load(page_of(tmp_path, SUSPECTS, "clicks"))
    browser.click("[role=tab]", 1)
    browser.click("#panel-1 .face")
    blurs, nexts = names(*SUSPECTS[6:26]), names(*SUSPECTS[26:])
    assert browser.stored == {blurs[0]: "keep"}
    browser.click("#panel-1 .face")
    assert browser.stored == {blurs[0]: "drop"}
    browser.click("#panel-1 .part.next [data-all=drop]")
    assert browser.stored == {blurs[0]: "drop"} | dict.fromkeys(nexts, "drop")
    browser.click("#panel-1 [data-all=keep]")
    assert browser.stored == dict.fromkeys(blurs, "keep") | dict.fromkeys(nexts, "drop")
    browser.click("#undo")
    browser.press("u")
    assert browser.stored == {blurs[0]: "drop"}
    marks = browser.run("[...document.querySelectorAll('#panel-1 .fate')].map(m => m.textContent)")
    assert marks == ["\u2715 drop"] * 20 + ["\u2713 keep"] * 10
    pressed = "[...document.querySelectorAll('#panel-1 .face[aria-pressed=true]')].length"
    assert browser.run(pressed) == 20


def test_the_file_holds_what_was_decided_and_nothing_else(browser: ReviewPage, tmp_path: Path):
    earlier = blurred(50, choice="keep")
    browser.load(page_of(tmp_path, [*SUSPECTS, earlier], "file"))
    leaves = "!dispatchEvent(new Event('beforeunload', {cancelable: true}))"
    assert not browser.run(leaves)
    browser.press("1", "k", "k")
    assert browser.run(leaves)
    assert browser.state == "3 of 37 decided, 2 not saved"
    assert browser.run("document.title").startswith("(2) ")
    browser.press("s", holding=CONTROL)
    assert browser.downloaded().name == "review.json"
    kept = dict.fromkeys([SUSPECTS[0].key, SUSPECTS[1].key, earlier.key], "keep")
    assert read_choices(browser.downloaded()) == kept
    assert browser.state == "3 of 37 decided, all saved" and not browser.run(leaves)
    browser.press("u")
    assert browser.state == "2 of 37 decided, 1 not saved"


def test_choices_outlive_the_page_and_a_page_written_anew(browser: ReviewPage, tmp_path: Path):
    page = page_of(tmp_path, SUSPECTS, "again")
    browser.load(page)
    browser.press("1", "k", "k")
    browser.click("#save")
    browser.press("3", "2", "d")  # there is no third reason
    browser.load(page)
    assert browser.state == "3 of 36 decided, 1 not saved"
    first, second, *others = SUSPECTS
    taken = near_duplicate(
        0, choice="drop"
    )  # the file was changed by hand before it was given back
    assert taken.key == first.key
    browser.load(page_of(tmp_path, [taken, second, *others], "again"))
    browser.press("1", "d", "u")
    expected = {first.key: "drop", second.key: "keep", SUSPECTS[6].key: "drop"}
    assert browser.stored == expected
    assert browser.state == "3 of 36 decided, 2 not saved"


def test_a_picture_under_two_reasons_has_one_choice(browser: ReviewPage, tmp_path: Path):
    twice = [blurred(0), near_duplicate(1, key=key_of(blurred(0).name), flagged=False)]
    browser.load(page_of(tmp_path, twice, "twice"))
    assert browser.state.startswith("0 of 1 ")
    browser.press("2")
    assert browser.run("find('#panel-1 .fate').textContent") == "\u2715 drop"  # the other reason
    browser.press("k", "1")
    assert browser.run("find('#panel-0 .fate').textContent") == "\u2713 keep"


def test_enlarged_pictures_are_decided_on_as_well(browser: ReviewPage, tmp_path: Path):
    browser.load(page_of(tmp_path, SUSPECTS, "large"))
    browser.press("1", ENTER)
    is_open = "document.querySelector('dialog').open"
    assert browser.run(is_open)
    widths = "[...document.querySelectorAll('dialog img')].map(i => i.width / i.naturalWidth)"
    assert browser.run(widths) in ([n, n] for n in range(4, 10))  # whole pixels, beside its twin
    browser.press("k", RIGHT)
    browser.click("dialog [data-do=drop]")
    assert browser.stored == {SUSPECTS[0].key: "keep", SUSPECTS[2].key: "drop"}
    assert "copy-00003.png" in browser.run("find('dialog').textContent")
    browser.press(ESCAPE)
    browser.wait("document.activeElement.getAttribute('aria-label').includes('copy-00003.png')")
    assert not browser.run(is_open)
    browser.press("z", "z")
    assert not browser.run(is_open)


def test_keys_do_nothing_to_what_is_out_of_sight(browser: ReviewPage, tmp_path: Path):
    browser.load(page_of(tmp_path, SUSPECTS, "sight"))
    browser.run("document.querySelector('header').style.paddingBottom = '3000px'")
    browser.press("d")
    assert browser.state.startswith("0 of") and "copy-00000.png" in browser.focused
    browser.press("d")
    assert browser.stored == {SUSPECTS[0].key: "drop"}


def test_hostile_names_are_shown_as_they_are(browser: ReviewPage, tmp_path: Path):
    hostile = near_duplicate(0, name=HOSTILE, twin_name=HOSTILE, reason=HOSTILE)
    browser.load(page_of(tmp_path, [hostile], HOSTILE))
    browser.press("1", "z")
    assert browser.run("document.scripts.length") == 2
    assert browser.run("find('dialog bdi').textContent") == HOSTILE
    browser.press("z")


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_sticks_out_on_a_phone(browser: ReviewPage, tmp_path: Path, dark: bool):
    browser.emulate(390, dark, touch=True)
    browser.load(page_of(tmp_path, SUSPECTS, "phone" * 20))
    sticking = (
        "[...document.querySelectorAll('body *')].filter(e => !e.closest('.tabs, dialog')"
        " && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML)"
    )
    assert browser.run("innerWidth") == 390
    for reason in ("1", "2"):
        browser.press(reason)
        assert browser.run(sticking) == []
    ground = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", ground))) < 60) == dark


def test_three_thousand_suspects_stay_quick(browser: ReviewPage, tmp_path: Path):
    many = [blurred(index) for index in range(3000)]
    browser.load(page_of(tmp_path, many, "many"))
    loaded = browser.run("performance.getEntriesByType('navigation')[0].loadEventEnd")
    assert browser.run("document.querySelectorAll('.face').length") < 600  # built when near
    browser.press("1")
    script = (
        "(() => { const times = []; for (let i = 0; i < 50; i++) { const start = performance.now();"
        " document.activeElement.dispatchEvent(new KeyboardEvent('keydown',"
        " {key: i % 3 ? 'k' : 'ArrowDown', bubbles: true})); document.body.offsetHeight;"
        " times.push(performance.now() - start) } return times.sort((a, b) => a - b) })()"
    )
    times = browser.run(script)
    print(f"load {loaded:.0f} ms, press {times[25]:.1f} ms, slowest {times[-1]:.1f} ms")
    assert loaded < 1000 * SLACK and times[25] < 20 * SLACK  # ms
    assert len(browser.stored) == 33
