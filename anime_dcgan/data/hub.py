"""Faces of a public data set on the Hugging Face hub, downloaded once: `data=anime_faces`.

One archive of pictures is downloaded and read in place; no code from the hub is run.
"""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from anime_dcgan.data.folder import FolderFaces
from anime_dcgan.data.hub_download import fetch_archive
from anime_dcgan.data.hub_repository import ArchiveInfo, Repository
from anime_dcgan.system.errors import UserError


@dataclass(frozen=True)
class _OpenArchive:
    """The downloaded archive; face `index` is its picture `indices[index]`."""

    info: ArchiveInfo
    archive: Path
    pictures: FolderFaces
    indices: list[int]


class HubFaces:
    """The distinct pictures in an archive of a public data set, sorted by name.

    Nothing is downloaded before the first use; pickling counts as a use, so that workers only read.
    If several pictures in a .zip have the same bytes (the same CRC-32 and length), the first is
    kept: the archive of `huggan/anime-faces` has each face in two folders. Raises `UserError` on
    first use if the hub, the archive or the local folder cannot be used.

    Parameters:
        repo: owner/name of the data set.
        revision: commit, tag or branch; a branch stays as it was when downloaded.
        file: path of the archive in the repository; null is the only archive in its top folder.
        cache_dir: folder of the download; null is `assets/` in the hub's cache (see HF_HOME).
        endpoint: address of the hub; null is HF_ENDPOINT, or else https://huggingface.co.
    """

    def __init__(
        self,
        repo: str,
        revision: str = "main",
        file: str | None = None,
        cache_dir: str | None = None,
        endpoint: str | None = None,
    ) -> None:
        self._repository = Repository(repo, revision, file, endpoint)
        self._cache_dir = cache_dir
        self._download = True
        self._faces: _OpenArchive | None = None

    def kept_in(self, cache_dir: str | None, download: bool) -> "HubFaces":
        """Return the same faces, kept in another folder; downloaded there only with `download`."""
        repository = self._repository
        faces = HubFaces(repository.repo, repository.revision, repository.file, cache_dir)
        faces._download = download
        return faces

    def __getstate__(self) -> dict[str, object]:
        self._open()
        return self.__dict__

    def __len__(self) -> int:
        return len(self._open().indices)

    def name(self, index: int) -> str:
        """Return the path of the picture inside the archive."""
        faces = self._open()
        return faces.pictures.name(faces.indices[index])

    def read(self, index: int, image_size: int) -> Image.Image:
        """Return the first frame: upright, centre square, RGB, `image_size` px."""
        faces = self._open()
        return faces.pictures.read(faces.indices[index], image_size)

    def picture(self, index: int) -> Image.Image:
        """Return the first frame: upright, RGB, uncropped, in its own size."""
        faces = self._open()
        return faces.pictures.picture(faces.indices[index])

    def bytes(self, index: int) -> int:
        """Return the uncompressed length of the member."""
        faces = self._open()
        return faces.pictures.bytes(faces.indices[index])

    def classes(self, labels: str) -> list[str]:
        """Return the class of each picture, as `FolderFaces.classes` of the archive does."""
        faces = self._open()
        classes = faces.pictures.classes(labels)
        return [classes[index] for index in faces.indices]

    @property
    def archive(self) -> Path:
        """Path of the downloaded archive."""
        return self._open().archive

    def identity(self) -> dict[str, object]:
        """Return repository, commit, file and checksum, independent of the local path."""
        info = self._open().info
        return {
            "kind": "hub",
            "repo": self._repository.repo,
            "revision": info.commit,
            "file": info.file,
            "sha256": info.sha256,
            "copies": "left out",
        }

    def _open(self) -> _OpenArchive:
        if self._faces is None:
            folder, info = fetch_archive(self._repository, self._cache_dir, self._download)
            path = info.path(folder)
            with _renamed_errors(f"{info.file} of {self._repository.repo}", path):
                pictures = FolderFaces(path)
                self._faces = _OpenArchive(info, path, pictures, _distinct_pictures(pictures, path))
        return self._faces


def _distinct_pictures(pictures: FolderFaces, archive: Path) -> list[int]:
    """Return the first picture of each content in a .zip, or all pictures of a .tar."""
    if archive.suffix != ".zip":
        return list(range(len(pictures)))
    with zipfile.ZipFile(archive) as opened:
        contents = {member.filename: (member.CRC, member.file_size) for member in opened.infolist()}
    first: dict[tuple[int, int], int] = {}
    for index in range(len(pictures)):
        first.setdefault(contents[pictures.name(index)], index)
    return list(first.values())


@contextmanager
def _renamed_errors(name: str, path: Path) -> Iterator[None]:
    """Name the downloaded archive in the errors of `FolderFaces`, instead of `data.path=...`."""
    try:
        yield
    except UserError as error:
        message = str(error).replace(f"data.path={path.resolve()}", name)
        raise UserError(message.replace(f"data.path={path}", name)) from error
