"""A published site in Chromium: its faces are those of `generate`, also without a network."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from anime_dcgan.run.checkpoint import load_generator
from anime_dcgan.sampling.latent import latent_of_seed, noise_of_seed
from anime_dcgan.sampling.sample import faces
from anime_dcgan.sharing import onnx
from anime_dcgan.sharing.runtime import find_runtime
from anime_dcgan.system.errors import UserError
from tests.axe import problems
from tests.checkpoints import make_checkpoint
from tests.chromium import ESCAPE, MISSING, RIGHT, chromedriver
from tests.sharing.generators import small_generator
from tests.sharing.site import PATH, SiteServer, SiteWindow

pytestmark = [
    pytest.mark.skipif(MISSING, reason="no Chromium with its chromedriver on PATH"),
    pytest.mark.skipif(not onnx.has_packages(), reason='no ONNX: pip install -e ".[export]"'),
]
SIZE = 32  # px
TILES = "document.querySelectorAll('#wall .painted')"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, call: Callable[..., object]) -> Path:
    """Return a folder with a run in outputs/, and its site below web/."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "outputs/a/checkpoints").mkdir(parents=True)
    make_checkpoint(folder / "outputs/a/checkpoints/last.ckpt", image_size=SIZE)
    try:
        with find_runtime(None) as runtime:
            call("publish", f"out=web/{PATH}", "sliders=2", f"runtime={runtime}", cwd=folder)
    except UserError as error:
        pytest.skip(str(error))
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[SiteServer]:
    server = SiteServer(folder / "web")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser(server: SiteServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteWindow]:
    with chromedriver() as port:
        browser = SiteWindow(port, tmp_path_factory.mktemp("downloads"))
        browser.address = server.address
        yield browser
        browser.close()


@pytest.fixture
def page(browser: SiteWindow) -> Iterator[SiteWindow]:
    yield browser
    messages = [line for line in browser.console() if "No available adapters" not in line]
    assert not messages


@pytest.fixture(scope="module")
def expected(folder: Path) -> Callable[..., np.ndarray]:
    """Return a function that draws the face of a seed with torch."""
    generator = load_generator(folder / "outputs/a/checkpoints/last.ckpt")
    return lambda seed, truncation=1.0: next(faces(generator, [seed], truncation)).astype(int)


def test_a_seed_is_the_same_face_as_in_python(
    page: SiteWindow, expected: Callable[..., np.ndarray]
):
    for seed, settings, truncation in ((0, "", 1.0), (2**32 - 1, "&truncation=0.4", 0.4)):
        page.open(f"#seed={seed}{settings}")
        assert expected(seed).std() > 5
        assert np.abs(page.pixels() - expected(seed, truncation)).max() <= 1
    page.open("#seed=122")
    page.wait(f"{TILES}.length >= 48")
    for index in (0, 47):
        drawn = page.pixels(f"{TILES}[{index}].firstElementChild")
        assert np.abs(drawn - expected(123 + index)).max() <= 1
    origins = page.run("performance.getEntries().map(e => e.name).filter(n => n.includes('//'))")
    assert origins and all(name.startswith(page.address) for name in origins)


def test_latents_and_noise_are_those_of_torch(page: SiteWindow):
    page.open()
    dims = (1, 7, 15, 16, 17, 100, 512)
    seeds = [*range(40), 99_999, 2**31, 2**32 - 1]
    generator = small_generator("stylegan2")
    for dim in dims:
        generator.latent_dim = dim
        script = f"[{seeds}].flat().map(s => valuesOfSeed(s, {dim}, {generator.noise_dim}))"
        drawn = page.run(f"{script}.map(v => [[...v.latent], [...v.noise.slice(0, 50)]])")
        for seed, (latent, noise) in zip(seeds, drawn, strict=True):
            assert torch.tensor(latent).sub(latent_of_seed(seed, dim)).abs().max() < 1e-5
            own = noise_of_seed(seed, generator)[:50]
            assert torch.tensor(noise).sub(own).abs().max() < 1e-5


def test_a_label_keeps_its_spaces(page: SiteWindow):
    page.open()
    script = "(SITE.labels = [' a  b '], new Editor(() => {}).labels.value)"
    assert page.run(script) == " a  b "


def test_a_child_of_two_faces_has_a_link_of_its_own(page: SiteWindow):
    page.open("#seed=5")
    page.wait(f"{TILES}.length >= 48")
    page.press("b")
    page.click("#wall .tile", 3)
    page.wait("document.querySelectorAll('#children .painted').length === 8")
    assert page.hash() == "#seed=5"
    page.click("#children .tile", 1)
    page.wait("location.hash.startsWith('#latent=')")
    page.is_drawn()
    child, link = page.pixels(), page.hash()
    page.open(link)
    assert (page.pixels() == child).all()
    assert page.run("document.getElementById('name').textContent") == "A child"


def test_keys_and_sliders_change_the_face(page: SiteWindow, expected: Callable[..., np.ndarray]):
    page.open("#seed=7")
    page.press(RIGHT)
    page.wait("location.hash === '#seed=8'")
    page.is_drawn()
    assert np.abs(page.pixels() - expected(8)).max() <= 1
    page.press("n")
    page.wait("location.hash !== '#seed=8'")
    page.run("history.back()")
    page.wait("location.hash === '#seed=8'")
    page.is_drawn()
    page.run(
        "((slider) => { slider.value = 3; slider.dispatchEvent(new Event('input')) })"
        "(document.querySelectorAll('input[type=range]')[1])"
    )
    page.wait("location.hash === '#seed=8&moves=sefa.0:3'")
    page.is_drawn()
    assert np.abs(page.pixels() - expected(8)).max() > 3
    page.click("#reset")
    page.is_drawn()
    assert np.abs(page.pixels() - expected(8)).max() <= 1
    page.press("p")
    page.downloaded(".png")
    page.press("?")
    page.wait("document.querySelector('dialog').open")
    page.press("n", ESCAPE)
    assert page.hash() == "#seed=8"


@pytest.mark.parametrize(("width", "dark"), [(390, False), (1440, True)])
def test_the_page_fits_and_is_accessible(page: SiteWindow, width: int, dark: bool):
    page.emulate(width, dark)
    page.open("#seed=1")
    page.wait(f"{TILES}.length >= 48")
    page.run("document.getElementById('edit').open = true")
    assert page.run("document.documentElement.scrollWidth") <= width
    assert problems(page) == []
    page.press("?")
    assert problems(page) == []
    page.emulate(1280)


def test_a_film_is_saved(page: SiteWindow):
    page.open("#seed=1")
    page.run(
        "void openEngine().then(engine => recordFilm(engine, [1, 2].map(seed => faceOfSeed(seed)),"
        " filmType(), () => {}, 0.2)).then(film => { window.recorded = [film.size, film.type] })"
    )
    size, kind = page.wait("window.recorded")
    assert size > 1000 and kind.startswith("video/webm")


def test_the_site_works_without_a_network_after_the_first_visit(
    page: SiteWindow, server: SiteServer, expected: Callable[..., np.ndarray]
):
    page.open("#seed=3")
    page.run("void navigator.serviceWorker.ready.then(() => { window.kept = true })")
    page.wait("window.kept")
    server.stop()
    try:
        page.open("#seed=4")
        assert np.abs(page.pixels() - expected(4)).max() <= 1
    finally:
        server.start()
    page.console()  # the failed request for the page itself


def test_a_site_that_was_published_again_works_without_a_network(
    page: SiteWindow, server: SiteServer, folder: Path
):
    page.open("#seed=3")
    before = page.run("SITE.version")
    for path in (folder / "web" / PATH).rglob("*.*"):
        if path.suffix in (".html", ".js"):
            path.write_text(path.read_text("utf-8").replace(before, "another"), "utf-8")
    page.open("#seed=4")  # perhaps the page before, which the browser keeps for ten minutes
    page.run(
        "void (async () => { while (!(await caches.keys()).every(n => n.endsWith('another')))"
        " await new Promise(r => setTimeout(r, 20)); window.kept = true })()"
    )
    page.wait("window.kept")
    server.stop()
    try:
        page.open("#seed=5")
        assert page.run("SITE.version") == "another"
    finally:
        server.start()
    page.console()  # the failed request for the page itself


def test_the_site_works_from_disk(
    page: SiteWindow, folder: Path, expected: Callable[..., np.ndarray]
):
    page.load(f"{(folder / 'web' / PATH / 'index.html').as_uri()}#seed=3")
    page.is_drawn()
    page.console()  # the manifest cannot be read from disk
    assert np.abs(page.pixels() - expected(3)).max() <= 1
