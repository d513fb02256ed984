"""The start of a training with labels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig

from anime_dcgan.data import datamodule
from anime_dcgan.system.errors import UserError
from anime_dcgan.training import fit
from anime_dcgan.training.job import train_in


def test_labels_are_read_once_and_name_the_classes(
    small: Callable[..., DictConfig], monkeypatch: pytest.MonkeyPatch
):
    reads: list[str] = []
    read = datamodule.read_labels

    def count(source: Any, labels: str) -> Any:
        reads.append(labels)
        return read(source, labels)

    def stop(*_: Any) -> None:
        raise UserError("stopped")

    monkeypatch.setattr(datamodule, "read_labels", count)
    monkeypatch.setattr(fit, "_make_trainer", stop)
    config = small("data.labels=light_side")
    with pytest.raises(UserError, match="stopped"):
        train_in(Path(config.run_dir), config, [], None)
    assert reads == ["light_side"] and list(config.model.labels) == ["left", "right"]
    for labels in ("light_side", "null"):
        config = small(f"data.labels={labels}", "model.labels=[right,left]")
        with pytest.raises(UserError, match=r"model\.labels is set by the data"):
            train_in(Path(config.run_dir), config, [], None)
