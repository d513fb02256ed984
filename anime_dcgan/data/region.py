"""A square region of a picture, upright or rotated, such as a face in an illustration."""

import math
from dataclasses import dataclass

from PIL import Image

from anime_dcgan.data.decoding import DRAFT_MARGIN, fit


@dataclass(frozen=True)
class Region:
    """A square in pixels of the upright picture; it may extend beyond the edges.

    Parameters:
        left, top: corner of the square before its rotation, px from the picture's corner.
        side: side of the square, px, positive.
        angle: rotation about the centre, degrees, counter-clockwise.
    """

    left: float
    top: float
    side: float
    angle: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "Region":
        """Parse a region from the text that `str` returns. Raises ValueError."""
        numbers = [float(number) for number in text.split()]
        if not (len(numbers) == 4 and all(map(math.isfinite, numbers)) and numbers[2] > 0):
            raise ValueError(f"{text!r} is not a region")
        return cls(*numbers)

    def __str__(self) -> str:
        """Return left, top, side and angle, to nine digits."""
        return f"{self.left:.9g} {self.top:.9g} {self.side:.9g} {self.angle:.9g}"

    def cut(self, picture: Image.Image, image_size: int) -> Image.Image:
        """Return the square at `image_size` px, upright; parts beyond the edges are white.

        The square is cut at the picture's own resolution and then reduced by `fit`, so that an
        upright square of whole pixels equals a crop followed by `fit`. A square of more than twice
        `DRAFT_MARGIN` times the target size is averaged over blocks first, which bounds the memory.
        """
        block = max(1, int(self.side / (DRAFT_MARGIN * image_size)))
        reduced = picture.reduce(block) if block > 1 else picture
        return fit(self._cut(reduced, block), image_size)

    def _cut(self, reduced: Image.Image, block: int) -> Image.Image:
        """Cut the square out of a picture reduced by blocks of `block` x `block` px."""
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
