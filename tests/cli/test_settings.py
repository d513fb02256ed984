"""Every setting of every command either accepts a value or refuses it in a line."""

import copy
import importlib
import math
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from anime_dcgan.cli.checks import check_command
from anime_dcgan.cli.command import DECLARED
from anime_dcgan.cli.signatures import check_settings
from anime_dcgan.search import SEARCH_CHECKS
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.paths import CONF_DIR
from anime_dcgan.training.schema import CHECKS, check_combinations

COMMANDS = {
    "train": "train",
    "search": "search",
    "generate": "generate",
    "evaluate": "evaluate",
    "export": "export",
    "compare": "compare",
    "blind": "blind",
    "report": "report",
    "prepare": "prepare",
    "publish": "publish",
    "studio": "studio.__main__",
}
VALUES = (None, True, math.nan, 10**30, [1, None], "", " ", "../..", "*", "???", "a" * 5000, -1)


def compose_command(name: str) -> DictConfig:
    importlib.import_module(f"anime_dcgan.{COMMANDS[name]}")
    overrides = ["run=a", "run_dir=outputs/a"] if name in ("train", "search") else []
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return compose(name, overrides)


def check(name: str, config: DictConfig) -> None:
    check_command(config, SEARCH_CHECKS if name == "search" else DECLARED[name])
    check_settings(config)
    if name in ("train", "search"):
        check_combinations(config)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_setting_accepts_a_value_or_refuses_it_in_a_line(name: str):
    config = compose_command(name)
    check(name, config)
    for key in map(str, config):
        for value in VALUES:
            changed = copy.deepcopy(config)
            changed[key] = value
            try:
                check(name, changed)
            except (UserError, OmegaConfBaseException) as error:
                assert str(error), (key, value)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_setting_is_unchecked(name: str):
    """A leaf is declared, or it or what refers to it is the argument of a constructor."""
    config = compose_command(name)
    declared = SEARCH_CHECKS if name == "search" else DECLARED[name]
    used = set(_references(OmegaConf.to_container(config)))
    for key in map(str, config):
        if OmegaConf.is_dict(config[key]):
            continue
        assert key in declared or key in used, f"{key} has no check"


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [each for value in node.values() for each in _references(value)]
    return [node[2:-1]] if isinstance(node, str) and node.startswith("${") else []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data.source": None}, "data.source=null must be a group of settings: remove data.source"),
        ({"datamodule": None}, "datamodule=null must be a group of settings"),
        ({"gan": None}, "gan=null must be a group of settings"),
        ({"gan.optimizer": None}, "gan.optimizer=null must be a group of settings"),
        (
            {"model.discriminator": "projected"},
            "model.discriminator=projected must be a group of settings: use "
            "model/discriminator=projected",
        ),
        ({"optimizer.generator": 3}, "optimizer.generator=3 must be a group of settings"),
        ({"callbacks.samples": True}, "callbacks.samples=true must be a group of settings"),
        ({"trainer.devices": None}, "trainer.devices=null must be a list or a string or an integ"),
        ({"run": "a" * 300}, "run=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa... has a name of more"),
        ({"run": "???"}, "run=??? has no value"),
        ({"run_dir": 5}, "run_dir=5 must be a path"),
        ({"ckpt_path": " "}, "ckpt_path=  must be a path: use ckpt_path=last"),
        ({"model.generator.image_size": 32}, "model.generator.image_size=32 differs from data.im"),
        ({"gan.fakes_per_real": 0.001}, "gan.fakes_per_real=0.001 leaves no fake image per 64"),
        ({"seed": -1}, "seed=-1 must be at least 0: use seed=0"),
        ({"seed": 2**63}, "seed=9223372036854775808 must be at most 9223372036854775807"),
    ],
)
def test_settings_of_a_training_are_refused_by_name(settings: dict[str, Any], message: str):
    config = compose_command("train")
    for key, value in settings.items():
        OmegaConf.update(config, key, value)
    with pytest.raises(UserError) as caught:
        check("train", config)
    assert str(caught.value).startswith(message)


def test_train_and_its_trials_share_their_checks():
    assert CHECKS.items() <= SEARCH_CHECKS.items()
