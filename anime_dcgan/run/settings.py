"""Which settings decide what is trained: a run goes on only with the same ones."""

from typing import Any

from anime_dcgan.system.errors import UserError

RESUME_CRITICAL = (
    *("model", "loss", "regularizer", "optimizer", "schedule", "augment", "gan", "seed"),
    *("data.source", "data.image_size", "data.batch_size", "data.holdout"),
    "trainer.limit_train_batches",
)
"""The settings that decide what is trained. Budgets, cadences and devices may change."""

EXECUTION_ONLY = (".fused", ".foreach", ".cuda_graphs")
"""Endings of settings that choose how the same steps are computed."""

UNSAID = {
    **dict.fromkeys(
        ("augment._target_", "gan.augment._target_"), "anime_dcgan.game.augment.Augment"
    ),
    **{f"{place}.discriminator.minibatch_std": 0 for place in ("model", "gan")},
}
"""What checkpoints mean that are older than the setting."""


def check_same(before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise `UserError` where a setting that decides the training differs from the checkpoint's."""
    old, new = UNSAID | flatten(before), UNSAID | flatten(now)
    decisive = [
        key
        for place in RESUME_CRITICAL
        for key in {**old, **new}
        if _is_below(key, place) and not key.endswith(EXECUTION_ONLY)
    ]
    for key in decisive:
        if old.get(key) != new.get(key):
            raise UserError(
                f"the checkpoint was trained with {key}={_said(old, key)}, not "
                f"{_said(new, key)}: go on with the overrides of that run (its command.txt), "
                "or start a new one: another run=..., without ckpt_path"
            )


DISTINGUISHING = (
    *("model", "loss", "regularizer", "augment", "optimizer", "schedule", "gan", "data", "trainer"),
    *("max_kimg", "seed"),
)
REPEATED = (
    *("gan.generator", "gan.discriminator", "gan.loss", "gan.regularizer", "gan.augment"),
    *("gan.optimizer", "gan.schedule", "gan.seed", "data.cache_dir", "data.workers"),
    "data.resident",
)
"""Settings that say again what others say, or that change no face."""


def distinguishing(config: dict[str, Any]) -> dict[str, Any]:
    """The settings by which a person tells two runs apart, flat; lists as text, no repetitions."""
    said = {
        key: value if isinstance(value, bool | int | float | str | None) else str(value)
        for key, value in flatten(config).items()
        if any(_is_below(key, place) for place in DISTINGUISHING)
        and not any(_is_below(key, place) for place in REPEATED)
    }
    return {
        key: value
        for key, value in said.items()
        if not key.endswith(("._partial_", *EXECUTION_ONLY))
    }


def _is_below(key: str, place: str) -> bool:
    return f"{key}.".startswith(f"{place}.")


def flatten(config: Any, place: str = "") -> dict[str, Any]:
    """Nested settings as one level of dotted names.

    >>> flatten({"loss": {"weight": 10}, "seed": 0})
    {'loss.weight': 10, 'seed': 0}
    """
    if not isinstance(config, dict):
        return {place: config}
    flat: dict[str, Any] = {}
    for key, value in config.items():
        flat |= flatten(value, f"{place}.{key}" if place else str(key))
    return flat


def _said(settings: dict[str, Any], key: str) -> str:
    return str(settings[key]) if key in settings else "nothing"
