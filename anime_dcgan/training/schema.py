"""Checks of the settings in `conf/train.yaml` that no constructor receives."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from anime_dcgan.cli.checks import (
    Check,
    Text,
    boolean,
    check_command,
    epoch_name,
    file_path,
    integer,
    node,
    nodes,
    optional,
)
from anime_dcgan.cli.signatures import check_settings
from anime_dcgan.system.errors import UserError

MAX_SEED = 2**63 - 1

CHECKS: dict[str, Check] = {
    "seed": integer(0, MAX_SEED),
    "run": Text("the name of a folder below outputs/", "first", is_path=True),
    "run_dir": file_path("outputs/first"),
    "ckpt_path": optional(file_path("last")),
    "preview": boolean(),
    "init.from": optional(Text("run:NAME, or a path", "run:first", is_path=True)),
    "init.epoch": epoch_name(),
    "init.freeze": integer(0),
    **{group: node() for group in ("gan", "datamodule", "trainer", "model", "data", "optimizer")},
    **{group: optional(node()) for group in ("metric", "equilibrium", "loss", "schedule", "ramps")},
    **{group: optional(nodes()) for group in ("callbacks", "logger")},
}


def check_training(config: DictConfig) -> None:
    """Raise `UserError` for a setting of a training that cannot be used."""
    check_command(config, CHECKS)
    check_settings(config)
    check_combinations(config)


def check_combinations(config: DictConfig) -> None:
    """Raise `UserError` for settings that contradict each other."""
    _check_init(config.init)
    _check_sizes(config)


def _check_init(init: DictConfig) -> None:
    source = init["from"]
    if source is None:
        if init.freeze:
            raise UserError(
                f"init.freeze={init.freeze} keeps trained layers, and this run begins without any: "
                "use init=run:NAME, or init.freeze=0"
            )
        return
    if source.removeprefix("run:") in ("latest", "last"):
        raise UserError(
            f"init={source} is another run after each training: name one, as in init=run:first"
        )
    if Path(source).suffix == ".ckpt" and init.epoch != "last":
        raise UserError(
            f"init={source} is the checkpoint of one epoch: remove init.epoch={init.epoch}, or use "
            "the folder of the run"
        )


def _check_sizes(config: DictConfig) -> None:
    """Raise `UserError` for sizes that contradict each other."""
    for player in ("generator", "discriminator"):
        size = OmegaConf.select(config, f"model.{player}.image_size")
        if size not in (None, config.data.image_size):
            raise UserError(
                f"model.{player}.image_size={size} differs from "
                f"data.image_size={config.data.image_size}: set data.image_size only"
            )
    share, real = config.gan.fakes_per_real, config.data.batch_size
    if share > 0 and round(min(share * real, 1)) < 1:
        raise UserError(
            f"gan.fakes_per_real={share} leaves no fake image per {real} real ones "
            "(data.batch_size): use gan.fakes_per_real=1"
        )
