"""Where the faces of an illustration are, so that they can be cut out of it: `crop=cascade`."""

import hashlib
import math
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from PIL import Image

from anime_dcgan.data.region import Region
from anime_dcgan.system.errors import UserError

FINDER_VERSION = 1
"""Raised when the same picture and settings would give other regions."""

SAME = 0.5
"""Two detections that share more of the smaller one's area are of one face, or of one eye."""

EYE_VIEW = 300
"""Side to which a face of any size is brought before eyes are looked for, px."""

EYE_SHARES = (0.12, 0.4)
"""Smallest and largest eye, as shares of the face's side."""

EYE_NEIGHBOURS = 3
"""Detections that must agree on an eye."""

EYE_STEP = 1.05
"""From one size of eyes that is looked for to the next."""

EYE_LINE = 0.5
"""The middle of an eye lies above this share of the face's height."""

EYE_AREA = 0.65
"""Share of the face's height that eyes are looked for in, so that they fit in as a whole."""

MAX_TILT = 30.0
"""Two eyes on a steeper line are not side by side, degrees."""


@runtime_checkable
class FaceFinder(Protocol):
    """What finds faces in pictures; small, picklable and free of torch, as sources are."""

    def regions(self, picture: Image.Image) -> list[Region]:
        """One region for each face of an upright RGB picture, the largest first."""
        ...

    def settings(self) -> dict[str, str | int | float | None]:
        """Plain values that change whenever any region would: caches are keyed to them."""
        ...


class CascadeFinder:
    """Faces by a cascade of OpenCV 4; the same regions in every process.

    The cascade is loaded anew in each process that unpickles this. It works on a single thread,
    because the order in which several find a face could change what they agree on.

    Parameters:
        cascade: path of the file, such as lbpcascade_animeface.xml for drawn faces.
        eyes: path of a cascade of eyes. Where it finds exactly two side by side in the upper half
            of a face, the region is turned so that they are level, by up to 30 degrees.
        margin: share of the face's side that is added on every side, -0.4 to 2.
        shift: share of the face's side by which the square is moved down, -1 to 1; negative is
            up, to show the hair. In a turned region, along the face.
        min_share: the smallest face as a share of the picture's shorter side, 0.001 to 1; the
            cascade's own window, usually 24 px, is a limit, too.
        neighbours: detections that must agree on a face, 1 or more.
        scale_step: factor from one size that is looked for to the next, 1.01 to 2.
    """

    def __init__(
        self,
        cascade: str | None,
        eyes: str | None = None,
        margin: float = 0.3,
        shift: float = 0.0,
        min_share: float = 0.1,
        neighbours: int = 5,
        scale_step: float = 1.1,
    ) -> None:
        _check("margin", margin, -0.4, 2.0)
        _check("shift", shift, -1.0, 1.0)
        _check("min_share", min_share, 0.001, 1.0)
        _check("neighbours", neighbours, 1, 1000)
        _check("scale_step", scale_step, 1.01, 2.0)
        self._opencv = _opencv().__version__
        if cascade is None:
            raise UserError(
                "crop=cascade needs to know which cascade finds the faces: "
                "add crop.cascade=lbpcascade_animeface.xml, or the path of another one"
            )
        self._faces = _Cascade("crop.cascade", cascade)
        self._eyes = None if eyes is None else _Cascade("crop.eyes", eyes)
        self.margin = margin
        self.shift = shift
        self.min_share = min_share
        self.neighbours = neighbours
        self.scale_step = scale_step

    def settings(self) -> dict[str, str | int | float | None]:
        return {
            "finder": "cascade",
            "version": FINDER_VERSION,
            "opencv": self._opencv,
            "cascade": self._faces.sha256,
            "eyes": None if self._eyes is None else self._eyes.sha256,
            "margin": self.margin,
            "shift": self.shift,
            "min_share": self.min_share,
            "neighbours": self.neighbours,
            "scale_step": self.scale_step,
        }

    def regions(self, picture: Image.Image) -> list[Region]:
        grey = picture.convert("L")
        smallest = max(1, round(self.min_share * min(grey.size)))
        found = self._faces.find(grey, self.neighbours, self.scale_step, smallest, max(grey.size))
        return [self._region(face, self._tilt(grey, face)) for face in found]

    def _region(self, face: "Detection", angle: float) -> Region:
        """The face with its margin, in whole pixels: an upright one is cut without resampling."""
        shift = self.shift * face.side
        x = face.x + shift * math.sin(math.radians(angle))
        y = face.y + shift * math.cos(math.radians(angle))
        side = max(1, round(face.side * (1 + 2 * self.margin)))
        return Region(
            float(round(x - side / 2)), float(round(y - side / 2)), float(side), round(angle, 2)
        )

    def _tilt(self, grey: Image.Image, face: "Detection") -> float:
        """By how far the eyes are off the level, degrees, counter-clockwise; 0 if not seen."""
        if self._eyes is None:
            return 0.0
        square = Region(face.x - face.side / 2, face.y - face.side / 2, face.side)
        view = square.cut(grey, EYE_VIEW).crop((0, 0, EYE_VIEW, round(EYE_AREA * EYE_VIEW)))
        smallest, largest = (round(share * EYE_VIEW) for share in EYE_SHARES)
        found = self._eyes.find(view, EYE_NEIGHBOURS, EYE_STEP, smallest, largest)
        return tilt([(eye.x, eye.y) for eye in found if eye.y < EYE_LINE * EYE_VIEW])


def tilt(eyes: list[tuple[float, float]]) -> float:
    """The angle of the line through two eyes, degrees, counter-clockwise, -30 to 30.

    0 where there are not exactly two, or their line is steeper than that. Points are x, y, px.
    """
    if len(eyes) != 2:
        return 0.0
    (left, left_y), (right, right_y) = sorted(eyes)
    angle = math.degrees(math.atan2(left_y - right_y, right - left))
    return angle if abs(angle) <= MAX_TILT else 0.0


class Detection(NamedTuple):
    """A square that a cascade found: its middle and side in px, and how many detections agree."""

    x: float
    y: float
    side: float
    votes: int

    def same(self, other: "Detection") -> bool:
        """Whether the two are of one thing."""
        reach = (self.side + other.side) / 2
        smaller = min(self.side, other.side)
        width = min(smaller, reach - abs(self.x - other.x))
        height = min(smaller, reach - abs(self.y - other.y))
        return width > 0 and height > 0 and width * height > SAME * smaller**2


def merge(found: list[Detection]) -> list[Detection]:
    """One for each thing: of those that overlap, the one with most votes; the largest first."""
    kept: list[Detection] = []
    for one in sorted(found, key=lambda one: (-one.votes, -one.side, one.y, one.x)):
        if not any(one.same(other) for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda one: (-one.side, one.y, one.x))


class _Cascade:
    """The file of a cascade, which `setting` names; raises `UserError` where it is none."""

    def __init__(self, setting: str, given: str) -> None:
        self._setting = setting
        self.path = Path(given).expanduser()
        try:
            self.path = self.path.resolve(strict=True)
            with self.path.open("rb") as file:
                self.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise UserError(f"{setting}={given} cannot be read: {error.strerror}") from None
        self._classifier: Any = self._load()

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_classifier": None}

    def find(
        self, grey: Image.Image, neighbours: int, scale_step: float, smallest: int, largest: int
    ) -> list[Detection]:
        """What is there of `smallest` to `largest` px, the largest first; nothing found twice."""
        if self._classifier is None:
            self._classifier = self._load()
        boxes, votes = self._classifier.detectMultiScale2(
            np.asarray(grey),
            scaleFactor=scale_step,
            minNeighbors=neighbours,
            minSize=(smallest, smallest),
            maxSize=(largest, largest),
        )
        return merge(
            [
                Detection(left + width / 2, top + height / 2, float(max(width, height)), int(count))
                for (left, top, width, height), count in zip(
                    np.asarray(boxes).reshape(-1, 4).tolist(), votes, strict=True
                )
            ]
        )

    def _load(self) -> Any:
        cv2 = _opencv()
        cv2.setNumThreads(1)
        classifier = cv2.CascadeClassifier()
        try:
            loaded = classifier.load(str(self.path))
        except cv2.error:
            loaded = False
        if not loaded:
            raise UserError(
                f"{self._setting}={self.path} is no cascade of OpenCV: give a file such as "
                "lbpcascade_animeface.xml"
            )
        return classifier


def _opencv() -> Any:
    """The package, in a version that has cascades."""
    try:
        import cv2
    except ImportError:
        raise UserError(
            'crop=cascade needs a package more: pip install "anime_dcgan[crop]"; '
            "crop=none needs none"
        ) from None
    if not hasattr(cv2, "CascadeClassifier"):
        raise UserError(
            f"crop=cascade needs OpenCV 4, and OpenCV {cv2.__version__} has no cascades any more: "
            'pip install "anime_dcgan[crop]"'
        )
    return cv2


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UserError(f"crop.{name}={value} cannot work: use {low:g} to {high:g}")
