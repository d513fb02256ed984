"""Command lines: what is printed gives the same arguments when it is pasted, options, and help."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from anime_dcgan.cli.help import help_text
from anime_dcgan.cli.overrides import (
    command_line,
    is_same_training,
    quote_text,
    quote_value,
    split_options,
    training_overrides,
)
from anime_dcgan.system.paths import CONF_DIR

NAMES = ("ré", "a&b", "a#b", "~x", "3e8", "2026_11_28", "true", "a b", 'q"q', "b\\", "it's", "a,b")


@pytest.mark.parametrize("name", NAMES)
def test_a_printed_name_is_read_back_by_a_shell_and_by_hydra(name: str):
    (*_, argument) = shlex.split(command_line([f"run={quote_value(name)}"]))
    assert OverridesParser.create().parse_override(argument).value() == name


@pytest.mark.parametrize("name", ["ré", "a&b", "a#b", "~x", "3e8", "true", "a b"])
def test_a_typed_name_needs_no_quotes(name: str):
    (argument,) = quote_text([f"run={name}"])
    assert OverridesParser.create().parse_override(argument).value() == name
    assert quote_text([argument]) == [argument]


def test_lists_sweeps_and_other_settings_are_left_alone():
    argv = ["run=a,b", "seed=3", "ckpt_path=null", "loss=true", "out='3'"]
    assert quote_text(argv) == argv


def test_the_interpreter_is_printed_as_it_was_called(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "orig_argv", [".venv/bin/python", "-m", "anime_dcgan.train"])
    assert command_line(["run=a"], "studio") == ".venv/bin/python -m anime_dcgan.studio run=a"


def test_options_may_stand_between_overrides():
    argv = ["model=dcgan", "-m", "--config-dir", "mine", "seed=0,1"]
    options, overrides = split_options(argv)
    assert options == ["-m", "--config-dir", "mine"] and overrides == ["model=dcgan", "seed=0,1"]
    assert training_overrides(argv) == overrides
    assert is_same_training(overrides, argv)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "epochs=[a=b,2]",
            "cannot be parsed: quote its values, as in 'epochs=[\"a=b\",2]'",
        ),
        ("loss=b!ce", "cannot be parsed at !: quote the value, as in 'loss=\"b!ce\"'"),
        (
            "data.path=[faces",
            "cannot be parsed at [: quote the value, as in 'data.path=\"[faces\"'",
        ),
    ],
)
def test_a_sign_that_hydra_cannot_read_is_named(call, tmp_path: Path, override: str, message: str):
    assert (
        call("train", override, cwd=tmp_path, status=2).stderr == f"error: {override} {message}\n"
    )


def test_the_version_is_printed_and_nothing_is_written(call, tmp_path: Path):
    assert call("train", "--version", cwd=tmp_path).stdout.startswith("anime_dcgan ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["train", "search", "generate", "compare", "prepare", "studio"])
def test_help_lists_the_settings_of_the_command_only(name: str):
    text = help_text(name)
    assert text.startswith(f"# python -m anime_dcgan.{name}")
    assert "\nhydra:" not in text and "hydra/" not in text and "defaults:" not in text


def test_help_names_the_options_of_each_group(call, tmp_path: Path):
    stdout = call("evaluate", "--help", cwd=tmp_path).stdout
    assert "metric=swd: one of fd, " in stdout
    assert "weights: ema                    # ema (averaged) or raw" in stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="no signal of closed pipes")
def test_a_closed_pipe_ends_the_output_quietly(tmp_path: Path):
    command = f"{shlex.quote(sys.executable)} -m anime_dcgan.generate --info | head -1"
    environment = {**os.environ, "PYTHONPATH": str(CONF_DIR.parent)}
    result = subprocess.run(
        ["sh", "-c", command],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert result.stdout.startswith("Hydra") and result.stderr == ""
