"""The studio in Chromium, with real keys and clicks: runs, walls of faces, and saved faces."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from anime_dcgan.run.origin import Origin, write_origin
from anime_dcgan.sampling import upscale
from tests.checkpoints import make_checkpoint
from tests.chromium import (
    DELETE,
    DOWN,
    ENTER,
    ESCAPE,
    LEFT,
    MISSING,
    RIGHT,
    UP,
)
from tests.studio.addresses import HOSTILE, WALL, A, face
from tests.studio.window import Window

pytestmark = pytest.mark.skipif(MISSING, reason="no Chromium with its chromedriver on PATH")


ALL_RUNS = "[...document.querySelectorAll('.run')]"


def test_runs_are_listed_with_verdict_and_progress(page: Window):
    page.open("#/runs")
    page.wait("document.querySelectorAll('.run').length == 2")
    names = "[...document.querySelectorAll('.run h2')].map(h => h.innerText.split('\\n').join(''))"
    assert {name.removesuffix("training now") for name in page.run(names)} == {"a", "sweep/b"}
    row = page.run(f"{ALL_RUNS}.find(one => !one.textContent.includes('sweep')).textContent")
    assert (
        "equilibrium" in row
        and "best in epoch 8 (distance swd/all 10)" in row
        and "3 saved epochs" in row
    )


def test_the_epoch_slider_draws_the_same_seeds(page: Window):
    page.open(f"#/epochs?{A}&seed=5")
    page.painted(32)
    page.has(".curve .best")
    assert page.count(".curve .line") == 1
    assert page.count(".curve .decided") == 1 and page.count(".epoch-previews button") == 4
    before = page.run("document.querySelector('.tile').style.backgroundImage")
    page.focus(".epoch-slider input[type=range]")
    page.press(RIGHT)
    page.at("epoch=10")
    page.wait(f"document.querySelector('.tile').style.backgroundImage != {json.dumps(before)}")
    assert "seed 5" in page.run("document.querySelector('.tile').getAttribute('aria-label')")
    page.press_button("Latest")
    page.at("weights=raw", "epoch=10", "seed=5")
    page.open(f"#/epochs?{A}&seed=5")
    page.press_button("Best")
    page.at("epoch=best")
    page.until(".epoch-slider output", "best epoch (8")


def test_two_runs_are_shown_side_by_side(page: Window):
    page.open(f"#/epochs?{A}&seed=0")
    page.press_button("Side by side")
    page.at("run2=a", "epoch2=1")
    page.painted(64)
    page.choose(".pane:nth-child(2) select", "sweep/b")
    page.at("run2=sweep/b", "epoch2=1")
    page.wait("document.querySelectorAll('.pane').length == 2")
    page.wait("document.querySelectorAll('.pane .tile[aria-label=\"seed 0\"]').length == 2")
    page.press_button("Side by side")
    page.wait("document.querySelectorAll('.pane').length == 1 && !location.hash.includes('run2')")


def test_a_running_training_is_followed(page: Window, runs: Path):
    make_checkpoint(runs / "live" / "checkpoints" / "epoch=0001.ckpt", seed=31)
    (runs / "live" / "config.yaml").write_text("data: {image_size: 16}\n")
    write_origin(runs / "live", Origin("first", 12.5, 9600, 64 * "0", {}))
    page.open("#/runs")
    page.wait(f"{ALL_RUNS}.some(one => /begun from first, epoch 12.5/.test(one.textContent))")
    page.wait(f"{ALL_RUNS}.some(one => /live/.test(one.textContent) && one.querySelector('.live'))")
    page.run("location.hash = '#/epochs?run=live&epoch=1&weights=ema&seed=0'")
    page.painted(32)
    page.until(".about-run", "Begun from first, epoch 12.5, 9,600 images")
    make_checkpoint(runs / "live" / "checkpoints" / "epoch=0002.ckpt", seed=32)
    page.at("epoch=2")
    assert page.run("document.querySelector('.epoch-slider input').max") == "1"
    page.click(".follow input")
    make_checkpoint(runs / "live" / "checkpoints" / "epoch=0003.ckpt", seed=33)
    page.wait("document.querySelector('.epoch-slider input').max == 2")
    assert "epoch=2" in page.hash


def test_the_wall_is_endless_and_navigated_by_keys(page: Window):
    page.open(WALL)
    page.painted(128)
    page.focus(".tile")
    style = "getComputedStyle(document.querySelector('.wall'))"
    columns = page.run(f"{style}.gridTemplateColumns.split(' ').length")
    page.press(RIGHT, DOWN)
    assert page.focused == f"seed {columns + 1}"
    page.press(UP, LEFT, LEFT)
    assert page.focused == "seed 0"
    count = page.count(".tile")
    page.run("scrollTo(0, document.body.scrollHeight)")
    page.wait(f"document.querySelectorAll('.tile').length > {count}")
    page.press(ENTER)
    page.at("#/face?", "seed=0")
    page.press(ESCAPE)
    page.at("#/wall?")
    page.wait("document.activeElement.getAttribute('aria-label') == 'seed 0'")


def test_a_key_goes_to_the_view_that_the_key_before_it_opened(page: Window):
    page.open(WALL)
    page.painted(128)
    escape = "new KeyboardEvent('keydown', {key: 'Escape', bubbles: true})"
    steps = ("document.querySelector('.tile').click()", f"document.body.dispatchEvent({escape})")
    _, opened, _, left = page.run(f"[{', '.join(f'{step}, location.hash' for step in steps)}]")
    assert opened.startswith("#/face?") and left.startswith("#/wall?")


def test_a_late_answer_leaves_the_address_of_the_next_view_alone(page: Window):
    page.open(f"#/face?{face(7)}")
    page.has(".big")
    late = "updateAddress('face', {seed: 9})"
    page.run(
        "void import('/static/state/router.js').then(({updateAddress}) => "
        f"{{ location.hash = '#/runs'; {late}; window.answered = true; }})"
    )
    page.wait("window.answered")
    page.has(".run")
    page.at("#/runs")


def test_seed_truncation_and_count_of_the_wall(page: Window):
    page.open(WALL)
    page.choose("input[type=number]", "77")
    page.at("seed=77")
    page.choose(".panel input[type=range]", "0.5")
    page.at("truncation=0.5", "seed=77")
    page.choose(".panel select", "16")
    page.at("count=16")
    page.wait("document.querySelectorAll('.tile').length == 16")
    page.painted(16)
    address = page.hash
    page.open(address)
    page.painted(16)
    assert page.hash == address
    assert page.attribute(".tile", "aria-label") == "seed 77"
    page.press("r")
    page.wait("!location.hash.includes('seed=77')")


def test_the_next_wall_is_prefetched(page: Window):
    page.open(f"{WALL}&count=64")
    page.painted(64)
    requests = "performance.getEntriesByType('resource').map(one => new URL(one.name))"
    seeds = f"{requests}.filter(one => one.pathname == '/api/wall.png')"
    seeds += ".map(one => Number(one.searchParams.get('seed'))).filter(seed => seed >= 64)"
    last = page.wait(f"{seeds}.at(3)")  # the fourth batch of the next wall
    page.press("r")
    page.at(f"seed={last - 48}")
    page.painted(64)


def test_a_face_has_a_story_a_link_and_a_file(page: Window):
    page.open(f"#/face?{face(7)}")
    page.wait("document.querySelector('.big img').naturalWidth == 16")
    page.type("textarea", HOSTILE)
    page.until(".saved", "Saved")
    page.press(ESCAPE)
    page.press("f")
    page.until(".heart", "♥")
    page.press_button("⋯")
    page.press_button("Copy link")
    page.wait("/link/i.test(document.getElementById('notice').textContent)")
    page.press_button("Download")
    assert page.downloaded(".png").name.startswith("a-epoch2-seed7")
    with Image.open(page.downloaded(".png")) as picture:
        assert picture.size == (128, 128)
        assert json.loads(picture.info["anime_dcgan"])["seed"] == 7
        assert picture.info["Description"] == HOSTILE
    page.press("r")
    page.wait("!location.hash.endsWith('seed=7')")
    page.wait("document.querySelector('textarea').value == ''")
    page.run("history.back()")
    page.at("seed=7")
    page.wait(f"document.querySelector('textarea').value == {json.dumps(HOSTILE)}")
    page.click(".big")
    page.wait("!location.hash.endsWith('seed=7')")
    page.open(f"#/face?{face(8)}")
    page.until("h1", "seed 8")
    page.press(RIGHT, RIGHT, LEFT)
    page.at("seed=9")


def test_a_face_enters_and_leaves_full_screen(page: Window, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(upscale, "_has_realcugan", lambda: True)
    monkeypatch.setattr(upscale, "_realcugan", upscale._lanczos)
    page.open(f"#/face?{face(7)}")
    page.until("h1", "seed 7")
    page.press_button("⋯")
    page.press_button("Full screen")
    page.wait("document.fullscreenElement?.matches('.big')")
    page.until(".enlarged:not([hidden])", "Enlarged 4 times by Real-CUGAN")
    page.wait("document.querySelector('.big img').naturalWidth == 64")
    page.run("void document.exitFullscreen()")
    page.wait("document.querySelector('.big img').naturalWidth == 16")
    assert page.count(".enlarged:not([hidden])") == 0
    page.press_button("Full screen")
    page.wait("document.fullscreenElement?.matches('.big')")
    page.press("r")
    page.wait("!location.hash.endsWith('seed=7')")
    page.run("document.fullscreenElement && void document.exitFullscreen()")
    page.wait("!document.fullscreenElement")


def test_a_story_is_saved_when_the_page_is_left_at_once(page: Window):
    page.open(f"#/face?{face(40)}")
    page.wait("document.querySelector('.big img').naturalWidth == 16")
    page.type("textarea", "in haste")
    page.open(f"#/face?{face(40)}")
    page.wait("document.querySelector('textarea').value == 'in haste'")


def test_selected_faces_are_shown_in_the_selection_bar(page: Window):
    page.open(WALL)
    page.painted(64)
    page.focus(".tile")
    page.press(" ", RIGHT, " ", RIGHT, " ", " ")
    page.wait("document.querySelectorAll('#selection .small-tile.painted').length == 2")
    assert page.count(".tile.selected") == 2
    page.open(WALL)
    page.wait("document.querySelectorAll('#selection .small-tile.painted').length == 2")
    page.wait("document.querySelector('[data-view=wall]').dataset.selected == 2")
    page.press("5")
    page.has(".view-saved")
    assert page.run("document.getElementById('selection').hidden")  # a selection of its own
    page.press("2")
    page.wait("document.querySelectorAll('.tile.selected').length == 2")
    page.click("#selection .small-tile")
    page.wait("document.querySelectorAll('.tile.selected').length == 1")
    page.press_button("Clear")
    page.wait("document.getElementById('selection').hidden")


def test_a_wall_is_downloaded_as_grid_and_zip(page: Window):
    page.open(WALL)
    page.painted(64)
    page.press_button("Download")
    page.press_button("Grid of 64")
    with Image.open(page.downloaded(".png")) as picture:
        assert picture.size == (128, 128)
    page.press_button("Create ZIP")
    page.until(".job", "done")
    page.press_button("Download", ".job")
    with zipfile.ZipFile(page.downloaded(".zip")) as archive:
        assert len(archive.namelist()) == 100
    page.press_button("Dismiss")
    page.wait("!document.querySelector('.job')")


def test_collections_are_created_filled_exported_and_imported(page: Window):
    page.open(f"#/face?{face(21)}")
    page.wait("document.querySelector('.big img').naturalWidth == 16")
    page.press_button("⋯")
    page.press_button("Collections")
    page.type(".inline input", HOSTILE)
    page.press(ENTER)
    page.wait("document.querySelectorAll('.choices label').length == 1")
    page.click(".choices input[type=checkbox]")
    page.type("textarea", "a lighthouse")
    page.until(".saved", "Saved")
    page.press(ESCAPE, "5")
    page.until(".chips", "(1)")
    page.press("/")
    page.type("input[type=search]", "lightho")
    page.at("text=lightho")
    page.wait("document.querySelectorAll('.saved-grid .tile').length == 1")
    page.open("#/saved")
    page.click(".chips a", 2)
    page.wait("document.querySelectorAll('.saved-grid .tile').length == 1")
    page.choose(".tools input[type=text]", "Keepers")
    page.until(".chips", "Keepers (1)")
    page.press_button("Export")
    page.press_button("With the generator")
    exported = page.downloaded(".zip")
    page.press_button("Delete collection")
    page.press_button("Delete it? Its faces stay saved")
    page.wait("!document.querySelector('.chips').textContent.includes('Keepers')")
    page.run("document.querySelector('.bar input[type=file]').hidden = false")
    page.type(".bar input[type=file]", str(exported))
    page.until(".chips", "Keepers (1)")
    page.at("collection=")
    page.focus(".saved-grid .tile")
    page.press(" ")
    page.press_button("Remove from collection")
    page.until(".chips", "Keepers (0)")
    assert page.run("document.querySelectorAll('#view script, #view img[onerror]').length") == 0


def test_a_favourite_outlives_its_run_and_then_its_generator(page: Window, runs: Path):
    last = runs / "goes/checkpoints/last.ckpt"
    make_checkpoint(last, seed=41, epochs=7)
    page.open("#/face?run=goes&epoch=last&weights=ema&seed=5")
    page.at("epoch=7", "digest=")
    page.press("f")
    page.until("#live", "Added to favourites")
    shutil.rmtree(runs / "goes")
    address = page.hash
    page.open(address)
    page.wait("document.querySelector('button.big img').naturalWidth == 16")
    page.press("e")
    page.painted(6, ".others")
    page.wait("document.querySelector('.sliders p.quiet').hidden")
    page.painted(12, ".slider-list")
    shutil.rmtree(page.server.folder / "generators")
    page.open("#/saved?text=goes")
    page.click(".saved-grid .tile.only-picture")
    page.until(".calm", "stored when the face was kept")
    page.wait("document.querySelector('div.big img').naturalWidth == 16")
    buttons = "[...document.querySelectorAll('.actions > *')].map(one => one.textContent)"
    assert page.run(buttons)[:2] == ["♥", "Download"] and page.count("a.button") == 1


def test_forgetting_faces_is_counted_and_undone(page: Window):
    for seed in (51, 52):
        page.open(f"#/face?{face(seed)}")
        page.until("h1", f"seed {seed}")
        page.press("f")
        page.until("#live", "Added to favourites")
    page.open("#/saved")
    page.focus(".saved-grid .tile")
    page.press(" ", RIGHT, " ")
    page.press_button("Forget 2 faces")
    page.until("#notice", "2 faces forgotten.")
    here = "[...document.querySelectorAll('.saved-grid .tile')].filter(t => t.face.seed > 50)"
    page.wait(f"{here}.length == 0")
    page.press_button("Undo")
    page.wait(f"{here}.length == 2")
    page.focus(".saved-grid .tile")
    page.press(DELETE)
    page.until("#notice", "1 face forgotten.")
    page.wait(f"{here}.length == 1")


def test_favourites_are_listed_and_marked(page: Window):
    page.open(WALL)
    page.painted(64)
    page.focus(".tile")
    page.press(RIGHT, RIGHT, RIGHT, "f")
    page.until("#live", "Added to favourites")
    page.open("#/saved?favourite=true")
    page.wait("[...document.querySelectorAll('.saved-grid .tile')].some(t => t.face.seed == 3)")
    page.open(WALL)
    page.wait("document.querySelectorAll('.tile.favourite').length >= 1")
    label = page.run("document.querySelectorAll('.tile')[3].getAttribute('aria-label')")
    assert label == "seed 3, favourite"
