"""A person's decisions about individual pictures: "keep" or "drop", by digest of the pixels."""

from pathlib import Path

from anime_dcgan.system.errors import RefusedFileError, UserError, reason_of
from anime_dcgan.system.reader import read_json

CHOICES = ("keep", "drop")
MAX_REVIEW_BYTES = 64 * 1024**2  # more than a million choices


def read_choices(path: Path) -> dict[str, str]:
    """Return "keep" or "drop" by key from a `review.json`; raise `UserError` if it is not one."""
    try:
        raw = read_json(path, MAX_REVIEW_BYTES)
    except (FileNotFoundError, RefusedFileError) as error:
        raise UserError(
            f"review={path} cannot be read: {reason_of(error)}; "
            "pass the review.json that the page saved"
        ) from None
    choices = raw.get("choices") if isinstance(raw, dict) else None
    if not isinstance(choices, dict):
        raise UserError(f"review={path} has no `choices`: pass the review.json that the page saved")
    for key, choice in choices.items():
        if choice not in CHOICES:
            raise UserError(
                f"review={path} has the choice {choice!r:.40} for {key:.40}: use keep or drop"
            )
    return choices
