"""Synthetic anime faces: any number of them, with known factors, from a seed."""

from collections.abc import Iterator

from PIL import Image

from anime_dcgan.data.synthetic.canvas import FaceCanvas
from anime_dcgan.data.synthetic.classes import classes_of
from anime_dcgan.data.synthetic.factors import FaceFactors, sample_factors
from anime_dcgan.data.synthetic.features import (
    EyePair,
    paint_brows,
    paint_head,
    paint_mouth,
    paint_nose,
)
from anime_dcgan.data.synthetic.hair import (
    HairTones,
    front_hair,
    paint_back_hair,
    paint_front_hair,
)
from anime_dcgan.data.synthetic.surroundings import (
    paint_background,
    paint_behind,
    paint_body,
    paint_in_front,
)
from anime_dcgan.system.errors import UserError

__all__ = ["DRAWING_VERSION", "DrawnFaces", "FaceFactors", "draw_face", "sample_factors"]

DRAWING_VERSION = 1
"""Increased whenever any face would be sampled or drawn differently."""
MAX_COUNT = 10**12
"""More faces than any disk takes; Python's `len` has a limit, too."""


def draw_face(factors: FaceFactors, image_size: int = 64) -> Image.Image:
    """Return the face as RGB of `image_size` x `image_size` px; a pure function."""
    canvas = FaceCanvas(factors, image_size)
    tones, front = HairTones.of(factors), front_hair(factors)
    paint_background(canvas, factors)
    paint_back_hair(canvas, factors, tones)
    paint_body(canvas, factors)
    paint_head(canvas, factors, front)
    paint_nose(canvas, factors)
    paint_mouth(canvas, factors)
    EyePair(factors, tones).paint(canvas)
    paint_behind(canvas, factors, tones)
    paint_front_hair(canvas, front, tones)
    paint_brows(canvas, factors, tones)
    paint_in_front(canvas, factors, front)
    return canvas.reduced(image_size)


class DrawnFaces:
    """The first `count` faces of the infinite sequence of `seed`, drawn each time they are read."""

    count_setting = "data.count"

    def __init__(self, count: int, seed: int = 0):
        if not 1 <= count <= MAX_COUNT:
            raise UserError(
                f"data.count={count} must be from 1 to {MAX_COUNT:,}: use data.count=20000"
            )
        if seed < 0:
            raise UserError(f"data.seed={seed} must be at least 0: use data.seed=0")
        self._count = count
        self._seed = seed

    def __len__(self) -> int:
        return self._count

    def name(self, index: int) -> str:
        """Return a name such as drawn-000012."""
        return f"drawn-{index:06d}"

    def factors(self, index: int) -> FaceFactors:
        """Return the factors of face `index`."""
        if not 0 <= index < self._count:
            raise IndexError(f"face {index} of {self._count}")
        return sample_factors(self._seed, index)

    def read(self, index: int, image_size: int) -> Image.Image:
        """Return face `index` as RGB of `image_size` x `image_size` px."""
        return draw_face(self.factors(index), image_size)

    def classes(self, labels: str) -> Iterator[str]:
        """Return the class of each face by a factor, such as hair; raise `UserError` for others."""
        return classes_of(labels, self._count, self._seed)

    def identity(self) -> dict[str, object]:
        """Return count, seed and `DRAWING_VERSION`."""
        return {
            "kind": "drawn",
            "drawing_version": DRAWING_VERSION,
            "count": self._count,
            "seed": self._seed,
        }
