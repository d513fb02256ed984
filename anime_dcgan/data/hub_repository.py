"""A data set on the Hugging Face hub: all network access, with its errors.

The library's `hf_hub_download` deletes the partial file of an interrupted download (seen in
huggingface_hub 1.33 to 2.4), so its `http_get` is used with a partial file of our own.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from anime_dcgan.system.errors import UserError, first_line, needs_extra

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile


ARCHIVE_EXTENSIONS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

SHA256 = re.compile(r"[0-9a-f]{64}")

TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class ArchiveInfo:
    """An archive on the hub, as the hub describes it."""

    commit: str
    file: str
    """Path in the repository."""
    size: int
    """Size in bytes."""
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
class Repository:
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
            raise needs_extra("data=anime_faces", "hub") from None
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
