"""Small configurations that train in a second: pictures of 16 px and narrow networks."""

import contextlib
import importlib
import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from anime_dcgan.system.paths import CONF_DIR
from anime_dcgan.training.fit import fit
from anime_dcgan.training.gan import GAN
from tests.processes import TINY, Result
from tests.processes import run as run_command

SMALL = (
    "data.count=40",
    "data.image_size=16",
    "data.batch_size=8",
    "data.holdout=0.17",  # 8 of the 40
    "model.latent_dim=6",
    "trainer=cpu",
    "trainer.precision=32-true",
    "trainer.max_epochs=2",
    "logger=none",
)
NARROW = {
    "dcgan": ("model.generator.width=3", "model.discriminator.width=3"),
    "radford": ("model.width=3",),
    "r3gan": ("model.width=8", "model.group_size=4", "model.blocks=1"),
    "biggan": ("model.width=2", "model.attention=8"),
    "stylegan2": ("model.width=8", "model.channel_base=64", "model.style_dim=6"),
}

LONGEST_FIRST = (
    *("training/test_strategy.py", "test_resuming.py", "test_docs.py", "test_search.py"),
    *("training/test_sweep.py", "test_train.py", "studio/test_browser.py", "sharing/test_site.py"),
    *("training/callbacks/test_position.py", "test_encodings.py", "sharing/test_export.py"),
    *("test_learning.py", "metric/test_verdict.py", "test_tutorial.py", "test_container.py"),
)
"""Files that take long: workers that began with short ones would wait for the last of these."""


def pytest_configure() -> None:
    """Let the processes that tests start take Ctrl-C, which a shell's background ignores."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the longest files first, for `--dist loadfile --no-loadscope-reorder`."""
    folder = Path(__file__).parent
    ranks = {folder / name: rank for rank, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


def narrow(model: str) -> tuple[str, ...]:
    """Return overrides that choose a model and make it small."""
    return (f"model={model}", *NARROW[model])


def compose_train(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return compose("train", overrides=list(overrides))


Train = Callable[..., GAN]


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of decoded faces that all tests share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def small(tmp_path: Path, cache_dir: Path) -> Callable[..., DictConfig]:
    """Return a function: `small("loss=wgan", run="a")` composes a run in tmp_path/a."""

    def make(*overrides: str, run: str = "run", model: str = "dcgan") -> DictConfig:
        (tmp_path / run).mkdir(exist_ok=True)
        folders = (f"run_dir={tmp_path / run}", f"data.cache_dir={cache_dir}")
        grid = () if "callbacks=none" in overrides else ("callbacks.samples.count=4",)
        return compose_train(*narrow(model), *SMALL, *grid, *folders, *overrides)

    return make


@pytest.fixture
def train(small: Callable[..., DictConfig]) -> Train:
    """Return a function: `train("loss=wgan", run="a", ckpt_path=...)` trains and returns a GAN."""

    def run_training(
        *overrides: str, run: str = "run", model: str = "dcgan", ckpt_path: Path | None = None
    ) -> GAN:
        config = small(*overrides, run=run, model=model)
        return fit(config, Path(config.run_dir), ckpt_path=ckpt_path)

    return run_training


def assert_same_weights(one: torch.nn.Module, other: torch.nn.Module) -> None:
    """Assert that the state dictionaries are bit-equal."""
    first, second = one.state_dict(), other.state_dict()
    assert first.keys() == second.keys()
    different = [name for name in first if not torch.equal(first[name], second[name])]
    assert not different


@pytest.fixture(scope="session")
def call() -> Callable[..., Result]:
    """Return a function that runs a command in this process, where the libraries are loaded.

    It asserts the exit status, unless `status` is None.
    """

    def run(command: str, *overrides: str, cwd: Path, status: int | None = 0) -> Result:
        out, err, before = io.StringIO(), io.StringIO(), Path.cwd()
        arguments = sys.argv
        sys.argv = [f"anime-{command}", *overrides]
        os.chdir(cwd)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                importlib.import_module(f"anime_dcgan.{command}").main()
            code = 0
        except SystemExit as end:
            code = end.code
        finally:
            os.chdir(before)
            sys.argv = arguments
        assert status in (code, None), out.getvalue() + err.getvalue()
        return Result(out.getvalue(), err.getvalue(), int(code or 0))

    return run


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder whose outputs/ has a run `a` of three epochs, which tests must not change."""
    folder = tmp_path_factory.mktemp("finished")
    result = run_command("train", *TINY, "trainer.max_epochs=3", "run=a", cwd=folder)
    for text in ("samples/ema/epoch=0003.png", "checkpoints", "tensorboard.main --logdir"):
        assert text in result.stdout
    return folder
