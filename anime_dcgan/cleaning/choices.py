"""A person's decisions about individual pictures: "keep" or "drop", by digest of the pixels."""

import json
from pathlib import Path

from anime_dcgan.system.errors import UserError

CHOICES = ("keep", "drop")


def read_choices(path: Path) -> dict[str, str]:
    """Return "keep" or "drop" by key from a `review.json`; raise `UserError` if it is not one."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        reason = error.strerror or error
        raise UserError(
            f"review={path} cannot be read: {reason}; pass the review.json that the page saved"
        ) from None
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"review={path} is not valid JSON ({error}): save it again from the page"
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
