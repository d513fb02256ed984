"""Names of directions, found by measuring what they change in the pictures.

The same faces are drawn at both ends of a direction. What changes most, compared with its variation
between faces, gives the direction its name; one that changes nothing measurable has a number.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from anime_dcgan.explore.directions import Direction
from anime_dcgan.explore.pixel_measures import MEASURES, Measure, measure, variation
from anime_dcgan.explore.styles import StyleSpace
from anime_dcgan.model.base import Generator
from anime_dcgan.sampling.latent import latents_of_seeds, noise_of_seeds
from anime_dcgan.sampling.sample import BLOCK, image_side, styles_of
from anime_dcgan.system import precision
from anime_dcgan.system.memory import scaled_batch

STEP = 2.0  # in both directions, in standard deviations
FACES = 32  # per end
USUAL_FACES = 96  # from which the variation between faces is measured
FIRST_SEED = 1000
BATCH = 32  # images of 64 px
MIN_VARIATION = 0.01  # of a measure; 1.3 grey levels
MIN_EFFECT = 0.5
MIN_ERRORS = 4.0
"""An effect is real if it is this many standard errors: one of 20 measures seldom is by chance."""
NEARLY_STRONGEST = 0.8
"""A direction may be named by a change of this fraction of its strongest one, so that its name is
not that of a stronger direction."""

Report = Callable[[float], None]
"""Called with the fraction that is done; may wait, or raise to stop."""
Effects = Float[Tensor, "directions 2 measures"]
"""Mean change of each measure from `-STEP` to `STEP`, and its standard error, in standard
deviations between faces."""


@dataclass(frozen=True)
class Name:
    """The name of a direction.

    Attributes:
        text: what a step of this sign changes ("lighter hair").
        opposite: what a step of the other sign changes; None if nothing measurable changes.
        sign: 1 or -1.
        effect: change from one end to the other, in standard deviations between faces.
        error: standard error of the effect.
    """

    text: str
    opposite: str | None = None
    sign: int = 1
    effect: float = 0.0
    error: float = 0.0


@torch.inference_mode()
def measure_effects(
    generator: Generator,
    directions: Sequence[Direction],
    report: Report = lambda _: None,
    fast: bool = False,
    layers: range | None = None,
) -> Effects:
    """Return the effects of directions, by drawing the same faces at both ends of each.

    Parameters:
        fast: draw in bf16.
        layers: the style layers that move; None for all.
    """
    space = StyleSpace.of(generator)
    usual = _draw_measures(generator, range(FIRST_SEED, FIRST_SEED + USUAL_FACES), None, fast)
    unit = variation(torch.cat(list(usual))).clamp_min(MIN_VARIATION)
    seeds = range(FIRST_SEED, FIRST_SEED + FACES)
    effects = []
    for number, direction in enumerate(directions):
        ends = []
        for step in (-STEP, STEP):
            shift = space.shift(step * direction.vector, layers)
            drawn = []
            for values in _draw_measures(generator, seeds, shift, fast):
                report(number / len(directions))
                drawn.append(values)
            ends.append(torch.cat(drawn))
        changes = (ends[1] - ends[0]) / unit
        effects.append(torch.stack([changes.mean(0), changes.std(0) / FACES**0.5]))
    return torch.stack(effects)


def _draw_measures(
    generator: Generator, seeds: range, shift: Float[Tensor, "_ dim"] | None, fast: bool
) -> Iterator[Float[Tensor, "n measures"]]:
    """Yield the measures of the faces of seeds, batch by batch."""
    batch = scaled_batch(BATCH, image_side(generator), BLOCK // 4)
    for first in range(0, len(seeds), batch):
        some = seeds[first : first + batch]
        latents = latents_of_seeds(some, generator.latent_dim)
        styles = styles_of(generator, latents, labels=generator.labels_of_seeds(some))
        noise = noise_of_seeds(some, generator)
        with precision.autocast(fast):
            images = generator.synthesise(styles if shift is None else styles + shift, noise)
        yield measure(images)


def name_directions(effects: Effects) -> list[Name]:
    """Return a name for each direction, all different; the strongest directions come first."""
    names: list[Name] = []
    taken: set[Measure] = set()
    for number, (changes, errors) in enumerate(effects):
        found = _significant(changes, errors)
        if not found:
            names.append(Name(f"direction {number + 1}"))
            continue
        strongest = found[0]
        near = [one for one in found if _strength(one) >= NEARLY_STRONGEST * _strength(strongest)]
        free = [one for one in near if one.measure not in taken]
        chosen = [free[0]] if free else _qualified(found)
        taken.add(chosen[0].measure)
        names.append(_distinct(_name(chosen), {name.text for name in names}))
    return names


@dataclass(frozen=True)
class _Change:
    measure: Measure
    effect: float
    error: float


def _strength(change: _Change) -> float:
    return abs(change.effect) * change.measure.salience


def _significant(changes: Tensor, errors: Tensor) -> list[_Change]:
    """Return the changes that are real and large enough to be seen, strongest first."""
    all_changes = map(_Change, MEASURES, changes.tolist(), errors.tolist())
    found = [
        one for one in all_changes if abs(one.effect) >= max(MIN_EFFECT, MIN_ERRORS * one.error)
    ]
    return sorted(found, key=_strength, reverse=True)


def _qualified(found: list[_Change]) -> list[_Change]:
    """Return the strongest change, and the strongest one of another part of the picture."""
    others = [one for one in found if one.measure.part != found[0].measure.part]
    return [found[0], *others[:1]]


def _name(changes: list[_Change]) -> Name:
    sign = 1 if changes[0].effect > 0 else -1
    ends = {
        end: ", ".join(
            one.measure.more if one.effect * sign * end > 0 else one.measure.less for one in changes
        )
        for end in (1, -1)
    }
    return Name(ends[1], ends[-1], sign, abs(changes[0].effect), changes[0].error)


def _distinct(name: Name, others: set[str]) -> Name:
    """Return the name, with a number if another direction has it."""
    number, text = 1, name.text
    while text in others:
        number += 1
        text = f"{name.text} {number}"
    opposite = name.opposite if number == 1 else f"{name.opposite} {number}"
    return Name(text, opposite, name.sign, name.effect, name.error)
