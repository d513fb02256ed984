"""Surroundings of a drawn face: background, neck and clothes, and accessories.

Coordinates and depths are those of `FaceCanvas`; backgrounds do not follow the pose.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

from anime_dcgan.data.synthetic.canvas import (
    FaceCanvas,
    Points,
    ellipse,
    mix,
    moved,
    points,
    shade,
    shift_colour,
    smooth,
    tint,
)
from anime_dcgan.data.synthetic.factors import (
    BACKGROUND_RGB,
    CLOTH_RGB,
    SKIN_RGB,
    Colour,
    FaceFactors,
)
from anime_dcgan.data.synthetic.features import EYE_DEPTH, EYE_X, EYE_Y, skin_shadow
from anime_dcgan.data.synthetic.hair import FRONT_DEPTH, FrontHair, HairTones

GOLD = (250, 204, 84)

# --- background ---


def paint_background(canvas: FaceCanvas, factors: FaceFactors) -> None:
    """Fill the picture with the background."""
    colour = BACKGROUND_RGB[factors.background_colour]
    random = np.random.Generator(np.random.PCG64(factors.detail_seed + 1))
    neighbour = shift_colour(tint(colour, 0.35), float(random.random()) * 0.24 - 0.12, 0.0)
    side = canvas.side
    canvas.image.paste(colour, (0, 0, side, side))
    if factors.background in ("gradient", "bokeh", "petals"):
        strip = Image.new("RGB", (2, 2))
        middle = mix(colour, neighbour, 0.5)
        strip.putdata((colour, middle, middle, neighbour))
        canvas.image.paste(strip.resize((side, side), Image.Resampling.BILINEAR))
    pale = tint(colour, 0.5 if sum(colour) < 600 else 0.75)
    PATTERNS[factors.background](canvas, pale, random)


def _plain(canvas: FaceCanvas, pale: Colour, random: np.random.Generator) -> None:
    """Draw nothing on top of the colour."""


def _bokeh(canvas: FaceCanvas, pale: Colour, random: np.random.Generator) -> None:
    for x, y, size in random.random((9, 3)) * (64, 64, 7) - (32, 32, -3):
        canvas.glow(float(x), float(y), (float(size), float(size)), pale, 0.95, -8.0)


def _stripes(canvas: FaceCanvas, pale: Colour, random: np.random.Generator) -> None:
    step, lean = canvas.side / 6, canvas.side * (random.random() - 0.5)
    for x in np.arange(-4, 10) * step:
        corners = (x, 0, x + step / 2, 0, x + step / 2 + lean, canvas.side, x + lean, canvas.side)
        canvas.draw.polygon([float(corner) for corner in corners], fill=pale)


def _dots(canvas: FaceCanvas, pale: Colour, random: np.random.Generator) -> None:
    step = canvas.side / 7
    offset = random.random() * step
    for row in range(9):
        for column in range(9):
            x = (column + row % 2 / 2 - 1) * step + offset
            y = (row - 1) * step + offset
            canvas.draw.ellipse((x, y, x + step * 0.45, y + step * 0.45), fill=pale)


def _petals(canvas: FaceCanvas, pale: Colour, random: np.random.Generator) -> None:
    petal = smooth(points((0, -2.6), (0, -2.6), (1.6, -0.4), (0, 2), (-1.6, -0.4)))
    for x, y, angle in random.random((16, 3)) * (68, 68, 2 * np.pi) - (34, 34, 0):
        turned = petal @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        canvas.fill(moved(turned, x, y), mix(pale, (255, 190, 208), 0.45), -8.0)


PATTERNS: dict[str, Callable[[FaceCanvas, Colour, np.random.Generator], None]] = {
    "flat": _plain,
    "gradient": _plain,
    "bokeh": _bokeh,
    "stripes": _stripes,
    "dots": _dots,
    "petals": _petals,
}

# --- neck and clothes ---


def paint_body(canvas: FaceCanvas, factors: FaceFactors) -> None:
    """Draw the neck in the shadow of the chin, the shoulders and the collar."""
    skin, cloth = SKIN_RGB[factors.skin], CLOTH_RGB[factors.clothes_colour]
    edge = shade(cloth, 0.5)
    neck = points(
        (-6.5, 16), (6.5, 16), (6.5, 27), (12, 31), (12, 44), (-12, 44), (-12, 31), (-6.5, 27)
    )
    shoulders = smooth(
        points((-9, 28.5), (-20, 31), (-30, 37), (-32, 50), (32, 50), (30, 37), (20, 31), (9, 28.5))
    )
    if factors.clothes == "choker":
        canvas.shape(shoulders, skin, shade(skin, 0.5))
    else:
        canvas.shape(shoulders, cloth, edge)
    canvas.shape(neck, skin, shade(skin, 0.5))
    canvas.fill(
        points((-6.2, 16), (6.2, 16), (6.2, 27.5), (0, 29.5), (-6.2, 27.5)), skin_shadow(skin)
    )
    COLLARS[factors.clothes](canvas, cloth, edge)


def _both_sides(canvas: FaceCanvas, half: Points, colour: Colour, edge: Colour) -> None:
    for side in (-1, 1):
        canvas.shape(half * (side, 1), colour, edge)


def _sailor(canvas: FaceCanvas, cloth: Colour, edge: Colour) -> None:
    collar = cloth if sum(cloth) < 600 else (74, 92, 150)
    _both_sides(canvas, points((6, 26), (13, 29), (17, 44), (1, 40)), collar, edge)
    for side in (-1, 1):
        canvas.line(points((8 * side, 29), (6 * side, 38)), (250, 250, 252), 0.8)


def _shirt(canvas: FaceCanvas, cloth: Colour, edge: Colour) -> None:
    _both_sides(canvas, points((6.4, 25), (12.5, 29), (7, 36), (0, 31)), tint(cloth, 0.4), edge)


def _hoodie(canvas: FaceCanvas, cloth: Colour, edge: Colour) -> None:
    hood = smooth(points((6, 25), (15, 24.5), (19, 30), (12, 36), (0, 37), (0, 33), (5, 30)))
    _both_sides(canvas, hood, tint(cloth, 0.15), edge)


def _turtleneck(canvas: FaceCanvas, cloth: Colour, edge: Colour) -> None:
    roll = smooth(points((-7.4, 25), (0, 26.6), (7.4, 25), (8.6, 32), (0, 34), (-8.6, 32)))
    canvas.shape(roll, tint(cloth, 0.15), edge)


def _choker(canvas: FaceCanvas, cloth: Colour, edge: Colour) -> None:
    band = points((-6.6, 26), (0, 27.6), (6.6, 26), (6.6, 28), (0, 29.8), (-6.6, 28))
    canvas.shape(band, cloth, edge, 0.5)


COLLARS: dict[str, Callable[[FaceCanvas, Colour, Colour], None]] = {
    "sailor": _sailor,
    "shirt": _shirt,
    "hoodie": _hoodie,
    "turtleneck": _turtleneck,
    "choker": _choker,
}

# --- accessories ---


def paint_behind(canvas: FaceCanvas, factors: FaceFactors, hair: HairTones) -> None:
    """Draw the accessories behind the front hair."""
    if factors.accessory != "cat_ears":
        return
    for side in (-1, 1):
        ear = points((6, -24), (10, -29), (19, -34), (19, -34), (23, -25), (24, -14))
        inner = points((10.5, -24), (17.8, -31), (17.8, -31), (20.6, -18))
        canvas.shape(smooth(ear * (side, 1)), hair.base, hair.edge)
        canvas.fill(smooth(inner * (side, 1)), (255, 176, 188))


def paint_in_front(canvas: FaceCanvas, factors: FaceFactors, front: FrontHair) -> None:
    """Draw the accessories over the hair or face."""
    colour = CLOTH_RGB[factors.accessory_colour]
    if factors.accessory in WORN:
        WORN[factors.accessory](canvas, colour, front.flip)


def _bow(canvas: FaceCanvas, x: float, y: float, size: float, colour: Colour) -> None:
    """Draw a bow of two loops and a knot."""
    edge = shade(colour, 0.5)
    for side in (-1, 1):
        loop = points((0, 0), (4, -4.2), (8, -4.6), (8.6, 0), (8, 4.2), (4, 3.4))
        canvas.shape(smooth(loop * (side * size, size) + (x, y)), colour, edge, depth=FRONT_DEPTH)
        fold = points((1.5, 0), (5.5, -1), (5.5, 1.2)) * (side * size, size) + (x, y)
        canvas.fill(fold, shade(colour, 0.3), FRONT_DEPTH)
    knot = ellipse(x, y, 1.9 * size, 2.0 * size, 14)
    canvas.shape(knot, tint(colour, 0.2), edge, depth=FRONT_DEPTH)


def _ribbon(canvas: FaceCanvas, colour: Colour, side: int) -> None:
    _bow(canvas, 18.5 * side, -19.5, 0.95, colour)


def _big_bow(canvas: FaceCanvas, colour: Colour, side: int) -> None:
    _bow(canvas, 3.0 * side, -26.0, 1.55, colour)


def _hairpin(canvas: FaceCanvas, colour: Colour, side: int) -> None:
    bright = mix(colour, GOLD, 0.3)
    for y in (-12.5, -9.6):
        bar = points((11, y), (18.5, y - 1.6), (18.9, y + 0.2), (11.4, y + 1.8)) * (side, 1)
        canvas.shape(bar, bright, shade(bright, 0.55), 0.5, FRONT_DEPTH)


def _flower(canvas: FaceCanvas, colour: Colour, side: int) -> None:
    x, y = 18.0 * side, -15.0
    for angle in np.arange(5) * (2 * np.pi / 5) - np.pi / 2:
        petal = ellipse(x + 3.1 * np.cos(angle), y + 3.1 * np.sin(angle), 2.5, 2.5, 14)
        canvas.shape(petal, tint(colour, 0.25), shade(colour, 0.4), 0.5, FRONT_DEPTH)
    middle = (252, 208, 80) if colour != CLOTH_RGB["yellow"] else (240, 140, 70)
    canvas.shape(ellipse(x, y, 1.7, 1.7, 12), middle, shade(middle, 0.4), 0.4, FRONT_DEPTH)


def _arch(radius_x: float, top: float, foot: float) -> Points:
    """Return half an ellipse over the head, from left to right."""
    angle = np.linspace(np.pi, 2 * np.pi, 19)
    return np.stack([radius_x * np.cos(angle), foot + (foot - top) * np.sin(angle)], axis=1)


def _headband(canvas: FaceCanvas, colour: Colour, side: int) -> None:
    outline = np.concatenate([_arch(25, -26.5, -4.0), _arch(24, -22.5, -4.0)[::-1]])
    canvas.shape(outline, colour, shade(colour, 0.5), 0.6, FRONT_DEPTH)


def _headphones(canvas: FaceCanvas, colour: Colour, side: int) -> None:
    outline = np.concatenate([_arch(27, -31.5, 0.0), _arch(25.4, -28, 0.0)[::-1]])
    canvas.shape(outline, shade(colour, 0.25), shade(colour, 0.6), 0.6, FRONT_DEPTH)
    for edge in (-1, 1):
        cup = ellipse(25.5 * edge, 3, 4.4, 7, 22)
        canvas.shape(cup, colour, shade(colour, 0.6), 0.8, FRONT_DEPTH)
        canvas.fill(ellipse(26.5 * edge, 2, 2, 4, 16), tint(colour, 0.45), FRONT_DEPTH)


def _beret(canvas: FaceCanvas, colour: Colour, side: int) -> None:
    hat = points(
        (-23, -17), (-24, -25), (-12, -33), (8, -35), (25, -29), (27, -20), (22, -15), (0, -21)
    )
    outline = smooth(hat * (side, 1))
    canvas.shape(outline, colour, shade(colour, 0.5), 0.8, FRONT_DEPTH)
    with canvas.clipped(canvas.mask(outline, depth=FRONT_DEPTH)):
        canvas.fill(ellipse(8.0 * side, -29, 11, 3.5), tint(colour, 0.25), FRONT_DEPTH)


def _glasses(canvas: FaceCanvas, colour: Colour, side: int) -> None:
    rim = shade(colour, 0.55)
    for edge in (-1, 1):
        lens = ellipse(11.9 * edge, EYE_Y + 0.8, 8, 7.9, 30)
        with canvas.clipped(canvas.mask(lens, depth=EYE_DEPTH), opacity=0.14):
            canvas.fill(lens, (255, 255, 255), EYE_DEPTH)
        canvas.line(lens, rim, 0.95, EYE_DEPTH, closed=True)
        canvas.line(points((19.8 * edge, EYE_Y), (24 * edge, EYE_Y - 1.5)), rim, 0.9, EYE_DEPTH)
    bridge = points((-(EYE_X - 7.5), EYE_Y), (0, EYE_Y - 1.2), (EYE_X - 7.5, EYE_Y))
    canvas.line(bridge, rim, 0.9, EYE_DEPTH)


WORN: dict[str, Callable[[FaceCanvas, Colour, int], None]] = {
    "ribbon": _ribbon,
    "big_bow": _big_bow,
    "hairpin": _hairpin,
    "flower": _flower,
    "headband": _headband,
    "headphones": _headphones,
    "beret": _beret,
    "glasses": _glasses,
}
