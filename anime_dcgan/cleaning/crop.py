"""Detection of faces in illustrations, so that they can be cropped: `crop=cascade`."""

import hashlib
import math
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from PIL import Image

from anime_dcgan.data.region import Region
from anime_dcgan.system.errors import UserError, needs_extra, reason_of

FINDER_VERSION = 1
"""Incremented whenever the same picture and settings would give different regions."""

MIN_OVERLAP = 0.5
"""Detections that overlap by more than this fraction of the smaller one are of the same face."""

EYE_VIEW = 300
"""Side to which a face is resized before eye detection, px."""

EYE_SIZES = (0.12, 0.4)
"""Smallest and largest eye, as fractions of the face's side."""

EYE_NEIGHBOURS = 3
"""Minimum number of agreeing detections of an eye."""

EYE_STEP = 1.05
"""Factor between successive eye sizes in the detection."""

EYE_LINE = 0.5
"""Eyes are centred above this fraction of the face's height."""

EYE_AREA = 0.65
"""Fraction of the face's height that is searched for eyes, so that whole eyes fit in."""

MAX_TILT = 30.0
"""Steepest line between two eyes of one face, degrees."""


@runtime_checkable
class FaceFinder(Protocol):
    """Finds faces in pictures; small, picklable and free of torch, like sources."""

    def regions(self, picture: Image.Image) -> list[Region]:
        """Return one region per face of an upright RGB picture, the largest first."""
        ...

    def settings(self) -> dict[str, str | int | float | None]:
        """Return plain values that change whenever any region would, for cache keys."""
        ...


class CascadeFinder:
    """Finds faces with a cascade of OpenCV 4; the regions are the same in every process.

    The cascade is loaded again in each process that unpickles this object. It runs on a single
    thread, because the order in which several threads find faces could change the result.

    Parameters:
        cascade: path of the file, such as lbpcascade_animeface.xml for drawn faces.
        eyes: path of a cascade for eyes. If it finds exactly two side by side in the upper half of
            a face, the region is turned by up to 30 degrees so that they are level.
        margin: fraction of the face's side that is added on every side, -0.4 to 2.
        shift: fraction of the face's side by which the square moves down, -1 to 1; negative values
            move it up, to show the hair. In a turned region, along the face.
        min_size: smallest face as a fraction of the picture's shorter side, 0.001 to 1; the
            cascade's own window, usually 24 px, is another limit.
        neighbours: minimum number of agreeing detections of a face, 1 or more.
        scale_step: factor between successive face sizes in the detection, 1.01 to 2.
    """

    def __init__(
        self,
        cascade: str | None,
        eyes: str | None = None,
        margin: float = 0.3,
        shift: float = 0.0,
        min_size: float = 0.1,
        neighbours: int = 5,
        scale_step: float = 1.1,
    ) -> None:
        _check("margin", margin, -0.4, 2.0)
        _check("shift", shift, -1.0, 1.0)
        _check("min_size", min_size, 0.001, 1.0)
        _check("neighbours", neighbours, 1, 1000)
        _check("scale_step", scale_step, 1.01, 2.0)
        self._opencv = _opencv().__version__
        if cascade is None:
            raise UserError(
                "crop=cascade needs a cascade file: "
                "add crop.cascade=lbpcascade_animeface.xml, or the path of another one"
            )
        self._faces = _Cascade("crop.cascade", cascade)
        self._eyes = None if eyes is None else _Cascade("crop.eyes", eyes)
        self.margin = margin
        self.shift = shift
        self.min_size = min_size
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
            "min_size": self.min_size,
            "neighbours": self.neighbours,
            "scale_step": self.scale_step,
        }

    def regions(self, picture: Image.Image) -> list[Region]:
        grey = picture.convert("L")
        smallest = max(1, round(self.min_size * min(grey.size)))
        found = self._faces.find(grey, self.neighbours, self.scale_step, smallest, max(grey.size))
        return [self._region(face, self._tilt(grey, face)) for face in found]

    def _region(self, face: "Detection", angle: float) -> Region:
        """Return the face with its margin, in whole pixels: no resampling if it is upright."""
        shift = self.shift * face.side
        x = face.x + shift * math.sin(math.radians(angle))
        y = face.y + shift * math.cos(math.radians(angle))
        side = max(1, round(face.side * (1 + 2 * self.margin)))
        return Region(
            float(round(x - side / 2)), float(round(y - side / 2)), float(side), round(angle, 2)
        )

    def _tilt(self, grey: Image.Image, face: "Detection") -> float:
        """Return the angle of the eyes, degrees, counter-clockwise; 0 if they are not found."""
        if self._eyes is None:
            return 0.0
        square = Region(face.x - face.side / 2, face.y - face.side / 2, face.side)
        view = square.cut(grey, EYE_VIEW).crop((0, 0, EYE_VIEW, round(EYE_AREA * EYE_VIEW)))
        smallest, largest = (round(size * EYE_VIEW) for size in EYE_SIZES)
        found = self._eyes.find(view, EYE_NEIGHBOURS, EYE_STEP, smallest, largest)
        return tilt([(eye.x, eye.y) for eye in found if eye.y < EYE_LINE * EYE_VIEW])


def tilt(eyes: list[tuple[float, float]]) -> float:
    """Return the angle of the line through two eyes, degrees, counter-clockwise, -30 to 30.

    It is 0 unless there are exactly two eyes and their line is no steeper. Points are x, y in px.
    """
    if len(eyes) != 2:
        return 0.0
    (left, left_y), (right, right_y) = sorted(eyes)
    angle = math.degrees(math.atan2(left_y - right_y, right - left))
    return angle if abs(angle) <= MAX_TILT else 0.0


class Detection(NamedTuple):
    """A square that a cascade found: centre and side in px, and number of agreeing detections."""

    x: float
    y: float
    side: float
    votes: int

    def overlaps(self, other: "Detection") -> bool:
        """Return True if the two are of the same face or eye."""
        reach = (self.side + other.side) / 2
        smaller = min(self.side, other.side)
        width = min(smaller, reach - abs(self.x - other.x))
        height = min(smaller, reach - abs(self.y - other.y))
        return width > 0 and height > 0 and width * height > MIN_OVERLAP * smaller**2


def merge(found: list[Detection]) -> list[Detection]:
    """Keep the detection with most votes among overlapping ones; return the largest first."""
    kept: list[Detection] = []
    for one in sorted(found, key=lambda one: (-one.votes, -one.side, one.y, one.x)):
        if not any(one.overlaps(other) for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda one: (-one.side, one.y, one.x))


class _Cascade:
    """A cascade loaded from the file that `setting` names; `UserError` if it is not a cascade."""

    def __init__(self, setting: str, given: str) -> None:
        self._setting = setting
        self.path = Path(given)
        try:
            self.path = self.path.resolve(strict=True)
            with self.path.open("rb") as file:
                self.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise UserError(f"{setting}={given} cannot be read: {reason_of(error)}") from None
        self._classifier: Any = self._load()

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_classifier": None}

    def find(
        self, grey: Image.Image, neighbours: int, scale_step: float, smallest: int, largest: int
    ) -> list[Detection]:
        """Return merged detections of `smallest` to `largest` px, the largest first."""
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
                f"{self._setting}={self.path} is not an OpenCV cascade: use a file such as "
                "lbpcascade_animeface.xml"
            )
        return classifier


def _opencv() -> Any:
    """Import OpenCV, in a version that has cascades."""
    try:
        import cv2
    except ImportError:
        raise needs_extra("crop=cascade", "crop", "use crop=none") from None
    if not hasattr(cv2, "CascadeClassifier"):
        raise UserError(
            f"crop=cascade needs OpenCV 4; OpenCV {cv2.__version__} no longer has cascades: "
            'pip install -e ".[crop]"'
        )
    return cv2


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UserError(f"crop.{name}={value} must be between {low:g} and {high:g}")
