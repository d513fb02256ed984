"""Processes that train together wait for each other with a word, and report one error."""

from pathlib import Path

import pytest
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch.accelerators import CUDAAccelerator
from torch.distributed import HashStore, TCPStore  # pyright: ignore[reportPrivateImportUsage]

from anime_dcgan.system.errors import ReportedError, UserError
from anime_dcgan.training import processes
from anime_dcgan.training.processes import join, report_once
from anime_dcgan.training.strategy import PlayerStrategy
from anime_dcgan.training.trainer import Trainer, check_launched

LOST = RuntimeError("[gloo/transport/tcp/pair.cc:553] Connection closed by peer [::1]:1")


class Machine(LightningEnvironment):
    """The first process of a machine, of two."""

    def __init__(self, rank: int, port: int) -> None:
        super().__init__()
        self._main_port = port
        self.set_global_rank(rank)
        self.set_world_size(2)


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_says_what_it_waits_for_and_gives_up(monkeypatch, capsys, rank):
    monkeypatch.setattr(processes, "PATIENCE_SECONDS", 0.1)
    environment = Machine(rank, TCPStore("localhost", 0, None, True).port)
    where = f"at 127.0.0.1:{environment.main_port}"
    with pytest.raises(UserError, match=rf"^after 0.02 minutes {where}, process {rank} is not "):
        join(environment, 0.02)
    first, *others = capsys.readouterr().err.splitlines()
    assert first.startswith(f"process {rank} waits {where} until all 2 processes are there, at ")
    assert len(others) == 2 * rank  # the command of the first process prints the error


def test_the_process_that_fails_first_reports_its_error(capsys):
    store = HashStore()
    full = UserError("the disk is full")
    assert isinstance(report_once(full, store, 1), ReportedError)
    assert capsys.readouterr().err == "error: process 1: the disk is full\n"
    other = report_once(LOST, store, 0)
    assert isinstance(other, ReportedError) and str(other) == "process 1: the disk is full"
    assert capsys.readouterr().err == ""


def test_an_error_of_the_first_process_is_its_own():
    store = HashStore()
    other = report_once(UserError("no"), store, 0)
    assert str(other) == "no" and not isinstance(other, ReportedError)
    assert isinstance(report_once(UserError("no"), store, 1), ReportedError)


def test_a_killed_process_is_reported_by_another_one_and_a_bug_keeps_its_traceback(capsys):
    assert "process 0 lost the connection" in str(report_once(LOST, HashStore(), 0))
    assert report_once(KeyError("a"), HashStore(), 1) is None
    assert capsys.readouterr().err == ""


@pytest.fixture
def two_gpus(monkeypatch) -> None:
    monkeypatch.setattr(CUDAAccelerator, "is_available", staticmethod(lambda: True))
    monkeypatch.setattr(CUDAAccelerator, "auto_device_count", staticmethod(lambda: 2))
    devices = staticmethod(lambda number: list(range(number)))
    monkeypatch.setattr(CUDAAccelerator, "parse_devices", devices)


@pytest.mark.usefixtures("two_gpus")
def test_all_gpus_of_a_machine_average_one_player_at_a_time():
    trainer = Trainer(accelerator="gpu", devices="auto", join_minutes=3, logger=False)
    assert isinstance(trainer.strategy, PlayerStrategy) and trainer.world_size == 2
    assert trainer.strategy.join_minutes == 3


@pytest.fixture
def below_torchrun(monkeypatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "2")


@pytest.mark.usefixtures("below_torchrun")
@pytest.mark.parametrize(
    ("argv", "fix"), [([], "name its folder, run=first"), (["-m", "seed=0,1"], "without them")]
)
def test_torchrun_needs_a_named_run_that_is_not_a_sweep(call, tmp_path: Path, argv, fix):
    assert fix in call("train", *argv, cwd=tmp_path, status=2).stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("below_torchrun")
def test_more_processes_than_devices_are_refused():
    with pytest.raises(UserError, match="started 2 processes, but .*: use trainer.devices=2,"):
        check_launched(Trainer(accelerator="cpu", devices=1, logger=False))
