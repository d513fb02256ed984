"""Write a site: a folder of static files in which visitors draw the faces of a generator.

The generator runs in the browser. The page loads nothing from elsewhere.
"""

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from anime_dcgan.explore import directions
from anime_dcgan.explore.directions import Direction, Method
from anime_dcgan.explore.naming import Name, measure_effects, name_directions
from anime_dcgan.model.base import Generator
from anime_dcgan.page.render import THEME
from anime_dcgan.sampling import image
from anime_dcgan.sampling.sample import faces
from anime_dcgan.sharing.network import SharedGenerator
from anime_dcgan.sharing.onnx import Storage, convert, drawing, store
from anime_dcgan.sharing.runtime import BUILDS, copy_runtime
from anime_dcgan.sharing.site_files import DATA, DISK, GENERATOR, MARK
from anime_dcgan.sharing.site_texts import Texts
from anime_dcgan.sharing.verify import Difference, Reference

SOURCE = Path(__file__).parent / "site"
ENGINE = ("random", "model", "worker")
PAGE = ("dom", "faces", "engine", "picture", "stage", "wall", "edit", "family", "film", "main")
PREVIEW_SIZE = (1200, 630)  # px, of the picture that others show next to a link
PREVIEW_CELLS = (8, 4)
ICON_SIZE = 192  # px
MAX_DIFFERENCE = 1  # grey level, up to which `auto` prefers the smaller file
KEYS = (
    ("N, space", "a new face"),
    ("← →", "the faces of the seeds before and after"),
    ("B", "breed with another face"),
    ("L, P, F", "copy the link, save the picture, save a film"),
    ("T", "light or dark"),
)


@dataclass(frozen=True)
class Weights:
    """The generator as ONNX.

    Attributes:
        difference: distance of its faces from those of `generate`.
    """

    content: bytes = field(repr=False)
    storage: Storage
    difference: Difference


def choose_weights(
    generator: Generator, storage: Storage | None
) -> tuple[SharedGenerator, Weights]:
    """Return the network of a site and its ONNX file; None stores 16 bits if they are enough."""
    network = SharedGenerator(generator, with_shift=True)
    model = convert(network, "use another run=...")
    reference = Reference(generator)

    def stored_as(storage: Storage) -> Weights:
        stored = store(model, storage)
        difference = reference.compare(network, drawing(stored))
        return Weights(stored.SerializeToString(), storage, difference)

    if storage is not None:
        return network, stored_as(storage)
    weights = stored_as("float16")
    if weights.difference.maximum > MAX_DIFFERENCE:
        weights = stored_as("float32")
    return network, weights


def write_site(
    folder: Path,
    generator: Generator,
    network: SharedGenerator,
    weights: Weights,
    runtime: Path,
    texts: Texts,
    method: Method = "sefa",
    sliders: int = 8,
) -> None:
    """Write a site into an empty folder. Raises `UserError` and OSError.

    Parameters:
        runtime: folder with the files of onnxruntime-web, see `runtime.find_runtime`.
        method: directions of the sliders.
        sliders: number of directions.
    """
    copy_runtime(runtime, folder)
    (folder / GENERATOR).write_bytes(weights.content)
    side = _write_pictures(folder, generator)
    _write_text(folder / "site.css", THEME.read_text(encoding="utf-8") + _source("site.css"))
    _write_text(folder / "engine.js", _concatenate("engine", ENGINE))
    _write_text(folder / "site.js", _concatenate("page", PAGE))
    found = _named(generator, _find_directions(generator, method, sliders))
    version = ""
    for _ in range(2):  # the version is a hash of all files, which they then hold
        _write_data(folder, generator, network, found, texts, version)
        _write_manifest(folder, texts)
        _write_page(folder, texts, version, side)
        version = version or _digest(folder)
    _write_disk_copies(folder)
    _write_worker(folder, version)


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _source(name: str) -> str:
    return (SOURCE / name).read_text(encoding="utf-8")


def _concatenate(folder: str, names: Sequence[str]) -> str:
    return "\n".join(['"use strict";', *(_source(f"{folder}/{name}.js") for name in names)])


def _digest(folder: Path) -> str:
    """Return a hash of all files, which names this version of the site."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(path.relative_to(folder).as_posix().encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


def _write_data(
    folder: Path,
    generator: Generator,
    network: SharedGenerator,
    found: Sequence[Mapping[str, str]],
    texts: Texts,
    version: str,
) -> None:
    data = {
        "title": texts.title,
        "version": version,
        "generator": f"{GENERATOR}?{version}",
        "runtimes": {
            name: {
                "script": f"{build.site_script}?{version}",
                "wasm": f"{build.site_wasm}?{version}",
            }
            for name, build in BUILDS.items()
        },
        "latentDim": generator.latent_dim,
        "noiseDim": generator.noise_dim,
        "shiftDim": network.shift_dim,
        "labels": list(generator.labels),
        "directions": found,
    }
    _write_text(folder / DATA, f"{MARK}self.SITE = {json.dumps(data, ensure_ascii=False)};\n")


def _find_directions(generator: Generator, method: Method, sliders: int) -> list[Direction]:
    return directions.find(generator, method, sliders, "use sliders=0") if sliders else []


def _named(generator: Generator, found: Sequence[Direction]) -> list[dict[str, str]]:
    """Return the vector of each direction, and what the left and right end of a slider change."""
    if not found:
        return []
    names = name_directions(measure_effects(generator, found))
    return [_slider(*pair) for pair in zip(found, names, strict=True)]


def _slider(direction: Direction, name: Name) -> dict[str, str]:
    texts = [name.opposite or "", name.text][:: name.sign]
    vector = direction.vector.numpy().astype("<f4").tobytes()
    return {
        "id": direction.id,
        "left": texts[0],
        "right": texts[1],
        "vector": base64.b64encode(vector).decode(),
    }


def _write_disk_copies(folder: Path) -> None:
    """Write scripts that hold the files which a page from disk cannot read."""
    (folder / DISK).mkdir()
    for name in (GENERATOR, BUILDS["wasm"].site_wasm):
        content = base64.b64encode((folder / name).read_bytes()).decode()
        script = f'(self.siteFiles ??= {{}})["{name}"] = "{content}";\n'
        _write_text(folder / DISK / f"{name.replace('/', '-')}.js", script)


def _write_pictures(folder: Path, generator: Generator) -> int:
    """Write the icon and the preview; return the side of the generator's images."""
    across, down = PREVIEW_CELLS
    pixels = list(faces(generator, range(across * down)))
    cell = PREVIEW_SIZE[0] // across
    sheet = Image.new("RGB", (across * cell, down * cell))
    for number, face in enumerate(pixels):
        row, column = divmod(number, across)
        enlarged = Image.fromarray(face).resize((cell, cell), Image.Resampling.LANCZOS)
        sheet.paste(enlarged, (column * cell, row * cell))
    height = PREVIEW_SIZE[1]
    sheet.resize((round(sheet.width * height / sheet.height), height)).crop(
        ((round(sheet.width * height / sheet.height) - PREVIEW_SIZE[0]) // 2, 0, *PREVIEW_SIZE)
    ).save(folder / "preview.jpg", quality=85)
    icon = Image.fromarray(pixels[0]).resize((ICON_SIZE, ICON_SIZE), Image.Resampling.LANCZOS)
    (folder / "icon.png").write_bytes(image.to_png(icon))
    return pixels[0].shape[0]


def _write_manifest(folder: Path, texts: Texts) -> None:
    """Write what a phone needs to keep the page as an application."""
    manifest = {
        "name": texts.title,
        "short_name": texts.title,
        "start_url": "./",
        "display": "standalone",
        "icons": [{"src": "icon.png", "sizes": f"{ICON_SIZE}x{ICON_SIZE}", "type": "image/png"}],
    }
    _write_text(folder / "manifest.webmanifest", json.dumps(manifest, ensure_ascii=False))


def _write_page(folder: Path, texts: Texts, version: str, side: int) -> None:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    wasm = (folder / BUILDS["wasm"].site_wasm).stat().st_size
    megabytes = math.ceil((wasm + (folder / GENERATOR).stat().st_size) / 1e6)
    page = environment.from_string(_source("index.html")).render(
        vars(texts), version=version, side=side, megabytes=megabytes, keys=KEYS
    )
    _write_text(folder / "index.html", page)


def _write_worker(folder: Path, version: str) -> None:
    """Write the service worker, which keeps everything but the copies for disks."""
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != DISK and path.suffix != ".txt"
    )
    files = [f"{name}?{version}" for name in names if name != "index.html"]
    text = _source("sw.js").replace("@VERSION@", version)
    _write_text(folder / "sw.js", text.replace('"@FILES@"', json.dumps(json.dumps(files))))
