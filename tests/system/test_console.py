"""Output of one process of a distributed run, and of a command whose terminal was closed."""

import os
from pathlib import Path

import pytest

from anime_dcgan.system import console


@pytest.mark.parametrize(
    ("variables", "first"),
    [
        ({}, True),
        ({"RANK": "0", "LOCAL_RANK": "0", "GROUP_RANK": "0", "WORLD_SIZE": "2"}, True),
        ({"RANK": "1", "LOCAL_RANK": "0", "GROUP_RANK": "1", "WORLD_SIZE": "2"}, False),
        ({"SLURM_PROCID": "1", "SLURM_LOCALID": "0", "SLURM_STEP_NUM_TASKS": "2"}, False),
        ({"LOCAL_RANK": "1", "NODE_RANK": "0"}, False),
    ],
)
def test_the_first_of_all_processes_prints(monkeypatch, capsys, variables, first):
    for name in (*console.RANKS, "WORLD_SIZE", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert console.is_first_process() == first
    console.log("here")
    assert bool(capsys.readouterr().err) == first


def test_control_characters_are_shown_escaped(capsys):
    console.log("a\x1b[2J\r\x9b\u202e\tb\nc")
    console.show("d\x07é")
    output = capsys.readouterr()
    assert output.err == "a\\x1b[2J\\x0d\\x9b\\u202e\tb\nc\n"
    assert output.out == "d\\x07é\n"


def test_processes_of_one_training_are_recognised(monkeypatch):
    monkeypatch.delenv("SLURM_STEP_NUM_TASKS", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")  # as Lightning sets it for the processes it starts
    assert console.launched_processes() == 1
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    assert console.launched_processes() == 2
    monkeypatch.delenv("TORCHELASTIC_RUN_ID")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    assert console.launched_processes() == 2


def test_output_to_a_closed_terminal_is_discarded(tmp_path: Path):
    terminal, output = os.openpty()
    console.leave_closed_terminal([output])
    os.write(output, b"open")
    assert os.read(terminal, 9) == b"open"
    os.close(terminal)
    with pytest.raises(OSError, match="Input/output error"):
        os.write(output, b"closed")
    console.leave_closed_terminal([output])
    assert os.write(output, b"closed") == 6
    os.close(output)
    with (tmp_path / "log.txt").open("wb") as file:
        console.leave_closed_terminal([file.fileno()])
        file.write(b"kept")
    assert (tmp_path / "log.txt").read_bytes() == b"kept"
