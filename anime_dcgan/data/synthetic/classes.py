"""Classes of drawn faces: the names of a factor, or ranges of a continuous one."""

from bisect import bisect_right
from collections.abc import Iterator

from anime_dcgan.data.synthetic.factors import NAMED_FACTORS, sample_factor
from anime_dcgan.system.errors import UserError

SHORT_NAMES = {"hair": "hair_colour", "eyes": "eye_colour"}

RANGES: dict[str, tuple[tuple[str, ...], tuple[float, ...]]] = {
    "hair_hue_shift": (("lower", "unchanged", "higher"), (-0.007, 0.007)),
    "hair_light_shift": (("darker", "unchanged", "lighter"), (-0.017, 0.017)),
    "hair_volume": (("flat", "medium", "full"), (0.99, 1.03)),
    "fringe_length": (("short", "medium", "long"), (-1.0, 0.0)),
    "light_side": (("left", "right"), (0.0,)),
    "eye_size": (("small", "medium", "large"), (0.987, 1.053)),
    "eye_spacing": (("close", "medium", "wide"), (-0.07, 0.37)),
    "iris_size": (("small", "medium", "large"), (0.98, 1.04)),
    "gaze_x": (("left", "ahead", "right"), (-0.028, 0.028)),
    "gaze_y": (("up", "ahead", "down"), (-0.007, 0.047)),
    "brow_height": (("low", "medium", "high"), (0.17, 0.83)),
    "mouth_width": (("narrow", "medium", "wide"), (0.95, 1.1)),
    "face_width": (("narrow", "medium", "wide"), (0.983, 1.017)),
    "blush": (("faint", "medium", "strong"), (0.32, 0.53)),
    "tilt_degrees": (("left", "upright", "right"), (-2.2, 2.2)),
    "turn": (("left", "front", "right"), (-0.2, 0.2)),
    "nod": (("up", "level", "down"), (-0.2, 0.2)),
    "scale": (("small", "medium", "large"), (0.973, 1.027)),
    "shift_x": (("left", "middle", "right"), (-0.5, 0.5)),
    "shift_y": (("up", "middle", "down"), (-0.4, 0.4)),
}
"""The names of each continuous factor's ranges, about equally frequent, and the bounds between."""


def classes_of(labels: str, count: int, seed: int) -> Iterator[str]:
    """Return the classes of the first `count` faces of `seed` by the factor that `labels` names.

    Raises `UserError` for any other name.
    """
    factor = SHORT_NAMES.get(labels, labels)
    if factor not in {*NAMED_FACTORS, *RANGES}:
        options = ", ".join([*SHORT_NAMES, *NAMED_FACTORS, *RANGES])
        raise UserError(
            f"data.labels={labels} is not a factor of drawn faces: use one of {options}"
        )
    return (_class_of(factor, sample_factor(seed, index, factor)) for index in range(count))


def _class_of(factor: str, value: str | float) -> str:
    if isinstance(value, str):
        return value
    names, bounds = RANGES[factor]
    return names[bisect_right(bounds, value)]
