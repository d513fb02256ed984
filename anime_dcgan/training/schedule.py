"""How the learning rates change with the images seen: a factor of what `optimizer` says.

A schedule remembers nothing. Its factor depends on the images that the discriminator has seen as
real and on nothing else, so that a resumed run goes on exactly, and a change of batch size, critic
steps or devices leaves the curve where it is.
"""

import math

from anime_dcgan.system.errors import UserError


class Schedule:
    """Base of all schedules, and on its own the constant one; each begins with a warm-up.

    Parameters:
        warmup_kimg: thousands of images over which the factor rises linearly from 0 to 1.
    """

    def __init__(self, warmup_kimg: float = 0.0) -> None:
        if warmup_kimg < 0:
            raise UserError(f"schedule.warmup_kimg={warmup_kimg} is negative: use 0 or more")
        self.warmup_images = 1000 * warmup_kimg

    def factor(self, images_seen: int) -> float:
        """Of the rates of a step before which so many images were seen; in [0, 1]."""
        if images_seen < self.warmup_images:
            return images_seen / self.warmup_images
        return self.after_warmup(images_seen - self.warmup_images)

    def after_warmup(self, images: float) -> float:
        """The factor when so many images were seen since the warm-up ended; 1 at 0."""
        return 1.0


class Decay(Schedule):
    """Base of those that fall from 1, where the warm-up ends, to `final` at the end, and stay.

    Parameters:
        total_kimg: where the end is, thousands of images from the start of the training.
        final: share of the rates that is left there.
    """

    def __init__(
        self, total_kimg: float | None, final: float = 0.0, warmup_kimg: float = 0.0
    ) -> None:
        super().__init__(warmup_kimg)
        if total_kimg is None:
            raise UserError(
                f"schedule={type(self).__name__.lower()} needs to know where the training ends: "
                "use max_kimg=300, or schedule.total_kimg=300"
            )
        if total_kimg <= warmup_kimg:
            raise UserError(
                f"schedule.total_kimg={total_kimg} ends within the warm-up: use more than "
                f"schedule.warmup_kimg={warmup_kimg} (it is max_kimg where it is not set)"
            )
        if not 0 <= final <= 1:
            raise UserError(f"schedule.final={final} is no share in [0, 1]: use schedule.final=0")
        self.decay_images = 1000 * (total_kimg - warmup_kimg)
        self.final = final

    def after_warmup(self, images: float) -> float:
        left = self.left(min(1.0, images / self.decay_images))
        return self.final + (1 - self.final) * left

    def left(self, progress: float) -> float:
        """What is left of the fall, from 1 at progress 0 to 0 at progress 1."""
        raise NotImplementedError


class Linear(Decay):
    """Falls at a steady pace."""

    def left(self, progress: float) -> float:
        return 1 - progress


class Cosine(Decay):
    """Falls along half a cosine: arXiv 1608.03983, equation 5, without restarts."""

    def left(self, progress: float) -> float:
        return (1 + math.cos(math.pi * progress)) / 2


class Exponential(Schedule):
    """Halves every `halflife_kimg` thousand images, for a training without an end."""

    def __init__(self, halflife_kimg: float = 100.0, warmup_kimg: float = 0.0) -> None:
        super().__init__(warmup_kimg)
        if halflife_kimg <= 0:
            raise UserError(
                f"schedule.halflife_kimg={halflife_kimg} is not positive: "
                "use schedule.halflife_kimg=100"
            )
        self.halflife_images = 1000 * halflife_kimg

    def after_warmup(self, images: float) -> float:
        return 0.5 ** (images / self.halflife_images)
