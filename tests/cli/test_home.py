"""The home folder is expanded in all settings, and nowhere else."""

import pytest
from omegaconf import OmegaConf

from anime_dcgan.cli.home import expand_arguments, expand_home


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")


def test_paths_below_the_home_folder_are_expanded():
    config = OmegaConf.create(
        {
            "out": "~/faces.png",
            "data": {"path": "~", "cache_dir": "${out}", "manifest": None, "name": "???"},
            "source": ["~/a", "b/~/c", "~nosuch/x"],
            "run": "~x",
            "steps": 6,
        }
    )
    expand_home(config)
    assert OmegaConf.to_container(config) == {
        "out": "/home/ann/faces.png",
        "data": {"path": "/home/ann", "cache_dir": "${out}", "manifest": None, "name": "???"},
        "source": ["/home/ann/a", "b/~/c", "~nosuch/x"],
        "run": "~x",
        "steps": 6,
    }


def test_arguments_are_expanded_before_hydra_parses_them():
    argv = [
        "hydra.run.dir=~/a",
        'out="~/b c"',
        "source=[~/a,'~/b']",
        "run=~x",
        "~logger",
        "a=b/~/c",
    ]
    assert expand_arguments(argv) == [
        "hydra.run.dir=/home/ann/a",
        'out="/home/ann/b c"',
        "source=[/home/ann/a,'/home/ann/b']",
        *argv[3:],
    ]
