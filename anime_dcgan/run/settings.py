"""Settings that must not change when a run resumes, and settings that distinguish runs."""

from pathlib import Path
from typing import Any

from anime_dcgan.cli.checks import format_value
from anime_dcgan.system.errors import RefusedFileError, UserError
from anime_dcgan.system.reader import read_yaml

CONFIG = "config.yaml"
"""The resolved settings of a run, in its folder."""

Fingerprint = dict[str, dict[str, Any]]

RESUME_CRITICAL = (
    *("model", "loss", "regularizer", "generator_regularizer", "optimizer", "schedule", "ramps"),
    *("augment", "growing", "init", "gan", "seed"),
    *("data.image_size", "data.batch_size", "data.holdout", "data.labels", "data.balance"),
    *("trainer.limit_train_batches", "trainer.overfit_batches"),
    *("data.source.count", "data.source.seed"),  # of drawn faces
)
"""Settings that determine the weights. Budgets, intervals and devices may change.

The location of the faces is not one of them: `check_same_faces` compares their pixels.
"""

EXECUTION_ONLY = (
    *(".fused", ".foreach", ".cuda_graphs", ".recompute", "trainer.threads"),
    "discriminator.weights",
)
"""Suffixes of settings that choose how the same steps are computed.

The path of pretrained weights is one of them: the checkpoint has their SHA-256.
"""

ADDED = {"discriminator.pixel_weight": 1.0}
"""Suffixes of settings that older checkpoints lack, with the value that trains as these were.

A setting that is new and null by default needs no entry.
"""

FOUND_IN_DATA = ("model.labels", "generator.labels", "discriminator.labels")
"""Suffixes of settings that repeat what the data are; `check_same_faces` compares these."""


def check_resumable(saved: dict[str, Any], current: dict[str, Any]) -> None:
    """Raise `UserError` if a resume-critical setting differs from the checkpoint's."""
    old, new = flatten(saved), flatten(current)
    critical = [
        key
        for prefix in RESUME_CRITICAL
        for key in {**old, **new}
        if _is_below(key, prefix) and not key.endswith((*EXECUTION_ONLY, *FOUND_IN_DATA))
    ]
    for key in critical:
        if old.get(key, _before(key)) != new.get(key):
            raise UserError(
                f"the checkpoint was trained with {key}={old.get(key, 'unset')}, not "
                f"{new.get(key, 'unset')}: resume with the overrides of that run (see its "
                "command.txt), or start a new run: another run=..., without ckpt_path"
            )


def _before(key: str) -> Any:
    """Return the value under which runs trained before there was the setting."""
    return next(
        (value for suffix, value in ADDED.items() if f".{key}".endswith(f".{suffix}")), None
    )


def check_same_faces(saved: Fingerprint, current: Fingerprint) -> None:
    """Raise `UserError` if the faces differ from the checkpoint's (see `Faces.fingerprint`)."""
    if difference := describe_difference(saved, current):
        raise UserError(
            f"the checkpoint was trained on other data: there are {difference}. Use the data of "
            "that run, or start a new run: another run=..., without ckpt_path"
        )


def describe_difference(saved: Fingerprint, current: Fingerprint) -> str | None:
    """Return how faces differ from those of a checkpoint; None if they are the same.

    >>> before = {"training": {"count": 400, "pixels": "a", "order": "b"}}
    >>> describe_difference(before, {"training": {"count": 40, "pixels": "c", "order": "d"}})
    '40 training faces instead of 400'
    """
    for part, name in (("training", "training faces"), ("holdout", "held-out faces")):
        old, new = saved.get(part, {}), current.get(part, {})
        if old == new:
            continue
        if old.get("count") != new["count"]:
            return f"{new['count']:,} {name} instead of {old.get('count', 'an unknown number')}"
        if old.get("pixels") != new["pixels"]:
            return f"as many {name}, {new['count']:,}, but not the same ones"
        if old.get("order") != new["order"]:
            return f"the same {new['count']:,} {name} under other names, in another order"
        return f"the same {new['count']:,} {name} with other labels"
    return None


DISTINGUISHING = (
    *("model", "loss", "regularizer", "generator_regularizer", "augment", "growing"),
    *("init", "optimizer", "schedule", "ramps", "gan", "data", "trainer"),
    *("max_kimg", "max_minutes", "seed"),
)
"""Settings that distinguish one run from another."""

REDUNDANT = (
    *("gan.generator", "gan.discriminator", "gan.loss", "gan.regularizer", "gan.augment"),
    *("gan.generator_regularizer", "gan.growing", "gan.freeze"),
    *("gan.optimizer", "gan.schedule", "gan.ramps", "gan.seed", "data.cache_dir"),
    *("data.workers", "data.resident"),
)
"""Settings that repeat others, or that do not change the faces."""


def distinguishing(config: dict[str, Any]) -> dict[str, Any]:
    """Return the flattened settings that distinguish one run from another; lists become text."""
    return {
        key: value if isinstance(value, bool | int | float | str | None) else str(value)
        for key, value in flatten(config).items()
        if any(_is_below(key, prefix) for prefix in DISTINGUISHING)
        and not any(_is_below(key, prefix) for prefix in REDUNDANT)
        and not key.endswith(("._partial_", *EXECUTION_ONLY, *FOUND_IN_DATA))
    }


def _is_below(key: str, prefix: str) -> bool:
    return f"{key}.".startswith(f"{prefix}.")


def read_settings(run: Path) -> dict[str, Any]:
    """Return the resolved settings of a run.

    Raises `FileNotFoundError`, and `RefusedFileError` for anything but settings.
    """
    content = read_yaml(run / CONFIG)
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise RefusedFileError(run / CONFIG, "it holds no settings")
    return content


def flatten(config: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested settings as one level of dotted names.

    >>> flatten({"loss": {"weight": 10}, "seed": 0})
    {'loss.weight': 10, 'seed': 0}
    """
    if not isinstance(config, dict):
        return {prefix: config}
    flat: dict[str, Any] = {}
    for key, value in config.items():
        flat |= flatten(value, f"{prefix}.{key}" if prefix else str(key))
    return flat


def format_setting(value: object) -> str:
    """Return a setting's value as it is typed in an override; classes by their short names."""
    text = f"{value:g}" if isinstance(value, float) else format_value(value)
    return text.rpartition(".")[2] if text.startswith(("anime_dcgan.", "torch.optim.")) else text
