"""Checks of the settings in `conf/train.yaml` that no constructor receives."""

from omegaconf import DictConfig

from anime_dcgan.cli.checks import (
    Check,
    Text,
    boolean,
    check_command,
    file_path,
    integer,
    node,
    nodes,
    optional,
)
from anime_dcgan.cli.signatures import check_settings

MAX_SEED = 2**63 - 1

CHECKS: dict[str, Check] = {
    "seed": integer(0, MAX_SEED),
    "run": Text("the name of a folder below outputs/", "first", is_path=True),
    "run_dir": file_path("outputs/first"),
    "ckpt_path": optional(file_path("last")),
    "preview": boolean(),
    **{group: node() for group in ("gan", "datamodule", "trainer", "model", "data", "optimizer")},
    **{group: optional(node()) for group in ("metric", "equilibrium", "loss", "schedule")},
    **{group: optional(nodes()) for group in ("callbacks", "logger")},
}


def check_training(config: DictConfig) -> None:
    """Raise `UserError` for a setting of a training that cannot be used."""
    check_settings(config)
    check_command(config, CHECKS)
