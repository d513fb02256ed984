"""Transformations of adaptive augmentation, each applied to an image with the same probability.

They and their ranges are those of Karras et al. 2020, arXiv 2006.06676, appendix B. Of its 18
transformations, this module has those that make sense at 32 to 64 px: no anisotropic scaling,
fractional shifts, filtering, noise or cutout. The geometric ones are combined into one affine map,
the colour ones into one matrix. An image for which none is chosen is returned bit by bit.

Images are square, in [-1, 1]; colours may leave that range, since clipped pixels would have no
gradient.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

Images = Float[Tensor, "n 3 size size"]
Numbers = Float[Tensor, " n"]
Probability = Float[Tensor, ""] | float

MAX_SHIFT = 0.125  # fraction of the side
SCALE, CONTRAST, SATURATION = 0.2, 0.5, 1.0  # standard deviations of log2 of the factors
BRIGHTNESS = 0.2  # standard deviation of the added value


def transform_geometry(
    images: Images, probability: Probability, pixels: bool = True, geometry: bool = True
) -> Images:
    """Mirror, turn and shift by whole pixels (`pixels`), scale and rotate (`geometry`).

    Outside its borders an image is continued by its reflection.
    """
    source = torch.eye(3, device=images.device).expand(len(images), 3, 3)
    if pixels:
        source = source @ _mirror(images, probability) @ _quarter_turn(images, probability)
        source = source @ _shift(images, probability)
    if geometry:
        source = source @ _scale(images, probability) @ _rotation(images, probability)
    grid = affine_grid(source[:, :2], list(images.shape), align_corners=False)
    sampled = grid_sample(images, grid, "bilinear", "reflection", align_corners=False)
    chosen = (source != torch.eye(3, device=images.device)).flatten(1).any(1)
    return torch.where(chosen[:, None, None, None], sampled, images)


def transform_colours(images: Images, probability: Probability) -> Images:
    """Change brightness, contrast, luma flip, hue and saturation."""
    matrix = _brightness_and_contrast(images, probability)
    for transformation in (_luma_flip, _hue, _saturation):
        matrix = transformation(images, probability) @ matrix
    linear, offset = matrix[:, :3, :3], matrix[:, :3, 3]
    return torch.einsum("nij,njhw->nihw", linear, images) + offset[:, :, None, None]


# Geometry: each matrix maps a position in the result to its position in the source, in coordinates
# from -1 to 1. That is the inverse of the transformation; its parameters are distributed alike.


def _mirror(images: Images, probability: Probability) -> Float[Tensor, "n 3 3"]:
    sign = _sometimes(1 - 2 * _coin(images), 1.0, probability)
    one = torch.ones_like(sign)
    return _affine(sign, 0 * one, 0 * one, one, 0 * one, 0 * one)


def _quarter_turn(images: Images, probability: Probability) -> Float[Tensor, "n 3 3"]:
    quarters = _sometimes((4 * _uniform(images)).floor(), 0.0, probability)
    angle = quarters * (math.pi / 2)
    return _turn(angle.cos().round(), angle.sin().round())


def _shift(images: Images, probability: Probability) -> Float[Tensor, "n 3 3"]:
    size = images.shape[-1]
    across, down = (
        (MAX_SHIFT * size * (2 * _uniform(images) - 1)).round() * (2 / size) for _ in range(2)
    )
    chosen = _sometimes(torch.ones_like(across), 0.0, probability)
    one = torch.ones_like(across)
    return _affine(one, 0 * one, 0 * one, one, chosen * across, chosen * down)


def _scale(images: Images, probability: Probability) -> Float[Tensor, "n 3 3"]:
    factor = _sometimes(_log_normal(images, SCALE), 1.0, probability)
    zero = torch.zeros_like(factor)
    return _affine(factor, zero, zero, factor, zero, zero)


def _rotation(images: Images, probability: Probability) -> Float[Tensor, "n 3 3"]:
    angle = _sometimes(_angle(images), 0.0, probability)
    return _turn(angle.cos(), angle.sin())


def _turn(cosine: Numbers, sine: Numbers) -> Float[Tensor, "n 3 3"]:
    zero = torch.zeros_like(cosine)
    return _affine(cosine, -sine, sine, cosine, zero, zero)


def _affine(
    xx: Numbers, xy: Numbers, yx: Numbers, yy: Numbers, x: Numbers, y: Numbers
) -> Float[Tensor, "n 3 3"]:
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return torch.stack([xx, xy, x, yx, yy, y, zero, zero, one], 1).unflatten(1, (3, 3))


# Colour: matrices on (red, green, blue, 1). The luma axis v is (1, 1, 1) / sqrt(3).


def _brightness_and_contrast(images: Images, probability: Probability) -> Float[Tensor, "n 4 4"]:
    added = _sometimes(BRIGHTNESS * _normal(images), 0.0, probability)
    factor = _sometimes(_log_normal(images, CONTRAST), 1.0, probability)
    linear = factor[:, None, None] * torch.eye(3, device=images.device)
    return _homogeneous(linear, factor * added)


def _luma_flip(images: Images, probability: Probability) -> Float[Tensor, "n 4 4"]:
    """Householder reflection 1 - 2 v v^T, which swaps dark and bright and keeps the hue."""
    flipped = _sometimes(_coin(images), 0.0, probability)[:, None, None]
    return _homogeneous(torch.eye(3, device=images.device) - 2 * flipped * _luma(images))


def _hue(images: Images, probability: Probability) -> Float[Tensor, "n 4 4"]:
    """Rotation about v by Rodrigues' formula, 1 + sin K + (1 - cos) K^2 with K x = v cross x."""
    angle = _sometimes(_angle(images), 0.0, probability)[:, None, None]
    one, zero = torch.ones((), device=images.device), torch.zeros((), device=images.device)
    rows = [zero, -one, one, one, zero, -one, -one, one, zero]
    cross = torch.stack(rows).unflatten(0, (3, 3)) / math.sqrt(3)
    identity = torch.eye(3, device=images.device)
    return _homogeneous(identity + angle.sin() * cross + (1 - angle.cos()) * (cross @ cross))


def _saturation(images: Images, probability: Probability) -> Float[Tensor, "n 4 4"]:
    """Matrix v v^T + factor (1 - v v^T), which scales the part that is not grey."""
    factor = _sometimes(_log_normal(images, SATURATION), 1.0, probability)[:, None, None]
    identity = torch.eye(3, device=images.device)
    return _homogeneous(identity + (factor - 1) * (identity - _luma(images)))


def _luma(images: Images) -> Float[Tensor, "3 3"]:
    return torch.full((3, 3), 1 / 3, device=images.device)


def _homogeneous(
    linear: Float[Tensor, "n 3 3"], offset: Numbers | None = None
) -> Float[Tensor, "n 4 4"]:
    """Return the 4x4 matrix of a linear map plus an offset common to the three channels."""
    count = len(linear)
    matrix = torch.eye(4, device=linear.device).repeat(count, 1, 1)
    matrix[:, :3, :3] = linear
    if offset is not None:
        matrix[:, :3, 3] = offset[:, None]
    return matrix


# Random draws, one for each image.


def _sometimes(values: Numbers, otherwise: float, probability: Probability) -> Numbers:
    """Take each value independently with the probability: never at 0, always at 1."""
    chosen = torch.rand_like(values) < probability
    return torch.where(chosen, values, otherwise)


def _uniform(images: Images) -> Numbers:
    return torch.rand(len(images), device=images.device)


def _coin(images: Images) -> Numbers:
    return _uniform(images).round()


def _angle(images: Images) -> Numbers:
    return math.pi * (2 * _uniform(images) - 1)


def _normal(images: Images) -> Numbers:
    return torch.randn(len(images), device=images.device)


def _log_normal(images: Images, deviation: float) -> Numbers:
    """Draw 2^x, with x normal of that standard deviation."""
    return torch.exp2(deviation * _normal(images))
