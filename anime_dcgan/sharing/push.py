"""The upload of an exported generator to the Hugging Face hub."""

from pathlib import Path

from anime_dcgan.run.hub import check_repository, hub_errors
from anime_dcgan.system.errors import UserError


def check_push(repo: str) -> None:
    """Raise `UserError` for an invalid name, a missing package or a missing token."""
    setting = f"push={repo}"
    check_repository(repo, setting, "owner/name")
    with hub_errors(setting, repo):
        from huggingface_hub import constants, get_token

        if constants.is_offline_mode():
            raise UserError(f"{setting} needs a network: unset HF_HUB_OFFLINE")
        if get_token() is None:
            raise UserError(
                f"{setting} needs a token of the hub that may write: run `hf auth login`, or set "
                "HF_TOKEN"
            )


def push(folder: Path, repo: str, private: bool, files: frozenset[str]) -> str:
    """Upload these files of a folder in one commit, and return the address of the repository.

    The repository is made if there is none. Raises `UserError`; the folder stays.
    """
    with hub_errors(f"push={repo}", repo):
        from huggingface_hub import HfApi

        api = HfApi(library_name="anime_dcgan")
        url = api.create_repo(repo, private=private or None, exist_ok=True)
        api.upload_folder(
            repo_id=repo,
            folder_path=folder,
            allow_patterns=sorted(files),
            commit_message="Upload a generator exported by anime_dcgan",
        )
    return str(url)
