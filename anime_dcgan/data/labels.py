"""Labels: the class of each picture, as `data.labels` finds it.

Class names come from people: from folders, spreadsheets and files of strangers. All of them are
checked here, whatever the source.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from anime_dcgan.data.source import HasCount, HasLabels, Source
from anime_dcgan.system.errors import UserError

FOLDERS, CLUSTERS = "folders", "clusters"
"""Values of `data.labels` with a meaning of their own."""

UNKNOWN = -1
"""Label of a picture whose class is not known."""

MAX_CLASSES = 1000
MAX_NAME_LENGTH = 100
MAX_LISTED = 8  # names in a message
INTERPOLATION, MISSING = "${", "???"
"""Text that configurations, in which the names are kept, read as a reference and as no value."""


@dataclass(frozen=True, eq=False)
class Labels:
    """The classes of a source's pictures."""

    names: tuple[str, ...]
    """The names of the classes, in natural order: class-2 comes before class-10."""
    of_pictures: Int64[np.ndarray, " n"]
    """The class of each picture, an index into `names`; `UNKNOWN` without one."""


def read_labels(source: Source, labels: str) -> Labels:
    """Return the labels that `data.labels` names; no picture is decoded.

    Raises `UserError` if the source does not have them, or if they cannot be trained on: fewer than
    2 or more than `MAX_CLASSES` classes, or classes of a single picture.
    """
    if not isinstance(source, HasLabels):
        kind = type(source).__name__
        raise UserError(f"data.labels={labels}: {kind} has no labels: remove data.labels")
    codes = {"": 0}
    found = (codes.setdefault(normalise(name), len(codes)) for name in source.classes(labels))
    of_pictures = np.fromiter(found, dtype=np.int64)
    _check_names(labels, [name for name in codes if name])
    counts = dict(zip(codes, np.bincount(of_pictures, minlength=len(codes)), strict=True))
    _check_sizes(labels, source, [name for name, count in counts.items() if name and count == 1])
    names = sorted(filter(None, codes), key=natural_order)
    numbers = {name: number for number, name in enumerate(names)}
    table = np.array([numbers.get(name, UNKNOWN) for name in codes], dtype=np.int64)
    return Labels(tuple(names), table[of_pictures])


def normalise(name: str) -> str:
    """Return a name without surrounding spaces, in the form in which equal text is equal (NFC).

    File systems and spreadsheets differ in how they write an accent.
    """
    return unicodedata.normalize("NFC", name).strip()


def natural_order(name: str) -> tuple[list[int | str], str]:
    """Return the key by which class names are sorted.

    >>> sorted(["class-10", "Class-2", "blue"], key=natural_order)
    ['blue', 'Class-2', 'class-10']
    """
    parts = re.split(r"([0-9]+)", name)  # text and numbers in turns
    return [int(part) if i % 2 else part.casefold() for i, part in enumerate(parts)], name


def describe_labels(names: Sequence[str], labels: Int64[np.ndarray, " n"]) -> str:
    """Return the number of classes, of their faces, and of the faces without one.

    Names that a person may have meant to be one are listed, too.

    >>> describe_labels(["blue", "red"], np.array([0, 0, 1, -1]))
    '2 classes of 1 to 2 faces: blue, red; 1 face of no class'
    >>> describe_labels(["blue", "Red", "red"], np.array([0, 1, 2]))
    '3 classes of 1 face: blue, Red, red; differing only in case: Red, red'
    """
    counts = np.bincount(labels[labels != UNKNOWN], minlength=len(names))
    least, most = f"{counts.min():,}", _count_faces(int(counts.max()))
    sizes = most if counts.min() == counts.max() else f"{least} to {most}"
    unknown = int((labels == UNKNOWN).sum())
    rest = f"; {_count_faces(unknown)} of no class" if unknown else ""
    spellings = Counter(map(str.casefold, names))
    alike = [name for name in names if spellings[name.casefold()] > 1]
    rest += f"; differing only in case: {list_names(alike)}" if alike else ""
    return f"{len(names):,} classes of {sizes}: {list_names(names)}{rest}"


def _count_faces(count: int) -> str:
    return f"{count:,} {'face' if count == 1 else 'faces'}"


def list_names(names: Sequence[str]) -> str:
    """Return the first names, and the number of the others.

    >>> list_names(list("abcdefghij"))
    'a, b, c, d, e, f, g, h and 2 more'
    """
    others = len(names) - MAX_LISTED
    return ", ".join(names[:MAX_LISTED]) + (f" and {others:,} more" if others > 0 else "")


def _check_names(labels: str, names: Sequence[str]) -> None:
    if not names:
        fix = (
            "put the pictures of each class into a folder of its own"
            if labels == FOLDERS
            else "fill in the classes"
        )
        raise UserError(f"data.labels={labels} finds no label for any picture: {fix}")
    if len(names) == 1:
        raise UserError(
            f"data.labels={labels} finds one class only, {names[0]!r:.40}: train without labels, "
            "data.labels=null"
        )
    if len(names) > MAX_CLASSES:
        raise UserError(
            f"data.labels={labels} finds {len(names):,} classes, such as {names[0]!r:.40}; at most "
            f"{MAX_CLASSES:,} can be trained: merge them, or use other labels"
        )
    for name in names:
        if len(name) > MAX_NAME_LENGTH or not name.isprintable():
            raise UserError(
                f"data.labels={labels} finds the class {name!r:.40}: use names of at most "
                f"{MAX_NAME_LENGTH} printable characters (in UTF-8)"
            )
        if INTERPOLATION in name or name == MISSING:
            raise UserError(
                f"data.labels={labels} finds the class {name!r:.40}: use a name other than "
                f"{MISSING} and without {INTERPOLATION}"
            )


def _check_sizes(labels: str, source: Source, single: Sequence[str]) -> None:
    """Raise `UserError` for classes of a `single` picture: there is nothing to vary."""
    if not single:
        return
    fix = "add pictures, or remove these labels"
    if isinstance(source, HasCount):
        fix = f"use a larger {source.count_setting}"
    classes = "1 class has" if len(single) == 1 else f"{len(single):,} classes have"
    raise UserError(
        f"data.labels={labels}: {classes} a single picture, such as {single[0]!r:.40}: {fix}"
    )
