"""CSV files of labels next to pictures: `data.labels=labels.csv` or `data.labels=labels.csv:hair`.

The first line has the names of the columns, which are separated as in `csv_file`. File names,
relative to `data.path`, are in the column `file_name` (as in image folders of Hugging Face's
`datasets`) or else in the first one.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from anime_dcgan.data.csv_file import find_separator
from anime_dcgan.data.labels import list_names, normalise
from anime_dcgan.system.errors import UserError, explain_os_error
from anime_dcgan.system.reader import is_regular, open_regular

SETTING = re.compile(r"(?P<file>.+?\.csv)(:(?P<column>.+))?", re.IGNORECASE | re.DOTALL)
FILE_NAME = "file_name"


def names_file(labels: str) -> bool:
    """Return True if a value of `data.labels` names a CSV file."""
    return SETTING.fullmatch(labels) is not None


def read_label_file(labels: str, folder: Path, names: Sequence[str]) -> list[str]:
    """Return the class of each picture, "" for those that the file does not name.

    The file is looked for in `folder`, and then in the working directory. `names` are those of the
    pictures. Raises `UserError` if the file cannot be read or contradicts itself or the pictures.
    """
    setting = SETTING.fullmatch(labels)
    assert setting is not None, labels
    file = Path(setting["file"])
    path = file if is_regular(file) and not is_regular(folder / file) else folder / file
    fix = f"put it into {folder}, or use its path"
    with (
        explain_os_error(f"data.labels={labels}: {path} cannot be read", fix),
        open_regular(path) as raw,
        io.TextIOWrapper(raw, "utf-8-sig", newline="") as text,
    ):
        try:
            separator = find_separator(text)
            rows = csv.reader(text, strict=True, delimiter=separator)
            return _LabelFile(path, labels, names, separator).read(rows)
        except UnicodeDecodeError:
            raise _not_utf8(path) from None
        except csv.Error as error:
            raise UserError(
                f"{path} is not a CSV file ({error}): put quotes around names with commas or "
                'quotes, and double the quotes in them: "a ""b"", c.png"'
            ) from None


def _not_utf8(path: Path) -> UserError:
    return UserError(f"{path} is not in UTF-8: save it as CSV UTF-8")


class _LabelFile:
    """A CSV file that assigns classes to pictures."""

    def __init__(self, path: Path, labels: str, names: Sequence[str], separator: str) -> None:
        self.path = path
        self.labels = labels
        self.names = names
        self.separator = separator

    def read(self, rows: Iterator[list[str]]) -> list[str]:
        header = [cell.strip() for cell in next(rows, [])]
        if any("\0" in cell for cell in header):
            raise _not_utf8(self.path)
        indices = {normalise(name): index for index, name in enumerate(self.names)}
        indices |= {name: index for index, name in enumerate(self.names)}
        file, column = self._columns(header, indices)
        classes: dict[int, str] = {}
        missing: list[str] = []
        for line, row in enumerate(filter(None, rows), start=2):
            if len(row) > len(header):
                raise UserError(
                    f"{self.path} has {len(row)} cells in row {line}, but {len(header)} columns: "
                    f"put quotes around names with {self.separator!r}"
                )
            name, label = ((row[i].strip() if i < len(row) else "") for i in (file, column))
            index = _find(name, indices)
            if index is None:
                missing.append(name)
            elif classes.setdefault(index, label) != label:
                raise UserError(
                    f"{self.path} names {name!r:.80} twice, as {classes[index]!r:.40} and as "
                    f"{label!r:.40}: keep one of the rows"
                )
        self._check_missing(missing)
        return [classes.get(index, "") for index in range(len(self.names))]

    def _columns(self, header: list[str], indices: Mapping[str, int]) -> tuple[int, int]:
        """Return the positions of the columns with the file names and the classes."""
        if header and _find(header[0], indices) is not None:
            raise UserError(
                f"{self.path} has no names of columns: add a first line such as file,class"
            )
        if len(header) < 2:
            raise UserError(
                f"{self.path} needs two columns, separated by commas: the file names and the "
                "classes"
            )
        setting = SETTING.fullmatch(self.labels)
        requested = setting and setting["column"]
        file = header.index(FILE_NAME) if FILE_NAME in header else 0
        others = [name for index, name in enumerate(header) if name and index != file]
        if requested is None and len(set(others)) > 1:
            raise UserError(
                f"data.labels={self.labels} has the columns {list_names(others)}: use one of them, "
                f"data.labels={self.labels}:{others[0]}"
            )
        if not others or (requested is not None and requested not in others):
            raise no_column(self.labels, self.path, requested or "of classes", others or header)
        column = requested or others[0]
        if others.count(column) > 1:
            raise UserError(f"{self.path} has several columns {column}: rename all but one")
        return file, header.index(column, 0 if file else 1)

    def _check_missing(self, missing: Sequence[str]) -> None:
        if missing:
            pictures = "1 picture" if len(missing) == 1 else f"{len(missing):,} pictures"
            raise UserError(
                f"{self.path} names {pictures} that data.path does not have, such as "
                f"{missing[0]!r:.80}: names are relative to it, such as {self.names[0]!r:.80}"
            )


def no_column(labels: str, path: Path, column: str, columns: Iterable[str]) -> UserError:
    """Return the error for a column that a file does not have."""
    return UserError(
        f"data.labels={labels}: {path} has no column {column}: use one of "
        f"{', '.join(map(str, columns))}"
    )


def _find(name: str, indices: Mapping[str, int]) -> int | None:
    """Return the index of a picture; names may begin with "./" or have a backslash."""
    normal = normalise(name)
    spellings = (name, normal, normal.removeprefix("./"))
    spellings += (normal.replace("\\", "/").removeprefix("./"),)
    return next((indices[spelling] for spelling in spellings if spelling in indices), None)
