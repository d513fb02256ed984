"""Search spaces: ranges in Hydra's grammar as Optuna distributions."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep, Override, RangeSweep

from anime_dcgan.cli.overrides import split_options
from anime_dcgan.system.errors import UserError, first_line

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Space = dict[str, "BaseDistribution"]


def split_ranges(argv: list[str]) -> tuple[list[str], list[Override]]:
    """Split off the overrides that are ranges. Raises Hydra's `OverrideParseException`.

    >>> split_ranges(["--cfg", "job", "seed=1", "loss=bce,hinge"])[0]
    ['--cfg', 'job', 'seed=1']
    """
    parser = OverridesParser.create()
    options, overrides = split_options(argv)
    parsed = parser.parse_overrides(overrides)
    fixed = [override.input_line or "" for override in parsed if not override.is_sweep_override()]
    return [*options, *fixed], [override for override in parsed if override.is_sweep_override()]


def make_space(ranges: list[Override]) -> Space:
    """Return a distribution for each key; raise `UserError` for a range that Optuna rejects."""
    try:
        return {override.get_key_element(): _distribution(override) for override in ranges}
    except UserError:
        raise
    except ValueError as error:  # raised by Optuna
        raise UserError(f"a range cannot be searched: {first_line(error)}") from None


def _distribution(override: Override) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    value: Any = override.value()
    if isinstance(value, Glob):
        raise UserError(f"{override.input_line} is a glob: list the options, as in loss=bce,hinge")
    log = "log" in getattr(value, "tags", ())
    if isinstance(value, IntervalSweep):
        _check_bounds(override, value.start, value.end)
        low, high = cast(float, value.start), cast(float, value.end)
        if isinstance(low, int) and isinstance(high, int):
            return IntDistribution(low, high, log)
        return FloatDistribution(low, high, log)
    if isinstance(value, RangeSweep):
        _check_bounds(override, value.start, value.stop)
        numbers: list[Any] = sorted(override.sweep_iterator())  # pyright: ignore[reportArgumentType]
        if not numbers:
            raise UserError(f"{override.input_line} has no values: put the smaller bound first")
        if all(isinstance(number, int) for number in numbers):
            return IntDistribution(numbers[0], numbers[-1], log, step=int(abs(value.step)))
        return FloatDistribution(numbers[0], numbers[-1], log, step=abs(value.step))
    return CategoricalDistribution(list(override.sweep_string_iterator()))


def _check_bounds(override: Override, *bounds: Any) -> None:
    if not all(isinstance(bound, int | float) and math.isfinite(bound) for bound in bounds):
        raise UserError(f"{override.input_line} must have two finite bounds, as in interval(0,1)")


def extreme_params(space: Space) -> Iterator[dict[str, Any]]:
    """Yield parameters with each choice, or both bounds, of one key and the first of all others."""
    values = {key: _extremes(distribution) for key, distribution in space.items()}
    first = {key: choices[0] for key, choices in values.items()}
    yield first
    for key, choices in values.items():
        for choice in choices[1:]:
            yield first | {key: choice}


def _extremes(distribution: "BaseDistribution") -> list[Any]:
    choices = getattr(distribution, "choices", None)
    if choices is not None:
        return list(choices)
    bounds: Any = distribution
    return [bounds.low, bounds.high]


def to_overrides(params: dict[str, Any]) -> list[str]:
    """Return the parameters that Optuna chose as overrides.

    >>> to_overrides({"loss": "bce", "optimizer.lr": 2e-05})
    ['loss=bce', 'optimizer.lr=2e-05']
    """
    return [f"{key}={value}" for key, value in params.items()]
