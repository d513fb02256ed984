"""Blind comparisons: pages whose sides only the key knows, and what the choices show."""

import json
import re
import time
from pathlib import Path

import pytest
from PIL import Image

from anime_dcgan.page.blind import write_blind_page
from anime_dcgan.run.preference import Choices, Key, Preference, count
from tests.chromium import DOWN, LEFT, MISSING, RIGHT, TIMEOUT, Chromium, chromedriver
from tests.html import Page, assert_only_its_own_script_may_run, assert_self_contained


def test_a_page_shows_the_same_faces_on_either_side_and_only_the_key_tells_which(
    call, finished: Path
):
    call("blind", "runs=[a,a]", "n=6", "epoch=last", "out=blind", cwd=finished)
    text = (finished / "blind/page.html").read_text()
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text)
    assert found is not None
    pairs = json.loads(found[1])["pairs"]
    assert len(pairs) == 6 and all(left == right for left, right in pairs)  # the same run twice
    assert len({left for left, _ in pairs}) == 6
    page = Page(finished / "blind/page.html")
    assert_self_contained(page)
    assert_only_its_own_script_may_run(page)
    assert "checkpoints" not in text and not re.search(r"runs?=a", text)
    key = json.loads((finished / "blind/key.json").read_text())
    assert key["runs"] == ["outputs/a/checkpoints/last.ckpt"] * 2 and len(key["swapped"]) == 6
    result = call("blind", "runs=[a,a]", "out=blind", cwd=finished, status=2)
    assert "out=blind has a comparison: use another out=..., or overwrite=true" in result.stderr


def test_choices_are_counted_with_their_key_alone(call, tmp_path: Path):
    key = Key("page", ("a.ckpt", "b.ckpt"), (False, True, False, True, False))
    choices = Choices("page", ("left", "left", "right", "same", "open"))
    assert count(key, choices) == Preference(("a.ckpt", "b.ckpt"), (1, 2), 5)
    (tmp_path / "key.json").write_text(json.dumps(key.to_json()))
    saved = {"page": "page", "choices": choices.choices}
    (tmp_path / "choices.json").write_text(json.dumps(saved))
    result = call("blind", "choices=choices.json", cwd=tmp_path)
    assert "3 of 5 pairs were decided" in result.stdout and "67%" in result.stdout
    (tmp_path / "choices.json").write_text(json.dumps({**saved, "page": "other"}))
    result = call("blind", "choices=choices.json", cwd=tmp_path, status=2)
    assert "the choices were made on another page: use key=..." in result.stderr


def test_intervals_and_probabilities_are_those_of_the_textbook():
    """Values of R's prop.test(8, 10, correct=FALSE) and binom.test(8, 10)."""
    preference = Preference(("a", "b"), (8, 2), 12)
    assert preference.interval(8) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)
    assert preference.probability == pytest.approx(0.109375)
    assert Preference(("a", "b"), (0, 0), 4).interval(0) == (0, 1)
    assert Preference(("a", "b"), (5, 5), 10).probability == 1


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "runs=... is missing: use runs=a,b for a page, or choices=choices.json"),
        (["runs=a"], "runs=a must be two runs: use runs=a,b"),
        (["runs=a,b,c"], "runs=a,b,c must be two runs: use runs=a,b"),
        (["runs=a,b"], "runs=b is not a run"),
        (["runs=a,a", "epoch=9"], "it has: 1, 2, 3"),
        (["runs=a,a", "n=0"], "n=0 must be at least 1: use n=64"),
        (["runs=a,a", "out=/proc/blind"], "out=/proc/blind cannot be written"),
        (["choices=none.json"], "key=key.json does not exist: use the path of a file"),
        (["choices=none.json", "key=outputs"], "key=outputs cannot be read: it is a folder"),
        (["choices=none.json", "key=outputs/a/finished.json"], "is not the key of a comparison"),
    ],
)
def test_mistakes_are_explained_in_one_line(call, finished: Path, overrides, message):
    result = call("blind", *overrides, cwd=finished, status=2)
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ") and message in line


@pytest.mark.skipif(MISSING, reason="no Chromium with its chromedriver on PATH")
def test_keys_and_clicks_choose_and_the_browser_remembers_them(tmp_path: Path):
    faces = [Image.new("RGB", (8, 8), (shade, 0, 0)) for shade in range(0, 160, 20)]
    page = tmp_path / "page.html"
    digest = write_blind_page(list(zip(faces[::2], faces[1::2], strict=True)), page)
    (downloads := tmp_path / "downloads").mkdir()
    with chromedriver() as port:
        window = Chromium(port, downloads)
        window.load(page)
        window.press(RIGHT, LEFT)
        window.click("[data-choice=same]")
        window.press("\ue003", DOWN)  # back, and the same again
        decided = "document.querySelector('#position').textContent == 'Pair 4 of 4, 3 decided'"
        window.wait(decided)
        window.load(page)
        until = time.monotonic() + TIMEOUT
        while not window.run(decided):  # another process of the browser may not see them yet
            assert time.monotonic() < until
            window.load(page)
        window.click("[data-choice=right]")
        assert "all decided" in window.run("document.querySelector('#position').textContent")
        window.emulate(320)
        assert window.run("document.documentElement.scrollWidth") <= 320
        window.click("#save")
        saved = json.loads(window.downloaded().read_text())
        assert saved == {"page": digest, "choices": ["right", "left", "same", "right"]}
        assert not window.console()
        window.close()
