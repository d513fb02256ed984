"""Differentiable augmentation of all images that the discriminator sees, real and fake.

The gradient flows through the augmentation to the generator. Augmenting the real images alone would
teach the generator to produce augmented faces (arXiv 2006.10738, section 3). All random draws come
from torch's global random state, which `GAN` seeds before each step.
"""

import functools
from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from anime_dcgan.game.transformations import (
    Probability,
    transform_colours,
    transform_geometry,
)
from anime_dcgan.system.errors import UserError

Images = Float[Tensor, "n 3 h w"]
Transform = Callable[[Images], Images]


class Augment(nn.Module):
    """Base class of all augmentations; by itself it does nothing."""

    uses_logit_signs: ClassVar[bool] = False
    """True if it adapts to the signs of the discriminator's logits."""

    def forward(self, images: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Return the images as the discriminator sees them: same shape and dtype, differentiable.

        A call does not change the module's state, so the duality gap can use it during training.
        """
        return images

    def observe(self, real_logits: Float[Tensor, "..."]) -> dict[str, Tensor]:
        """Adapt to the real logits of a discriminator step, over all processes; return metrics."""
        return {}

    def previews(self) -> dict[str, Transform]:
        """Return the transforms that images may undergo during the training, by short name."""
        return {"augmented": self}


class Occasional(Augment):
    """Base class of augmentations that change each image independently with one probability.

    Parameters:
        probability: in [0, 1]. A ramp replaces the attribute by a tensor (training/ramps.py).
    """

    probability: Probability

    def __init__(self, probability: float) -> None:
        super().__init__()
        if not 0 <= probability <= 1:
            raise UserError(
                f"augment.probability={probability} is not a probability: "
                "use augment.probability=0.5"
            )
        self.probability = probability


class Flip(Occasional):
    """Mirror each image, real or fake, independently with the same probability.

    The discriminator then cannot distinguish a face from its mirror image, so the generator may
    produce either: a feature that is always on one side may appear on the other. Nothing else
    mirrors the faces of the data set.
    """

    def __init__(self, probability: float = 0.5) -> None:
        super().__init__(probability)

    def forward(self, images: Images) -> Images:
        flipped = torch.rand(len(images), device=images.device) < self.probability
        return torch.where(flipped[:, None, None, None], images.flip(3), images)


class DiffAugment(Augment):
    """Colour, translation and cutout of every image: Zhao et al. 2020, arXiv 2006.10738.

    A value of 0 disables a transformation. They are applied in the order of the parameters. Colours
    may leave [-1, 1], since clipped pixels would have no gradient.

    Parameters:
        brightness: a number in [-brightness, brightness] is added to the whole image.
        saturation: differences from grey are multiplied by a factor in [1 - saturation,
            1 + saturation].
        contrast: differences from the image's mean are multiplied by a factor in [1 - contrast,
            1 + contrast].
        translation: max shift in whole pixels, as a fraction of the side; the border is filled
            with 0, mid-grey.
        cutout: side of the square that is set to 0, as a fraction of the image's side; the square
            may lie partly outside.
    """

    def __init__(
        self,
        brightness: float = 0.5,
        saturation: float = 1.0,
        contrast: float = 0.5,
        translation: float = 0.125,
        cutout: float = 0.5,
    ) -> None:
        super().__init__()
        settings = {
            "brightness": (brightness, 0.5),
            "saturation": (saturation, 1.0),
            "contrast": (contrast, 0.5),
            "translation": (translation, 0.125),
            "cutout": (cutout, 0.5),
        }
        for name, (value, default) in settings.items():
            if not 0 <= value <= 1:
                raise UserError(
                    f"augment.{name}={value} is not in [0, 1]: use augment.{name}={default}, or 0 "
                    "to disable it"
                )
        self.brightness = brightness
        self.saturation = saturation
        self.contrast = contrast
        self.translation = translation
        self.cutout = cutout

    def forward(self, images: Images) -> Images:
        with torch.autocast(images.device.type, enabled=False):
            changed = images.float()
            if self.brightness:
                changed = changed + self.brightness * _symmetric(images)
            if self.saturation:
                grey = changed.mean(1, keepdim=True)
                changed = torch.lerp(grey, changed, 1 + self.saturation * _symmetric(images))
            if self.contrast:
                mean = changed.mean((1, 2, 3), keepdim=True)
                changed = torch.lerp(mean, changed, 1 + self.contrast * _symmetric(images))
            if self.translation:
                changed = _translate(changed, self.translation)
            if self.cutout:
                changed = _cut_out(changed, self.cutout)
            return changed.to(images.dtype)


class FixedADA(Occasional):
    """The transformations of ADA at a probability that does not adapt, as in R3GAN.

    R3GAN (arXiv 2501.05441) raises the probability from 0 to 0.3 over the training, because the
    logits of its loss have no sign that ADA could follow.

    Parameters:
        probability: of each transformation of an image.
        pixels: mirroring, quarter turns and shifts by whole pixels.
        geometry: scale and rotation.
        colours: probability of brightness, contrast, luma flip, hue and saturation, as a fraction
            of `probability`.
        cutout: side of the square that is set to 0, as in `DiffAugment`.
    """

    def __init__(
        self,
        probability: float = 0.3,
        pixels: bool = True,
        geometry: bool = True,
        colours: float = 0.5,
        cutout: float = 0.5,
    ) -> None:
        super().__init__(probability)
        for name, value in (("colours", colours), ("cutout", cutout)):
            if not 0 <= value <= 1:
                raise UserError(
                    f"augment.{name}={value} is not in [0, 1]: use augment.{name}=0.5, or 0 to "
                    "disable it"
                )
        self.pixels = pixels
        self.geometry = geometry
        self.colours = colours
        self.cutout = cutout

    def forward(self, images: Images) -> Images:
        p = self.probability
        with torch.autocast(images.device.type, enabled=False):
            changed = images.float()
            if self.pixels or self.geometry:
                changed = transform_geometry(changed, p, self.pixels, self.geometry)
            if self.colours:
                changed = transform_colours(changed, self.colours * p)
            if self.cutout:
                changed = _cut_out(changed, self.cutout, p)
            return changed.to(images.dtype)


class Adaptive(Augment):
    """Adaptive discriminator augmentation (ADA): Karras et al. 2020, arXiv 2006.06676.

    Each transformation of `transformations.py` is applied to each image with probability p. The
    heuristic r_t = E[sign(D_train)], equation 1 of the paper, measures how much the discriminator
    overfits. Every few batches p rises if r_t is above its target, and falls otherwise. p is saved
    in checkpoints.

    Parameters:
        target: target of r_t, in [0, 1).
        adjust_kimg: thousands of images in which p rises from 0 to 1 if r_t stays above target.
        every: number of batches between adjustments.
        initial: initial value of p.
        max_probability: upper limit of p. The paper found that the transformations do not leak into
            the generated images while p is below 0.8 (section 2.2).
        pixels: mirroring, quarter turns and shifts by whole pixels.
        geometry: scale and rotation.
        colours: brightness, contrast, luma flip, hue and saturation.
    """

    uses_logit_signs = True
    level: Int[Tensor, ""]
    batches: Int[Tensor, ""]
    images: Int[Tensor, ""]
    signs: Int[Tensor, ""]

    def __init__(
        self,
        target: float = 0.6,
        adjust_kimg: float = 500.0,
        every: int = 4,
        initial: float = 0.0,
        max_probability: float = 1.0,
        pixels: bool = True,
        geometry: bool = True,
        colours: bool = True,
    ) -> None:
        super().__init__()
        _check_adaptive(target, adjust_kimg, every, initial, max_probability)
        if not (pixels or geometry or colours):
            raise UserError(
                "augment=ada without augment.pixels, augment.geometry and augment.colours changes "
                "nothing: use augment=none"
            )
        self.target = target
        self.every = every
        self.max_probability = max_probability
        self.pixels = pixels
        self.geometry = geometry
        self.colours = colours
        self.adjust_images = round(1000 * adjust_kimg)
        # integers, which no training precision rounds; p is level / adjust_images
        self.register_buffer("level", torch.tensor(round(initial * self.adjust_images)))
        for name in ("batches", "images", "signs"):  # since the last adjustment
            self.register_buffer(name, torch.tensor(0))

    @property
    def probability(self) -> Float[Tensor, ""]:
        """p, in [0, max_probability]."""
        return self.level / self.adjust_images

    def forward(self, images: Images) -> Images:
        return self._transform(images, self.probability)

    @torch.no_grad()
    def observe(self, real_logits: Float[Tensor, "..."]) -> dict[str, Tensor]:
        """Count signs, and adjust p after every few batches, without waiting for the GPU."""
        signs = real_logits.sign()
        self.batches += 1
        self.images += signs.numel()
        self.signs += signs.sum().long()
        due = self.batches >= self.every
        overfits = self.signs > self.target * self.images
        step = torch.where(overfits, self.images, -self.images) * due
        self.level.add_(step).clamp_(0, int(self.max_probability * self.adjust_images))
        for counter in (self.batches, self.images, self.signs):
            counter.mul_(~due)
        return {"augment/probability": self.probability, "augment/overfitting": signs.mean()}

    def previews(self) -> dict[str, Transform]:
        """Return the augmentation at a quarter, half and all of `max_probability`."""
        levels = [fraction * self.max_probability for fraction in (0.25, 0.5, 1.0)]
        return {f"p={p:g}": functools.partial(self._transform, probability=p) for p in levels}

    def _transform(self, images: Images, probability: Float[Tensor, ""] | float) -> Images:
        with torch.autocast(images.device.type, enabled=False):
            changed = images.float()
            if self.pixels or self.geometry:
                changed = transform_geometry(changed, probability, self.pixels, self.geometry)
            if self.colours:
                changed = transform_colours(changed, probability)
            return changed.to(images.dtype)


def _symmetric(images: Images) -> Float[Tensor, "n 1 1 1"]:
    """Draw a number in [-1, 1) for each image."""
    return 2 * torch.rand(len(images), 1, 1, 1, device=images.device) - 1


def _translate(images: Images, fraction: float) -> Images:
    """Shift each image by whole pixels, at most that fraction of its side, padding with 0."""
    for axis in (2, 3):
        max_shift = _rounded(fraction * images.shape[axis])
        shift = torch.randint(-max_shift, max_shift + 1, (len(images), 1), device=images.device)
        source = torch.arange(images.shape[axis], device=images.device) - shift
        inside = (source >= 0) & (source < images.shape[axis])
        index = source.clamp(0, images.shape[axis] - 1)
        images = images.take_along_dim(_along(index, axis), axis) * _along(inside, axis)
    return images


def _cut_out(images: Images, fraction: float, probability: Probability | None = None) -> Images:
    """Set a square of that fraction of the sides to 0, centred at a random point of each image.

    None stands for a probability of 1 without a draw.
    """
    hidden = torch.ones((), dtype=torch.bool, device=images.device)
    if probability is not None:
        hidden = torch.rand(len(images), 1, 1, 1, device=images.device) < probability
    for axis in (2, 3):
        length = images.shape[axis]
        side = _rounded(fraction * length)
        last = length + 1 - side % 2  # an even side has its centre between two pixels
        start = torch.randint(0, last, (len(images), 1), device=images.device) - side // 2
        position = torch.arange(length, device=images.device)
        inside = (position >= start) & (position < start + side)
        hidden = hidden & _along(inside, axis)
    return images.masked_fill(hidden, 0.0)


def _rounded(pixels: float) -> int:
    """Return the nearest whole number, halves rounded up, as in the authors' code."""
    return int(pixels + 0.5)


def _along(values: Tensor, axis: int) -> Tensor:
    """Reshape values (n, length) per row (axis 2) or column (axis 3) to broadcast over images."""
    return values[:, None, :, None] if axis == 2 else values[:, None, None, :]


def _check_adaptive(
    target: float, adjust_kimg: float, every: int, initial: float, max_probability: float
) -> None:
    if not 0 <= target < 1:
        raise UserError(
            f"augment.target={target} is not in [0, 1), the mean signs that real logits can "
            "exceed: use augment.target=0.6"
        )
    if round(1000 * adjust_kimg) < 1:
        raise UserError(
            f"augment.adjust_kimg={adjust_kimg} is less than one image: use augment.adjust_kimg=500"
        )
    if every < 1:
        raise UserError(f"augment.every={every} is less than one batch: use augment.every=4")
    if not 0 <= max_probability <= 1:
        raise UserError(
            f"augment.max_probability={max_probability} is not a probability: "
            "use augment.max_probability=0.8, or 1"
        )
    if not 0 <= initial <= max_probability:
        raise UserError(
            f"augment.initial={initial} is not between 0 and "
            f"augment.max_probability={max_probability}: use augment.initial=0"
        )
