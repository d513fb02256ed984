"""Pictures of a single colour each, and the cache that is made of them."""

from pathlib import Path

import numpy as np
from PIL import Image

from anime_dcgan.data.source import Unreadable


class Shades:
    """`count` pictures of a single colour each; those in `bad` are unreadable."""

    def __init__(self, count: int, bad: tuple[int, ...] = (), names: str = "{}") -> None:
        self.count, self.bad, self.names = count, bad, names

    def __len__(self) -> int:
        return self.count

    def name(self, index: int) -> str:
        return self.names.format(index)

    def read(self, index: int, image_size: int) -> Image.Image:
        if index in self.bad:
            raise Unreadable(f"bad\tas {index}\nis")
        return Image.new("RGB", (image_size, image_size), (index % 256, index // 256, 7))

    def identity(self) -> dict[str, object]:
        return {"kind": "shades", "count": self.count}


def expected(indices: list[int], image_size: int = 8) -> np.ndarray:
    shades = np.array([(index % 256, index // 256, 7) for index in indices], np.uint8)
    return np.tile(shades[:, None, None], (1, image_size, image_size, 1))


def caches(cache_dir: Path) -> list[str]:
    return sorted(path.name for path in cache_dir.iterdir())
