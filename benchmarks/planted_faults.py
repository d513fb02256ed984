"""Recall of `prepare` on planted faults, and its false positives among good pictures.

    python -m benchmarks.planted_faults SOURCE [PHOTOGRAPHS]

SOURCE, a folder or archive of faces, is prepared first. 8,000 of the pictures that it keeps are
written to a temporary folder, together with copies of some (re-encoded, scaled, mirrored,
recoloured), blurred versions of others, pictures without content and, given a folder of PHOTOGRAPHS
without faces, random squares of these. That folder is prepared with the default thresholds,
and the fraction dropped is printed for each kind. A copy counts as found if it or its original is
dropped; a good picture is a false positive if it is dropped and none of its copies is kept.
"""

import io
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from anime_dcgan.data.folder import FolderFaces
from anime_dcgan.data.manifest import DROP, ManifestFaces, read_manifest

SIDE = 64
GOOD = 8000
PLANTED = 300  # pictures per kind
SQUARES = 6  # per photograph
MIN_DEVIATION = 12  # of grey values; squares below it are nearly uniform

Change = Callable[[Image.Image], Image.Image]


def encode(quality: int) -> Change:
    """Return a change that re-encodes a face as JPEG."""

    def change(face: Image.Image) -> Image.Image:
        stream = io.BytesIO()
        face.save(stream, "JPEG", quality=quality)
        return Image.open(stream).convert("RGB")

    return change


def scale(side: int) -> Change:
    """Return a change that resizes a face to `side` px."""
    return lambda face: face.resize((side, side), Image.Resampling.LANCZOS)


def shift_hue(degrees: float) -> Change:
    """Return a change that shifts the hue of a face."""

    def change(face: Image.Image) -> Image.Image:
        bands = np.array(face.convert("HSV"))
        bands[..., 0] += np.uint8(round(degrees / 360 * 256) % 256)
        return Image.fromarray(bands, "HSV").convert("RGB")

    return change


COPIES: dict[str, Change] = {
    "re-encoded, quality 60": encode(60),
    "re-encoded, quality 30": encode(30),
    "scaled to 48 px": scale(48),
    "scaled to 96 px": scale(96),
    "mirrored": lambda face: face.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "brightness 0.8": lambda face: ImageEnhance.Brightness(face).enhance(0.8),
    "contrast 1.3": lambda face: ImageEnhance.Contrast(face).enhance(1.3),
    "saturation 0.5": lambda face: ImageEnhance.Color(face).enhance(0.5),
    "hue turned by 15 degrees": shift_hue(15),
    "mirrored and re-encoded": lambda face: encode(60)(
        face.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    ),
}
BLURS: dict[str, Change] = {
    "blurred, radius 1": lambda face: face.filter(ImageFilter.GaussianBlur(1)),
    "blurred, radius 2": lambda face: face.filter(ImageFilter.GaussianBlur(2)),
    "enlarged from 24 px": lambda face: scale(SIDE)(scale(24)(face)),
}


def noise(generator: np.random.Generator) -> Image.Image:
    return Image.fromarray(generator.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))


def colour_clouds(generator: np.random.Generator) -> Image.Image:
    coarse = int(generator.integers(2, 12))
    return scale(SIDE)(
        Image.fromarray(generator.integers(0, 256, (coarse, coarse, 3), dtype=np.uint8))
    )


def stripes(generator: np.random.Generator) -> Image.Image:
    down, across = np.mgrid[:SIDE, :SIDE] / SIDE
    waves = generator.uniform(1, 12), generator.uniform(-6, 6), generator.uniform(0, 6.3)
    blend = np.sin(6.3 * (waves[0] * down + waves[1] * across) + waves[2]) / 2 + 0.5
    one, other = generator.integers(0, 256, (2, 3))
    return Image.fromarray((blend[..., None] * one + (1 - blend[..., None]) * other).astype("u1"))


WITHOUT_CONTENT = {"noise": noise, "clouds of colour": colour_clouds, "stripes": stripes}


def photograph_squares(folder: Path, generator: np.random.Generator) -> Iterator[Image.Image]:
    """Yield random squares of the photographs, except those of nearly one colour."""
    photographs = FolderFaces(folder)
    for index in range(len(photographs)):
        picture = photographs.picture(index)
        picture.thumbnail((1000, 1000))
        for _ in range(SQUARES):
            side = int(generator.integers(min(80, *picture.size), min(picture.size) + 1))
            left, top = (int(generator.integers(0, edge - side + 1)) for edge in picture.size)
            square = scale(SIDE)(picture.crop((left, top, left + side, top + side)))
            if np.asarray(square.convert("L")).std() >= MIN_DEVIATION:
                yield square


def prepare(source: Path, out: Path) -> Path:
    """Prepare a source and return its manifest."""
    command = [sys.executable, "-m", "anime_dcgan.prepare", f"source={source}", f"out={out}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return out / "manifest.csv"


def plant(kept: ManifestFaces, photographs: Path | None, folder: Path) -> None:
    """Write `<kind>/<number of the face>.png` files; "good" is one of the kinds."""
    generator = np.random.default_rng(0)
    numbers = iter(generator.permutation(len(kept)).tolist())

    def write(kind: str, number: int, picture: Image.Image) -> None:
        path = folder / kind.replace(" ", "_") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)

    for kind, change in BLURS.items():
        for _ in range(PLANTED):
            number = next(numbers)
            write(kind, number, change(kept.read(number, SIDE)))
    good = [number for number, _ in zip(numbers, range(GOOD), strict=False)]
    for number in good:
        write("good", number, kept.read(number, SIDE))
    for kind, change in COPIES.items():
        for number in generator.choice(good, PLANTED, replace=False).tolist():
            write(kind, number, change(kept.read(number, SIDE)))
    for kind, draw in WITHOUT_CONTENT.items():
        for number in range(PLANTED):
            write(kind, number, draw(generator))
    if photographs is not None:
        for number, square in enumerate(photograph_squares(photographs, generator)):
            write("squares of photographs", number, square)


def report(manifest: Path) -> None:
    """Print the fraction found of each kind."""
    dropped: dict[str, dict[str, bool]] = defaultdict(dict)  # by kind and number
    for row in read_manifest(manifest):
        kind, number = row["name"].removesuffix(".png").split("/")
        dropped[kind.replace("_", " ")][number] = row["verdict"] == DROP
    good = dropped.pop("good")
    copied = {number for kind in COPIES for number in dropped[kind]}
    print("| planted | pictures | found |")
    print("| --- | ---: | ---: |")
    total: Counter[str] = Counter()
    for kind in (*COPIES, *BLURS, *WITHOUT_CONTENT, "squares of photographs"):
        if kind not in dropped:
            continue
        if kind in COPIES:
            found = sum(is_dropped or good[number] for number, is_dropped in dropped[kind].items())
            group = "all near-duplicates"
        else:
            found = sum(dropped[kind].values())
            group = "all blurred" if kind in BLURS else "all non-faces"
        count = len(dropped[kind])
        total.update({group: count, f"{group} found": found})
        print(f"| {kind} | {count:,} | {found / count:.1%} |")
    for group in ("all near-duplicates", "all blurred", "all non-faces"):
        print(f"| {group} | {total[group]:,} | {total[f'{group} found'] / total[group]:.1%} |")
    wrong = sum(
        is_dropped and (number not in copied or _no_copy_left(dropped, number))
        for number, is_dropped in good.items()
    )
    print(f"| good pictures | {len(good):,} | {wrong / len(good):.2%} |")


def _no_copy_left(dropped: dict[str, dict[str, bool]], number: str) -> bool:
    return all(dropped[kind].get(number, True) for kind in COPIES)


def main() -> None:
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    photographs = Path(sys.argv[2]) if len(sys.argv) == 3 else None
    with tempfile.TemporaryDirectory() as folder:
        kept = ManifestFaces(prepare(Path(sys.argv[1]), Path(folder) / "first"))
        plant(kept, photographs, Path(folder) / "planted")
        report(prepare(Path(folder) / "planted", Path(folder) / "second"))


if __name__ == "__main__":
    main()
