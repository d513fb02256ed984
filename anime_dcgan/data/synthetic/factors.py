"""The factors of a drawn face: every difference between two faces, as a name or a number.

Sampling is separate from drawing, so that a measurement can find out which factors a generator has
covered, or withhold one of them from training.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Colour = tuple[int, int, int]  # red, green, blue, each 0..255

HAIR_RGB: dict[str, Colour] = {
    "black": (58, 54, 78),
    "brown": (112, 70, 56),
    "chestnut": (166, 96, 62),
    "orange": (240, 142, 66),
    "blonde": (250, 214, 122),
    "cream": (246, 232, 202),
    "white": (236, 238, 248),
    "silver": (172, 180, 202),
    "pink": (250, 162, 192),
    "rose": (226, 94, 134),
    "red": (204, 58, 60),
    "lavender": (196, 172, 240),
    "purple": (134, 88, 184),
    "navy": (58, 74, 138),
    "blue": (84, 134, 226),
    "sky": (142, 208, 246),
    "teal": (64, 176, 178),
    "mint": (160, 232, 202),
    "green": (104, 176, 92),
}
EYE_RGB: dict[str, Colour] = {
    "brown": (150, 86, 52),
    "amber": (236, 160, 40),
    "red": (222, 52, 66),
    "pink": (240, 100, 164),
    "violet": (146, 86, 220),
    "blue": (52, 108, 232),
    "aqua": (40, 180, 224),
    "teal": (20, 164, 148),
    "green": (72, 176, 74),
    "grey": (112, 124, 152),
}
SKIN_RGB: dict[str, Colour] = {
    "porcelain": (255, 238, 228),
    "fair": (255, 226, 208),
    "peach": (252, 212, 186),
    "tan": (232, 182, 142),
    "brown": (190, 134, 98),
    "deep": (142, 94, 72),
}
CLOTH_RGB: dict[str, Colour] = {
    "white": (246, 246, 250),
    "black": (58, 56, 72),
    "navy": (60, 76, 128),
    "red": (222, 70, 82),
    "pink": (250, 158, 190),
    "yellow": (252, 212, 92),
    "green": (110, 186, 128),
    "blue": (98, 164, 238),
    "purple": (160, 118, 214),
}
BACKGROUND_RGB: dict[str, Colour] = {
    "white": (248, 246, 246),
    "cream": (252, 238, 208),
    "rose": (250, 208, 218),
    "coral": (246, 164, 146),
    "mint": (198, 238, 218),
    "leaf": (150, 200, 140),
    "sky": (182, 224, 250),
    "azure": (106, 160, 224),
    "lilac": (218, 204, 246),
    "violet": (138, 118, 196),
    "night": (60, 62, 106),
}

HAIR_COLOURS = tuple(HAIR_RGB)
EYE_COLOURS = tuple(EYE_RGB)
SKINS = tuple(SKIN_RGB)
CLOTH_COLOURS = tuple(CLOTH_RGB)
BACKGROUND_COLOURS = tuple(BACKGROUND_RGB)
HAIR_STYLES = (
    "bob",
    "long_straight",
    "hime",
    "wavy",
    "twin_tails",
    "ponytail",
    "side_tail",
    "braids",
    "buns",
    "ringlets",
    "pixie",
    "short_spiky",
)
FRINGES = ("blunt", "choppy", "parted", "swept", "middle_lock", "curtain", "wispy")
CROWNS = ("smooth", "ahoge", "tufted")
FACE_SHAPES = ("oval", "round", "heart", "long")
BROWS = ("soft", "thick", "raised", "stern", "worried", "dots")
NOSES = ("dot", "tick", "shade")
CLOTHES = ("sailor", "shirt", "hoodie", "turtleneck", "choker")

# Relative frequencies of factors whose values are not equally frequent.
EYE_SHAPE_WEIGHTS = {
    "round": 5.0,
    "sparkling": 4.0,
    "almond": 3.0,
    "upturned": 4.0,
    "drooping": 4.0,
    "half_lidded": 2.0,
    "closed_smile": 1.0,
}
MOUTH_WEIGHTS = {
    "smile": 6.0,
    "open": 5.0,
    "grin": 3.0,
    "neutral": 3.0,
    "cat": 2.0,
    "surprised": 2.0,
    "pout": 1.5,
    "fang": 1.5,
}
SKIN_WEIGHTS = {
    "porcelain": 4.0,
    "fair": 5.0,
    "peach": 4.0,
    "tan": 2.0,
    "brown": 1.0,
    "deep": 1.0,
}
ACCESSORY_WEIGHTS = {
    "none": 9.0,
    "ribbon": 2.0,
    "big_bow": 1.5,
    "hairpin": 2.0,
    "flower": 1.5,
    "headband": 1.5,
    "glasses": 2.0,
    "cat_ears": 2.0,
    "headphones": 1.0,
    "beret": 1.0,
}
BACKGROUND_WEIGHTS = {
    "flat": 3.0,
    "gradient": 4.0,
    "bokeh": 2.0,
    "stripes": 1.0,
    "dots": 1.0,
    "petals": 1.0,
}
EYE_SHAPES = tuple(EYE_SHAPE_WEIGHTS)
MOUTHS = tuple(MOUTH_WEIGHTS)
ACCESSORIES = tuple(ACCESSORY_WEIGHTS)
BACKGROUNDS = tuple(BACKGROUND_WEIGHTS)

# Possible names of each field of `FaceFactors`.
NAMED_FACTORS: dict[str, tuple[str, ...]] = {
    "hair_style": HAIR_STYLES,
    "hair_colour": HAIR_COLOURS,
    "crown": CROWNS,
    "fringe": FRINGES,
    "eye_shape": EYE_SHAPES,
    "eye_colour": EYE_COLOURS,
    "brow": BROWS,
    "nose": NOSES,
    "mouth": MOUTHS,
    "skin": SKINS,
    "face_shape": FACE_SHAPES,
    "accessory": ACCESSORIES,
    "accessory_colour": CLOTH_COLOURS,
    "clothes": CLOTHES,
    "clothes_colour": CLOTH_COLOURS,
    "background": BACKGROUNDS,
    "background_colour": BACKGROUND_COLOURS,
}


@dataclass(frozen=True)
class FaceFactors:
    """Everything that determines one drawn face.

    Lengths are in units of 1/64 of the picture's side, whatever its size in pixels; x grows to the
    right and y downwards. `NAMED_FACTORS` lists the possible names of each `str`.
    """

    hair_style: str
    hair_colour: str
    crown: str
    fringe: str
    eye_shape: str
    eye_colour: str
    brow: str
    nose: str
    mouth: str
    skin: str
    face_shape: str
    accessory: str
    accessory_colour: str
    clothes: str
    clothes_colour: str
    background: str
    background_colour: str
    hair_hue_shift: float  # turns of the colour circle, -0.02..0.02
    hair_light_shift: float  # added to the lightness of 0..1, -0.05..0.05
    hair_volume: float  # width of the hair relative to the standard, 0.95..1.07
    fringe_length: float  # added to the fringe's tips, -2..1
    light_side: float  # origin of the light: -1 left, 1 right
    eye_size: float  # relative to the standard, 0.92..1.12
    eye_spacing: float  # added to each eye's distance from the middle, -0.5..0.8
    iris_size: float  # relative to the standard, 0.92..1.1
    gaze_x: float  # fraction of an eye's half width, -0.14..0.14
    gaze_y: float  # fraction of an eye's half height, -0.06..0.1
    brow_height: float  # added upwards, -0.5..1.5
    mouth_width: float  # relative to the standard, 0.8..1.25
    face_width: float  # relative to the standard, 0.95..1.05
    blush: float  # opacity in its middle, 0.1..0.75
    tilt_degrees: float  # clockwise, -11..11
    turn: float  # rotation of the head, -1 left, 1 right
    nod: float  # -1 up, 1 down
    scale: float  # relative to the standard, 0.92..1.08
    shift_x: float  # -2.5..2.5
    shift_y: float  # -2..2
    detail_seed: int  # for strands and background details


class _Draw:
    """Random draws from the raw uniform numbers of one PCG64 stream."""

    def __init__(self, seed: int, index: int):
        self._stream = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, index])))

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * float(self._stream.random())

    def near(self, middle: float, reach: float) -> float:
        """Return a number within `reach` of `middle`, more often close to it than far."""
        return middle + reach * (self.uniform(-1.0, 1.0) + self.uniform(-1.0, 1.0)) / 2

    def one_of(self, names: Sequence[str]) -> str:
        return names[int(self.uniform(0.0, float(len(names))))]

    def weighted(self, weights: Mapping[str, float]) -> str:
        ends = np.cumsum(list(weights.values()))
        return list(weights)[int(np.searchsorted(ends, self.uniform(0.0, ends[-1]), "right"))]


_SAMPLERS: dict[str, Callable[[_Draw], Any]] = {
    "hair_style": lambda draw: draw.one_of(HAIR_STYLES),
    "hair_colour": lambda draw: draw.one_of(HAIR_COLOURS),
    "crown": lambda draw: draw.one_of(CROWNS),
    "fringe": lambda draw: draw.one_of(FRINGES),
    "eye_shape": lambda draw: draw.weighted(EYE_SHAPE_WEIGHTS),
    "eye_colour": lambda draw: draw.one_of(EYE_COLOURS),
    "brow": lambda draw: draw.one_of(BROWS),
    "nose": lambda draw: draw.one_of(NOSES),
    "mouth": lambda draw: draw.weighted(MOUTH_WEIGHTS),
    "skin": lambda draw: draw.weighted(SKIN_WEIGHTS),
    "face_shape": lambda draw: draw.one_of(FACE_SHAPES),
    "accessory": lambda draw: draw.weighted(ACCESSORY_WEIGHTS),
    "accessory_colour": lambda draw: draw.one_of(CLOTH_COLOURS),
    "clothes": lambda draw: draw.one_of(CLOTHES),
    "clothes_colour": lambda draw: draw.one_of(CLOTH_COLOURS),
    "background": lambda draw: draw.weighted(BACKGROUND_WEIGHTS),
    "background_colour": lambda draw: draw.one_of(BACKGROUND_COLOURS),
    "hair_hue_shift": lambda draw: draw.uniform(-0.02, 0.02),
    "hair_light_shift": lambda draw: draw.uniform(-0.05, 0.05),
    "hair_volume": lambda draw: draw.uniform(0.95, 1.07),
    "fringe_length": lambda draw: draw.uniform(-2.0, 1.0),
    "light_side": lambda draw: -1.0 if draw.uniform(0.0, 1.0) < 0.5 else 1.0,
    "eye_size": lambda draw: draw.uniform(0.92, 1.12),
    "eye_spacing": lambda draw: draw.uniform(-0.5, 0.8),
    "iris_size": lambda draw: draw.uniform(0.92, 1.1),
    "gaze_x": lambda draw: draw.near(0.0, 0.14),
    "gaze_y": lambda draw: draw.uniform(-0.06, 0.1),
    "brow_height": lambda draw: draw.uniform(-0.5, 1.5),
    "mouth_width": lambda draw: draw.uniform(0.8, 1.25),
    "face_width": lambda draw: draw.uniform(0.95, 1.05),
    "blush": lambda draw: draw.uniform(0.1, 0.75),
    "tilt_degrees": lambda draw: draw.near(0.0, 11.0),
    "turn": lambda draw: draw.near(0.0, 1.0),
    "nod": lambda draw: draw.near(0.0, 1.0),
    "scale": lambda draw: draw.uniform(0.92, 1.08),
    "shift_x": lambda draw: draw.near(0.0, 2.5),
    "shift_y": lambda draw: draw.near(0.0, 2.0),
    "detail_seed": lambda draw: int(draw.uniform(0.0, 2.0**31)),
}
"""How each factor is drawn, in the order of the draws."""


def _draw_all(draw: _Draw) -> Iterator[tuple[str, Any]]:
    return ((name, sample(draw)) for name, sample in _SAMPLERS.items())


def sample_factors(seed: int, index: int) -> FaceFactors:
    """Return the factors of face `index` of the infinite sequence `seed`; both are 0 or more.

    They are the same on every platform, whatever was sampled before.
    """
    return FaceFactors(**dict(_draw_all(_Draw(seed, index))))


def sample_factor(seed: int, index: int, factor: str) -> Any:
    """Return one factor of a face, an attribute of `sample_factors`, in a fraction of the time."""
    return next(value for name, value in _draw_all(_Draw(seed, index)) if name == factor)
