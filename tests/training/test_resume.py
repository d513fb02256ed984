"""Checkpoints whose state is well-typed but impossible: refused before any file is written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from anime_dcgan.system.errors import UserError
from tests.conftest import Train

Contents = dict[str, Any]
ADAM = "optimizer_states", 0


def put(value: Any, *keys: Any) -> Callable[[Contents], None]:
    """Return a function that sets one value of nested dictionaries and lists."""

    def change(contents: Contents) -> None:
        for key in keys[:-1]:
            contents = contents[key]
        contents[keys[-1]] = value

    return change


REFUSED = [
    put(None, "batches"),
    *(put({"total": 4, "per_epoch": n}, "batches") for n in (0, -2, 2.0, True, 10**12)),
    *(put({"total": n, "per_epoch": 2}, "batches") for n in (0, -1, 2**63, 10**12, "4")),
    *(put(n, "discriminator_steps") for n in (-1, 2**63)),
    put(-1, "global_step"),
    *(put(n, "epochs_done") for n in (float("nan"), float("-inf"))),
    put(torch.zeros(3), "state_dict", "generator_ema.project.bias"),
    put({"values": {"loss": torch.zeros(2, 2)}, "latest": {}}, "callbacks", "Scalars"),
    put({"values": {}, "latest": {1: "a"}}, "callbacks", "Scalars"),
    put({"hours": "1"}, "callbacks", "TrainingClock"),
    put({"threads": 0}, "callbacks", "Threads"),
    put([{}], "optimizer_states"),
    put(torch.zeros(3), *ADAM, "state", 0, "exp_avg"),
    put({}, *ADAM, "state"),
    put({}, *ADAM, "state", 0),
    put({"step": torch.tensor(8.0), "exp_avg": torch.zeros(3, 6)}, *ADAM, "state", 0),
    put("a", *ADAM, "param_groups", 0, "initial_lr"),
    put("a", *ADAM, "param_groups", 0, "fused"),
    put(None, *ADAM, "param_groups", 0, "maximize"),
    put([0], *ADAM, "param_groups", 0, "params"),
]


def test_a_hostile_state_is_refused_in_a_line(train: Train, tmp_path: Path):
    train("trainer.max_epochs=2")
    run = tmp_path / "run"
    last = run / "checkpoints/last.ckpt"
    good = torch.load(last, weights_only=True)
    for index, change in enumerate(REFUSED):
        contents = torch.load(last, weights_only=True)
        change(contents)
        hostile = tmp_path / f"hostile-{index}.ckpt"
        torch.save(contents, hostile)
        before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
        with pytest.raises(UserError, match=r"hostile-\d+.ckpt cannot be (resumed|read): "):
            train("trainer.max_epochs=3", ckpt_path=hostile)
        assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    torch.save(good | {"loops": {}, "pytorch-lightning_version": "a"}, last)  # nothing reads them
    train("trainer.max_epochs=3", ckpt_path=last)
