"""Learning-rate schedules: multipliers of the optimizer's learning rates by images seen.

Schedules are stateless. The multiplier depends only on the number of real images that the
discriminator has seen, so that a resumed run continues exactly, and a change of batch size, critic
steps or devices leaves the curve as it is.
"""

import math

from anime_dcgan.system.errors import UserError


class Schedule:
    """Constant schedule with an optional warm-up, and the base of all others.

    Parameters:
        warmup_kimg: thousands of images over which the multiplier rises linearly from 0 to 1.
    """

    def __init__(self, warmup_kimg: float = 0.0) -> None:
        if warmup_kimg < 0:
            raise UserError(f"schedule.warmup_kimg={warmup_kimg} is negative: use 0 or more")
        self.warmup_images = 1000 * warmup_kimg

    def factor(self, images_seen: int) -> float:
        """Learning-rate multiplier in [0, 1] after `images_seen` real images."""
        if images_seen < self.warmup_images:
            return images_seen / self.warmup_images
        return self.after_warmup(images_seen - self.warmup_images)

    def after_warmup(self, images: float) -> float:
        """Learning-rate multiplier after `images` images since the warm-up ended; 1 at 0."""
        return 1.0


class Decay(Schedule):
    """Base of schedules that decay from 1 to `final`, and stay there.

    Parameters:
        total_kimg: end of the decay, in thousands of images from the start of the training.
        final: learning-rate multiplier in [0, 1] at the end of the decay.
        hold: fraction in [0, 1) of the images between the warm-up and the end that are seen before
            the decay begins.
    """

    def __init__(
        self,
        total_kimg: float | None,
        final: float = 0.0,
        warmup_kimg: float = 0.0,
        hold: float = 0.0,
    ) -> None:
        super().__init__(warmup_kimg)
        if total_kimg is None:
            raise UserError(
                f"schedule={type(self).__name__.lower()} needs the length of the training: "
                "use max_kimg=300, or schedule.total_kimg=300"
            )
        if total_kimg <= warmup_kimg:
            raise UserError(
                f"schedule.total_kimg={total_kimg} ends within the warm-up: use more than "
                f"schedule.warmup_kimg={warmup_kimg} (max_kimg is its default)"
            )
        if not 0 <= final <= 1:
            raise UserError(f"schedule.final={final} is outside [0, 1]: use schedule.final=0")
        if not 0 <= hold < 1:
            raise UserError(f"schedule.hold={hold} is outside [0, 1): use schedule.hold=0.5")
        images = 1000 * (total_kimg - warmup_kimg)
        self.hold_images, self.decay_images = hold * images, (1 - hold) * images
        self.final = final

    def after_warmup(self, images: float) -> float:
        progress = (images - self.hold_images) / self.decay_images
        remaining = self.remaining(min(1.0, max(0.0, progress)))
        return self.final + (1 - self.final) * remaining

    def remaining(self, progress: float) -> float:
        """Return the remaining fraction of the decay, from 1 at progress 0 to 0 at progress 1."""
        raise NotImplementedError


class Linear(Decay):
    """Linear decay."""

    def remaining(self, progress: float) -> float:
        return 1 - progress


class Cosine(Decay):
    """Cosine annealing without restarts (arXiv 1608.03983, equation 5)."""

    def remaining(self, progress: float) -> float:
        return (1 + math.cos(math.pi * progress)) / 2


class Exponential(Schedule):
    """Exponential decay with a half-life of `halflife_kimg` thousand images; needs no end."""

    def __init__(self, halflife_kimg: float = 100.0, warmup_kimg: float = 0.0) -> None:
        super().__init__(warmup_kimg)
        if halflife_kimg <= 0:
            raise UserError(
                f"schedule.halflife_kimg={halflife_kimg} must be positive: "
                "use schedule.halflife_kimg=100"
            )
        self.halflife_images = 1000 * halflife_kimg

    def after_warmup(self, images: float) -> float:
        return 0.5 ** (images / self.halflife_images)
