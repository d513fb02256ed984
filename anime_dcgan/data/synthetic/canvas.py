"""A canvas that draws smooth shapes in the coordinates of a face, whatever its pose.

Lengths are in units of 1/64 of the picture's side; (0, 0) is the middle of the face, x grows to the
right and y downwards. Everything is drawn at `OVERSAMPLING` times the requested size, then reduced.
"""

import colorsys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageChops, ImageDraw

from anime_dcgan.data.synthetic.factors import Colour, FaceFactors

OVERSAMPLING = 4
SIDE = 64.0  # side of the picture in units of the drawing
TURN_REACH = 0.35  # units by which a full turn or nod moves a feature, per unit of its depth

Points = Float[np.ndarray, "_ 2"]


def mix(first: Colour, second: Colour, fraction: float) -> Colour:
    """Return `first` mixed with a fraction (0..1) of `second`."""
    red, green, blue = (round(a + (b - a) * fraction) for a, b in zip(first, second, strict=True))
    return red, green, blue


def shade(colour: Colour, fraction: float) -> Colour:
    """Return `colour` in shadow: darker by a fraction (0..1), more saturated and violet."""
    red, green, blue = colour
    deep = (round(red * 0.36), round(green * 0.2), round(blue * 0.38))
    return mix(colour, deep, fraction)


def tint(colour: Colour, fraction: float) -> Colour:
    """Return `colour` in the light: mixed with a fraction (0..1) of a warm white."""
    return mix(colour, (255, 252, 246), fraction)


def shift_colour(colour: Colour, turns: float, lightness: float) -> Colour:
    """Return `colour` with its hue turned and its lightness (0..1) increased."""
    hue, light, saturation = colorsys.rgb_to_hls(*(part / 255 for part in colour))
    light = min(max(light + lightness, 0.0), 1.0)
    red, green, blue = colorsys.hls_to_rgb((hue + turns) % 1.0, light, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


def points(*pairs: tuple[float, float]) -> Points:
    """Return the pairs of (x, y) as an array."""
    return np.array(pairs, dtype=np.float64)


def moved(outline: Points, x: float, y: float) -> Points:
    """Return the shifted outline."""
    return outline + np.array((x, y))


def mirrored(half: Points) -> Points:
    """Return a closed outline from its right half, which runs from the top to the bottom."""
    return np.concatenate([half, half[::-1] * (-1, 1)])


def ellipse(x: float, y: float, radius_x: float, radius_y: float, corners: int = 28) -> Points:
    """Return the outline of an ellipse."""
    angle = np.arange(corners) * (2 * np.pi / corners)
    return np.stack([x + radius_x * np.cos(angle), y + radius_y * np.sin(angle)], axis=1)


@lru_cache(maxsize=4)
def _catmull_rom(steps: int) -> Float[np.ndarray, "steps 4"]:
    """Return weights of four neighbouring points at `steps` positions between the middle two."""
    t = np.arange(steps)[:, None] / steps
    powers = np.concatenate([t**0, t, t**2, t**3], axis=1)
    basis = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    return powers @ basis


def smooth(outline: Points, closed: bool = True, steps: int = 6) -> Points:
    """Return a Catmull-Rom curve through the points; a point given twice stays a corner."""
    if closed:
        around = np.concatenate([outline[-1:], outline, outline[:2]])
    else:
        around = np.concatenate([outline[:1], outline, outline[-1:]])
    neighbours = np.stack([around[i : len(around) - 3 + i] for i in range(4)], axis=1)
    curve = (_catmull_rom(steps) @ neighbours).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, outline[-1:]])


def taper(middle: Points, widths: Float[np.ndarray, " _"]) -> Points:
    """Return the outline of a brush stroke along `middle`, with a width at each of its points."""
    along = np.gradient(middle, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    across /= np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-6)[:, None]
    half = across * widths[:, None] / 2
    return np.concatenate([middle + half, (middle - half)[::-1]])


@lru_cache(maxsize=1)
def _soft_spot() -> Image.Image:
    """Return a square mask: 255 in the middle, falling to 0 at the inscribed circle."""
    distance = np.hypot(*np.meshgrid(np.linspace(-1, 1, 64), np.linspace(-1, 1, 64)))
    return Image.fromarray((255 * np.clip(1 - distance, 0, 1)).astype(np.uint8))


def _thinned(mask: Image.Image, opacity: float) -> Image.Image:
    """Return the mask times `opacity`, 0..1."""
    return mask.point(np.rint(np.arange(256) * opacity).astype(int).tolist())


class FaceCanvas:
    """Draws in the coordinates of one posed face."""

    def __init__(self, factors: FaceFactors, image_size: int):
        self.side = image_size * OVERSAMPLING
        self.image = Image.new("RGB", (self.side, self.side))
        self.draw = ImageDraw.Draw(self.image)
        self._unit = self.side / SIDE
        angle = np.deg2rad(factors.tilt_degrees)
        cos, sin = np.cos(angle), np.sin(angle)
        self._matrix = np.array([[cos, sin], [-sin, cos]]) * (factors.scale * self._unit)
        middle = (SIDE / 2 + factors.shift_x, SIDE / 2 + 0.8 + factors.shift_y)
        self._middle = np.array(middle) * self._unit
        self._turned = np.array([factors.turn, factors.nod]) * TURN_REACH

    def place(self, outline: Points, depth: float = 0.0) -> Points:
        """Return the pixels of points; a depth above 0 is closer than the middle of the head."""
        return (outline + self._turned * depth) @ self._matrix + self._middle

    def fill(self, outline: Points, colour: Colour, depth: float = 0.0) -> None:
        """Fill a closed outline."""
        self.draw.polygon(self.place(outline, depth).ravel().tolist(), fill=colour)

    def line(
        self, path: Points, colour: Colour, width: float, depth: float = 0.0, closed: bool = False
    ) -> None:
        """Draw along a path, `width` units wide."""
        if closed:
            path = np.concatenate([path, path[:2]])
        pixels = max(1, round(width * self._unit))
        self.draw.line(self.place(path, depth).ravel().tolist(), fill=colour, width=pixels)

    def shape(
        self,
        outline: Points,
        colour: Colour,
        edge: Colour,
        width: float = 0.7,
        depth: float = 0.0,
    ) -> None:
        """Fill a closed outline and draw its edge."""
        self.fill(outline, colour, depth)
        self.line(outline, edge, width, depth, closed=True)

    def mask(self, *outlines: Points, depth: float = 0.0) -> Image.Image:
        """Return a mask: 255 inside any of the outlines, 0 elsewhere."""
        mask = Image.new("L", self.image.size)
        draw = ImageDraw.Draw(mask)
        for outline in outlines:
            draw.polygon(self.place(outline, depth).ravel().tolist(), fill=255)
        return mask

    @contextmanager
    def clipped(self, mask: Image.Image, opacity: float = 1.0) -> Iterator[None]:
        """Restrict drawing inside the `with` block to the mask."""
        below = self.image
        self.image = below.copy()
        self.draw = ImageDraw.Draw(self.image)
        yield
        if box := mask.getbbox():
            part = mask.crop(box)
            below.paste(
                self.image.crop(box), box, part if opacity == 1 else _thinned(part, opacity)
            )
        self.image = below
        self.draw = ImageDraw.Draw(self.image)

    def glow(
        self,
        x: float,
        y: float,
        radius: tuple[float, float],
        colour: Colour,
        opacity: float,
        depth: float = 0.0,
    ) -> None:
        """Draw a soft round spot with `opacity` (0..1) in its middle."""
        (left, top), (right, bottom) = self._box(x, y, radius, depth)
        spot = _soft_spot().resize((right - left, bottom - top))
        self.image.paste(colour, (left, top), _thinned(spot, opacity))

    def graded(
        self,
        x: float,
        y: float,
        radius: tuple[float, float],
        stops: tuple[Colour, ...],
        depth: float = 0.0,
    ) -> None:
        """Draw an ellipse with a vertical gradient of evenly spaced colours."""
        (left, top), (right, bottom) = self._box(x, y, radius, depth)
        size = (right - left, bottom - top)
        strip = Image.new("RGB", (1, len(stops)))
        strip.putdata(stops)
        mask = Image.new("L", size)
        ImageDraw.Draw(mask).ellipse((0, 0, size[0] - 1, size[1] - 1), fill=255)
        self.image.paste(strip.resize(size, Image.Resampling.BILINEAR), (left, top), mask)

    def _box(
        self, x: float, y: float, radius: tuple[float, float], depth: float
    ) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the upper left and lower right pixel of an upright box around a point."""
        middle_x, middle_y = self.place(points((x, y)), depth)[0]
        stretch = float(np.hypot(*self._matrix[0]))
        reach_x, reach_y = max(radius[0] * stretch, 1.0), max(radius[1] * stretch, 1.0)
        return (
            (round(middle_x - reach_x), round(middle_y - reach_y)),
            (round(middle_x + reach_x), round(middle_y + reach_y)),
        )

    def fade(self, mask: Image.Image, colour: Colour, opacity: float) -> None:
        """Lay a colour over the masked part, increasing to `opacity` at the bottom."""
        ramp = _thinned(Image.linear_gradient("L"), opacity).resize(self.image.size)
        self.image.paste(colour, mask=ImageChops.multiply(mask, ramp))

    def reduced(self, image_size: int) -> Image.Image:
        """Return the picture at its final size, antialiased."""
        return self.image.resize((image_size, image_size), Image.Resampling.HAMMING)
