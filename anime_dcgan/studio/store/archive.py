"""The zip archive of a collection: written atomically, and read as untrusted input.

    collection.json   {"format", "version", "name", "faces": [...]}
    faces/00001.png   the picture of the first face, and so on
    generators/DIGEST.pt   a generator of the faces, if it was exported with them

Names in an archive serve only to look up `collection.json` and the pictures; nothing is extracted.
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

from anime_dcgan.studio.store.validation import MAX_THUMB_BYTES
from anime_dcgan.system.errors import UserError, first_line
from anime_dcgan.system.files import atomic_write, sync
from anime_dcgan.system.reader import parse_json

MAX_FACES = 10_000  # including ancestors
MAX_FILE_BYTES = 128 * 2**20  # a face of 64 px takes about 9000
MAX_GENERATORS = 16
MAX_JSON_BYTES = 16 * 2**20
MAX_UNPACKED_BYTES = 256 * 2**20  # all files together
CONTENTS = "collection.json"
END_OF_ZIP = struct.Struct("<4s4H2IH")  # APPNOTE 4.3.16
ZIP64_LOCATOR = b"PK\x06\x07"
MAX_ENTRY_BYTES = 128  # of an entry in the central directory; ours take 61
File = BinaryIO | io.BytesIO
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # zipfile decompresses these in chunks


def picture_name(number: int) -> str:
    """Return the file name of the picture of a face; numbers start at 1."""
    return f"faces/{number:05}.png"


def generator_name(digest: str) -> str:
    """Return the file name of a generator."""
    return f"generators/{digest}.pt"


@contextlib.contextmanager
def create_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a new zip that replaces `path` on success and leaves no file on failure."""
    with atomic_write(path) as partial:
        with zipfile.ZipFile(partial, "w") as archive:
            yield archive
        sync(partial)


def add_file(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Add a file without a timestamp, so that the same content gives the same bytes."""
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o644 << 16
    method = zipfile.ZIP_DEFLATED if name == CONTENTS else zipfile.ZIP_STORED
    archive.writestr(entry, content, method)


def encode_contents(contents: dict[str, Any], other_bytes: int) -> bytes:
    """Return `collection.json`; raise `UserError` if the archive would exceed the import limits.

    Parameters:
        other_bytes: size of all pictures and generators.
    """
    data = json.dumps(contents, indent=1, ensure_ascii=False).encode()
    count = len(contents["faces"])
    total = len(data) + other_bytes + 2 * (count + MAX_GENERATORS) * MAX_ENTRY_BYTES
    if count > MAX_FACES or len(data) > MAX_JSON_BYTES or total > MAX_FILE_BYTES:
        raise UserError(
            f"this collection has {count} faces including ancestors, {total >> 20} MiB, but an "
            f"archive can hold at most {MAX_FACES} faces and {MAX_FILE_BYTES >> 20} MiB: split "
            "it, or export it without the generators"
        )
    return data


@contextlib.contextmanager
def open_archive(file: Path | File) -> Iterator["ArchiveReader"]:
    """Open an archive for reading; raise `UserError` for any kind of damage."""
    try:
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(file.open("rb")) if isinstance(file, Path) else file
            _check_directory(stream)
            yield ArchiveReader(stack.enter_context(zipfile.ZipFile(stream)))
    except UserError:
        raise
    except (
        *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError),
        *(NotImplementedError, RuntimeError, ValueError, OverflowError, KeyError),
    ) as error:
        raise UserError("this file is not a collection, or it is damaged") from error


class ArchiveReader:
    """Reads files of a zip within the size limits."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        entries = archive.infolist()
        self._entries = {entry.filename: entry for entry in entries}
        if len(self._entries) != len(entries):
            raise UserError("this collection contains two files of the same name")
        if sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
            raise UserError(
                f"this collection decompresses to more than {MAX_UNPACKED_BYTES >> 20} MiB"
            )

    def contents(self) -> Any:
        """Return the parsed `collection.json`."""
        text = self._read(CONTENTS, MAX_JSON_BYTES)
        try:
            return parse_json(text, allow_nan=False)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{CONTENTS} is not valid JSON ({first_line(error)})") from None

    def picture(self, number: int) -> bytes:
        """Return the PNG of a face; numbers start at 1."""
        return self._read(picture_name(number), MAX_THUMB_BYTES)

    def generator(self, digest: str) -> bytes:
        """Return the content of a generator's file."""
        return self._read(generator_name(digest), MAX_FILE_BYTES)

    def _read(self, name: str, max_bytes: int) -> bytes:
        entry = self._entries.get(name)
        if entry is None:
            raise UserError(f"this file is not a collection: it does not contain {name}")
        if entry.file_size > max_bytes or entry.compress_type not in METHODS or entry.flag_bits & 1:
            raise UserError(
                f"{name} is too large, encrypted, or compressed by an unsupported method"
            )
        with self._archive.open(entry) as file:
            content = file.read(max_bytes)  # zipfile stops at `file_size`
        if len(content) != entry.file_size:
            raise UserError(f"{name} of this collection is truncated")
        return content


def _check_directory(file: File) -> None:
    """Check the size of the central directory before `zipfile` reads all of it."""
    size = file.seek(0, os.SEEK_END)
    if size > MAX_FILE_BYTES:
        raise UserError(
            f"this file is larger than a collection can be ({MAX_FILE_BYTES >> 20} MiB)"
        )
    if size < END_OF_ZIP.size:
        raise UserError("this file is not a collection: it is too short")
    file.seek(max(0, size - END_OF_ZIP.size - 20))
    tail = file.read(END_OF_ZIP.size + 20)
    end = END_OF_ZIP.unpack(tail[-END_OF_ZIP.size :])
    signature, _, _, _, count, length, _, comment = end
    if signature != b"PK\x05\x06" or comment or tail.startswith(ZIP64_LOCATOR):
        raise UserError("this file is not a collection written by the studio, or it is truncated")
    max_count = MAX_FACES + MAX_GENERATORS + 1
    if count > max_count or length > max_count * MAX_ENTRY_BYTES:
        raise UserError(f"this collection has more than {MAX_FACES} faces including ancestors")
