"""Simple measures of pictures of faces, each with a name for more of it and one for less.

The places are those of a face that fills its picture: hair at the top, eyes and mouth in the
middle, background in the upper corners and at the sides. Left is the left of the viewer.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

MAX_SIDE = 64  # px; larger pictures are shrunk, so that sharpness is measured at one scale
EPSILON = 1e-3
PART_SALIENCE = 0.9
"""Less than 1, so that a change of all parts is one of the picture."""

Box = tuple[float, float, float, float]
"""Top, bottom, left and right, as fractions of the picture."""
Images = Float[Tensor, "n 3 h w"]
Values = Float[Tensor, " n"]

WHOLE: Box = (0.0, 1.0, 0.0, 1.0)
HAIR: tuple[Box, ...] = ((0.03, 0.3, 0.2, 0.8),)
SKIN: tuple[Box, ...] = ((0.66, 0.84, 0.35, 0.65),)
EYES: tuple[Box, ...] = ((0.48, 0.62, 0.26, 0.44), (0.48, 0.62, 0.56, 0.74))
CORNERS: tuple[Box, ...] = ((0.0, 0.3, 0.0, 0.1), (0.0, 0.3, 0.9, 1.0))


@dataclass(frozen=True)
class Measure:
    """A number of each picture.

    Attributes:
        more, less: what a picture becomes when the number grows or shrinks.
        part: the part of the picture that it describes.
        scale: measures of one scale, such as the lightness of several parts, are compared as they
            are. Those of different scales are compared in units of their variation between faces.
        salience: how much a change strikes the eye, compared with one of the whole picture.
    """

    more: str
    less: str
    part: str
    of: Callable[[Images], Values]
    scale: str
    salience: float = 1.0


def measure(images: Images) -> Float[Tensor, "n measures"]:
    """Return all `MEASURES` of images in [-1, 1]."""
    images = images.float().clamp(-1, 1)
    if images.shape[-1] > MAX_SIDE:
        images = adaptive_avg_pool2d(images, MAX_SIDE)
    return torch.stack([one.of(images) for one in MEASURES], dim=1)


def _crop(images: Images, box: Box) -> Float[Tensor, "n 3 _ _"]:
    height, width = images.shape[-2:]
    top, bottom, left, right = box
    rows = slice(int(top * height), max(int(top * height) + 1, round(bottom * height)))
    columns = slice(int(left * width), max(int(left * width) + 1, round(right * width)))
    return images[..., rows, columns]


def _lightness(images: Float[Tensor, "n 3 ..."]) -> Float[Tensor, "n ..."]:
    """Return the luma of Rec. 601."""
    red, green, blue = images.unbind(1)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def _hue(degrees: float) -> Callable[[Float[Tensor, "n 3 ..."]], Float[Tensor, "n ..."]]:
    """Return a function that projects colours on a hue: 0 is red, 90 yellow."""
    across, up = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))

    def of(images: Float[Tensor, "n 3 ..."]) -> Float[Tensor, "n ..."]:
        red, green, blue = images.unbind(1)
        return across * (red - green) + up * ((red + green) / 2 - blue)

    return of


def _colourfulness(images: Images) -> Values:
    return (images.amax(1) - images.amin(1)).mean((1, 2))


def _contrast(images: Images) -> Values:
    return _lightness(images).std((1, 2))


def _sharpness(images: Images) -> Values:
    """Return the fine edges compared with the contrast, so that contrast alone changes nothing."""
    light = _lightness(images)
    across, down = light.diff(dim=2).abs().mean((1, 2)), light.diff(dim=1).abs().mean((1, 2))
    return (across + down) / (light.std((1, 2)) + EPSILON)


def _edges(images: Images) -> Float[Tensor, "n side side"]:
    """Return the strength of the edges of a blurred picture, with sum 1."""
    light = adaptive_avg_pool2d(_lightness(images)[:, None], 16)
    light = interpolate(light, size=17, mode="bilinear", align_corners=True)[:, 0]
    edges = light[:, 1:, 1:] - light[:, :-1, :-1], light[:, 1:, :-1] - light[:, :-1, 1:]
    strength = edges[0].square() + edges[1].square() + EPSILON**2
    return strength / strength.sum((1, 2), keepdim=True)


def _centre(images: Images, axis: int) -> Values:
    """Return where the edges are on average, in [-1, 1] along an axis: 1 is down, 2 is right."""
    mass = _edges(images).sum(3 - axis)
    return (mass * _grid(mass)).sum(1)


def _spread(images: Images) -> Values:
    """Return how far from their centre the edges are on average."""
    total = torch.zeros(len(images))
    for axis in (1, 2):
        mass = _edges(images).sum(3 - axis)
        offsets = _grid(mass) - _centre(images, axis)[:, None]
        total = total + (mass * offsets.square()).sum(1)
    return total.sqrt()


def _grid(mass: Float[Tensor, "n side"]) -> Float[Tensor, " side"]:
    return torch.linspace(-1, 1, mass.shape[1])


def _middle(images: Images) -> Values:
    return _centre(images, 2)


def _height(images: Images) -> Values:
    return _centre(images, 1)


def _mean(values: Callable[[Images], Tensor], *boxes: Box) -> Callable[[Images], Values]:
    def of(images: Images) -> Values:
        return torch.cat([values(_crop(images, box)).flatten(1) for box in boxes], dim=1).mean(1)

    return of


def _own_scale(more: str, less: str, of: Callable[[Images], Values], salience: float) -> Measure:
    return Measure(more, less, "picture", of, more, salience)


def _lightness_of(part: str, boxes: tuple[Box, ...]) -> Measure:
    of = _mean(_lightness, *boxes)
    return Measure(f"lighter {part}", f"darker {part}", part, of, "lightness", PART_SALIENCE)


def _hue_of(degrees: float, more: str, less: str, part: str, boxes: tuple[Box, ...]) -> Measure:
    of = _mean(_hue(degrees), *boxes)
    return Measure(f"{more} {part}", f"{less} {part}", part, of, "hue", PART_SALIENCE)


MEASURES = (
    Measure("brighter", "darker", "picture", _mean(_lightness, WHOLE), "lightness"),
    Measure("warmer", "cooler", "picture", _mean(_hue(45), WHOLE), "hue"),
    Measure("pinker", "greener", "picture", _mean(_hue(-30), WHOLE), "hue"),
    _own_scale("more colourful", "paler", _colourfulness, salience=1.0),
    _own_scale("more contrast", "less contrast", _contrast, salience=0.8),
    _own_scale("sharper", "softer", _sharpness, salience=0.8),
    _own_scale("face to the right", "face to the left", _middle, salience=1.0),
    _own_scale("face lower", "face higher", _height, salience=1.0),
    _own_scale("farther away", "closer", _spread, salience=1.0),
    _lightness_of("hair", HAIR),
    _hue_of(0, "redder", "greener", "hair", HAIR),
    _hue_of(45, "more orange", "more turquoise", "hair", HAIR),
    _hue_of(90, "yellower", "bluer", "hair", HAIR),
    _hue_of(135, "more olive", "more violet", "hair", HAIR),
    _lightness_of("skin", SKIN),
    _lightness_of("eyes", EYES),
    _hue_of(0, "redder", "greener", "eyes", EYES),
    _hue_of(90, "yellower", "bluer", "eyes", EYES),
    _lightness_of("background", CORNERS),
)
SCALES: list[list[int]] = [
    [number for number, one in enumerate(MEASURES) if one.scale == scale]
    for scale in dict.fromkeys(one.scale for one in MEASURES)
]
"""Positions of the measures of each scale."""


def variation(values: Float[Tensor, "n measures"]) -> Float[Tensor, " measures"]:
    """Return the standard deviation of each measure, the same for those of one scale."""
    variances = values.var(0)
    for members in SCALES:
        variances[members] = variances[members].mean()
    return variances.sqrt()
