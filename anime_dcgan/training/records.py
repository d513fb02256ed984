"""The records of experiment trackers: one for each run folder, which a resumed run continues."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning import Callback, Trainer
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig

from anime_dcgan.cli.command import instantiate
from anime_dcgan.system.files import write_json
from anime_dcgan.system.reader import read_object
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.outputs import outputs_of

RECORDS = "trackers.json"
"""File of a run folder with the record of each tracker, which a resumed run continues."""
RECORD_SETTING = {"WandbLogger": "version", "MLFlowLogger": "run_id"}
"""The setting that names a record, by the logger's class: those here and Lightning's own."""


class Records(Callback):
    """Write which record each tracker uses, once the training begins, to `trackers.json`.

    Parameters:
        run_dir: the run's folder.
    """

    def __init__(self, run_dir: Path) -> None:
        self.file = run_dir / RECORDS

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        records = {type(each).__name__: each.version for each in trainer.loggers}
        records = {name: record for name, record in records.items() if name in RECORD_SETTING}
        if records and trainer.is_global_zero:
            content = {**read_object(self.file), **records}
            outputs_of(trainer).rewrite(self.file, lambda: write_json(self.file, content))


def make_loggers(nodes: Mapping[str, Any] | None, run_dir: Path) -> list[Logger]:
    """Build loggers; trackers continue the records that this run folder has."""
    records = read_object(run_dir / RECORDS)
    return [_make_logger(node, records) for node in (nodes or {}).values() if node]


def _make_logger(node: DictConfig, records: Mapping[str, Any]) -> Logger:
    name = str(node.get("_target_")).rpartition(".")[2]
    setting, record = RECORD_SETTING.get(name), records.get(name)
    if setting is None or not isinstance(record, str) or node.get(setting) is not None:
        return instantiate(node)
    return instantiate(node, **{setting: record})
