"""Faces of a public data set on the Hugging Face hub, downloaded once: `data=anime_faces`.

One archive of pictures is downloaded and read in place; no code from the hub is run. The archive is
renamed into place once its SHA-256 matches the hub's, and a record next to it describes it, so that
later processes need no network. An interrupted download is resumed.

The library's `hf_hub_download` deletes the partial file of an interrupted download (seen in
huggingface_hub 1.33 to 2.4), so its `http_get` is used with a partial file of our own.
"""

import hashlib
import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from PIL import Image

from anime_dcgan.data.folder import FolderFaces
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError, first_line
from anime_dcgan.system.files import write_json

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

ARCHIVE_EXTENSIONS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

SHA256 = re.compile(r"[0-9a-f]{64}")

TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class ArchiveInfo:
    """The description of an archive on the hub."""

    commit: str
    file: str
    """Its path in the repository."""
    size: int
    """Bytes."""
    sha256: str

    def __post_init__(self) -> None:
        if not (SHA256.fullmatch(self.sha256) and _extension(self.file)):
            raise ValueError(f"{self} is not an archive with a checksum")

    def path(self, folder: Path) -> Path:
        """Return its local path, named by its checksum, whatever its name on the hub."""
        return folder / f"{self.sha256}{_extension(self.file)}"


def _extension(file: str) -> str:
    """Return the extension of an archive's name, or an empty string if it is not an archive."""
    return next(
        (extension for extension in ARCHIVE_EXTENSIONS if file.lower().endswith(extension)), ""
    )


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
        self._repository = _Repository(repo, revision, file, endpoint)
        self._cache_dir = cache_dir
        self._faces: _OpenArchive | None = None

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
            folder, info = _fetch(self._repository, self._cache_dir)
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


def _fetch(repository: "_Repository", cache_dir: str | None) -> tuple[Path, ArchiveInfo]:
    """Return the folder and description of the archive; at most one process downloads it."""
    with repository.errors():
        from filelock import FileLock
        from huggingface_hub import cached_assets_path

        namespace, revision = (
            quote(part, safe="") for part in (repository.repo, repository.revision)
        )
        folder = cached_assets_path("anime_dcgan", namespace, revision, assets_dir=cache_dir)
        record = folder / f"{quote(repository.file or 'archive', safe='')}.json"
        info = _read_record(record)
        if info is not None:
            return folder, info
        with FileLock(folder / ".lock"):
            info = _read_record(record)
            if info is None:
                info = _fetch_into(folder, repository)
                write_json(record, asdict(info))
        return folder, info


def _read_record(record: Path) -> ArchiveInfo | None:
    """Return the description of a complete local archive, or None."""
    try:
        info = ArchiveInfo(**json.loads(record.read_text(encoding="utf-8")))
        return info if info.path(record.parent).stat().st_size == info.size else None
    except (OSError, ValueError, TypeError):
        return None


def _fetch_into(folder: Path, repository: "_Repository") -> ArchiveInfo:
    """Look up, announce, download and verify the archive; then `ArchiveInfo.path` exists."""
    info, licence = repository.look_up()
    path = info.path(folder)
    partial = folder / f"{info.sha256}.incomplete"
    done = partial.stat().st_size if partial.is_file() else 0
    if done > info.size:
        partial.unlink()
        done = 0
    _check_room(folder, info.size - done)
    _announce(repository, info, licence, done, folder)
    repository.download(info, partial)
    if _sha256(partial) != info.sha256:
        partial.unlink()
        raise UserError(
            f"{info.file} of {repository.repo} does not have the SHA-256 that the hub states "
            "and was deleted:\nrun the command again; if that does not help, a proxy or mirror "
            "(HF_ENDPOINT) may be modifying it"
        )
    partial.replace(path)
    return info


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{folder} has {_format_size(free)} free, but the download needs "
            f"{_format_size(needed)}: free some space, or use data.fetch_dir=FOLDER"
        )


def _announce(
    repository: "_Repository",
    info: ArchiveInfo,
    licence: str | None,
    done: int,
    folder: Path,
) -> None:
    """Log size and licence before a download, or that an interrupted one is resumed."""
    name = f"{info.file} of {repository.repo}"
    if done:
        log(f"resuming {name} at {_format_size(done)} of {_format_size(info.size)}")
        return
    log(f"downloading {name} once, {_format_size(info.size)}, into {folder}")
    card = f"its card states {licence}" if licence else "its card states none"
    log(
        f"licence unclear: {card}, but drawings belong to their artists; "
        "consider that before you share any"
    )


def _format_size(size: int) -> str:
    """Return a size such as 462 MB, of a million bytes each."""
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size:,} bytes"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class _Repository:
    """A revision of a data set on the hub; all network access, without any token."""

    repo: str
    revision: str
    file: str | None
    endpoint: str | None

    def look_up(self) -> tuple[ArchiveInfo, str | None]:
        """Return the requested archive, and the licence on the data set's card."""
        from huggingface_hub import HfApi

        api = HfApi(endpoint=self.endpoint, token=False)
        data_set = api.dataset_info(
            self.repo, revision=self.revision, timeout=TIMEOUT_SECONDS, expand=["sha", "cardData"]
        )
        commit = data_set.sha or self.revision
        archive = self._archive(self._files(api, commit))
        if archive.lfs is None:
            raise UserError(
                f"{archive.path} in {self.repo} cannot be verified, since the hub has no SHA-256 "
                "of it (it is not in LFS): download it yourself and use data=folder data.path=... "
                "(source=... to prepare)"
            )
        info = ArchiveInfo(commit, archive.path, archive.lfs.size, archive.lfs.sha256)
        licence = data_set.card_data.get("license") if data_set.card_data else None
        return info, ", ".join(licence) if isinstance(licence, list) else licence

    def _files(self, api: "HfApi", commit: str) -> "list[RepoFile]":
        """Return `file` if it exists, or the files of the top folder if `file` is None."""
        from huggingface_hub.hf_api import RepoFile

        if self.file is None:
            found = api.list_repo_tree(self.repo, revision=commit, repo_type="dataset")
        else:
            found = api.get_paths_info(self.repo, [self.file], revision=commit, repo_type="dataset")
        return [entry for entry in found if isinstance(entry, RepoFile)]

    def _archive(self, files: "list[RepoFile]") -> "RepoFile":
        """Return the only archive among `files`."""
        archives = [file for file in files if _extension(file.path)]
        if len(archives) == 1:
            return archives[0]
        if archives:
            names = ", ".join(archive.path for archive in archives)
            raise UserError(f"{self.repo} has several archives: use data.file= one of {names}")
        expected = f"data.file={self.file}" if self.file else "archive in its top folder"
        raise UserError(
            f"{self.repo} at data.revision={self.revision} has no {expected} that can be read\n"
            f"({', '.join(ARCHIVE_EXTENSIONS)})"
        )

    def download(self, info: ArchiveInfo, partial: Path) -> None:
        """Append the missing bytes to `partial`; an interruption loses at most the last 10 MB."""
        from huggingface_hub import hf_hub_url
        from huggingface_hub.file_download import http_get

        url = hf_hub_url(
            self.repo,
            info.file,
            repo_type="dataset",
            revision=info.commit,
            endpoint=self.endpoint,
        )
        with partial.open("ab") as file:
            http_get(
                url,
                file,
                resume_size=file.tell(),
                headers={"Accept-Encoding": "identity"},
                expected_size=info.size,
                displayed_filename=info.file,
            )

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn the exceptions of the library and the network into a `UserError`."""
        try:
            import httpx2
            from huggingface_hub import errors
        except ImportError:
            raise UserError(
                'data=anime_faces needs another package: pip install "anime_dcgan[hub]"'
            ) from None
        try:
            yield
        except errors.RepositoryNotFoundError as error:
            raise UserError(
                f"data.repo={self.repo} is not a public data set on {self._address()}: "
                "check the spelling"
            ) from error
        except errors.RevisionNotFoundError as error:
            raise UserError(
                f"data.revision={self.revision} is not a commit, tag or branch of {self.repo}: "
                "use data.revision=main"
            ) from error
        except errors.HFValidationError as error:
            raise UserError(f"data.repo={self.repo} is not a valid name: use owner/name") from error
        except UserError:
            raise
        except (httpx2.HTTPError, OSError, ValueError) as error:  # ValueError: not a hub's response
            raise UserError(
                f"{self.repo} cannot be fetched from {self._address()} ({first_line(error)}):\n"
                "run the command again to resume, or use your own faces: "
                "data=folder data.path=... (source=... to prepare)"
            ) from error

    def _address(self) -> str:
        from huggingface_hub import constants

        return self.endpoint or constants.ENDPOINT
