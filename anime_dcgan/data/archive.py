"""Pictures in .zip and .tar archives, read in place.

Nothing is ever extracted under a name from the archive: a member's name is only a label.
"""

import bz2
import gzip
import io
import lzma
import os
import tarfile
import tempfile
import weakref
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from anime_dcgan.data import picture_files
from anime_dcgan.data.decoding import Stream
from anime_dcgan.data.picture_files import (
    HEAD_BYTES,
    Selection,
    check_size,
    describe_error,
    no_pictures,
)
from anime_dcgan.data.source import Unreadable
from anime_dcgan.system import scratch
from anime_dcgan.system.errors import DISK_FULL, UserError, reason_of

Decompressor = type[gzip.GzipFile] | type[bz2.BZ2File] | type[lzma.LZMAFile]

DECOMPRESSORS: dict[bytes, Decompressor] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
"""Readers of compressed tar files, by the first bytes of the file."""

COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
DEFLATE64 = 9
"""Number of a compression of .zip that the standard library cannot read (APPNOTE 4.4.5)."""

MAX_ZIP_END = 20 + 22 + 0xFFFF
"""Max bytes of the records at the end of a .zip, with its comment."""

ARCHIVE_ERRORS = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    ValueError,
    OSError,
)
"""Exceptions that a damaged archive can raise."""


class ZipPictures:
    """The pictures of a .zip; each process that reads keeps its own handle."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: tuple[int, zipfile.ZipFile] | None = None
        with _archive_errors(path):
            _check_not_split(path)
            self.identity = _archive_identity("zip", path)
            selection = Selection()
            listing = sorted(
                (member.filename, index)
                for index, member in enumerate(self._archive().infolist())
                if not member.is_dir()
                and selection.admits(member.filename, partial(self._read, member, HEAD_BYTES))
            )
        self.names = [name for name, _ in listing]
        self._member_indices = [index for _, index in listing]
        self.passed_over = selection.passed_over
        if error := self._unusable(selection):
            self.close()
            raise error

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_opened": None}

    def _archive(self) -> zipfile.ZipFile:
        """Return this process's own handle: a forked one would share its file position."""
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = (os.getpid(), zipfile.ZipFile(self.path))
        return self._opened[1]

    def open(self, index: int) -> Stream:
        member = self._member(index)
        if (problem := _problem(member)) is not None:
            raise Unreadable(problem)
        check_size(member.file_size)
        data = self._read(member, picture_files.MAX_FILE_BYTES + 1)
        check_size(len(data))
        return io.BytesIO(data)

    def _read(self, member: zipfile.ZipInfo, max_bytes: int) -> bytes:
        with self._archive().open(member) as stream:
            return stream.read(max_bytes)

    def _unusable(self, selection: Selection) -> UserError | None:
        """Return why no picture at all can be read; None if some can be tried."""
        if not self.names:
            return no_pictures(self.path, selection)
        problems = [_problem(self._member(index)) for index in range(len(self.names))]
        if None in problems:
            return None
        return UserError(
            f"data.path={self.path} is {problems[0]}: unpack it, and use data.path=FOLDER"
        )

    def size(self, index: int) -> int:
        return self._member(index).file_size

    def _member(self, index: int) -> zipfile.ZipInfo:
        return self._archive().infolist()[self._member_indices[index]]

    def close(self) -> None:
        if self._opened is not None:
            self._opened[1].close()
            self._opened = None


def _problem(member: zipfile.ZipInfo) -> str | None:
    """Return why a member cannot be read, if its entry shows that."""
    if member.flag_bits & 0x1:
        return "encrypted with a password"
    if member.compress_type == DEFLATE64:
        return "compressed with Deflate64, as by Windows Explorer beyond 2 GB"
    if member.compress_type not in COMPRESSIONS:
        return f"compressed with the unsupported method {member.compress_type}"
    return None


def _check_not_split(path: Path) -> None:
    """Raise `UserError` if the archive is the last part of several.

    The record at the end of a .zip has the number of the part that it is in (APPNOTE 4.3.16), or in
    a large archive the number of parts (4.3.15).
    """
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - MAX_ZIP_END))
        end = file.read()
    start = end.rfind(b"PK\x05\x06")
    if start < 0 or len(end) < start + 6:
        return
    locator = end[max(0, start - 20) : start]
    parts = int.from_bytes(locator[16:], "little") if locator.startswith(b"PK\x06\x07") else 1
    if int.from_bytes(end[start + 4 : start + 6], "little") not in (0, 0xFFFF) or parts > 1:
        raise split_archive(path, f"zip -s 0 {path.name} --out whole.zip")


def split_archive(path: Path, join: str) -> UserError:
    return UserError(
        f"data.path={path} is one part of a split archive: join the parts with\n{join}, "
        "or unpack them with 7-Zip and use data.path=FOLDER"
    )


class TarPictures:
    """The pictures of a .tar, each read by seeking to its bytes.

    A compressed tar offers no random access. On first use it is read through once, and the bytes of
    its pictures are written end to end to a temporary file that all processes seek in. The file is
    deleted with this object, or when the process that created it ends. Pickling counts as a use, so
    that workers share one file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._spans: dict[str, tuple[int, int]] = {}
        self._names: list[str] = []
        self.passed_over: Counter[str] = Counter()
        self._data_path = path
        self._delete: Callable[[], object] | None = None
        with _archive_errors(path):
            self.identity = _archive_identity("tar", path)
            with path.open("rb") as file:
                start = file.read(6)
        self._decompress = next(
            (opener for magic, opener in DECOMPRESSORS.items() if start.startswith(magic)), None
        )
        if self._decompress is None:
            self._list()

    def __getstate__(self) -> dict[str, object]:
        assert self.names
        return {**self.__dict__, "_delete": None, "_decompress": None}

    @property
    def names(self) -> list[str]:
        if not self._names:
            self._list()
        return self._names

    def open(self, index: int) -> Stream:
        offset, size = self._spans[self.names[index]]
        check_size(size)
        with self._data_path.open("rb") as file:
            file.seek(offset)
            return io.BytesIO(file.read(size))

    def size(self, index: int) -> int:
        return self._spans[self.names[index]][1]

    def close(self) -> None:
        if self._delete is not None:
            self._delete()
            self._delete, self._spans, self._names = None, {}, []

    def _list(self) -> None:
        selection = Selection()
        with _archive_errors(self.path):
            if self._decompress is None:
                with tarfile.open(self.path, "r:") as archive:
                    self._spans = _spans(archive, selection, lambda member, *_: member.offset_data)
            else:
                self._unpack(self._decompress, selection)
        if not self._spans:
            self.close()
            raise no_pictures(self.path, selection)
        self._names, self.passed_over = sorted(self._spans), selection.passed_over

    def _unpack(self, decompress: Decompressor, selection: Selection) -> None:
        """Write the pictures of a compressed tar end to end to a temporary file."""
        handle, name = tempfile.mkstemp(prefix=scratch.temporary_prefix("anime_unpacked"))
        os.close(handle)
        self._data_path = Path(name)
        self._delete = weakref.finalize(self, _delete_own, self._data_path, os.getpid())
        with self._data_path.open("wb") as unpacked:

            def copy(member: tarfile.TarInfo, head: bytes, content: io.BufferedReader) -> int:
                offset = unpacked.tell()
                if member.size <= picture_files.MAX_FILE_BYTES:
                    unpacked.write(head + content.read())
                return offset

            with (
                decompress(self.path) as stream,
                tarfile.open(fileobj=stream, mode="r|") as archive,
            ):
                self._spans = _spans(archive, selection, copy)
                while stream.read(1 << 20):  # gzip and xz keep their checksums at the end
                    pass


def is_tar(head: bytes) -> bool:
    """Return True if a file that begins with `head` may be a tar, compressed or not."""
    return head.startswith(tuple(DECOMPRESSORS)) or head[257:262] == b"ustar"


def _spans(
    archive: tarfile.TarFile,
    selection: Selection,
    offset_of: Callable[[tarfile.TarInfo, bytes, io.BufferedReader], int],
) -> dict[str, tuple[int, int]]:
    """Return offset and size in bytes of each picture, by name.

    A hard link has the span of its target; for a name that occurs twice the last member counts, as
    in tar itself; sparse members, which no program writes for pictures, are skipped.

    Parameters:
        offset_of: locates a member, given the bytes that were read from it, and the rest.
    """
    spans: dict[str, tuple[int, int]] = {}
    for member in archive:
        if member.islnk() and member.linkname in spans:
            spans[member.name] = spans[member.linkname]
        elif member.isreg() and not member.issparse():
            content, head = archive.extractfile(member), io.BytesIO()
            assert isinstance(content, io.BufferedReader)
            if selection.admits(member.name, partial(_read_head, content, head)):
                spans[member.name] = (offset_of(member, head.getvalue(), content), member.size)
    return spans


def _read_head(content: io.BufferedReader, head: io.BytesIO) -> bytes:
    """Return the first bytes, and keep them in `head`: a stream is read once only."""
    head.write(content.read(HEAD_BYTES))
    return head.getvalue()


def _delete_own(path: Path, owner: int) -> None:
    """Delete the temporary file in the process that created it, never in a fork of it."""
    if os.getpid() == owner:
        path.unlink(missing_ok=True)


def _archive_identity(kind: str, path: Path) -> dict[str, object]:
    status = path.stat()
    return {
        "kind": kind,
        "path": str(path),
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
    }


@contextmanager
def _archive_errors(path: Path) -> Iterator[None]:
    """Turn the exceptions of opening an archive into a `UserError`."""
    try:
        yield
    except UserError:
        raise
    except PermissionError as error:
        raise UserError(
            f"data.path={path} cannot be read ({reason_of(error)}): make it readable"
        ) from error
    except ARCHIVE_ERRORS as error:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            raise UserError(
                f"data.path={path} cannot be unpacked into {tempfile.gettempdir()} "
                f"({reason_of(error)}): set TMPDIR to a folder with more space,\n"
                "or unpack it yourself and use data.path=FOLDER"
            ) from error
        raise UserError(
            f"data.path={path} is a broken archive ({describe_error(error)}): "
            "download or pack it again, or pass the folder that it was unpacked to"
        ) from error
