"""Tests of the commands as users run them: in their own processes, from an empty folder."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from hydra.errors import MissingConfigException
from PIL import Image

from anime_dcgan.run.checkpoint import read
from anime_dcgan.system.paths import CONF_DIR
from tests.conftest import Result

TINY = (
    *("data.count=40", "data.image_size=16", "data.batch_size=8", "model.latent_dim=6"),
    *("model.generator.width=3", "model.discriminator.width=3"),
    *("trainer=cpu", "trainer.precision=32-true", "callbacks.samples.count=4"),
)


def start(command: str, *overrides: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", f"anime_dcgan.{command}", *overrides],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(CONF_DIR.parent)},
    )


def run(command: str, *overrides: str, cwd: Path, status: int = 0) -> Result:
    """Run the command in its own process."""
    process = start(command, *overrides, cwd=cwd)
    out, err = process.communicate(timeout=120)
    assert process.returncode == status, out + err
    return Result(out, err)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder whose outputs/ has a run `a` of three epochs."""
    folder = tmp_path_factory.mktemp("finished")
    result = run("train", *TINY, "trainer.max_epochs=3", "run=a", cwd=folder)
    for text in ("samples/ema/epoch=0003.png", "checkpoints", "tensorboard --logdir"):
        assert text in result.stdout
    return folder


def test_a_finished_run_records_its_command_and_can_be_sampled(call, finished: Path):
    command = (finished / "outputs/a/command.txt").read_text().split()
    assert command[:3] == ["python", "-m", "anime_dcgan.train"]
    assert "run=a" in command
    resolved = yaml.safe_load((finished / "outputs/a/config.yaml").read_text())
    assert resolved["gan"]["generator"]["image_size"] == 16
    call("generate", "run=a", "n=4", "seed=1", "out=next.png", cwd=finished)
    with Image.open(finished / "next.png") as grid:
        assert grid.size == (2 * 18 + 2, 2 * 18 + 2)


def test_a_seed_gives_the_same_face_in_folders_and_archives_of_any_size(call, finished: Path):
    call("generate", "run=a", "epoch=2", "n=20", "seed=5", "out=many/", cwd=finished)
    call("generate", "run=a", "epoch=2", "n=1", "seed=17", "out=one.zip", cwd=finished)
    with zipfile.ZipFile(finished / "one.zip") as archive:
        assert archive.namelist() == ["seed=000017.png"]
        assert archive.read("seed=000017.png") == (finished / "many/seed=000017.png").read_bytes()
    assert len(list((finished / "many").iterdir())) == 20


def test_raw_and_averaged_weights_and_epochs_differ(call, finished: Path):
    pictures = []
    for number, chosen in enumerate((["epoch=1"], ["epoch=3"], ["epoch=3", "weights=raw"])):
        call("generate", "run=latest", *chosen, "n=1", f"out={number}.png", cwd=finished)
        with Image.open(finished / f"{number}.png") as picture:
            pictures.append(np.asarray(picture))
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[1], pictures[2])


def test_faces_in_bf16_differ_invisibly_from_those_in_float32(call, finished: Path):
    call("generate", "run=a", "n=20", "out=exact.png", cwd=finished)
    call("generate", "run=a", "n=20", "precision=bf16-mixed", "out=fast.png", cwd=finished)
    exact, fast = (
        np.asarray(Image.open(finished / f"{name}.png")).astype(int) for name in ("exact", "fast")
    )
    assert 0 < np.abs(exact - fast).max() <= 8
    assert np.abs(exact - fast).mean() < 1


def test_generate_writes_a_film_from_the_path_of_a_checkpoint(call, finished: Path):
    path = "outputs/a/checkpoints/last.ckpt"
    films = ("n=3", "frames_per_face=5", "out=film.gif")
    call("generate", f"epoch='{path}'", *films, cwd=finished)
    with Image.open(finished / "film.gif") as film:
        assert film.n_frames == 15  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["run=b"], "run=b is not a run"),
        (["run=a", "epoch=9"], "it has: 1, 2, 3"),
        (["run=a", "n=0"], "n=0 must be at least 1: use n=64"),
        (["run=a", "n=many"], "n=many must be an integer: use n=64"),
        (["run=a", "out=faces.bmp"], "must end in .png, .zip, .gif or .mp4, or be a folder"),
        (["run=a", "out=outputs"], "out=outputs exists"),
        (["run=a", "out=/proc/faces.png"], "cannot be written"),
        (["run=a", "weights=best"], "weights=ema or weights=raw"),
        (
            ["run=a", "precision=16"],
            "use precision=32-true, precision=bf16-mixed or precision=auto",
        ),
    ],
)
def test_generate_explains_mistakes_in_one_line(call, finished: Path, overrides, message):
    result = call("generate", *overrides, cwd=finished, status=2)
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) <= 2


def test_generate_starts_without_lightning(finished: Path):
    program = (
        "import sys; sys.argv[1:] = ['run=a', 'n=1', 'out=light.png']\n"
        "from anime_dcgan.generate import main; main()\n"
        "assert 'torch' in sys.modules and 'lightning' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONPATH": str(CONF_DIR.parent)}
    subprocess.run(
        [sys.executable, "-c", program], cwd=finished, check=True, env=environment, timeout=60
    )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data=folder"], "data.path"),
        (["data=folder", "data.path=/nowhere"], "/nowhere"),
        (["data.count=20", "data.holdout=2"], "data.holdout=2"),
        (["data.batch_size=few"], "data.batch_size=few must be an integer"),
        (["data.count=20", "ckpt_path=nothing.ckpt"], "nothing.ckpt"),
        (["ckpt_path=last"], "this command started no run in outputs/ that has a checkpoint"),
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
            "experiment=orginal is not an option: use one of best, best_small",
        ),
        (["-m", "loss=bce,wgann"], "loss=wgann is not an option: use one of bce, hinge, lsgan"),
        (["loss=bce,wgan"], "loss=bce,wgan has several values: add -m to run them all"),
        (["data.path=my faces,2"], "data.path=my faces,2 has several values"),
        (["data.path=[faces"], "data.path=[faces cannot be parsed at [: quote the value"),
        (["loss"], "loss cannot be parsed: write setting=value"),
        (["loss=wgan", "model=3"], "model=3 is not an option: use one of dcgan, radford"),
        (["~model=3"], "~model=3 is not an option: use one of dcgan, radford"),
        (
            ["~logger", "metric=null"],
            "metric=null is not an option: use one of fd, fd_efficientnet, fid, none, swd",
        ),
        (["augment=true"], "augment=true is not an option: use one of ada, diffaugment"),
        (["=3"], "=3 cannot be parsed: write setting=value"),
    ],
)
def test_invalid_overrides_are_explained_in_one_line(call, tmp_path: Path, arguments, message):
    result = call("train", *arguments, cwd=tmp_path, status=2)
    assert f"error: {message}" in result.stderr
    assert "Traceback" not in result.stderr and len(result.stderr.splitlines()) <= 2
    assert not any((tmp_path / "outputs").iterdir())


def test_values_of_options_are_not_taken_for_overrides(call, tmp_path: Path):
    result = call("train", "--cfg", "job", "model=3", cwd=tmp_path, status=2)
    assert result.stderr == "error: model=3 is not an option: use one of dcgan, radford\n"


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


def test_a_run_name_that_is_taken_is_refused_and_the_run_left_untouched(call, finished: Path):
    last = finished / "outputs/a/checkpoints/last.ckpt"
    before = last.stat().st_mtime_ns
    result = call("train", *TINY, "run=a", cwd=finished, status=2)
    assert "ckpt_path=last" in result.stderr
    assert last.stat().st_mtime_ns == before


TENTH = "outputs/*/checkpoints/epoch=0010.ckpt"


def has_last(checkpoint: Path) -> bool:
    """Return True if last.ckpt has been written after the epoch's checkpoint."""
    last = checkpoint.with_name("last.ckpt")
    return last.stat().st_mtime_ns >= checkpoint.stat().st_mtime_ns


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_stopped_and_killed_runs_resume_with_the_same_command(tmp_path: Path, number: int):
    settings = [*TINY, "trainer.max_epochs=400", "callbacks.checkpointer.every_epochs=5"]
    process = start("train", *settings, cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not (found := [path for path in tmp_path.glob(TENTH) if has_last(path)]):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    last = found[0].parent / "last.ckpt"
    images_seen = read(last)["images_seen"]
    if number == signal.SIGINT:
        assert process.returncode == 130, err
        (command,) = (line for line in out.splitlines() if line.startswith("Resume: "))
        assert "ckpt_path=last" in command and "run=" in command
    assert images_seen >= 10 * 32
    settings[settings.index("trainer.max_epochs=400")] = (
        f"trainer.max_epochs={images_seen // 32 + 2}"
    )
    assert len(list((tmp_path / "outputs").glob("*/checkpoints"))) == 1
    result = run(
        "train", *settings, f"run={last.parent.parent.name}", "ckpt_path=last", cwd=tmp_path
    )
    assert f"{(images_seen // 32 + 2) * 32}/" in result.stderr
    again = run("train", *settings, "ckpt_path=last", cwd=tmp_path)
    assert str(last.parent.parent) in again.stdout


def test_two_processes_train_together(tmp_path: Path):
    """Train data-parallel over gloo: each process has its own batches of the same epoch."""
    result = run(
        "train",
        *(*TINY, "run=two", "trainer.accelerator=cpu", "trainer.devices=2"),
        *("trainer.max_epochs=2", "loss=wgan_gp", "gan.critic_steps=2"),
        cwd=tmp_path,
    )
    assert result.stdout.count("Generate:") == 1
    contents = read(tmp_path / "outputs/two/checkpoints/last.ckpt")
    assert contents["images_seen"] == 2 * 2 * 16  # 38 faces are 2 batches of 16 over both


def test_two_processes_fail_together_if_nothing_can_be_saved(tmp_path: Path):
    (tmp_path / "outputs/two").mkdir(parents=True)
    (tmp_path / "outputs/two/checkpoints").symlink_to("/proc")  # where nobody can write
    result = run(
        "train",
        *(*TINY, "run=two", "trainer.accelerator=cpu", "trainer.devices=2"),
        *("trainer.max_epochs=1", "callbacks.samples=null", "metric=none"),
        cwd=tmp_path,
        status=2,
    )
    assert "error: the end of this run could not be saved" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_run_with_damaged_settings_resumes_from_its_checkpoint(finished: Path, tmp_path: Path):
    outputs = shutil.copytree(finished / "outputs", tmp_path / "outputs")
    for damaged in ("", "loss:\n  _target_: anime_dcgan.game.loss.BCE\nse", "a: [1"):
        (outputs / "a/config.yaml").write_text(damaged)
        again = ("run=a", "trainer.max_epochs=3", "ckpt_path=last")
        run("train", *TINY, *again, cwd=tmp_path)
        assert "model" in yaml.safe_load((outputs / "a/config.yaml").read_text())


def test_a_profile_contains_a_table_and_a_trace(call: Callable[..., Result], tmp_path: Path):
    arguments = ("trainer=profile", "callbacks=none", "logger=none", "trainer.accelerator=cpu")
    small = ("data.count=40", "data.image_size=16", "data.batch_size=4", "run=profiled")
    stdout = call("train", *arguments, *small, "trainer.precision=32-true", cwd=tmp_path).stdout
    profile = tmp_path / "outputs" / "profiled" / "profile"
    assert f"profile      {profile}" in stdout
    for absent in ("checkpoints", "curves", "Generate:"):  # none of these was written
        assert absent not in stdout
    (table,) = profile.glob("*.txt")
    assert "aten::convolution_backward" in table.read_text()
    (trace,) = profile.glob("*.json")
    assert json.loads(trace.read_text())["traceEvents"]


@pytest.mark.parametrize("name", ["", ".", "..", "../a", "null", "[a,b]", "/tmp/a"])
def test_a_run_name_outside_outputs_is_refused(call, tmp_path: Path, name: str):
    stderr = call("train", *TINY, f"run={name}", cwd=tmp_path, status=2).stderr
    assert stderr == f"error: run={name} does not name a folder below outputs/: use run=first\n"
    assert not list(tmp_path.iterdir())


def test_overwrite_replaces_generated_faces_only(call, finished: Path, tmp_path: Path):
    outputs = shutil.copytree(finished / "outputs", tmp_path / "outputs")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/note.txt").write_text("precious")
    for out in ("kept", "outputs", "outputs/a"):
        stderr = call("generate", "run=a", f"out={out}", "overwrite=true", cwd=tmp_path, status=2)
        assert "has files other than faces" in stderr.stderr
    assert (tmp_path / "kept/note.txt").read_text() == "precious"
    assert (outputs / "a/checkpoints/last.ckpt").exists()
    for n in (3, 2):
        call("generate", "run=a", "out=faces", f"n={n}", "overwrite=true", cwd=tmp_path)
        assert len(list((tmp_path / "faces").iterdir())) == n


@pytest.mark.parametrize(
    ("override", "fix"),
    [
        *(("out=null", "out=faces.png"), ("out=.", "out=faces.png"), ("columns=abc", "integer")),
        *(("columns=-3", "columns=1"), ("scale=100000", "scale=64"), ("epoch=inf", "number")),
        *(
            ("overwrite=maybe", "true or false"),
            ("seed=-1", "seed=0"),
            ("n=true", "n=true must be an integer"),
        ),
    ],
)
def test_generate_names_the_override_that_fixes_a_setting(
    call, finished: Path, override: str, fix: str
):
    stderr = call("generate", "run=a", "out=never.png", override, cwd=finished, status=2).stderr
    assert stderr.startswith("error: ") and fix in stderr and stderr.count("\n") == 1
    assert not (finished / "never.png").exists()


@pytest.mark.parametrize("budget", ["nan", "inf", "-1"])
def test_an_invalid_budget_is_refused(call, tmp_path: Path, budget: str):
    stderr = call("train", *TINY, f"max_kimg={budget}", "run=a", cwd=tmp_path, status=2).stderr
    assert re.match(f"error: max_kimg={budget} (is|must be) ", stderr)


def test_a_run_without_its_last_checkpoint_is_not_overwritten(finished: Path, tmp_path: Path):
    outputs = shutil.copytree(finished / "outputs", tmp_path / "outputs")
    (outputs / "a/checkpoints/last.ckpt").unlink()
    stderr = run("train", *TINY, "trainer.max_epochs=3", "run=a", cwd=tmp_path, status=2).stderr
    assert "but not its last.ckpt" in stderr
    arguments = shlex.split(stderr.rpartition("resume with ")[2])
    run("train", *TINY, "trainer.max_epochs=4", "run=a", *arguments, cwd=tmp_path)


def test_damaged_records_of_a_run_do_not_stop_it(finished: Path, tmp_path: Path):
    outputs = shutil.copytree(finished / "outputs", tmp_path / "outputs")
    for verdict in ("{bro", '{"verdict": 1}'):  # the run is finished, so nothing is trained
        (outputs / "a/equilibrium.json").write_text(verdict)
        run("train", *TINY, "trainer.max_epochs=3", "run=a", "ckpt_path=last", cwd=tmp_path)
    (outputs / "a/quality.json").write_text("{bro")
    again = ("trainer.max_epochs=4", "run=a", "ckpt_path=last")
    stderr = run("train", *TINY, *again, cwd=tmp_path).stderr
    assert "quality.json is damaged and was renamed to" in stderr
    assert (outputs / "a/quality-damaged.json").read_text() == "{bro"


@pytest.mark.skipif(sys.platform == "win32", reason="no file locks")
def test_two_commands_do_not_train_in_one_folder(tmp_path: Path):
    endless = (*TINY, "run=a", "trainer.max_epochs=-1", "metric=none", "callbacks.samples=null")
    first = start("train", *endless, cwd=tmp_path)
    try:
        last = tmp_path / "outputs/a/checkpoints/last.ckpt"
        deadline = time.monotonic() + 60
        while not last.exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        stderr = run("train", *endless, "ckpt_path=last", cwd=tmp_path, status=2).stderr
        assert "is being trained by another command" in stderr
    finally:
        first.kill()
        first.communicate()
    budget = f"max_kimg={read(last)['images_seen'] / 1000 + 0.01}"
    run("train", *endless, "ckpt_path=last", budget, cwd=tmp_path)


def test_a_damaged_last_checkpoint_is_explained_with_the_remaining_ones(
    call, finished: Path, tmp_path: Path
):
    outputs = shutil.copytree(finished / "outputs", tmp_path / "outputs")
    last = outputs / "a/checkpoints/last.ckpt"
    whole = last.read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"no checkpoint"):
        last.unlink()
        last.write_bytes(content)
        for command in (("train", *TINY, "ckpt_path=last"), ("generate", "out=a.png")):
            stderr = call(*command, "run=a", cwd=tmp_path, status=2).stderr
            assert "such as that of an epoch" in stderr or "is refused: it is damaged" in stderr
            assert "mmap" not in stderr and stderr.count("error: ") == 1
    last.unlink()
    stderr = call("train", *TINY, "run=a", "ckpt_path=last", cwd=tmp_path, status=2).stderr
    assert "epoch=0003.ckpt" in stderr
    stderr = call("train", *TINY, "run=b", "ckpt_path=last", cwd=tmp_path, status=2).stderr
    assert "remove ckpt_path=last to start it" in stderr


def contents_of(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["loss=hinge", "data.count=77"], "already has a run"),
        (["loss=hinge", "ckpt_path=last"], "the checkpoint was trained with loss"),
        (["trainer.max_epochs=2", "ckpt_path=last"], "3 epochs already: set trainer.max_epochs"),
        (["max_kimg=0.04", "ckpt_path=last"], "96 images already: set max_kimg above 0.096"),
        (["trainer.accelerator=abacus", "ckpt_path=last"], "trainer"),
        (["callbacks.samples.count=0", "ckpt_path=last"], "callbacks.samples.count=0"),
    ],
)
def test_a_refused_command_changes_no_file_of_the_run(
    call, finished: Path, tmp_path: Path, overrides: list[str], message: str
):
    run_dir = shutil.copytree(finished / "outputs/a", tmp_path / "outputs/a")
    before = contents_of(run_dir)
    budget = () if "trainer.max_epochs=2" in overrides else ("trainer.max_epochs=3",)
    result = call("train", *TINY, *budget, *overrides, "run=a", cwd=tmp_path, status=2)
    assert message in result.stderr and "Traceback" not in result.stderr
    assert contents_of(run_dir) == before
    resumed = call("train", *TINY, "trainer.max_epochs=3", "ckpt_path=last", cwd=tmp_path)
    assert str(run_dir) in resumed.stdout


@pytest.mark.parametrize("name", [(), ("run=b",)])
@pytest.mark.parametrize("mistake", ["data.count=0", "callbacks.samples.count=0"])
def test_a_refused_command_leaves_no_folder(call, tmp_path: Path, name, mistake: str):
    call("train", *TINY, mistake, *name, cwd=tmp_path, status=2)
    assert [path.name for path in (tmp_path / "outputs").iterdir()] in ([], ["cache"])
