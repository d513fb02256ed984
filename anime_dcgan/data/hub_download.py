"""The download of an archive from the hub: once, resumed, verified, and recorded.

The archive is renamed into place once its SHA-256 matches the hub's, and a record next to it
describes it, so that later processes need no network.
"""

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

from anime_dcgan.data.hub_repository import ArchiveInfo, Repository
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.files import write_json


def fetch_archive(
    repository: Repository, cache_dir: str | None, download: bool = True
) -> tuple[Path, ArchiveInfo]:
    """Return the folder and description of the archive; at most one process downloads it.

    Without `download`, raises `UserError` if it is not there yet, and opens no connection.
    """
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
        if not download:
            raise UserError(
                f"{repository.repo} is not in {folder}: use data.fetch=true to download it, or "
                "data.fetch_dir=FOLDER where it is kept"
            )
        with FileLock(folder / ".lock"):
            info = _read_record(record)
            if info is None:
                info = _download_into(folder, repository)
                write_json(record, asdict(info))
        return folder, info


def _read_record(record: Path) -> ArchiveInfo | None:
    """Return the description of a complete local archive, or None."""
    try:
        info = ArchiveInfo(**json.loads(record.read_text(encoding="utf-8")))
        return info if info.path(record.parent).stat().st_size == info.size else None
    except (OSError, ValueError, TypeError):
        return None


def _download_into(folder: Path, repository: Repository) -> ArchiveInfo:
    """Look up, announce, download and verify the archive; then `ArchiveInfo.path` exists."""
    info, licence = repository.look_up()
    path = info.path(folder)
    partial = folder / f"{info.sha256}.incomplete"
    done = partial.stat().st_size if partial.is_file() else 0
    if done > info.size:
        partial.unlink()
        done = 0
    _check_space(folder, info.size - done)
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


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{folder} has {_format_size(free)} free, but the download needs "
            f"{_format_size(needed)}: free some space, or use data.fetch_dir=FOLDER"
        )


def _announce(
    repository: Repository,
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
