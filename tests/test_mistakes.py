"""Mistakes on the command line of train, each explained in one line."""

import re
from pathlib import Path

import pytest
from hydra.errors import MissingConfigException

from anime_dcgan.system.paths import CONF_DIR
from tests.processes import TINY

MODELS = ", ".join(sorted(path.stem for path in (CONF_DIR / "model").glob("*.yaml")))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data=folder"], "data.path"),
        (["data=folder", "data.path=/nowhere"], "/nowhere"),
        (["data.count=20", "data.holdout=2"], "data.holdout=2"),
        (["data.batch_size=few"], "data.batch_size=few must be an integer"),
        (["data.count=20", "ckpt_path=nothing.ckpt"], "nothing.ckpt"),
        (["ckpt_path=last"], "this command started no run in outputs/: use run=..."),
        (["data.count=0"], "data.count=0"),
        (["model.latent_dim=0"], "model.latent_dim=0"),
        (["model.discriminator.width=0"], "model.discriminator.width=0 leaves no channels"),
        (["model=radford", "model.width=-3"], "model.generator.width=-3 leaves no channels"),
        (["loss=wgan_gp", "model=radford"], "batch_norm=false"),
        (["trainer=gpu"], "trainer"),
    ],
)
def test_train_explains_mistakes_in_one_line(call, tmp_path: Path, overrides, message):
    if overrides == ["trainer=gpu"] and _has_gpu():
        pytest.skip("this machine has a GPU")
    result = call("train", *overrides, cwd=tmp_path, status=2)
    (line, *more) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert message in line
    assert not more
    assert "Traceback" not in result.stderr


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trainr.devices=1"], "trainr.devices is not a setting: --cfg job lists them all"),
        (["data.sise=3"], "data.sise is not a setting"),
        (["optimiser@gan=adam"], "Override optimiser@gan=adam looks like a config group"),
        (["loss=wgann"], "loss=wgann is not an option: use one of bce, hinge, lsgan"),
        (
            ["experiment=orginal"],
            "experiment=orginal is not an option: use one of best, best_projected, best_small",
        ),
        (["-m", "loss=bce,wgann"], "loss=wgann is not an option: use one of bce, hinge, lsgan"),
        (["loss=bce,wgan"], "loss=bce,wgan has several values: add -m to run them all"),
        (["data.path=my faces,2"], "data.path=my faces,2 has several values"),
        (["data.path=[faces"], "data.path=[faces cannot be parsed at [: quote the value"),
        (["loss"], "loss cannot be parsed: write setting=value"),
        (["loss=wgan", "model=3"], f"model=3 is not an option: use one of {MODELS}"),
        (["~model=3"], f"~model=3 is not an option: use one of {MODELS}"),
        (
            ["~logger", "metric=null"],
            "metric=null is not an option: use one of fd, fd_efficientnet, fid, none, pixels, swd",
        ),
        (
            ["model=dcgan", "model/discriminator=radford"],
            "model.discriminator.width repeats model.width, which these groups lack: set model.di",
        ),
        (["augment=true"], "augment=true is not an option: use one of ada, "),
        (["=3"], "=3 cannot be parsed: write setting=value"),
        (
            ["metric=[swd,fd]"],
            "metric=[swd,fd] is not an option: use one of fd, fd_efficientnet, fid, none, pixels,",
        ),
        (
            ["experiment=[best]"],
            "experiment=[best] is not an option: use one of best, best_projected",
        ),
        (["-m", "loss=bce,[bce,wgan]"], "loss=bce,[bce,wgan] is not an option: use one of bce"),
        (
            ["hydra/launcher=[basic,joblib]"],
            "hydra/launcher=[basic,joblib] is not an option: use one of basic, joblib",
        ),
    ],
)
def test_invalid_overrides_are_explained_in_one_line(call, tmp_path: Path, arguments, message):
    result = call("train", *arguments, cwd=tmp_path, status=2)
    assert f"error: {message}" in result.stderr
    assert "Traceback" not in result.stderr and len(result.stderr.splitlines()) <= 2
    assert not any((tmp_path / "outputs").iterdir())


def test_values_of_options_are_not_taken_for_overrides(call, tmp_path: Path):
    result = call("train", "--cfg", "job", "model=3", cwd=tmp_path, status=2)
    assert result.stderr == f"error: model=3 is not an option: use one of {MODELS}\n"


def test_hydra_full_error_shows_the_traceback_of_an_invalid_override(
    call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(MissingConfigException, match="Available options"):
        call("train", "loss=wgann", cwd=tmp_path)


def test_an_unwritable_outputs_folder_is_named(call, tmp_path: Path):
    (tmp_path / "outputs").write_text("a file where the folder should be")
    result = call("train", *TINY, cwd=tmp_path, status=2)
    assert "outputs cannot be written" in result.stderr
    assert "hydra.run.dir=" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["", ".", "..", "../a", "null", "[a,b]", "/tmp/a"])
def test_a_run_name_outside_outputs_is_refused(call, tmp_path: Path, name: str):
    stderr = call("train", *TINY, f"run={name}", cwd=tmp_path, status=2).stderr
    assert stderr == f"error: run={name} does not name a folder below outputs/: use run=first\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("budget", ["nan", "inf", "-1"])
def test_an_invalid_budget_is_refused(call, tmp_path: Path, budget: str):
    stderr = call("train", *TINY, f"max_kimg={budget}", "run=a", cwd=tmp_path, status=2).stderr
    assert re.match(f"error: max_kimg={budget} (is|must be) ", stderr)
