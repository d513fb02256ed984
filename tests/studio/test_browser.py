"""The studio in Chromium, with real keys and clicks, a real server and small generators."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image

from tests.checkpoints import make_checkpoint
from tests.chromium import (
    CONTROL,
    DOWN,
    ENTER,
    ESCAPE,
    LEFT,
    MISSING,
    RIGHT,
    SHIFT,
    UP,
    chromedriver,
)
from tests.studio.conftest import make_outputs
from tests.studio.window import Server, Window

pytestmark = pytest.mark.skipif(MISSING, reason="no Chromium with its chromedriver on PATH")

A = "run=a&epoch=2&weights=ema"
WALL = f"#/wall?{A}&seed=0"
ALL_RUNS = "[...document.querySelectorAll('.run')]"
HOSTILE = '<img src=x onerror="document.title=1"><script>alert(1)</script>'


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_outputs(tmp_path_factory.mktemp("browser") / "outputs")


@pytest.fixture(scope="module")
def server(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(runs, tmp_path_factory.mktemp("saved"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def window(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    with chromedriver() as port:
        window = Window(port, tmp_path_factory.mktemp("downloads"), server)
        yield window
        window.close()


@pytest.fixture
def page(window: Window) -> Iterator[Window]:
    """The browser; fails if the console shows an error or another host was contacted."""
    for path in window.downloads.iterdir():
        path.unlink()
    window.emulate(1280)
    window.console()
    yield window
    other_hosts = (
        "performance.getEntriesByType('resource').map(one => one.name)"
        ".filter(name => !name.startsWith(location.origin) && !name.startsWith('blob:'))"
    )
    assert window.run(other_hosts) == []
    assert window.console() == []


def face(seed: int) -> str:
    return f"{A}&seed={seed}"


def parents(*seeds: int) -> str:
    return "parents=" + quote(" ".join(face(seed) for seed in seeds))


# 1. Runs and epochs


def test_runs_are_listed_with_verdict_and_progress(page: Window):
    page.open("#/runs")
    page.wait("document.querySelectorAll('.run').length == 2")
    names = "[...document.querySelectorAll('.run h2')].map(h => h.innerText.split('\\n').join(''))"
    assert {name.removesuffix("training now") for name in page.run(names)} == {"a", "sweep/b"}
    row = page.run(f"{ALL_RUNS}.find(one => !one.textContent.includes('sweep')).textContent")
    assert "equilibrium" in row and "best swd/all 10 in epoch 8" in row and "3 saved epochs" in row


def test_the_epoch_slider_draws_the_same_seeds(page: Window):
    page.open(f"#/epochs?{A}&seed=5")
    page.painted(32)
    assert page.count(".curve .line") == 1 and page.count(".curve .best") == 1
    assert page.count(".curve .decided") == 1 and page.count(".epoch-previews button") == 4
    before = page.run("document.querySelector('.tile').style.backgroundImage")
    page.focus(".epoch-slider input[type=range]")
    page.press(RIGHT)
    page.at("epoch=10")
    page.wait(f"document.querySelector('.tile').style.backgroundImage != {json.dumps(before)}")
    assert "seed 5" in page.run("document.querySelector('.tile').getAttribute('aria-label')")
    page.press_button("Raw")
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
    page.open("#/runs")
    page.wait(f"{ALL_RUNS}.some(one => /live/.test(one.textContent) && one.querySelector('.live'))")
    page.run("location.hash = '#/epochs?run=live&epoch=1&weights=ema&seed=0'")
    page.painted(32)
    make_checkpoint(runs / "live" / "checkpoints" / "epoch=0002.ckpt", seed=32)
    page.at("epoch=2")
    assert page.run("document.querySelector('.epoch-slider input').max") == "1"
    page.click(".follow input")
    make_checkpoint(runs / "live" / "checkpoints" / "epoch=0003.ckpt", seed=33)
    page.wait("document.querySelector('.epoch-slider input').max == 2")
    assert "epoch=2" in page.hash


# 2. Faces


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
    page.press_button("Copy link")
    page.wait("/link/i.test(document.getElementById('notice').textContent)")
    page.press_button("Download")
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


def test_a_face_enters_and_leaves_full_screen(page: Window):
    page.open(f"#/face?{face(7)}")
    page.until("h1", "seed 7")
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


# 3. Mix and edit


def test_children_are_bred_and_shown_as_a_family(page: Window):
    page.open(f"#/mix?{parents(1, 2)}")
    page.painted(8 + 24)
    page.choose(".parent input", "0.2")
    page.wait("document.querySelector('.result img').naturalWidth == 16")
    page.click("[aria-label=Children] .tile", 3)
    page.wait("document.querySelectorAll('.tile[aria-pressed=true]').length == 1")
    page.press_button("Breed selected (1)")
    page.wait("document.querySelectorAll('.parent').length == 1")
    page.painted(24)
    page.click("[aria-label=Children] .tile", 5)
    page.until(".head .primary", "Breed selected (1)")
    page.open("#/saved")
    page.wait(
        "[...document.querySelectorAll('.saved-grid .tile')].some(t => t.saved.how == 'breed')"
    )
    page.click(".saved-grid .tile")
    page.until(".lineage", "1 parent")
    page.click(".lineage a")
    page.wait("document.querySelectorAll('.tree .tile').length == 4")
    assert page.count(".tree path") == 3
    page.wait("document.activeElement.getAttribute('aria-current') == 'true'")
    page.press(UP, UP)
    assert page.focused.startswith("seed 1")
    page.press(RIGHT)
    assert page.focused.startswith("seed 2")
    page.press(ENTER)
    page.at("#/face?", "seed=2")


def edit(page: Window, one: str) -> None:
    """Edit a face and wait for the SeFa sliders, which may load after those of PCA."""
    page.open(f"#/edit?{one}")
    page.has('.slider[data-id="sefa.0"]')


def test_moves_along_directions_are_undone_and_redone(page: Window):
    edit(page, face(3))
    page.focus(".slider input")
    page.press(RIGHT, RIGHT)
    page.at("moves=sefa.0:")
    first = page.hash
    page.press("z", holding=CONTROL)
    page.press("z", holding=CONTROL)
    page.wait("!location.hash.includes('moves')")
    assert page.run("document.querySelector('.slider input').value") == "0"
    page.press("z", "z", holding=CONTROL + SHIFT)
    assert page.hash == first
    page.press_button("Undo")
    page.wait(f"decodeURIComponent(location.hash) != {json.dumps(first)}")
    page.press_button("Redo")
    page.at(first)
    page.click(".about .primary")
    page.until("#notice", "Face saved")
    page.open(first)
    page.wait("document.querySelector('[data-id=\"sefa.0\"] input').value != 0")


def test_a_dragged_slider_requests_one_face_at_a_time_and_the_last(page: Window):
    edit(page, face(4))
    page.run(
        "(() => { window.requests = []; window.maxActive = 0; let active = 0; const plain = fetch;"
        " window.fetch = async (path, how) => { if (!String(path).includes('face.png'))"
        " return plain(path, how); requests.push(path); maxActive = Math.max(maxActive, ++active);"
        " try { return await plain(path, how) } finally { active-- } };"
        " const one = document.querySelector('.slider input');"
        " for (let step = 1; step <= 60; step++) setTimeout(() => { one.value = step / 20;"
        " one.dispatchEvent(new Event('input')); if (step == 60)"
        " one.dispatchEvent(new Event('change')) }, step * 10) })()"
    )
    page.at("sefa.0:3")
    page.wait("requests.at(-1).includes('sefa.0:3')")
    assert page.run("maxActive") == 1
    assert page.run("requests.length") >= 6  # within 0.6 s: 10 frames a second


def test_a_direction_is_renamed(page: Window):
    edit(page, face(3))
    page.click(".slider .name", 1)
    page.type(".slider input[type=text]", "smile")
    page.press(ENTER)
    page.until("#live", "Name saved")
    edit(page, face(9))
    page.until(".slider .named", "smile")


def test_a_film_is_created(page: Window):
    page.open(f"#/film?{parents(1, 2, 3)}")
    page.painted(3)
    page.choose(".form input", "4")
    page.choose(".form select", "gif")
    page.press_button("Create film")
    page.until(".job", "done")
    page.press_button("Download", ".job")
    with Image.open(page.downloaded(".gif")) as film:
        assert getattr(film, "n_frames", 1) >= 8 and film.size == (64, 64)


# 4. Projection


def test_a_picture_is_projected_and_edited(page: Window, tmp_path: Path):
    Image.new("RGB", (40, 30), "orange").save(tmp_path / "orange.png")
    page.open(f"#/projection?{A}")
    page.choose(".bar input[type=range]", "50")
    page.type("#picture-file", str(tmp_path / "orange.png"))
    page.at("job=")
    page.wait("[...document.querySelectorAll('.pair img')].every(i => i.naturalWidth == 16)")
    page.press_button("Edit")
    page.at("#/edit?", "latent=")
    page.wait("document.querySelector('.big img').naturalWidth == 16")


DROP = f"""fetch('/api/face.png?{A}&seed=5').then(answer => answer.blob()).then(blob => {{
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([blob], 'face.png', {{type: 'image/png'}}));
    const how = {{dataTransfer, bubbles: true, cancelable: true}};
    document.querySelector('.drop').dispatchEvent(new DragEvent('drop', how)) }})"""


def test_the_projection_of_a_dropped_picture_is_cancelled(page: Window):
    page.open(f"#/projection?{A}")
    page.choose(".bar input[type=range]", "1000")
    page.run(DROP)
    page.press_button("Cancel")
    page.until("#view [role=status]", "cancelled")
    page.press_button("Another picture")
    page.has(".drop")


# 5. Saved faces


def test_collections_are_created_filled_exported_and_imported(page: Window):
    page.open(f"#/face?{face(21)}")
    page.wait("document.querySelector('.big img').naturalWidth == 16")
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


# 6. Usability


def test_shortcuts_open_every_view_and_are_listed(page: Window):
    page.open(WALL)
    page.painted(64)
    page.press("?")
    page.wait("document.querySelector('dialog').open")
    page.press(ESCAPE)
    for key, view in enumerate(("epochs", "mix", "projection", "saved", "runs"), start=2):
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
    page.open("#/face?run=nowhere&epoch=1&weights=ema&seed=0")
    page.wait("!document.getElementById('notice').hidden")
    assert page.run("document.getElementById('notice').textContent.length") > 10
    assert all("404" in line for line in page.console())


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
        window.at("run=first")
        window.painted(64)
        window.load("about:blank")
    finally:
        server.stop()
