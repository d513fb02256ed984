"""Growing from small images to large ones during the training, by images seen."""

from typing import NamedTuple

from torch import nn

from anime_dcgan.model.growth import Growth
from anime_dcgan.system.errors import UserError


class Stage(NamedTuple):
    """The size of the images, px, and the weight in [0, 1] of the newest layers."""

    size: int
    fade: float


class Growing:
    """Train at `start_size` first, and double the size until it is the final one.

    The stage depends on the number of real images alone, so that a resumed run continues exactly.

    Parameters:
        start_size: size at the start, px.
        final_size: size of the data, px.
        stable_kimg: thousands of images at each size before the next one fades in.
        fade_kimg: thousands of images over which a size fades in.
    """

    def __init__(
        self,
        start_size: int,
        final_size: int,
        stable_kimg: float = 20.0,
        fade_kimg: float = 20.0,
    ) -> None:
        for name, value in (("stable_kimg", stable_kimg), ("fade_kimg", fade_kimg)):
            if value < 0:
                raise UserError(f"growing.{name}={value} is negative: use growing.{name}=20")
        self.start_size = start_size
        self.final_size = final_size
        self.stable_images = round(1000 * stable_kimg)
        self.fade_images = round(1000 * fade_kimg)

    @property
    def images(self) -> int:
        """Number of real images after which nothing grows any more."""
        *_, (size, start) = self._starts()
        return start + self.fade_images if size > self.start_size else start

    def stage(self, images_seen: int) -> Stage:
        """Return the stage after `images_seen` real images."""
        size, start = next(each for each in reversed(self._starts()) if each[1] <= images_seen)
        faded = images_seen - start
        is_whole = size == self.start_size or faded >= self.fade_images
        return Stage(size, 1.0 if is_whole else faded / self.fade_images)

    def cost(self, images: int) -> float:
        """Return the cost of the first `images` in images of the final size, for times left.

        An image costs in proportion to its side: each larger map has half the channels, roughly.
        """
        starts = self._starts()
        ends = [start for _, start in starts[1:]] + [images]
        spans = zip(starts, ends, strict=True)
        counts = ((size, max(0, min(end, images) - start)) for (size, start), end in spans)
        return sum(size * count for size, count in counts) / self.final_size

    def _starts(self) -> list[tuple[int, int]]:
        """Return each size, and the number of images after which it begins to fade in."""
        doublings = (self.final_size // self.start_size).bit_length() - 1
        later = [
            (self.start_size * 2**n, n * self.stable_images + (n - 1) * self.fade_images)
            for n in range(1, doublings + 1)
        ]
        return [(self.start_size, 0), *later]


def growths(*networks: nn.Module) -> list[Growth]:
    """Return the growth of each network; raise `UserError` if one cannot grow."""
    found = [getattr(network, "growth", None) for network in networks]
    if not all(isinstance(growth, Growth) for growth in found):
        raise UserError(
            "growing=progressive needs networks that can begin with small images: use "
            "model=stylegan2, or growing=none"
        )
    return [growth for growth in found if growth is not None]
