"""The studio in Chromium: faces bred, edited, filmed and projected."""

import json
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image

from tests.checkpoints import make_checkpoint, make_style_checkpoint
from tests.chromium import (
    CONTROL,
    ENTER,
    MISSING,
    RIGHT,
    SHIFT,
    UP,
)
from tests.studio.addresses import A, face, parents
from tests.studio.window import Window

pytestmark = pytest.mark.skipif(MISSING, reason="no Chromium with its chromedriver on PATH")


def test_children_are_bred_and_shown_as_a_family(page: Window):
    page.open(f"#/mix?{parents(1, 2)}")
    page.painted(8 + 24)
    page.choose(".parent input", "0.2")
    page.wait("document.querySelector('.result img').naturalWidth == 16")
    page.click("[aria-label=Children] .keep", 3)
    page.wait("document.querySelectorAll('.keep[aria-pressed=true]').length == 1")
    page.open(f"#/mix?{parents(1, 2)}")  # the chosen ones survive a reload
    page.wait("document.querySelectorAll('.keep[aria-pressed=true]').length == 1")
    page.press_button("Breed the kept ones (1)")
    page.wait("document.querySelectorAll('.parent').length == 1")
    page.painted(24)
    page.click("[aria-label=Children] .keep", 5)
    page.until(".head .primary", "Breed the kept ones (1)")
    page.click("[aria-label=Children] .tile", 6)  # a click only looks
    page.at("#/face?")
    page.painted(8, ".relatives")
    page.open("#/saved")
    page.wait(
        "[...document.querySelectorAll('.saved-grid .tile')].some(t => t.saved.how == 'breed')"
    )
    page.click(".saved-grid .tile")
    page.wait("document.querySelectorAll('[aria-label=Parents] .tile').length == 1")
    page.press_button("Family tree")
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
    """Edit a face and wait for the sliders and their names."""
    page.open(f"#/edit?{one}")
    page.has('.slider[data-id="sefa.0"]')
    page.wait("document.querySelector('.sliders p.quiet').hidden")


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
    page.open(first)  # the history survives a reload
    page.has('.slider[data-id="sefa.0"]')
    page.press_button("Undo")
    page.wait(f"decodeURIComponent(location.hash) != {json.dumps(first)}")
    page.press_button("Redo")
    page.at(first)
    page.click(".about .primary")
    page.until("#notice", "Face saved")
    page.open(first)
    page.wait("document.querySelector('[data-id=\"sefa.0\"] input').value != 0")


DRAG = (  # 60 steps within 0.6 s
    "(() => { window.requests = []; window.maxActive = 0; let active = 0; const plain = fetch;"
    " window.fetch = async (path, how) => { if (!String(path).includes('face.png'))"
    " return plain(path, how); requests.push(path); maxActive = Math.max(maxActive, ++active);"
    " try { return await plain(path, how) } finally { active-- } };"
    " const one = document.querySelector('.slider input');"
    " for (let step = 1; step <= 60; step++) setTimeout(() => { one.value = step / 20;"
    " one.dispatchEvent(new Event('input')); if (step == 60)"
    " one.dispatchEvent(new Event('change')) }, step * 10) })()"
)


def test_a_dragged_slider_requests_one_face_at_a_time_and_the_last(page: Window):
    counts: list[int] = []
    while max(counts, default=0) < 6 and len(counts) < 10:  # other processes delay some
        edit(page, face(4 + len(counts)))
        page.run(DRAG)
        page.wait("/sefa.0:-?3/.test(decodeURIComponent(location.hash))")
        page.wait("/sefa.0:-?3/.test(decodeURIComponent(requests.at(-1)))")
        assert page.run("maxActive") == 1
        counts.append(page.run("requests.length"))
    assert max(counts) >= 6, counts  # 10 frames a second


def test_a_direction_is_renamed(page: Window):
    edit(page, face(3))
    page.click(".slider .name", 1)
    page.type(".slider input[type=text]", "smile")
    page.press(ENTER)
    page.until("#live", "Name saved")
    edit(page, face(9))
    page.until(".slider .named", "smile")


def test_sliders_show_what_they_change(page: Window):
    edit(page, face(3))
    page.painted(6, ".others")
    page.painted(12, ".slider-list")
    names = "[...document.querySelectorAll('.slider .name')].map(one => one.textContent)"
    found = page.run(names)
    assert len(found) == len(set(found)) == 6 and "SeFa" not in " ".join(found)
    before = page.attribute(".others .tile", "style")
    page.click(".slider .end.tile", 1)
    page.wait("/sefa.0:-?3/.test(decodeURIComponent(location.hash))")
    page.wait(f"document.querySelector('.others .tile').getAttribute('style') != {before!r}")
    page.press_button("How are these found?")
    page.until(".term[open] p", "SeFa")


def test_a_map_is_walked_zoomed_and_left_with_a_face(page: Window):
    page.open(f"#/map?{face(3)}")
    page.has(".chunk.painted")
    page.focus(".map")
    page.press(RIGHT, "+")
    page.at("px=1.00", "step=0.5", "x=", "y=")
    page.has(".chunk.painted")
    right = page.text(".map .right")
    page.open(page.hash.replace("px=1.00", "px=40"))  # it has no end, but turns back
    page.has(".chunk.painted")
    page.until(".map .left", right)
    page.run(
        "(() => { const real = fetch; let failures = 2; window.fetch = (...given) =>"
        " given[0].includes('sheet') && failures-- > 0 ? Promise.reject(new TypeError('lost'))"
        " : real(...given) })()"
    )
    page.focus(".map")
    page.press("-")
    page.wait("document.querySelectorAll('.chunk:not(.painted)').length == 0")  # after a failure
    page.press_button("Drift")
    page.run(
        "(() => { const map = document.querySelector('.map'); const { left, top, width, height } ="
        " map.getBoundingClientRect(); for (const type of ['pointerdown', 'pointerup'])"
        " map.dispatchEvent(new PointerEvent(type, { pointerId: 1, clientX: left + width / 2,"
        " clientY: top + height / 2, bubbles: true })) })()"
    )
    page.at("#/edit?")
    page.run("window.left = performance.now()")
    page.wait("performance.now() - window.left > 400")
    page.at("#/edit?")  # the map, which drifted, no longer writes its place
    steps = page.hash.partition("moves=")[2].split("&")[0].split(",")
    assert all(abs(float(step.split(":")[1])) <= 3 for step in steps)
    page.open(f"#/map?{face(3)}&px=1e300&py=nowhere&x=sefa.99")
    page.at("px=0.00", "py=0.00", "x=sefa.")
    page.has(".chunk.painted")


def test_a_film_is_created(page: Window):
    page.open(f"#/film?{parents(1, 2, 3)}")
    page.painted(3)
    page.choose(".form input", "4")
    page.choose(".form label:not([hidden]) > select", "gif")
    page.press_button("Create film")
    page.until(".job", "done")
    page.wait("document.querySelector('.job img.film').naturalWidth == 64")
    page.press_button("Download", ".job")
    with Image.open(page.downloaded(".gif")) as film:
        assert getattr(film, "n_frames", 1) >= 8 and film.size == (64, 64)


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


STYLES = "run=styles&epoch=1&weights=ema"


def test_latents_and_styles_are_compared_for_a_picture(page: Window, runs: Path, tmp_path: Path):
    make_style_checkpoint(runs / "styles/checkpoints/epoch=0001.ckpt")
    Image.new("RGB", (40, 30), "orange").save(tmp_path / "orange.png")
    page.open(f"#/projection?{STYLES}")
    page.wait("document.querySelector('.bar .field:not([hidden]) option[value=layers]')")
    page.choose(".bar input[type=range]", "50")
    page.type("#picture-file", str(tmp_path / "orange.png"))
    page.wait("document.querySelectorAll('.pair .actions').length == 3")
    errors = page.run("[...document.querySelectorAll('.pair output')].map(o => o.textContent)")
    latent, style, layers = (float(text.removeprefix("error ")) for text in errors)
    assert layers < style < latent
    page.click(".pair figure:nth-of-type(4) .primary")
    page.at("#/edit?", "latent=")
    page.wait("document.querySelector('.big img').naturalWidth == 16")


def test_a_slider_moves_some_layers(page: Window, runs: Path):
    make_style_checkpoint(runs / "styles/checkpoints/epoch=0001.ckpt")
    slider = '.slider[data-id="sefa.0"]'
    edit(page, f"{STYLES}&seed=3")
    page.choose(f"{slider} input", "1")
    page.at("moves=sefa.0:")
    page.choose(f"{slider} select", "2-3")
    page.at("moves=sefa.0/2-3:")
    page.choose(f"{slider} select", "0-3")
    page.at("moves=sefa.0/0-3:")
    page.press_button("Undo")
    page.at("moves=sefa.0/2-3:")
    page.wait(f"document.querySelector('{slider} select').value == '2-3'")
    edit(page, f"{STYLES}&seed=3&moves=sefa.0/1-4:2")
    page.wait(f"document.querySelector('{slider} select').value == '1-4'")
    edit(page, face(3))
    assert not page.count(".slider select")


def test_faces_are_mixed_and_filmed_in_some_layers(page: Window, runs: Path):
    make_style_checkpoint(runs / "styles/checkpoints/epoch=0001.ckpt")
    both = quote(f"{STYLES}&seed=1 {STYLES}&seed=2")
    page.open(f"#/mix?parents={both}")
    page.choose(".view-mix > .row > .field:first-child select", "2-5")
    page.at("layers=2-5")
    page.painted(8 + 24)
    page.wait("document.querySelector('.result img').naturalWidth == 16")
    page.press_button("Make a film")
    page.at("#/film?", "layers=2-5")
    page.wait("document.querySelector('.form select').value == '2-5'")
    page.press_button("Create film")
    page.wait("document.querySelector('.job a[download]')")
    page.open(f"#/mix?{parents(1, 2)}")
    page.painted(8 + 24)
    fields = "[...document.querySelectorAll('.view-mix > .row > .field')]"
    assert page.run(f"{fields}.map(one => one.hidden)") == [True, True]


def test_styles_of_layers_are_taken_from_other_faces(page: Window, runs: Path):
    make_style_checkpoint(runs / "styles/checkpoints/epoch=0001.ckpt")
    page.open("#/edit?run=styles&epoch=1&seed=3")
    page.wait("document.querySelectorAll('.layers').length == 3")
    assert page.run("[...document.querySelectorAll('.layers > span')].map(s => s.title)") == [
        "Style layers 0-1",
        "Style layers 2-3",
        "Style layers 4-5",
    ]
    page.choose(".layers input", "17")
    page.at("seed=3&mix=0-1:17")
    page.click("[aria-label='Random parent of the Fine layers']")
    page.at("mix=0-1:17,4-5:")
    page.press_button("Undo")
    page.wait("decodeURIComponent(location.hash).endsWith('mix=0-1:17')")
    page.wait("document.querySelector('.big img').naturalWidth == 16")
    page.press_button("Save")
    page.until("body", "Face saved.")
    page.open("#/edit?run=styles&epoch=1&seed=3&mix=0-1:17")
    page.wait("document.querySelector('.layers input')?.value == '17'")
    page.choose(".layers select", "own")
    page.wait("!location.hash.includes('mix')")
    edit(page, face(3))
    assert not page.run("document.querySelector('.mixer').offsetParent")


def test_faces_are_drawn_with_the_label_that_is_chosen(page: Window, runs: Path):
    strange = "<b>red</b> & blue"
    labels = ("black", strange)
    make_checkpoint(runs / "labelled/checkpoints/epoch=0001.ckpt", labels=labels)
    generator = "run=labelled&epoch=1&weights=ema"
    page.open(f"#/wall?{generator}&seed=7&count=16")
    page.painted(16)
    page.wait("document.querySelectorAll('.bar [aria-label=Label] option').length == 3")
    page.choose(".bar [aria-label=Label]", strange)
    page.at("label=<b>red</b>")
    page.painted(16)
    page.click(".wall .tile", 1)
    page.until("h1", f"seed 8, {strange}")
    page.press("e")
    page.painted(2, ".each-label")
    page.wait("document.querySelector('.each-label [aria-pressed=true]')")
    assert page.text(".each-label figure:nth-of-type(2)") == strange
    page.focus(".each-label .tile")
    page.press(ENTER)
    page.at("seed=8", "label=black")
    page.press_button("Undo")
    page.wait(f"document.querySelector('.about [aria-label=Label]').value == {strange!r}")
    page.choose(".about [aria-label=Label]", "")
    page.wait("!location.hash.includes('label=')")
    page.open(f"#/wall?{generator}&seed=7&count=16&label=green")
    page.until("#notice", "Label=green is not a label of this run")
    assert all("404" in line for line in page.console())
    page.open("#/wall?" + f"{A}&seed=7&count=16")
    page.painted(16)
    assert page.run("document.querySelector('[aria-label=Label]').offsetParent") is None


def test_parents_and_projections_take_the_label_that_is_chosen(page: Window, runs: Path):
    labels = ("black", "blue&red")
    make_checkpoint(runs / "labelled/checkpoints/epoch=0001.ckpt", labels=labels)
    generator = "run=labelled&epoch=1&weights=ema"
    own = quote(f"{generator}&seed=1 {generator}&seed=2&label=black")
    page.open(f"#/mix?parents={own}&children=4")
    page.wait("document.querySelectorAll('[aria-label=Label] option').length == 3")
    page.choose("[aria-label=Label]", labels[1])
    page.at("label=blue&red", "seed=2&label=black")
    page.wait(
        "[...document.querySelectorAll('.parents a img')].every(i => i.alt.endsWith('blue&red'))"
    )
    page.painted(8 + 4)
    tiles = "[...document.querySelectorAll('[aria-label=Children] .tile')]"
    assert page.run(f"{tiles}.map(tile => tile.face.label)") == 4 * [labels[1]]
    page.choose("section:has(> [aria-label=Children]) input[type=range]", "0.6")
    page.at("label=blue&red", "seed=2&label=black", "variation=0.6")
    page.choose("[aria-label=Label]", "")
    page.wait("document.querySelector('.parents a img').alt === 'seed 1'")
    page.open(f"#/projection?{generator}")
    page.wait("document.querySelectorAll('[aria-label=Label] option').length == 3")
    page.choose("[aria-label=Label]", labels[1])
    page.at("label=blue&red")
    page.choose(".bar input[type=range]", "50")
    page.run(DROP.replace(A, generator))
    page.at("job=")
    page.press_button("Another picture")
    page.wait(f"document.querySelector('[aria-label=Label]')?.value == {labels[1]!r}")
