"""Drawn faces and hand-made scans for the tests of cleaning."""

import io
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anime_dcgan.cleaning import duplicates
from anime_dcgan.cleaning.image_stats import SIDE
from anime_dcgan.cleaning.scan import COLOURS, READ, RECORD, Scan
from anime_dcgan.data.cache import open_cache
from anime_dcgan.data.cache_build import MIN_PICTURES_FOR_WORKERS
from anime_dcgan.data.drawn import DrawnFaces

FACES = MIN_PICTURES_FOR_WORKERS
"""Fewer faces would be drawn in this process, which is slower, as it checks annotations."""

Change = Callable[[Image.Image], Image.Image]


@pytest.fixture(scope="session")
def faces(cache_dir: Path) -> np.ndarray:
    """uint8 (FACES, SIDE, SIDE, 3), read-only."""
    return np.asarray(open_cache(DrawnFaces(FACES), SIDE, cache_dir, workers=2).images)


def changed(faces: np.ndarray, change: Change) -> np.ndarray:
    """Apply a change to every face, as a picture."""
    return np.stack([np.asarray(change(Image.fromarray(face))) for face in faces])


def scaled(side: int) -> Change:
    """Return a change that resizes to another size and back."""

    def change(face: Image.Image) -> Image.Image:
        small = face.resize((side, side), Image.Resampling.LANCZOS)
        return small.resize(face.size, Image.Resampling.LANCZOS)

    return change


def encoded(face: Image.Image, quality: int = 60) -> Image.Image:
    """Encode as JPEG and decode."""
    stream = io.BytesIO()
    face.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


class Shown:
    """Pictures in memory that pretend to have 1,000 bytes each."""

    def __init__(self, pictures: Iterable[np.ndarray]) -> None:
        self.pictures = list(pictures)

    def __len__(self) -> int:
        return len(self.pictures)

    def name(self, index: int) -> str:
        return f"shown-{index}"

    def picture(self, index: int) -> Image.Image:
        return Image.fromarray(self.pictures[index])

    def read(self, index: int, image_size: int) -> Image.Image:
        return self.picture(index).resize((image_size, image_size))

    def bytes(self, index: int) -> int:
        return 1000

    def identity(self) -> dict[str, object]:
        return {"kind": "shown", "count": len(self)}


def records_of(count: int, seed: int = 0) -> np.ndarray:
    """Return `RECORD`, (count,): distinct, faultless pictures of `SIDE` px."""
    records = np.zeros(count, dtype=RECORD)
    records["index"], records["state"] = np.arange(count), READ
    records["pixels"] = np.random.default_rng(seed).integers(0, 2**64, (count, 2), dtype=np.uint64)
    records["width"] = records["height"] = SIDE
    records["bytes"] = 1000
    records["brightness"], records["contrast"], records["colour"] = 128, 50, 60
    records["sharpness"], records["outlier_score"] = 0.8, 0
    return records


def descriptors_of(count: int, seed: int = 0) -> np.ndarray:
    """Return distant descriptors, int8 (count, duplicates.DIMENSIONS)."""
    generator = np.random.default_rng(seed)
    return generator.integers(-127, 128, (count, duplicates.DIMENSIONS), dtype=np.int8)


@pytest.fixture
def scan_of(tmp_path: Path) -> Callable[..., Scan]:
    """A function that makes a scan of these records, descriptors, pictures and problems."""

    def make(
        records: np.ndarray,
        descriptors: np.ndarray | None = None,
        pictures: Shown | None = None,
        problems: dict[int, str] | None = None,
        colours: np.ndarray | None = None,
    ) -> Scan:
        count = len(records)
        folder = tmp_path / f"scan-{len(list(tmp_path.iterdir()))}"
        (folder / "chunk-000000").mkdir(parents=True)
        np.save(
            folder / "chunk-000000" / "descriptors.npy",
            descriptors_of(count) if descriptors is None else descriptors,
        )
        coarse = np.zeros((count, *COLOURS), np.uint8) if colours is None else colours
        np.save(folder / "chunk-000000" / "colours.npy", coarse)
        black = np.zeros((SIDE, SIDE, 3), np.uint8)
        shown = Shown([black] * count) if pictures is None else pictures
        return Scan(shown, folder, np.array([0, count]), records, problems or {})

    return make
