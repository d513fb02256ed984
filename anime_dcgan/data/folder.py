"""Faces from pictures in a folder or in a .zip or .tar archive: `data=folder`.

Pictures are found by file extension or by their first bytes, and decoded only when read. `_Folder`,
`ZipPictures` and `TarPictures` provide names and bytes; `decoding.decode` makes pictures of them.
"""

import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TypeVar

from PIL import Image

from anime_dcgan.data.archive import TarPictures, ZipPictures, is_tar, split_archive
from anime_dcgan.data.decoding import Stream, decode, decode_whole
from anime_dcgan.data.label_file import names_file, read_label_file
from anime_dcgan.data.labels import FOLDERS
from anime_dcgan.data.picture_files import (
    HEAD_BYTES,
    Selection,
    check_size,
    describe_error,
    is_junk,
    no_pictures,
)
from anime_dcgan.data.source import Unreadable
from anime_dcgan.system.errors import UserError, explain_os_error, reason_of

Result = TypeVar("Result")

PART = re.compile(r"\.(z\d\d|\d{3}|part\d*)$", re.IGNORECASE)
"""End of the name of a part of a split archive, other than the last."""

ZIP_SIGNATURES = (b"PK\3\4", b"PK\5\6", b"PK\7\10")
TAR_NAME = re.compile(r"\.(tar|tgz|tbz2|txz|tar\.(gz|bz2|xz))$", re.IGNORECASE)


class FolderFaces:
    """The pictures of a folder (nested or flat), a .zip, or a .tar (also .gz, .bz2, .xz).

    Pictures are sorted by the code points of their names. Only the listing is pickled; files are
    opened in the process that reads them. Files are listed once: a folder that changes later needs
    a new object. Raises `UserError` if `path` cannot be used; a compressed tar is unpacked on first
    use, so that `len`, `name` and `read` can raise it as well.
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._container = _open_container(path)

    def __len__(self) -> int:
        return len(self._container.names)

    def name(self, index: int) -> str:
        """Return the path of the picture inside the folder or archive, with forward slashes."""
        return self._container.names[index]

    def read(self, index: int, image_size: int) -> Image.Image:
        """Return the first frame: upright, centre square, RGB, `image_size` px.

        Raises `Unreadable`.
        """
        return self._read(index, lambda stream: decode(stream, image_size))

    def picture(self, index: int) -> Image.Image:
        """Return the first frame: upright, RGB, uncropped, in its own size; raise `Unreadable`."""
        return self._read(index, decode_whole)

    def bytes(self, index: int) -> int:
        """Return the uncompressed length of the file or member."""
        return self._container.size(index)

    def _read(self, index: int, use: Callable[[Stream], Result]) -> Result:
        assert 0 <= index < len(self), index
        try:
            with self._container.open(index) as stream:
                return use(stream)
        except Unreadable:
            raise
        except Exception as error:  # Pillow's plugins raise almost any type on damaged bytes
            raise Unreadable(describe_error(error)) from error

    @property
    def path(self) -> Path:
        """Absolute path of the folder or archive."""
        return self._container.path

    def classes(self, labels: str) -> list[str]:
        """Return the class of each picture, "" where it is unknown; raise `UserError`.

        With `folders` it is the name of the folder that holds the picture, below `path`. Otherwise
        `labels` names a CSV file, in the folder or next to the archive.
        """
        names = self._container.names
        if labels == FOLDERS:
            parents = (PurePosixPath(name).parent.name for name in names)
            return ["" if parent == ".." else parent for parent in parents]
        if not names_file(labels):
            raise UserError(
                f"data.labels={labels}: use data.labels=folders, or a CSV file with file names and "
                "classes,\ndata.labels=labels.csv; clusters and columns are for data=manifest"
            )
        folder = self.path if self.path.is_dir() else self.path.parent
        return read_label_file(labels, folder, names)

    def passed_over(self) -> Counter[str]:
        """Return the number of files that are not pictures, by file extension."""
        return self._container.passed_over if self._container.names else Counter()

    def identity(self) -> dict[str, object]:
        """Return kind, path, and values that change whenever the files do."""
        return self._container.identity

    def close(self) -> None:
        """Close an open archive and delete unpacked files; also done on garbage collection."""
        self._container.close()


def _open_container(given: str | os.PathLike[str] | None) -> "_Folder | ZipPictures | TarPictures":
    """Return the folder or archive at `given`; raise `UserError` if it cannot be read."""
    if given is None or str(given) in ("", "???"):
        raise UserError(
            "data=folder needs the location of the pictures: "
            "add data.path=FOLDER (or a .zip, .tar, .tar.gz)"
        )
    path = Path(str(given))
    fix = "use a folder or an archive of pictures"
    with explain_os_error(f"data.path={given} cannot be used", fix):
        mode = path.stat().st_mode
        path = path.resolve()
        head = _read_head(path) if stat.S_ISREG(mode) else b""
    if stat.S_ISDIR(mode):
        return _Folder(path)
    if PART.search(path.name):
        raise split_archive(path, f"cat {path.stem}.* > {path.stem}")
    if head.startswith(ZIP_SIGNATURES) or (stat.S_ISREG(mode) and path.suffix.lower() == ".zip"):
        return ZipPictures(path)
    if is_tar(head) or (stat.S_ISREG(mode) and TAR_NAME.search(path.name)):
        return TarPictures(path)
    raise UserError(
        f"data.path={given} is neither a folder nor a supported archive\n"
        "(.zip, .tar, .tar.gz, .tgz, .tar.bz2, .tar.xz)"
    )


def _read_head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


class _Folder:
    """The pictures below a folder; its identity digests every name, size and modification time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        selection = Selection()
        found = sorted(
            (name, status)
            for name, status in _walk(path)
            if selection.admits(name, partial(_read_head, path / name))
        )
        if not found:
            raise no_pictures(path, selection)
        self.passed_over = selection.passed_over
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
        check_size(self.size(index))
        return (self.path / self.names[index]).open("rb")

    def size(self, index: int) -> int:
        return (self.path / self.names[index]).stat().st_size

    def close(self) -> None:
        """Do nothing: no file stays open."""


def _walk(folder: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the relative name of each file below `folder`, its size in bytes and mtime in ns.

    Links are followed, but each real folder is entered once, so that loops of links end. Broken
    links, pipes and devices are skipped. Raises `UserError` for folders that cannot be listed or
    entered.
    """
    entered: set[Path] = set()
    pending = [""]
    while pending:
        prefix = pending.pop()
        with explain_os_error(f"{folder / prefix} cannot be listed", "make it readable"):
            real = (folder / prefix).resolve()
            if real in entered:
                continue
            entered.add(real)
            with os.scandir(real) as entries:
                children = sorted(entries, key=lambda entry: entry.name, reverse=True)
        for child in children:
            try:
                status = child.stat()
            except PermissionError as error:
                raise UserError(
                    f"{folder / prefix / child.name} cannot be read ({reason_of(error)}): make it "
                    "readable, or remove it"
                ) from None
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                yield prefix + child.name, (status.st_size, status.st_mtime_ns)
            elif stat.S_ISDIR(status.st_mode) and not is_junk(child.name):
                pending.append(f"{prefix}{child.name}/")
