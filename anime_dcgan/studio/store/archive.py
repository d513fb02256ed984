"""The zip of a collection: written whole or not at all, and read as if a stranger had made it.

    collection.json   {"format", "version", "name", "faces": [...]}
    faces/00001.png   the picture of the first of the faces, and so on

No name in an archive is used for anything but to find `collection.json` and the pictures in it.
"""

import contextlib
import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from anime_dcgan.studio.store.checks import LARGEST_THUMB
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.files import atomic_write, sync

MOST_FACES = 10_000  # with ancestors
LARGEST_FILE = 128 * 2**20  # bytes; a face of 64 px takes some 9000
LARGEST_JSON = 16 * 2**20
LARGEST_CONTENT = 256 * 2**20  # unpacked, all together
CONTENTS = "collection.json"
END_OF_ZIP = struct.Struct("<4s4H2IH")  # APPNOTE 4.3.16
ZIP64_LOCATOR = b"PK\x06\x07"
USUAL_HEADER = 128  # bytes of an entry in the directory of a zip; ours take 61
File = BinaryIO | io.BytesIO
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # unpacked in pieces; the others at once


def picture_name(number: int) -> str:
    """Of the face with this number, from 1."""
    return f"faces/{number:05}.png"


@contextlib.contextmanager
def written(path: Path) -> Iterator[zipfile.ZipFile]:
    """A new zip, which takes the place of `path` when all is written, and leaves nothing if not."""
    with atomic_write(path) as partial:
        with zipfile.ZipFile(partial, "w") as archive:
            yield archive
        sync(partial)


def add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """The same content gives the same bytes: no time is noted."""
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o644 << 16
    packed = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
    archive.writestr(entry, content, packed)


def packed_json(contents: dict[str, Any], pictures: int) -> bytes:
    """`UserError` where this, with so many bytes of pictures, is more than would be read back."""
    data = json.dumps(contents, indent=1, ensure_ascii=False).encode()
    count = len(contents["faces"])
    total = len(data) + pictures + 2 * count * USUAL_HEADER
    if count > MOST_FACES or len(data) > LARGEST_JSON or total > LARGEST_FILE:
        raise UserError(
            f"this collection has {count} faces with their ancestors, {total >> 20} MiB, where one "
            f"file holds {MOST_FACES} faces and {LARGEST_FILE >> 20} MiB: divide it"
        )
    return data


@contextlib.contextmanager
def opened(file: Path | File) -> Iterator["Archive"]:
    """An archive to read from; `UserError` in a line for whatever is wrong with it."""
    try:
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(file.open("rb")) if isinstance(file, Path) else file
            _check_directory(stream)
            yield Archive(stack.enter_context(zipfile.ZipFile(stream)))
    except UserError:
        raise
    except (
        *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError),
        *(NotImplementedError, RuntimeError, ValueError, OverflowError, KeyError),
    ) as error:
        raise UserError("this file is no collection, or damaged") from error


class Archive:
    """Reads from a zip no more than the limits allow."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        entries = archive.infolist()
        self._entries = {entry.filename: entry for entry in entries}
        if len(self._entries) != len(entries):
            raise UserError("this collection names a file twice")
        if sum(entry.file_size for entry in entries) > LARGEST_CONTENT:
            raise UserError(f"this collection unpacks to more than {LARGEST_CONTENT >> 20} MiB")

    def contents(self) -> Any:
        """What `collection.json` says."""
        try:
            return json.loads(self._read(CONTENTS, LARGEST_JSON), parse_constant=_no_number)
        except RecursionError:
            raise UserError(f"{CONTENTS} is nested too deep") from None

    def picture(self, number: int) -> bytes:
        return self._read(picture_name(number), LARGEST_THUMB)

    def _read(self, name: str, most: int) -> bytes:
        entry = self._entries.get(name)
        if entry is None:
            raise UserError(f"this file is no collection: {name} is not in it")
        if entry.file_size > most or entry.compress_type not in METHODS or entry.flag_bits & 1:
            raise UserError(f"{name} of this collection is too large, or packed in an unusual way")
        with self._archive.open(entry) as file:
            content = file.read(most)  # never more than `file_size`, whatever is in it
        if len(content) != entry.file_size:
            raise UserError(f"{name} of this collection is cut off")
        return content


def _check_directory(file: File) -> None:
    """Before `zipfile` reads it whole: the directory of the zip is of a size that ours can have."""
    size = file.seek(0, os.SEEK_END)
    if size > LARGEST_FILE:
        raise UserError(f"this file is larger than a collection may be ({LARGEST_FILE >> 20} MiB)")
    if size < END_OF_ZIP.size:
        raise UserError("this file is no collection: it is too short")
    file.seek(max(0, size - END_OF_ZIP.size - 20))
    tail = file.read(END_OF_ZIP.size + 20)
    end = END_OF_ZIP.unpack(tail[-END_OF_ZIP.size :])
    signature, _, _, _, count, length, _, comment = end
    if signature != b"PK\x05\x06" or comment or tail.startswith(ZIP64_LOCATOR):
        raise UserError("this file is no collection that the studio wrote, or it is cut off")
    if count > MOST_FACES + 1 or length > (MOST_FACES + 1) * USUAL_HEADER:
        raise UserError(f"this collection has more than {MOST_FACES} faces with their ancestors")


def _no_number(text: str) -> Any:
    raise UserError(f"{text} is no number of a collection")
