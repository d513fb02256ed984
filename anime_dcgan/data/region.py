"""A square of a picture, upright or turned: where a face was found in an illustration."""

import math
from dataclasses import dataclass

from PIL import Image

from anime_dcgan.data.decoding import DRAFT_MARGIN, fit


@dataclass(frozen=True)
class Region:
    """A square in the pixels of the upright picture; it may reach beyond its edges.

    Parameters:
        left, top: its corner before it is turned, px from the picture's own.
        side: px, positive.
        angle: how far it is turned about its centre, degrees, counter-clockwise.
    """

    left: float
    top: float
    side: float
    angle: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "Region":
        """The region that `str` wrote; ValueError for anything else."""
        numbers = [float(word) for word in text.split()]
        if not (len(numbers) == 4 and all(map(math.isfinite, numbers)) and numbers[2] > 0):
            raise ValueError(f"{text!r} is no region")
        return cls(*numbers)

    def __str__(self) -> str:
        """Left, top, side and angle, to nine digits."""
        return f"{self.left:.9g} {self.top:.9g} {self.side:.9g} {self.angle:.9g}"

    def cut(self, picture: Image.Image, image_size: int) -> Image.Image:
        """The square at `image_size` px, shown upright; what lies beyond the edges is white.

        Cut out in the picture's own resolution, then antialiased by `fit`, so that an upright
        square of whole pixels comes out as `fit` would have it. A square of more than twice
        `DRAFT_MARGIN` times the target is averaged over blocks first, which bounds the memory.
        """
        block = max(1, int(self.side / (DRAFT_MARGIN * image_size)))
        reduced = picture.reduce(block) if block > 1 else picture
        return fit(self._cut(reduced, block), image_size)

    def _cut(self, reduced: Image.Image, block: int) -> Image.Image:
        """The square out of a picture whose pixels are blocks of `block` x `block` px."""
        pixels = math.ceil(self.side / block)
        step = self.side / block / pixels
        right = step * math.cos(math.radians(self.angle))
        up = step * math.sin(math.radians(self.angle))
        middle_x = (self.left + self.side / 2) / block
        middle_y = (self.top + self.side / 2) / block
        half = pixels / 2
        return reduced.transform(
            (pixels, pixels),
            Image.Transform.AFFINE,
            (
                *(right, up, middle_x - half * (right + up)),
                *(-up, right, middle_y - half * (right - up)),
            ),
            Image.Resampling.BICUBIC,
            fillcolor="white",
        )
