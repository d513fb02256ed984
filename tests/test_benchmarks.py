"""Tests of the benchmarks: they start, and count correctly."""

import importlib
import json
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from anime_dcgan.cli.command import instantiate
from benchmarks import named_epoch
from benchmarks.measure import parse_options
from benchmarks.training import bare_step, compose_config, device_of, useful_operations

NAMES = sorted(path.stem for path in Path(named_epoch.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("name", sorted({*NAMES} - {"measure"}))
def test_every_benchmark_starts_and_documents_its_command(name: str):
    if name == "keras_report":
        pytest.importorskip("keras")
    if name == "scaling":
        pytest.importorskip("matplotlib")
    benchmark = importlib.import_module(f"benchmarks.{name}")
    assert f"python -m benchmarks.{name} " in f"{benchmark.__doc__} " or name == "keras_report"
    assert callable(benchmark.main)


@pytest.mark.parametrize("fakes_per_real", [1.0, 2.0])
def test_useful_operations_match_those_counted_by_torch(fakes_per_real):
    config = compose_config(
        ["model=radford", "model.width=8", f"gan.fakes_per_real={fakes_per_real}"]
    )
    module = instantiate(config.gan)
    with FlopCounterMode(display=False) as counted:
        bare_step(module, module.configure_optimizers(), torch.zeros(4, 3, 64, 64))
    assert useful_operations(config) == pytest.approx(counted.get_total_flops() / 4, rel=1e-9)


def test_the_named_epoch_is_compared_with_the_best_of_the_run(tmp_path, capsys, monkeypatch):
    distances = [50, 40, 30, 22, *[20.0] * 12, 19.0]
    history = [
        {"images": 1000 * n, "epoch": n, "distance": distance, "gap": 1 / n, "diversity": 1.0}
        for n, distance in enumerate(distances, 1)
    ]
    (tmp_path / "equilibrium.json").write_text(json.dumps({"history": history}))
    monkeypatch.setattr("sys.argv", ["named_epoch", str(tmp_path)])
    named_epoch.main()
    *rows, first, last = capsys.readouterr().out.splitlines()
    assert len(rows) == 2 + len(distances)
    assert "learning: only 1 of 5 observations" in rows[2] and "equilibrium" in rows[-1]
    assert last.startswith("at the end: epoch 7.0 (7 thousand images), distance 20.00, 1.053 of")
    assert first.startswith("first declared at 12,000: epoch 7.0")


def test_benchmarks_of_training_run_on_the_cpu_by_default():
    assert device_of(compose_config(["model=radford"])) == "cpu"
    assert device_of(compose_config(["trainer=gpu"])) == "cuda"


def test_options_are_separated_from_overrides():
    argv = ["rounds=2", "data.path=a=b", "steps=7", "manifest.csv", "rounds=4"]
    options, others = parse_options({"rounds": "1", "steps": "2", "faces": "3"}, argv)
    assert options == {"rounds": "4", "steps": "7", "faces": "3"}
    assert others == ["data.path=a=b", "manifest.csv"]
