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
        doublings = (self.final_size // self.start_size).bit_length() - 1
        return doublings * (self.stable_images + self.fade_images)

    def cost(self, images: int) -> float:
        """Return the cost of the first `images` in images of the final size, for times left.

        An image costs in proportion to its side: each larger map has half the channels, roughly.
        """
        size, cost = self.start_size, 0.0
        count = self.stable_images
        while size < self.final_size and images > count:
            cost += count * size / self.final_size
            images -= count
            size *= 2
            count = self.fade_images + self.stable_images
        return cost + images * size / self.final_size

    def stage(self, images_seen: int) -> Stage:
        """Return the stage after `images_seen` real images."""
        size, images = self.start_size, images_seen
        while size < self.final_size and images >= self.stable_images:
            size *= 2
            images -= self.stable_images
            if images < self.fade_images:
                return Stage(size, images / self.fade_images)
            images -= self.fade_images
        return Stage(size, 1.0)


def growths(*networks: nn.Module) -> list[Growth]:
    """Return the growth of each network; raise `UserError` if one cannot grow."""
    found = [getattr(network, "growth", None) for network in networks]
    if not all(isinstance(growth, Growth) for growth in found):
        raise UserError(
            "growing=progressive needs networks that can begin with small images: use "
            "model=stylegan2, or growing=none"
        )
    return [growth for growth in found if growth is not None]
