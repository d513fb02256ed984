"""Faces of a public data set on the Hugging Face hub, fetched once: `data=anime_faces`.

One archive of pictures is fetched and read in place, as data; nothing of the hub is run. It gets
its name when its SHA-256 is the one that the hub keeps of it, and a record beside it then says what
it is, so that no later process asks the hub again. A broken download is gone on with.

The library's `hf_hub_download` deletes what a broken download left (seen in huggingface_hub 1.33 to
2.4), so its `http_get` is used, with a partial file of ours.
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
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.files import write_json

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

ARCHIVE_ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

SHA256 = re.compile(r"[0-9a-f]{64}")

HASHED_BYTES = 2**20

ANSWER_SECONDS = 10


@dataclass(frozen=True)
class Offer:
    """What the hub says of an archive."""

    commit: str
    file: str
    """Its path in the repository."""
    size: int
    """Bytes."""
    sha256: str

    def __post_init__(self) -> None:
        if not (SHA256.fullmatch(self.sha256) and _ending(self.file)):
            raise ValueError(f"{self} is no archive with a checksum")

    def path(self, folder: Path) -> Path:
        """Where it is kept: a name made of its checksum, whatever the hub calls it."""
        return folder / f"{self.sha256}{_ending(self.file)}"


def _ending(file: str) -> str:
    """The one of `ARCHIVE_ENDINGS` that a name has; empty if none."""
    return next((ending for ending in ARCHIVE_ENDINGS if file.lower().endswith(ending)), "")


@dataclass(frozen=True)
class _Opened:
    """The fetched archive; face `index` is its picture `places[index]`."""

    offer: Offer
    archive: Path
    pictures: FolderFaces
    places: list[int]


class HubFaces:
    """The pictures in an archive of a public data set, each once, in the order of their names.

    Nothing is fetched before the first need; pickling counts as need, so that workers only read.
    Of pictures in a .zip with the same bytes (the same CRC-32 and length) the first is kept: the
    archive of `huggan/anime-faces` holds each face in two folders. Raises `UserError` on first need
    where the hub, the archive or its place on the disk cannot be used.

    Parameters:
        repo: owner/name of the data set.
        revision: a commit, tag or branch; a branch stays what it was when it was fetched.
        file: path of the archive in the repository; null is the only one in its top folder.
        cache_dir: where it is kept; null is `assets/` in the hub's cache (see HF_HOME).
        endpoint: the hub's address; null is HF_ENDPOINT, or else https://huggingface.co.
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
        self._faces: _Opened | None = None

    def __getstate__(self) -> dict[str, object]:
        self._open()
        return self.__dict__

    def __len__(self) -> int:
        return len(self._open().places)

    def name(self, index: int) -> str:
        """The path of the picture inside the archive."""
        faces = self._open()
        return faces.pictures.name(faces.places[index])

    def read(self, index: int, image_size: int) -> Image.Image:
        """The first frame, upright, centre square, RGB, `image_size` px; raises `Unreadable`."""
        faces = self._open()
        return faces.pictures.read(faces.places[index], image_size)

    def picture(self, index: int) -> Image.Image:
        """The first frame, upright, RGB, whole and in its own size; raises `Unreadable`."""
        faces = self._open()
        return faces.pictures.picture(faces.places[index])

    def bytes(self, index: int) -> int:
        """Length of the member once it is unpacked."""
        faces = self._open()
        return faces.pictures.bytes(faces.places[index])

    @property
    def archive(self) -> Path:
        """Where the fetched archive lies."""
        return self._open().archive

    def identity(self) -> dict[str, object]:
        """Repository, commit, file and checksum: the same wherever the archive is kept."""
        offer = self._open().offer
        return {
            "kind": "hub",
            "repo": self._repository.repo,
            "revision": offer.commit,
            "file": offer.file,
            "sha256": offer.sha256,
            "copies": "left out",
        }

    def _open(self) -> _Opened:
        if self._faces is None:
            folder, offer = _fetch(self._repository, self._cache_dir)
            path = offer.path(folder)
            with _named_after(f"{offer.file} of {self._repository.repo}", path):
                pictures = FolderFaces(path)
                self._faces = _Opened(offer, path, pictures, _distinct(pictures, path))
        return self._faces


def _distinct(pictures: FolderFaces, archive: Path) -> list[int]:
    """The first of all pictures of a .zip with the same bytes; every picture of a .tar."""
    if archive.suffix != ".zip":
        return list(range(len(pictures)))
    with zipfile.ZipFile(archive) as opened:
        contents = {member.filename: (member.CRC, member.file_size) for member in opened.infolist()}
    first: dict[tuple[int, int], int] = {}
    for index in range(len(pictures)):
        first.setdefault(contents[pictures.name(index)], index)
    return list(first.values())


@contextmanager
def _named_after(called: str, path: Path) -> Iterator[None]:
    """What `FolderFaces` says of `data.path=...`, said of the archive that was fetched."""
    try:
        yield
    except UserError as error:
        message = str(error).replace(f"data.path={path.resolve()}", called)
        raise UserError(message.replace(f"data.path={path}", called)) from error


def _fetch(repository: "_Repository", cache_dir: str | None) -> tuple[Path, Offer]:
    """The folder that the archive lies in, and what it is; fetched by one process, if by any."""
    with repository.errors():
        from filelock import FileLock
        from huggingface_hub import cached_assets_path

        namespace, revision = (
            quote(part, safe="") for part in (repository.repo, repository.revision)
        )
        folder = cached_assets_path("anime_dcgan", namespace, revision, assets_dir=cache_dir)
        record = folder / f"{quote(repository.file or 'archive', safe='')}.json"
        offer = _recorded(record)
        if offer is not None:
            return folder, offer
        with FileLock(folder / ".lock"):
            offer = _recorded(record)
            if offer is None:
                offer = _fetch_into(folder, repository)
                write_json(record, asdict(offer))
        return folder, offer


def _recorded(record: Path) -> Offer | None:
    """What was fetched, or None where it is not there, or no longer whole."""
    try:
        offer = Offer(**json.loads(record.read_text(encoding="utf-8")))
        return offer if offer.path(record.parent).stat().st_size == offer.size else None
    except (OSError, ValueError, TypeError):
        return None


def _fetch_into(folder: Path, repository: "_Repository") -> Offer:
    """Ask the hub, tell the user, and download: `Offer.path` is there afterwards, and checked."""
    offer, licence = repository.look_up()
    path = offer.path(folder)
    partial = folder / f"{offer.sha256}.incomplete"
    done = partial.stat().st_size if partial.is_file() else 0
    if done > offer.size:
        partial.unlink()
        done = 0
    _check_room(folder, offer.size - done)
    _tell(repository, offer, licence, done, folder)
    repository.download(offer, partial)
    if _sha256(partial) != offer.sha256:
        partial.unlink()
        raise UserError(
            f"{offer.file} of {repository.repo} arrived with another SHA-256 than the hub keeps of "
            "it, and was deleted:\nrun the command again; if that does not help, something on the "
            "way changes it (a proxy, a mirror: HF_ENDPOINT)"
        )
    partial.replace(path)
    return offer


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{folder} has {_megabytes(free)} free, and {_megabytes(needed)} are to be fetched: "
            "make room, or use data.fetch_dir=FOLDER"
        )


def _tell(
    repository: "_Repository", offer: Offer, licence: str | None, done: int, folder: Path
) -> None:
    """Size and licence before the first byte; where a broken download goes on, only that."""
    called = f"{offer.file} of {repository.repo}"
    if done:
        log(f"going on with {called} at {_megabytes(done)} of {_megabytes(offer.size)}")
        return
    log(f"fetching {called} once, {_megabytes(offer.size)}, into {folder}")
    card = f"its card says {licence}" if licence else "its card says nothing"
    log(
        f"licence unclear: {card}, but drawings belong to their artists; "
        "mind that before you pass on any"
    )


def _megabytes(size: int) -> str:
    """Such as 462 MB, of a million bytes each."""
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size:,} bytes"


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASHED_BYTES):
            digest.update(block)
    return digest.hexdigest()


@dataclass(frozen=True)
class _Repository:
    """A revision of a data set on the hub: all that goes over the network, without any token."""

    repo: str
    revision: str
    file: str | None
    endpoint: str | None

    def look_up(self) -> tuple[Offer, str | None]:
        """The archive that is meant, and the licence that the card names."""
        from huggingface_hub import HfApi

        api = HfApi(endpoint=self.endpoint, token=False)
        info = api.dataset_info(
            self.repo, revision=self.revision, timeout=ANSWER_SECONDS, expand=["sha", "cardData"]
        )
        commit = info.sha or self.revision
        archive = self._archive(self._files(api, commit))
        if archive.lfs is None:
            raise UserError(
                f"the hub keeps no SHA-256 of {archive.path} in {self.repo} (it is not in LFS), so "
                "it cannot be checked: fetch it yourself and use data=folder data.path=... "
                "(source=... to prepare)"
            )
        offer = Offer(commit, archive.path, archive.lfs.size, archive.lfs.sha256)
        licence = info.card_data.get("license") if info.card_data else None
        return offer, ", ".join(licence) if isinstance(licence, list) else licence

    def _files(self, api: "HfApi", commit: str) -> "list[RepoFile]":
        """`file` if it is given and there, else the files of the top folder."""
        from huggingface_hub.hf_api import RepoFile

        if self.file is None:
            found = api.list_repo_tree(self.repo, revision=commit, repo_type="dataset")
        else:
            found = api.get_paths_info(self.repo, [self.file], revision=commit, repo_type="dataset")
        return [entry for entry in found if isinstance(entry, RepoFile)]

    def _archive(self, files: "list[RepoFile]") -> "RepoFile":
        """The one archive among `files`."""
        archives = [file for file in files if _ending(file.path)]
        if len(archives) == 1:
            return archives[0]
        if archives:
            names = ", ".join(archive.path for archive in archives)
            raise UserError(f"{self.repo} holds several archives: use data.file= one of {names}")
        looked_for = f"data.file={self.file}" if self.file else "archive in its top folder"
        raise UserError(
            f"{self.repo} at data.revision={self.revision} has no {looked_for} that can be read\n"
            f"({', '.join(ARCHIVE_ENDINGS)})"
        )

    def download(self, offer: Offer, partial: Path) -> None:
        """Append what `partial` lacks; if that breaks, it keeps all but the last 10 MB at most."""
        from huggingface_hub import hf_hub_url
        from huggingface_hub.file_download import http_get

        url = hf_hub_url(
            self.repo,
            offer.file,
            repo_type="dataset",
            revision=offer.commit,
            endpoint=self.endpoint,
        )
        with partial.open("ab") as file:
            http_get(
                url,
                file,
                resume_size=file.tell(),
                headers={"Accept-Encoding": "identity"},
                expected_size=offer.size,
                displayed_filename=offer.file,
            )

    @contextmanager
    def errors(self) -> Iterator[None]:
        """What the library and the network raise, as a `UserError`."""
        try:
            import httpx2
            from huggingface_hub import errors
        except ImportError:
            raise UserError(
                'data=anime_faces needs a package more: pip install "anime_dcgan[hub]"'
            ) from None
        try:
            yield
        except errors.RepositoryNotFoundError as error:
            raise UserError(
                f"data.repo={self.repo} is no public data set of {self._address()}: "
                "look for a typing mistake"
            ) from error
        except errors.RevisionNotFoundError as error:
            raise UserError(
                f"data.revision={self.revision} is no commit, tag or branch of {self.repo}: "
                "use data.revision=main"
            ) from error
        except errors.HFValidationError as error:
            raise UserError(f"data.repo={self.repo} is no name: give owner/name") from error
        except UserError:
            raise
        except (httpx2.HTTPError, OSError, ValueError) as error:  # ValueError: no hub's answer
            raise UserError(
                f"{self.repo} cannot be fetched from {self._address()} ({_reason(error)}):\n"
                "run the command again to go on with it, or bring faces of your own: "
                "data=folder data.path=... (source=... to prepare)"
            ) from error

    def _address(self) -> str:
        from huggingface_hub import constants

        return self.endpoint or constants.ENDPOINT


def _reason(error: Exception) -> str:
    """The first line of what went wrong."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
