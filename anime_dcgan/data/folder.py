"""Faces from a folder of pictures, or from a .zip or .tar archive of them: `data=folder`.

Pictures are found by the ending of their names and opened only when read. Nothing is ever
extracted under the name that an archive gives it: a member's name is a label, its bytes are read
in place. `_Folder`, `_Zip` and `_Tar` give names and bytes; `decoding.decode` makes pictures of
them.
"""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import shutil
import stat
import tarfile
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TypeVar

from PIL import Image, UnidentifiedImageError

from anime_dcgan.data.decoding import Stream, decode, decode_whole
from anime_dcgan.data.source import Unreadable
from anime_dcgan.system.errors import UserError

MAX_FILE_BYTES = 256 * 1024**2
"""A file or member of more bytes is refused: no picture of `MAX_PIXELS` needs them."""

ENDINGS = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp"),
        *(".dib", ".tif", ".tiff", ".avif", ".jp2", ".j2k", ".jpx", ".pbm", ".pgm", ".ppm"),
        *(".pnm", ".pfm", ".tga", ".ico", ".pcx", ".sgi", ".rgb", ".rgba", ".bw", ".qoi"),
        *(".dds", ".psd"),
    )
)

JUNK_FOLDERS = frozenset(
    {"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"}
)

Result = TypeVar("Result")

Decompressor = type[gzip.GzipFile] | type[bz2.BZ2File] | type[lzma.LZMAFile]

DECOMPRESSORS: dict[bytes, Decompressor] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
"""How a compressed tar is read, by its first bytes."""

BROKEN_ARCHIVE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    ValueError,
    OSError,
)


class FolderFaces:
    """The pictures of a folder (nested or flat), a .zip, or a .tar (also .gz, .bz2, .xz).

    The order is that of the names, by code point. It pickles as its listing; files are opened in
    the process that reads them. The listing is taken once: a folder that changes later needs a new
    object. Raises `UserError` where `path` cannot be used; for a compressed tar, which is unpacked
    on first need and not before, also from `len`, `name` and `read`.
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._container = _container(path)

    def __len__(self) -> int:
        return len(self._container.names)

    def name(self, index: int) -> str:
        """The path of the picture inside the folder or archive, with forward slashes."""
        return self._container.names[index]

    def read(self, index: int, image_size: int) -> Image.Image:
        """The first frame, upright, centre square, RGB, `image_size` px; raises `Unreadable`."""
        return self._read(index, lambda stream: decode(stream, image_size))

    def picture(self, index: int) -> Image.Image:
        """The first frame, upright, RGB, whole and in its own size; raises `Unreadable`."""
        return self._read(index, decode_whole)

    def bytes(self, index: int) -> int:
        """Length of the file or member once it is unpacked."""
        return self._container.size(index)

    def _read(self, index: int, use: Callable[[Stream], Result]) -> Result:
        assert 0 <= index < len(self), index
        try:
            with self._container.open(index) as stream:
                return use(stream)
        except Unreadable:
            raise
        except Exception as error:  # on damaged bytes Pillow's plugins raise almost every kind
            raise Unreadable(_reason(error)) from error

    def identity(self) -> dict[str, object]:
        """Kind, path, and what tells this state of the files from an earlier one."""
        return self._container.identity

    def close(self) -> None:
        """Close an open archive and delete what was unpacked; also happens when garbage."""
        self._container.close()


def _reason(error: Exception) -> str:
    """One line for a report."""
    if isinstance(error, UnidentifiedImageError):
        return "not a picture in a known format"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    message = " ".join(str(error).split())
    if isinstance(error, OSError | Warning | Image.DecompressionBombError) and message:
        return message
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _container(given: str | os.PathLike[str] | None) -> "_Folder | _Zip | _Tar":
    """The container at `given`; raises `UserError` where there is none to read."""
    if given is None or str(given) in ("", "???"):
        raise UserError(
            "data=folder needs to know where the pictures are: "
            "add data.path=FOLDER (or a .zip, .tar, .tar.gz)"
        )
    path = Path(str(given)).expanduser()
    try:
        mode = path.stat().st_mode
        path = path.resolve()
    except OSError as error:
        raise UserError(f"data.path={given} cannot be used: {error.strerror}") from error
    endings = "".join(path.suffixes[-2:]).lower()
    if stat.S_ISDIR(mode):
        return _Folder(path)
    if stat.S_ISREG(mode) and endings.endswith(".zip"):
        return _Zip(path)
    if stat.S_ISREG(mode) and endings.endswith((".tgz", ".tbz2", ".txz", ".tar")):
        return _Tar(path)
    if stat.S_ISREG(mode) and endings in (".tar.gz", ".tar.bz2", ".tar.xz"):
        return _Tar(path)
    raise UserError(
        f"data.path={given} is neither a folder nor an archive that can be read\n"
        "(.zip, .tar, .tar.gz, .tgz, .tar.bz2, .tar.xz)"
    )


def _is_picture(name: str) -> bool:
    """Whether a relative name ends like a picture's and neither it nor a folder of it is junk."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.suffix.lower() in ENDINGS and not any(map(_is_junk, path.parts))


def _is_junk(part: str) -> bool:
    """Hidden (AppleDouble's `._name` as well), or one of the folders that systems leave about."""
    return part in JUNK_FOLDERS or (part.startswith(".") and part not in (".", ".."))


def _no_pictures(path: Path) -> UserError:
    return UserError(
        f"data.path={path} holds no pictures; names are looked for that end in\n"
        + " ".join(sorted(ENDINGS))
    )


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
    """What opening an archive raises, as a `UserError`."""
    try:
        yield
    except UserError:
        raise
    except PermissionError as error:
        raise UserError(f"data.path={path} cannot be read: {error.strerror}") from error
    except BROKEN_ARCHIVE as error:
        raise UserError(
            f"data.path={path} is a broken archive ({_reason(error)}): "
            "fetch or pack it anew, or give the folder that it was unpacked to"
        ) from error


def _check_size(size: int) -> None:
    if size > MAX_FILE_BYTES:
        limit = MAX_FILE_BYTES // 1024**2
        raise Unreadable(f"{size:,} bytes are more than the limit of {limit} MiB")


class _Folder:
    """The pictures below a folder; its identity digests every name, size and time of change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        found = sorted((name, status) for name, status in _walk(path) if _is_picture(name))
        if not found:
            raise _no_pictures(path)
        digest = hashlib.sha256()
        for name, (size, mtime_ns) in found:
            digest.update(os.fsencode(name) + b"\0%d %d\0" % (size, mtime_ns))
        self.names = [name for name, _ in found]
        self.identity: dict[str, object] = {
            "kind": "folder",
            "path": str(path),
            "pictures": len(found),
            "digest": digest.hexdigest(),
        }

    def open(self, index: int) -> Stream:
        _check_size(self.size(index))
        return (self.path / self.names[index]).open("rb")

    def size(self, index: int) -> int:
        return (self.path / self.names[index]).stat().st_size

    def close(self) -> None:
        """Nothing stays open."""


def _walk(folder: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Each file below `folder`: its relative name, and its size in bytes and mtime in ns.

    Links are followed, but a real folder is entered once, so a loop of links ends. Links that lead
    nowhere, pipes and devices are passed over. A folder that cannot be listed is a `UserError`.
    """
    entered: set[Path] = set()
    pending = [""]
    while pending:
        prefix = pending.pop()
        try:
            real = (folder / prefix).resolve()
            if real in entered:
                continue
            entered.add(real)
            with os.scandir(real) as entries:
                children = sorted(entries, key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            raise UserError(f"cannot list {folder / prefix}: {error.strerror}") from error
        for child in children:
            try:
                status = child.stat()
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                yield prefix + child.name, (status.st_size, status.st_mtime_ns)
            elif stat.S_ISDIR(status.st_mode) and not _is_junk(child.name):
                pending.append(f"{prefix}{child.name}/")


class _Zip:
    """The pictures of a .zip; each process that reads keeps its own handle."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: tuple[int, zipfile.ZipFile] | None = None
        with _archive_errors(path):
            self.identity = _archive_identity("zip", path)
            listing = sorted(
                (member.filename, position)
                for position, member in enumerate(self._archive().infolist())
                if not member.is_dir() and _is_picture(member.filename)
            )
        if not listing:
            self.close()
            raise _no_pictures(path)
        self.names = [name for name, _ in listing]
        self._positions = [position for _, position in listing]

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_opened": None}

    def _archive(self) -> zipfile.ZipFile:
        """This process's own handle: a forked one would share its place in the file."""
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = (os.getpid(), zipfile.ZipFile(self.path))
        return self._opened[1]

    def open(self, index: int) -> Stream:
        member = self._member(index)
        if member.flag_bits & 0x1:
            raise Unreadable("encrypted with a password")
        _check_size(member.file_size)
        with self._archive().open(member) as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
        _check_size(len(data))
        return io.BytesIO(data)

    def size(self, index: int) -> int:
        return self._member(index).file_size

    def _member(self, index: int) -> zipfile.ZipInfo:
        return self._archive().infolist()[self._positions[index]]

    def close(self) -> None:
        if self._opened is not None:
            self._opened[1].close()
            self._opened = None


class _Tar:
    """The pictures of a .tar, each read by seeking to where its bytes lie.

    A compressed tar cannot be entered in the middle. On first need it is read through once, and the
    bytes of its pictures are laid end to end in one temporary file, which every process then seeks
    in; it is deleted with this object, or when the process that made it ends. Pickling counts as
    need, so that workers share the one file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._spans: dict[str, tuple[int, int]] = {}
        self._names: list[str] = []
        self._bytes_in = path
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
        _check_size(size)
        with self._bytes_in.open("rb") as file:
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
            raise _no_pictures(self.path)
        self._names = sorted(self._spans)

    def _unpack(self, decompress: Decompressor) -> None:
        """Lay the pictures of a compressed tar end to end in a temporary file."""
        handle, name = tempfile.mkstemp(prefix="anime_dcgan-", suffix=".unpacked")
        os.close(handle)
        self._bytes_in = Path(name)
        self._delete = weakref.finalize(self, _delete_own, self._bytes_in, os.getpid())
        with self._bytes_in.open("wb") as unpacked:

            def keep(member: tarfile.TarInfo) -> int:
                offset = unpacked.tell()
                content = archive.extractfile(member)
                if content is not None and member.size <= MAX_FILE_BYTES:
                    _append(content.read(), unpacked)
                return offset

            with (
                decompress(self.path) as stream,
                tarfile.open(fileobj=stream, mode="r|") as archive,
            ):
                self._spans = _spans(archive, keep)
                while stream.read(1 << 20):  # to the end, where gzip and xz keep their checksums
                    pass


def _spans(
    archive: tarfile.TarFile, place: Callable[[tarfile.TarInfo], int]
) -> dict[str, tuple[int, int]]:
    """Offset and size in bytes of each picture, by name; `place` says the offset of a member.

    A hard link has the span of what it links to; a name that comes twice means its last content,
    as it does for tar; sparse members, which no program makes of pictures, are passed over.
    """
    spans: dict[str, tuple[int, int]] = {}
    for member in archive:
        if not _is_picture(member.name):
            continue
        if member.islnk() and member.linkname in spans:
            spans[member.name] = spans[member.linkname]
        elif member.isreg() and not member.issparse():
            spans[member.name] = (place(member), member.size)
    return spans


def _append(data: bytes, unpacked: io.BufferedWriter) -> None:
    """Write to the temporary file; a full disk is a `UserError` that says so."""
    try:
        unpacked.write(data)
        unpacked.flush()
    except OSError as error:
        free = shutil.disk_usage(tempfile.gettempdir()).free
        raise UserError(
            f"cannot unpack the archive into {tempfile.gettempdir()} ({free:,} bytes free): "
            f"{error.strerror}\nset TMPDIR to a roomier folder, or unpack it yourself and give "
            "that folder as data.path=..."
        ) from error


def _delete_own(path: Path, owner: int) -> None:
    """Delete the temporary file in the process that made it, never in a fork of that process."""
    if os.getpid() == owner:
        path.unlink(missing_ok=True)
