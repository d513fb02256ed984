"""The hair of a drawn face: the hair behind the head, and the cut in front of it.

Coordinates and depths are those of `FaceCanvas`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from anime_dcgan.data.synthetic.canvas import (
    FaceCanvas,
    Points,
    ellipse,
    mirrored,
    moved,
    points,
    shade,
    shift_colour,
    smooth,
    taper,
    tint,
)
from anime_dcgan.data.synthetic.factors import CLOTH_RGB, HAIR_RGB, Colour, FaceFactors

FRONT_DEPTH = 2.5
BACK_DEPTH = -3.0


@dataclass(frozen=True)
class HairTones:
    """The colours of the hair of one face."""

    base: Colour
    shadow: Colour  # hair behind the head
    edge: Colour
    strand: Colour
    light: Colour
    tie: Colour  # ties of tails

    @classmethod
    def of(cls, factors: FaceFactors) -> "HairTones":
        base = shift_colour(
            HAIR_RGB[factors.hair_colour], factors.hair_hue_shift, factors.hair_light_shift
        )
        return cls(
            base=base,
            shadow=shade(base, 0.3),
            edge=shade(base, 0.62),
            strand=shade(base, 0.36),
            light=tint(base, 0.3 + 0.35 * sum(base) / 765),
            tie=CLOTH_RGB[factors.accessory_colour],
        )


@dataclass(frozen=True)
class Cut:
    """The shape of the hair at the sides of the face."""

    lock_tip: float  # y of the tips of the locks in front of the ears
    lock_width: float
    blunt: bool = False  # locks cut straight across
    spiky: bool = False  # the crown stands up in points


CUTS = {
    "bob": Cut(19.0, 6.5),
    "long_straight": Cut(31.0, 5.0),
    "hime": Cut(15.5, 7.0, blunt=True),
    "wavy": Cut(25.0, 5.5),
    "twin_tails": Cut(16.0, 4.0),
    "ponytail": Cut(13.0, 3.6),
    "side_tail": Cut(16.0, 4.2),
    "braids": Cut(11.0, 4.5),
    "buns": Cut(17.0, 3.8),
    "ringlets": Cut(12.0, 4.5),
    "pixie": Cut(8.0, 4.6),
    "short_spiky": Cut(7.5, 5.0, spiky=True),
}

# The lower edge of the fringe from right to left: a gap, the tip of a lock, a gap, ... each (x, y,
# bend), where a gap's bend is the direction of its locks: 0 straight down, 1 sideways.
FRINGE_EDGES: dict[str, tuple[tuple[float, float, float], ...]] = {
    "blunt": (
        (18, -6, 0.1), (13.5, -2.4, 0), (13, -5, 0.1), (5, -1.8, 0), (4.2, -5, 0.1),
        (-4, -1.7, 0), (-4.6, -5, 0.1), (-12.5, -2.2, 0), (-13, -5.5, 0.1), (-17.5, -2.4, 0),
        (-18, -6, 0.1),
    ),
    "choppy": (
        (18, -7, 0.2), (15.5, -0.5, 0), (11, -10, 0.2), (6.5, -2, 0), (3, -10.5, 0.2),
        (-1.5, -0.5, 0), (-4.5, -10, 0.2), (-9, -2, 0), (-11.5, -10, 0.2), (-16.5, -0.5, 0),
        (-18, -7, 0.2),
    ),
    "parted": (
        (18, -3, 0.2), (17.8, 4, 0), (14, -9, 0.5), (10, -5, 0), (0, -22, 0.75),
        (-10, -5, 0), (-14, -9, 0.5), (-17.8, 4, 0), (-18, -3, 0.2),
    ),
    "swept": (
        (18, -4, 0.2), (17, 3, 0), (9, -21, 0.75), (-2, -3, 0), (-4, -10, 0.4),
        (-10.5, -1.5, 0), (-12.5, -8.5, 0.4), (-18, 4, 0), (-18.5, -5, 0.2),
    ),
    "middle_lock": (
        (18, -6, 0.2), (16, -0.5, 0), (11.5, -10.5, 0.3), (7.5, -4, 0), (4.5, -13, 0.3),
        (0.4, 5, 0), (-3.5, -13, 0.3), (-8, -4, 0), (-11.5, -10.5, 0.3), (-16, -0.5, 0),
        (-18, -6, 0.2),
    ),
    "curtain": (
        (18, -2, 0.2), (18.2, 8, 0), (5, -17, 0.8), (3, -6.5, 0), (0.3, -12, 0.3),
        (-3, -6.5, 0), (-5, -17, 0.8), (-18.2, 8, 0), (-18, -2, 0.2),
    ),
    "wispy": (
        (18, -9, 0.2), (15.5, -1.5, 0), (13, -14, 0.3), (10, -4, 0), (7.5, -13, 0.3),
        (4, -2.5, 0), (1.5, -15, 0.3), (-2, -4, 0), (-4.5, -13, 0.3), (-8, -2.5, 0),
        (-10.5, -14, 0.3), (-15.5, -1, 0), (-18, -9, 0.2),
    ),
}  # fmt: skip


def _locks(edge: Float[np.ndarray, "anchors 3"]) -> Points:
    """Return the curve along gaps and tips of `FRINGE_EDGES`."""
    start, end = edge[:-1, :2], edge[1:, :2]
    leaving_gap = np.arange(len(start))[:, None] % 2 == 0
    gap, tip = np.where(leaving_gap, start, end), np.where(leaving_gap, end, start)
    bend = np.where(leaving_gap, edge[:-1, 2:], edge[1:, 2:])
    control = gap + (tip - gap) * np.concatenate([bend, 0.85 - bend], axis=1)
    t = (np.arange(6) / 6)[:, None, None]
    curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end
    return np.concatenate([curve.transpose(1, 0, 2).reshape(-1, 2), end[-1:]])


def _crown(volume: float, spiky: bool, random: np.random.Generator) -> Points:
    """Return the top of the hair, from the left temple over the top to the right one."""
    half = points((0, -29.5), (9, -28.4), (17.5, -23.8), (23.3, -15.5), (25, -5)) * (volume, 1)
    arch = smooth(np.concatenate([(half * (-1, 1))[:0:-1], half]), closed=False)
    if not spiky:
        return arch
    roots = arch[::4]
    middles = (roots[1:] + roots[:-1]) / 2
    reach = 1.12 + 0.1 * random.random((len(middles), 1))
    tips = middles * reach + (1.8, -0.6) * np.sign(middles[:, :1] + 2)
    return _locks(
        np.insert(
            np.column_stack([roots, np.full(len(roots), 0.5)]),
            np.arange(1, len(roots)),
            np.column_stack([tips, np.zeros(len(tips))]),
            axis=0,
        )
    )


def _lock(cut: Cut, volume: float, drop: float) -> Points:
    """Return the right lock in front of the ear: down its outer side, up its inner side."""
    outer, tip = 25 * volume, cut.lock_tip + drop
    inner = outer - cut.lock_width
    if cut.blunt:
        edge = points((outer, 3), (outer - 0.2, tip), (outer - 0.2, tip))
        back = points((inner, tip + 0.6), (inner, tip + 0.6), (inner - 0.4, 4), (18, -4))
    else:
        low = tip * 0.55
        edge = points((outer + 0.3, 3), (outer - 0.6, low), (outer - 3.4, tip), (outer - 3.4, tip))
        back = points((inner - 0.4, low), (inner - 1, 3), (18, -4))
    return smooth(np.concatenate([edge, back]), closed=False)


@dataclass(frozen=True)
class FrontHair:
    """The hair in front of the head."""

    outline: Points
    gaps: Points  # between the locks of the fringe
    flip: int  # -1 if the fringe is mirrored
    crown: str  # one of `CROWNS`


def front_hair(factors: FaceFactors) -> FrontHair:
    """Return the cut and fringe of a face, with individual irregularities."""
    random = np.random.Generator(np.random.PCG64(factors.detail_seed))
    flip = 1 if factors.detail_seed % 2 else -1
    cut, volume = CUTS[factors.hair_style], factors.hair_volume
    edge = np.array(FRINGE_EDGES[factors.fringe])
    edge[1::2, 1] += factors.fringe_length
    edge[1:-1, :2] += (random.random((len(edge) - 2, 2)) - 0.5) * (1.4, 1.6)
    edge = edge[::flip] * (flip, 1, 1)
    right, left = (_lock(cut, volume, drop) for drop in random.random(2) * 3 - 1.5)
    outline = np.concatenate(
        [_crown(volume, cut.spiky, random), right, _locks(edge), left[::-1] * (-1, 1)]
    )
    return FrontHair(outline, edge[2:-1:2, :2], flip, factors.crown)


def paint_front_hair(canvas: FaceCanvas, hair: FrontHair, tones: HairTones) -> None:
    """Draw the cut with its strands, soft shading and band of light."""
    mask = canvas.mask(hair.outline, depth=FRONT_DEPTH)
    _paint_crown(canvas, hair, tones)
    canvas.fill(hair.outline, tones.base, FRONT_DEPTH)
    canvas.fade(mask, shade(tones.base, 0.5), 0.5)
    with canvas.clipped(mask):
        for start in (-1, 1):
            canvas.fill(_light_band(start, hair.flip), tones.light, FRONT_DEPTH)
    for gap in hair.gaps:
        root = points((gap[0] * 0.55, -25))[0]
        bow = (gap + root) / 2 + (np.sign(gap[0]) * 1.6, -0.5)
        path = smooth(np.stack([gap, bow, gap + (root - gap) * 0.75]), closed=False)
        canvas.fill(taper(path, np.linspace(0.9, 0.1, len(path))), tones.strand, FRONT_DEPTH)
    canvas.line(hair.outline, tones.edge, 0.75, FRONT_DEPTH, closed=True)


# Locks that stand up from the crown, each as a path from its root to its tip and the width of its
# root.
CROWN_LOCKS: dict[str, tuple[tuple[tuple[tuple[float, float], ...], float], ...]] = {
    "smooth": (),
    "ahoge": ((((1, -25), (0, -29.5), (4.5, -32.5), (10, -31), (12.5, -26.5)), 3.4),),
    "tufted": (
        (((21, -9), (25.5, -6), (30, -6.5)), 7.0),
        (((-21, -5), (-26, -1.5), (-30, -1.5)), 7.0),
        (((22, -3), (26, 1.5), (29.5, 2)), 6.0),
        (((-9, -24), (-13, -28), (-18, -30)), 9.0),
        (((11, -24), (14, -28.5), (19, -31)), 9.0),
        (((1, -26), (0, -30), (-3, -33)), 9.0),
    ),
}


def _paint_crown(canvas: FaceCanvas, hair: FrontHair, tones: HairTones) -> None:
    for path, width in CROWN_LOCKS[hair.crown]:
        middle = smooth(points(*path) * (hair.flip, 1), closed=False)
        along = np.linspace(1, 0, len(middle))
        widths = width * (np.sqrt(along) if hair.crown == "ahoge" else along)
        canvas.shape(taper(middle, widths), tones.base, tones.edge, depth=FRONT_DEPTH)


def _light_band(side: int, flip: int) -> Points:
    """Return one half of the shine around the crown, with a jagged lower edge."""
    reach = 19.0 if side == flip else 15.0
    x = np.linspace(2.5, reach, 11)
    middle = -20.5 + 0.021 * x**2
    swell = np.sin(np.linspace(0.15, np.pi, 11))
    upper = np.stack([x, middle - 1.3 * swell], axis=1)
    jag = np.where(np.arange(11) % 2, 2.6, 0.7)
    lower = np.stack([x, middle + jag * swell], axis=1)
    return np.concatenate([upper, lower[::-1]]) * (side, 1)


# --- behind the head ---


def _curtain(canvas: FaceCanvas, tones: HairTones, half: Points) -> None:
    """Draw the hair that hangs behind the head, from its right half."""
    outline = smooth(mirrored(half))
    canvas.shape(outline, tones.shadow, tones.edge, depth=BACK_DEPTH)


def _strands(canvas: FaceCanvas, tones: HairTones) -> None:
    """Draw lines down long hair, from the sides of the neck to the bottom of the picture."""
    for x in (-26.0, -22.5, -17.0, 17.0, 22.5, 26.0):
        path = smooth(points((x * 0.94, 8), (x, 22), (x * 1.06, 44)), closed=False)
        canvas.fill(taper(path, np.linspace(0.2, 0.9, len(path))), tones.edge, BACK_DEPTH)


def _bob(canvas: FaceCanvas, tones: HairTones, volume: float) -> None:
    half = points((0, -28), (20, -20), (26, -4), (27.5, 10), (24, 20), (24, 20), (14, 19), (0, 19))
    _curtain(canvas, tones, half * (volume, 1))


def _long(canvas: FaceCanvas, tones: HairTones, volume: float) -> None:
    half = points((0, -28), (20, -20), (26, -4), (27, 14), (29, 30), (30, 46), (0, 46))
    _curtain(canvas, tones, half * (volume, 1))
    _strands(canvas, tones)


def _wavy(canvas: FaceCanvas, tones: HairTones, volume: float) -> None:
    half = points(
        (0, -28), (20, -21), (26.5, -6), (26, 1), (30, 7), (27.5, 14), (32, 20), (29, 27), (34, 35),
        (30, 46), (0, 46),
    )  # fmt: skip
    _curtain(canvas, tones, half * (volume, 1))
    _strands(canvas, tones)


def _nape(canvas: FaceCanvas, tones: HairTones, volume: float) -> None:
    """Draw the part of short and tied hair that is visible at the sides of the neck."""
    half = points((0, -28), (20, -20), (24, -4), (23, 8), (16, 18), (11, 24), (11, 24), (0, 22))
    _curtain(canvas, tones, half * (volume, 1))


def _tail(canvas: FaceCanvas, tones: HairTones, path: Points, width: float) -> None:
    """Draw a tied tail along a path, pointed at its end, with two strands and its tie."""
    middle = smooth(path, closed=False)
    along = np.linspace(0, 1, len(middle))
    widths = width * np.sqrt(np.clip(along * 5 + 0.16, 0, 1)) * np.sqrt(np.clip(1.1 - along, 0, 1))
    canvas.shape(taper(middle, widths), tones.base, tones.edge, depth=BACK_DEPTH)
    shadow = taper(middle[5:] * (0.97, 1), widths[5:] * 0.22)
    canvas.fill(shadow, tones.shadow, BACK_DEPTH)
    light = taper(moved(middle[4:12], width * 0.2, 0.0), widths[4:12] * 0.2)
    canvas.fill(light, tones.light, BACK_DEPTH)
    tie = moved(ellipse(0.0, 0.0, 2.5, 2.5, 14), *map(float, path[0]))
    canvas.shape(tie, tones.tie, shade(tones.tie, 0.5), depth=BACK_DEPTH)


def _twin_tails(canvas: FaceCanvas, tones: HairTones, volume: float) -> None:
    _nape(canvas, tones, volume)
    path = points((22.5, -19), (29, -19), (31.5, -6), (29, 10), (30, 26), (26, 38))
    _tail(canvas, tones, path, 11)
    _tail(canvas, tones, path * (-1, 1), 11)


def _ponytail(canvas: FaceCanvas, tones: HairTones, volume: float) -> None:
    _tail(canvas, tones, points((13, -27), (23, -29), (30, -18), (29, 0), (31, 18), (26, 34)), 13)
    _nape(canvas, tones, volume)


def _side_tail(canvas: FaceCanvas, tones: HairTones, volume: float) -> None:
    _nape(canvas, tones, volume)
    _tail(canvas, tones, points((-22, 7), (-27, 10), (-27, 20), (-24, 30), (-26, 42)), 13)


def _beads(
    canvas: FaceCanvas,
    tones: HairTones,
    x: float,
    top: float,
    size: tuple[float, float],
    count: int,
) -> None:
    """Draw a column of overlapping puffs, a braid or a ringlet, from its end upwards."""
    for row in reversed(range(count)):
        sway = 0.9 * (-1) ** row
        y = top + row * size[1] * 1.25
        canvas.shape(ellipse(x + sway, y, *size, 18), tones.base, tones.edge, 0.7, BACK_DEPTH)
        shine = ellipse(x + sway - 0.8, y - size[1] * 0.3, size[0] * 0.45, size[1] * 0.3, 12)
        canvas.fill(shine, tones.light, BACK_DEPTH)


def _braids(canvas: FaceCanvas, tones: HairTones, volume: float) -> None:
    _nape(canvas, tones, volume)
    for side in (-1, 1):
        _beads(canvas, tones, 22.5 * side, 12.0, (4.2, 3.6), 6)
        tie = ellipse(21.5 * side, 8.5, 2.2, 1.8, 14)
        canvas.shape(tie, tones.tie, shade(tones.tie, 0.5), depth=BACK_DEPTH)


def _ringlets(canvas: FaceCanvas, tones: HairTones, volume: float) -> None:
    _nape(canvas, tones, volume)
    for side in (-1, 1):
        _beads(canvas, tones, 27 * side, -6.0, (6.0, 4.2), 9)
        tie = ellipse(24 * side, -12.0, 2.6, 2.6, 14)
        canvas.shape(tie, tones.tie, shade(tones.tie, 0.5), depth=BACK_DEPTH)


def _buns(canvas: FaceCanvas, tones: HairTones, volume: float) -> None:
    _nape(canvas, tones, volume)
    for side in (-1, 1):
        canvas.shape(ellipse(19.5 * side, -24, 7.2, 7), tones.base, tones.edge, depth=BACK_DEPTH)
        curl = ellipse(19.5 * side, -24, 4, 3.8)[4:24]
        canvas.line(curl, tones.strand, 0.7, BACK_DEPTH)
        shine = ellipse(17.5 * side, -27, 2, 1.1, 12)
        canvas.fill(shine, tones.light, BACK_DEPTH)


def _spikes(canvas: FaceCanvas, tones: HairTones, volume: float) -> None:
    half = points(
        (0, -26), (22, -14), (28, -4), (28, -4), (24, 2), (27.5, 9), (27.5, 9), (22, 11), (23, 18),
        (23, 18), (15, 16), (0, 16),
    )  # fmt: skip
    _curtain(canvas, tones, half * (volume, 1))


BACKS: dict[str, Callable[[FaceCanvas, HairTones, float], None]] = {
    "bob": _bob,
    "long_straight": _long,
    "hime": _long,
    "wavy": _wavy,
    "twin_tails": _twin_tails,
    "ponytail": _ponytail,
    "side_tail": _side_tail,
    "braids": _braids,
    "buns": _buns,
    "ringlets": _ringlets,
    "pixie": _nape,
    "short_spiky": _spikes,
}


def paint_back_hair(canvas: FaceCanvas, factors: FaceFactors, tones: HairTones) -> None:
    """Draw all hair behind the head."""
    BACKS[factors.hair_style](canvas, tones, factors.hair_volume)
