"""Exported generators on the Hugging Face hub: `run=hub:owner/name` downloads one, once.

The hub's own library keeps them in its cache, and finds them there without a network. Only the two
files that are read are downloaded.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anime_dcgan.run.exported import DESCRIPTION, MAX_WEIGHTS_BYTES, WEIGHTS
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError, first_line, needs_extra
from anime_dcgan.system.files import atomic_write

PREFIX = "hub:"
REPOSITORY = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}", re.ASCII)
FILES: list[str] = [DESCRIPTION, WEIGHTS]


def is_on_hub(run: str) -> bool:
    """Return True if the name of a run is that of a repository on the hub."""
    return run.startswith(PREFIX)


def fetch(run: str, setting: str) -> Path:
    """Return the folder of an exported generator on the hub, downloaded if it has changed.

    Parameters:
        run: `hub:owner/name`, or `hub:owner/name@revision` for a commit, tag or branch.
        setting: the override that names it, for messages.
    """
    repo, _, revision = run.removeprefix(PREFIX).partition("@")
    check_repository(repo, setting, f"{PREFIX}owner/name")
    if ".." in revision:  # no revision of git has it, but a path does
        raise UserError(f"{setting}: {repo} has no such commit, tag or branch: leave out @...")
    with hub_errors(setting, repo):
        from huggingface_hub import snapshot_download

        _check_sizes(repo, revision or None, setting)
        options: Any = {"allow_patterns": FILES, "tqdm_class": _silent_bar()}
        return Path(snapshot_download(repo, revision=revision or None, **options))


def fetch_below(run: str, setting: str, outputs: Path) -> Path:
    """Return the folder of an exported generator on the hub, copied below that of all runs.

    The studio needs it there: the cache has links, and its folders are named by commits.
    """
    source = fetch(run, setting)
    folder = outputs / "hub" / run.removeprefix(PREFIX)
    with atomic_write(folder) as partial:
        partial.mkdir()
        for name in FILES:
            shutil.copyfile(source / name, partial / name)
    return folder


def check_repository(repo: str, setting: str, example: str) -> None:
    """Raise `UserError` unless `repo` is owner/name."""
    if not REPOSITORY.fullmatch(repo) or ".." in repo or "--" in repo:
        name = setting.partition("=")[0]
        raise UserError(f"{setting} is not a repository of the hub: use {name}={example}")


def _check_sizes(repo: str, revision: str | None, setting: str) -> None:
    """Refuse a repository without the files, or with huge ones; log what will be downloaded."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import DryRunError

    options: Any = {"allow_patterns": FILES, "tqdm_class": _silent_bar()}
    try:
        found = snapshot_download(repo, revision=revision, dry_run=True, **options)
    except DryRunError:  # without a network, or without access: the copy in the cache is used
        return
    sizes = {file.filename: file.file_size or 0 for file in found}
    if missing := [name for name in FILES if name not in sizes]:
        raise UserError(
            f"{setting} has no {missing[0]}: it is not a generator exported by anime_dcgan"
        )
    if max(sizes.values()) > MAX_WEIGHTS_BYTES:
        limit = f"{MAX_WEIGHTS_BYTES / 1e9:.0f} GB"
        raise UserError(f"{setting} is refused: it has a file of more than {limit}")
    if any(file.will_download for file in found):
        log(f"downloading {repo} from the hub once, {sum(sizes.values()) / 1e6:.1f} MB")


def _silent_bar() -> type:
    """Return a class of progress bars that count files in silence; each download has its own."""
    from huggingface_hub.utils import tqdm

    class Silent(tqdm):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{**options, "disable": True})

    return Silent


@contextmanager
def hub_errors(setting: str, repo: str) -> Iterator[None]:
    """Raise the exceptions of the hub's library and of the network as `UserError`."""
    try:
        import httpx2
        from huggingface_hub import errors
    except ImportError:
        raise needs_extra(setting, "hub") from None
    try:
        yield
    except errors.RepositoryNotFoundError:
        raise UserError(
            f"{setting}: there is no {repo} on {_address()}, or it is private: check the spelling, "
            "or set HF_TOKEN to a token that may read it"
        ) from None
    except errors.RevisionNotFoundError:
        raise UserError(
            f"{setting}: {repo} has no such commit, tag or branch: leave out @..."
        ) from None
    except errors.HfHubHTTPError as error:
        raise UserError(f"{setting}: {_describe(error)}") from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, httpx2.HTTPError) as error:
        raise UserError(
            f"{setting}: {_address()} cannot be reached ({first_line(error)}):\n"
            "check the network and HF_HUB_OFFLINE, or use a folder"
        ) from None
    except UserError:
        raise
    except (OSError, ValueError) as error:  # of the cache, or not a hub's response
        raise UserError(f"{setting}: {repo} cannot be used ({first_line(error)})") from None


def _describe(error: Exception) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return (
            f"{_address()} refuses this token (status {status}): set HF_TOKEN to one that may read "
            "and write there, or run `hf auth login`"
        )
    return f"{_address()} answers with an error ({first_line(error)}): run the command again"


def _address() -> str:
    from huggingface_hub import constants

    return constants.ENDPOINT
