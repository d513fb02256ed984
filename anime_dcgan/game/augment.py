"""What the discriminator sees in place of an image: the same for real and fake, in both steps.

An augmentation is applied to every image that the discriminator is shown, and the gradient flows
through it to the generator: augmenting the real ones alone would teach the generator to draw
augmented faces (arXiv 2006.10738, section 3). All draws come from torch's random state, which
`GAN` seeds for each step.
"""

import functools
from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from anime_dcgan.game.transformations import moved, recoloured
from anime_dcgan.system.errors import UserError

Images = Float[Tensor, "n 3 h w"]
Change = Callable[[Images], Images]


class Augment(nn.Module):
    """Base of all augmentations, and on its own the one that does nothing."""

    uses_logit_signs: ClassVar[bool] = False
    """Whether it learns from the sign of the discriminator's logits."""

    def forward(self, images: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """The images as the discriminator sees them: same shape and type, differentiable.

        Nothing is remembered, so that whoever plays the same game on the side changes nothing.
        """
        return images

    def observe(self, real_logits: Float[Tensor, "..."]) -> dict[str, Tensor]:
        """Learn from a discriminator step, of all processes; returns figures to be logged."""
        return {}

    def previews(self) -> dict[str, Change]:
        """What it may do to an image in the course of a training, by a short name."""
        return {"augmented": self}


class Flip(Augment):
    """Mirrors each image, real and fake, with a probability of its own.

    The discriminator then cannot tell a face from its mirror image, and nothing in the data decides
    which of the two the generator draws: what always lies on one side may come to lie on the other.
    The faces of the data set are mirrored nowhere else.
    """

    def __init__(self, probability: float = 0.5) -> None:
        super().__init__()
        if not 0 <= probability <= 1:
            raise UserError(
                f"augment.probability={probability} is no probability: use augment.probability=0.5"
            )
        self.probability = probability

    def forward(self, images: Images) -> Images:
        flipped = torch.rand(len(images), device=images.device) < self.probability
        return torch.where(flipped[:, None, None, None], images.flip(3), images)


class DiffAugment(Augment):
    """Colour, translation and cutout of every image: Zhao et al. 2020, arXiv 2006.10738.

    Each is switched off by 0. They follow each other in the order of the parameters. Colour may
    leave [-1, 1]: pixels clipped to it would have no gradient.

    Parameters:
        brightness: what is added to a whole image lies in [-brightness, brightness].
        saturation: distances from grey are multiplied by a factor in [1 - it, 1 + it].
        contrast: distances from the image's mean likewise.
        translation: farthest shift, by whole pixels, as a share of the side; 0, which is mid-grey,
            comes in.
        cutout: side of the square that becomes 0, as a share of the image's; it may lie partly
            outside.
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
        for name, (value, usual) in settings.items():
            if not 0 <= value <= 1:
                raise UserError(
                    f"augment.{name}={value} is not in [0, 1]: use augment.{name}={usual}, or 0 "
                    "to switch it off"
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
                changed = _translated(changed, self.translation)
            if self.cutout:
                changed = _cut_out(changed, self.cutout)
            return changed.to(images.dtype)


class Adaptive(Augment):
    """As much augmentation as keeps the discriminator from overfitting: arXiv 2006.06676.

    Each transformation of `transformations.py` is applied to each image with probability p. The
    discriminator overfits where it is sure of the training images: r_t = E[sign(D_train)],
    equation 1 of the paper. Every few batches p goes up where r_t is above its target, and down
    where it is not. p is part of the checkpoint.

    Parameters:
        target: of r_t, in [0, 1).
        adjust_kimg: thousands of images in which p goes from 0 to 1, if it always goes up.
        every: batches from one adjustment to the next.
        initial: p at the start.
        max_probability: upper limit of p. The paper found that the transformations do not leak into
            the generated images while p is below 0.8 (section 2.2).
        pixels: mirror, quarter turns and shifts by whole pixels.
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
        # whole numbers, which no precision of the training rounds; p is level / adjust_images
        self.register_buffer("level", torch.tensor(round(initial * self.adjust_images)))
        for name in ("batches", "images", "signs"):  # since the last adjustment
            self.register_buffer(name, torch.tensor(0))

    @property
    def probability(self) -> Float[Tensor, ""]:
        """p, in [0, max_probability]."""
        return self.level / self.adjust_images

    def forward(self, images: Images) -> Images:
        return self._changed(images, self.probability)

    @torch.no_grad()
    def observe(self, real_logits: Float[Tensor, "..."]) -> dict[str, Tensor]:
        """Count the signs, and adjust p when it is time. Nothing is read back from a GPU."""
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

    def previews(self) -> dict[str, Change]:
        """At a quarter, at half and at all of the largest p."""
        shares = [share * self.max_probability for share in (0.25, 0.5, 1.0)]
        return {f"p={p:g}": functools.partial(self._changed, probability=p) for p in shares}

    def _changed(self, images: Images, probability: Float[Tensor, ""] | float) -> Images:
        with torch.autocast(images.device.type, enabled=False):
            changed = images.float()
            if self.pixels or self.geometry:
                changed = moved(changed, probability, self.pixels, self.geometry)
            if self.colours:
                changed = recoloured(changed, probability)
            return changed.to(images.dtype)


def _symmetric(images: Images) -> Float[Tensor, "n 1 1 1"]:
    """A number in [-1, 1) for each image."""
    return 2 * torch.rand(len(images), 1, 1, 1, device=images.device) - 1


def _translated(images: Images, share: float) -> Images:
    """Each image shifted by whole pixels, at most that share of its side; 0 comes in."""
    for axis in (2, 3):
        farthest = int(share * images.shape[axis])
        shift = torch.randint(-farthest, farthest + 1, (len(images), 1), device=images.device)
        source = torch.arange(images.shape[axis], device=images.device) - shift
        inside = (source >= 0) & (source < images.shape[axis])
        index = source.clamp(0, images.shape[axis] - 1)
        images = images.take_along_dim(_along(index, axis), axis) * _along(inside, axis)
    return images


def _cut_out(images: Images, share: float) -> Images:
    """Each image with a square of 0 in it, of that share of its sides, around any of its points."""
    hidden = torch.ones((), dtype=torch.bool, device=images.device)
    for axis in (2, 3):
        length = images.shape[axis]
        side = round(share * length)
        last = length + 1 - side % 2  # an even side has its centre between two pixels
        start = torch.randint(0, last, (len(images), 1), device=images.device) - side // 2
        place = torch.arange(length, device=images.device)
        hidden = hidden & _along((place >= start) & (place < start + side), axis)
    return images.masked_fill(hidden, 0.0)


def _along(values: Tensor, axis: int) -> Tensor:
    """Values (n, length) of the rows (axis 2) or columns (3), to be spread over images."""
    return values[:, None, :, None] if axis == 2 else values[:, None, None, :]


def _check_adaptive(
    target: float, adjust_kimg: float, every: int, initial: float, max_probability: float
) -> None:
    if not 0 <= target < 1:
        raise UserError(
            f"augment.target={target} is no mean sign in [0, 1) that real logits could have and "
            "exceed: use augment.target=0.6"
        )
    if round(1000 * adjust_kimg) < 1:
        raise UserError(
            f"augment.adjust_kimg={adjust_kimg} is less than an image: use augment.adjust_kimg=500"
        )
    if every < 1:
        raise UserError(f"augment.every={every} never adjusts: use augment.every=4")
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
