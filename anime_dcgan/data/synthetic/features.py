"""The head and its features: skin, eyes, brows, nose and mouth.

Coordinates and depths are those of `FaceCanvas`.
"""

import numpy as np
from PIL import Image

from anime_dcgan.data.synthetic.canvas import (
    FaceCanvas,
    Points,
    ellipse,
    mirrored,
    mix,
    moved,
    points,
    shade,
    smooth,
    taper,
    tint,
)
from anime_dcgan.data.synthetic.factors import EYE_RGB, SKIN_RGB, Colour, FaceFactors
from anime_dcgan.data.synthetic.hair import FRONT_DEPTH, FrontHair, HairTones

FACE_DEPTH = 2.0
EYE_DEPTH = 4.5
MOUTH_DEPTH = 6.0
NOSE_DEPTH = 8.0
EYE_X, EYE_Y = 11.6, 5.2  # the middle of an eye
EYE_HALF_WIDTH, EYE_HALF_HEIGHT = 6.5, 7.2
WHITE = (255, 255, 255)
MOUTH_RED = (196, 70, 82)
TONGUE = (246, 138, 140)

# The right half of the face, from the top to the chin.
FACES = {
    "oval": ((0, -25), (14, -21), (20.3, -8), (20.6, 4), (18, 13.5), (11.5, 20.8),
        (4.5, 24.8), (0, 25.6)),
    "round": ((0, -25), (14, -21), (20.5, -8), (21.2, 5), (19.6, 14), (13.5, 20.8), (5.5, 24),
        (0, 24.5)),
    "heart": ((0, -25), (14, -21), (20.5, -8), (20.6, 3), (17.4, 12.5), (9.8, 20.2),
        (2.6, 25.4), (0, 26)),
    "long": ((0, -25), (14, -21), (19.8, -8), (19.8, 5), (17.8, 14.5), (12, 21.8), (5, 26.2),
        (0, 26.8)),
}  # fmt: skip

# Upper lid from the inner to the outer corner, then the lower lid back to the inner one, in half
# widths and half heights of an eye; x grows outwards.
ROUND_LIDS = (
    ((-0.9, 0.2), (-0.68, -0.5), (-0.1, -0.95), (0.55, -0.82), (0.98, -0.2)),
    ((0.86, 0.5), (0.4, 0.92), (-0.25, 0.95), (-0.75, 0.66)),
)
LIDS = {
    "round": ROUND_LIDS,
    "sparkling": (
        ((-0.92, 0.15), (-0.72, -0.6), (-0.1, -1.06), (0.6, -0.92), (1.02, -0.2)),
        ((0.9, 0.55), (0.42, 0.98), (-0.3, 1.0), (-0.78, 0.66)),
    ),
    "almond": (
        ((-0.98, 0.3), (-0.6, -0.35), (0.0, -0.74), (0.62, -0.62), (1.06, -0.12)),
        ((0.8, 0.5), (0.3, 0.82), (-0.35, 0.82), (-0.8, 0.6)),
    ),
    "upturned": (
        ((-0.94, 0.45), (-0.66, -0.28), (-0.05, -0.78), (0.6, -0.86), (1.08, -0.52)),
        ((0.88, 0.25), (0.42, 0.78), (-0.25, 0.92), (-0.76, 0.76)),
    ),
    "drooping": (
        ((-0.9, 0.0), (-0.62, -0.66), (-0.05, -0.9), (0.6, -0.6), (1.02, 0.16)),
        ((0.86, 0.68), (0.4, 0.96), (-0.25, 0.88), (-0.74, 0.5)),
    ),
    "half_lidded": (
        ((-0.94, 0.0), (-0.7, -0.3), (-0.1, -0.46), (0.6, -0.42), (1.04, -0.12)),
        ((0.86, 0.5), (0.4, 0.88), (-0.25, 0.9), (-0.75, 0.58)),
    ),
    "closed_smile": (
        ((-0.9, 0.5), (-0.55, -0.1), (0.0, -0.34), (0.55, -0.1), (0.98, 0.5)),
        (),
    ),
}


def head_outline(factors: FaceFactors) -> Points:
    """Return the outline of the face including the forehead."""
    half = points(*FACES[factors.face_shape]) * (factors.face_width, 1)
    return smooth(mirrored(half))


def paint_head(canvas: FaceCanvas, factors: FaceFactors, hair: FrontHair) -> None:
    """Draw the face with ears, blush, and the shadow of the fringe."""
    skin = SKIN_RGB[factors.skin]
    shadow, edge = skin_shadow(skin), shade(skin, 0.5)
    for side in (-1, 1):
        ear = smooth(points((19, 0), (22.5, -1.5), (24, 2), (22.8, 7.5), (19, 9)) * (side, 1))
        canvas.shape(ear, skin, edge)
        canvas.fill(ellipse(21.6 * side, 3.4, 1, 2.4, 12), shadow)
    outline = head_outline(factors)
    mask = canvas.mask(outline, depth=FACE_DEPTH)
    with canvas.clipped(mask):
        canvas.fill(outline, shadow, FACE_DEPTH)
        canvas.fill(moved(outline, 2.6 * factors.light_side, -1.0), skin, FACE_DEPTH)
        canvas.fill(moved(hair.outline, -0.6 * factors.light_side, 2.0), shadow, FRONT_DEPTH)
        for side in (-1, 1):
            _paint_blush(canvas, factors, skin, side)
    canvas.line(outline, edge, 0.75, FACE_DEPTH, closed=True)


def skin_shadow(skin: Colour) -> Colour:
    """Return the colour of skin in the shade."""
    return mix(shade(skin, 0.14), (236, 128, 116), 0.16)


def _paint_blush(canvas: FaceCanvas, factors: FaceFactors, skin: Colour, side: int) -> None:
    colour = mix((255, 108, 112), skin, 0.15)
    canvas.glow(13.6 * side, 14.2, (6.2, 3.8), colour, factors.blush, EYE_DEPTH)
    if factors.blush > 0.55:
        for step in (-1.6, 0.2, 2.0):
            x = 13.4 * side + step
            canvas.line(points((x + 0.5, 13.2), (x - 0.5, 15.2)), (232, 96, 100), 0.5, EYE_DEPTH)


def paint_nose(canvas: FaceCanvas, factors: FaceFactors) -> None:
    """Draw a hint of a nose."""
    skin = SKIN_RGB[factors.skin]
    side = -factors.light_side
    if factors.nose == "dot":
        canvas.fill(ellipse(0, 13.2, 0.7, 0.55, 10), shade(skin, 0.4), NOSE_DEPTH)
    elif factors.nose == "tick":
        path = points((0.7 * side, 11.6), (1.0 * side, 13.3), (-0.3 * side, 13.7))
        canvas.line(path, shade(skin, 0.38), 0.55, NOSE_DEPTH)
    else:
        wedge = points((0, 10.4), (2.1 * side, 14), (-0.6 * side, 14))
        canvas.fill(wedge, shade(skin_shadow(skin), 0.12), NOSE_DEPTH)


def paint_mouth(canvas: FaceCanvas, factors: FaceFactors) -> None:
    """Draw the mouth by its name in `MOUTHS`."""
    line = shade(SKIN_RGB[factors.skin], 0.62)
    stretch = (factors.mouth_width, 1.0)
    if factors.mouth in LINE_MOUTHS:
        path = smooth(points(*LINE_MOUTHS[factors.mouth]) * stretch, closed=False)
        widths = 0.5 + 0.55 * np.sin(np.linspace(0.2, np.pi - 0.2, len(path)))
        canvas.fill(taper(path, widths), line, MOUTH_DEPTH)
        if factors.mouth == "fang":
            canvas.fill(points((1.2, 18.8), (3, 18.6), (2.2, 20.4)), WHITE, MOUTH_DEPTH)
        return
    outline = smooth(points(*OPEN_MOUTHS[factors.mouth]) * stretch)
    with canvas.clipped(canvas.mask(outline, depth=MOUTH_DEPTH)):
        canvas.fill(outline, MOUTH_RED, MOUTH_DEPTH)
        canvas.fill(ellipse(0, 22.6, 3.2, 2), TONGUE, MOUTH_DEPTH)
        if factors.mouth == "grin":
            canvas.fill(points((-7, 16), (7, 16), (7, 18.9), (-7, 18.9)), WHITE, MOUTH_DEPTH)
    canvas.line(outline, line, 0.6, MOUTH_DEPTH, closed=True)


LINE_MOUTHS = {
    "smile": ((-4.2, 17.9), (-2.2, 19.3), (0, 19.7), (2.2, 19.3), (4.2, 17.9)),
    "neutral": ((-2.6, 19), (0, 19.1), (2.6, 19)),
    "cat": ((-4.4, 17.8), (-3.4, 19.3), (-1.7, 19.4), (0, 18.1), (0, 18.1), (1.7, 19.4),
        (3.4, 19.3), (4.4, 17.8)),
    "pout": ((-2.6, 20), (-1, 18.8), (1, 18.8), (2.6, 20)),
    "fang": ((-3.6, 18.2), (-1.5, 19.2), (1, 19), (3.8, 17.8)),
}  # fmt: skip
OPEN_MOUTHS = {
    "open": ((-4, 17.2), (-4, 17.2), (0, 17.9), (4, 17.2), (4, 17.2), (3, 20.6), (0, 22.2),
        (-3, 20.6)),
    "grin": ((-5.2, 16.8), (-5.2, 16.8), (0, 17.4), (5.2, 16.8), (5.2, 16.8), (3.6, 20.4),
        (0, 21.8), (-3.6, 20.4)),
    "surprised": ((0, 17.2), (1.8, 18.2), (1.9, 20.2), (0, 21.6), (-1.9, 20.2), (-1.8, 18.2)),
}  # fmt: skip


class EyePair:
    """The eyes of a face: mirror images except for the light and the gaze."""

    def __init__(self, factors: FaceFactors, hair: HairTones):
        self._factors = factors
        self._iris = EYE_RGB[factors.eye_colour]
        self._lash = mix(shade(hair.edge, 0.62), (46, 26, 44), 0.5)
        self._lids = LIDS[factors.eye_shape]

    def paint(self, canvas: FaceCanvas) -> None:
        """Draw whites, irises, highlights and lashes."""
        if self._factors.eye_shape != "closed_smile":
            openings = [self._in_face(self._opening(), side) for side in (-1, 1)]
            mask = canvas.mask(*openings, depth=EYE_DEPTH)
            with canvas.clipped(mask):
                for opening in openings:
                    canvas.fill(opening, (252, 250, 252), EYE_DEPTH)
                for side in (-1, 1):
                    self._paint_iris(canvas, side, mask)
        for side in (-1, 1):
            self._paint_lashes(canvas, side)

    def _opening(self) -> Points:
        return smooth(points(*self._lids[0], *self._lids[1]))

    def _in_face(self, outline: Points, side: int) -> Points:
        """Map an eye's half widths and half heights, x outwards, to face coordinates."""
        narrowed = 1 - 0.09 * self._factors.turn * side
        half = np.array((side * EYE_HALF_WIDTH * narrowed, EYE_HALF_HEIGHT))
        return outline * half * self._factors.eye_size + self._middle(side)

    def _middle(self, side: int) -> tuple[float, float]:
        return side * (EYE_X + self._factors.eye_spacing), EYE_Y

    def _paint_iris(self, canvas: FaceCanvas, side: int, mask: Image.Image) -> None:
        factors, iris = self._factors, self._iris
        size = factors.eye_size
        x, y = self._middle(side)
        x += (factors.gaze_x - 0.06 * side) * EYE_HALF_WIDTH
        y += (factors.gaze_y + 0.02) * EYE_HALF_HEIGHT
        rx, ry = 4.4 * size * factors.iris_size, 6.3 * size * factors.iris_size
        upper = self._in_face(points(*self._lids[0]), side)
        dark, rim = shade(iris, 0.72), shade(iris, 0.62)
        canvas.fill(ellipse(x, y, rx, ry), rim, EYE_DEPTH)
        canvas.graded(x, y, (rx - 0.6, ry - 0.6), (dark, iris, tint(iris, 0.45)), EYE_DEPTH)
        canvas.fill(ellipse(x, y - 0.3, rx * 0.42, ry * 0.42, 18), shade(iris, 0.85), EYE_DEPTH)
        canvas.fill(ellipse(x, y + ry * 0.62, rx * 0.5, ry * 0.2, 16), tint(iris, 0.6), EYE_DEPTH)
        with canvas.clipped(mask, opacity=0.45):
            band = np.concatenate([moved(upper, 0.0, -2.0), moved(upper, 0.0, 2.0)[::-1]])
            canvas.fill(band, mix(dark, (80, 60, 110), 0.5), EYE_DEPTH)
        self._paint_highlights(canvas, x, y, (rx, ry))

    def _paint_highlights(
        self, canvas: FaceCanvas, x: float, y: float, radius: tuple[float, float]
    ) -> None:
        """Draw the highlights, which are not mirrored: both eyes reflect the same light."""
        light, (rx, ry) = self._factors.light_side, radius
        top = y - ry * (0.12 if self._factors.eye_shape == "half_lidded" else 0.42)
        main = ellipse(x + light * rx * 0.38, top, rx * 0.4, ry * 0.3, 18)
        canvas.fill(main, WHITE, EYE_DEPTH)
        small = ellipse(x - light * rx * 0.42, y + ry * 0.4, rx * 0.21, ry * 0.15, 12)
        canvas.fill(small, WHITE, EYE_DEPTH)
        if self._factors.eye_shape == "sparkling":
            extra = ellipse(x + light * rx * 0.35, y + ry * 0.55, rx * 0.16, ry * 0.11, 10)
            canvas.fill(extra, WHITE, EYE_DEPTH)

    def _paint_lashes(self, canvas: FaceCanvas, side: int) -> None:
        upper, lower = self._lids
        closed = not lower
        lid = self._in_face(smooth(points(*upper), closed=False), side)
        reach = np.linspace(0, 1, len(lid))
        widths = (1.25 if closed else 0.9) + 1.3 * np.sin(np.pi * (0.12 + 0.7 * reach))
        canvas.fill(taper(lid, widths * (0.75 if closed else 1)), self._lash, EYE_DEPTH)
        corner_x, corner_y = upper[-1]
        flick = points(
            (corner_x - 0.16, corner_y - 0.26),
            (corner_x + 0.24, corner_y - (0.1 if closed else 0.3)),
            (corner_x + 0.02, corner_y + 0.16),
        )
        canvas.fill(self._in_face(flick, side), self._lash, EYE_DEPTH)
        if not closed:
            under = self._in_face(smooth(points(*lower), closed=False), side)
            soft = mix(self._lash, SKIN_RGB[self._factors.skin], 0.3)
            canvas.line(under[: len(under) * 3 // 4], soft, 0.6, EYE_DEPTH)
            fold = moved(lid[6:-4], 0.0, -2.3)
            canvas.line(fold, shade(SKIN_RGB[self._factors.skin], 0.35), 0.5, EYE_DEPTH)


# From the inner to the outer end, relative to a point above the eye's middle; x grows outwards.
BROW_PATHS = {
    "soft": ((-4.6, 0.6), (-0.5, -1.1), (5, 0.5)),
    "thick": ((-4.6, 0.3), (0, -0.9), (5, 0.6)),
    "raised": ((-4, -0.4), (0, -2.6), (5, -0.4)),
    "stern": ((-5, 2.2), (0, 0), (5, -1.2)),
    "worried": ((-4.4, -1.4), (0, -0.6), (4.8, 1.6)),
    "dots": ((-1.8, -0.2), (0, -0.5), (1.8, -0.2)),
}
BROW_WIDTHS = {"thick": 1.9, "dots": 2.4}


def paint_brows(canvas: FaceCanvas, factors: FaceFactors, hair: HairTones) -> None:
    """Draw the brows, which are visible through the fringe, as usual in anime."""
    outlines = []
    for side in (-1, 1):
        path = points(*BROW_PATHS[factors.brow])
        path = path * (side, 1) + (side * EYE_X, EYE_Y - 11.6 - factors.brow_height)
        path = smooth(path, closed=False)
        profile = np.sin(np.linspace(0.5, np.pi - 0.1, len(path)))
        outlines.append(taper(path, BROW_WIDTHS.get(factors.brow, 1.15) * profile))
    with canvas.clipped(canvas.mask(*outlines, depth=EYE_DEPTH), opacity=0.8):
        for outline in outlines:
            canvas.fill(outline, shade(hair.base, 0.68), EYE_DEPTH)
