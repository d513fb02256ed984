"""Networks that begin with small images and grow: Karras et al. 2018, arXiv 1710.10196, section 2.

A network that can grow has an attribute `growth`. While that is in training mode, the generator
makes images of `growth.size` px and the discriminator takes them; a larger image is averaged down.
In evaluation mode the generator's images are scaled up to the final size, so that whoever draws or
measures faces need not know about it.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from anime_dcgan.system.errors import UserError

MIN_SIZE = 8  # px
FADE_UNIT = 1_000_000  # the state is an integer, which moving averages copy


class Growth(nn.Module):
    """The size at which a network works, and how far its newest layers are faded in.

    Both are part of the network's state in a checkpoint.

    Attributes:
        size: height and width, px.
        is_fading: True if the layers of this size are being faded in.
    """

    state: Tensor

    def __init__(self, final_size: int) -> None:
        super().__init__()
        self.final_size = self.size = final_size
        self.is_fading = False
        self.register_buffer("state", torch.tensor([final_size, FADE_UNIT]))
        self.register_load_state_dict_post_hook(_restore)

    @property
    def fade(self) -> Float[Tensor, ""]:
        """Weight of the newest layers, in (0, 1]."""
        return self.state[1] / FADE_UNIT

    def set(self, size: int, fade: float) -> None:
        """Work at a size, with the newest layers at a weight in [0, 1]."""
        self.size, self.is_fading = size, fade < 1
        self.state[0].fill_(size)  # a tensor from the CPU would wait for the GPU in each step
        self.state[1].fill_(round(fade * FADE_UNIT))

    def shrink(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c _ _"]:
        """Average larger images down to the present size."""
        factor = images.shape[-1] // self.size
        return avg_pool2d(images, factor) if factor > 1 else images

    def fade_real(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c _ _"]:
        """Shrink real images, and blur them as far as fake images still are."""
        images = self.shrink(images)
        if not self.is_fading:
            return images
        return torch.lerp(double(avg_pool2d(images, 2)), images, self.fade.to(images.dtype))

    def enlarge(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c _ _"]:
        """Repeat pixels up to the final size, in evaluation mode."""
        factor = 1 if self.training else self.final_size // images.shape[-1]
        return interpolate(images, scale_factor=factor) if factor > 1 else images


def double(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c 2*h 2*w"]:
    """Repeat each pixel in both directions."""
    return interpolate(images, scale_factor=2)


def check_start_size(start_size: int, image_size: int) -> None:
    """Raise `UserError` unless a network can grow from one size to the other by doubling."""
    doubled = start_size
    while MIN_SIZE <= doubled < image_size:
        doubled *= 2
    if start_size < MIN_SIZE or doubled != image_size:
        raise UserError(
            f"model.start_size={start_size} does not grow to {image_size} px by doubling: use a "
            f"power of two from {MIN_SIZE} to {image_size}, such as model.start_size={MIN_SIZE}"
        )


def _restore(growth: nn.Module, keys: Any) -> None:
    """Take the size and fade from the state that was loaded."""
    assert isinstance(growth, Growth)
    if not growth.state.is_meta:
        growth.size = int(growth.state[0])
        growth.is_fading = bool(growth.state[1] < FADE_UNIT)
