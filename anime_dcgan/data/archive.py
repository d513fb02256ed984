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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from anime_dcgan.data import picture_files
from anime_dcgan.data.decoding import Stream
from anime_dcgan.data.picture_files import check_size, describe_error, is_picture, no_pictures
from anime_dcgan.data.source import Unreadable
from anime_dcgan.system import scratch
from anime_dcgan.system.errors import UserError, explain_os_error, reason_of

Decompressor = type[gzip.GzipFile] | type[bz2.BZ2File] | type[lzma.LZMAFile]

DECOMPRESSORS: dict[bytes, Decompressor] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
"""Readers of compressed tar files, by the first bytes of the file."""

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
            self.identity = _archive_identity("zip", path)
            listing = sorted(
                (member.filename, index)
                for index, member in enumerate(self._archive().infolist())
                if not member.is_dir() and is_picture(member.filename)
            )
        if not listing:
            self.close()
            raise no_pictures(path)
        self.names = [name for name, _ in listing]
        self._member_indices = [index for _, index in listing]

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_opened": None}

    def _archive(self) -> zipfile.ZipFile:
        """Return this process's own handle: a forked one would share its file position."""
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = (os.getpid(), zipfile.ZipFile(self.path))
        return self._opened[1]

    def open(self, index: int) -> Stream:
        member = self._member(index)
        if member.flag_bits & 0x1:
            raise Unreadable("encrypted with a password")
        check_size(member.file_size)
        with self._archive().open(member) as stream:
            data = stream.read(picture_files.MAX_FILE_BYTES + 1)
        check_size(len(data))
        return io.BytesIO(data)

    def size(self, index: int) -> int:
        return self._member(index).file_size

    def _member(self, index: int) -> zipfile.ZipInfo:
        return self._archive().infolist()[self._member_indices[index]]

    def close(self) -> None:
        if self._opened is not None:
            self._opened[1].close()
            self._opened = None


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
        with _archive_errors(self.path):
            if self._decompress is None:
                with tarfile.open(self.path, "r:") as archive:
                    self._spans = _spans(archive, lambda member: member.offset_data)
            else:
                self._unpack(self._decompress)
        if not self._spans:
            self.close()
            raise no_pictures(self.path)
        self._names = sorted(self._spans)

    def _unpack(self, decompress: Decompressor) -> None:
        """Write the pictures of a compressed tar end to end to a temporary file."""
        handle, name = tempfile.mkstemp(prefix=scratch.temporary_prefix("anime_unpacked"))
        os.close(handle)
        self._data_path = Path(name)
        self._delete = weakref.finalize(self, _delete_own, self._data_path, os.getpid())
        with self._data_path.open("wb") as unpacked:

            def copy(member: tarfile.TarInfo) -> int:
                offset = unpacked.tell()
                content = archive.extractfile(member)
                if content is not None and member.size <= picture_files.MAX_FILE_BYTES:
                    _append(content.read(), unpacked)
                return offset

            with (
                decompress(self.path) as stream,
                tarfile.open(fileobj=stream, mode="r|") as archive,
            ):
                self._spans = _spans(archive, copy)
                while stream.read(1 << 20):  # gzip and xz keep their checksums at the end
                    pass


def _spans(
    archive: tarfile.TarFile, offset_of: Callable[[tarfile.TarInfo], int]
) -> dict[str, tuple[int, int]]:
    """Return offset and size in bytes of each picture, by name; `offset_of` locates a member.

    A hard link has the span of its target; for a name that occurs twice the last member counts, as
    in tar itself; sparse members, which no program writes for pictures, are skipped.
    """
    spans: dict[str, tuple[int, int]] = {}
    for member in archive:
        if not is_picture(member.name):
            continue
        if member.islnk() and member.linkname in spans:
            spans[member.name] = spans[member.linkname]
        elif member.isreg() and not member.issparse():
            spans[member.name] = (offset_of(member), member.size)
    return spans


def _append(data: bytes, unpacked: io.BufferedWriter) -> None:
    """Write to the temporary file; raise `UserError` if that fails, as on a full disk."""
    with explain_os_error(
        f"the archive cannot be unpacked into {tempfile.gettempdir()}",
        "set TMPDIR to a folder with more space,\nor unpack it yourself and use data.path=FOLDER",
    ):
        unpacked.write(data)
        unpacked.flush()


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
        raise UserError(
            f"data.path={path} is a broken archive ({describe_error(error)}): "
            "download or pack it again, or pass the folder that it was unpacked to"
        ) from error
