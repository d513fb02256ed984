"""Complete trainings: exact resuming, the files of a run, and early ends."""

import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Timer
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from anime_dcgan.data.drawn import DrawnFaces
from anime_dcgan.page.labels import read_label_rows
from anime_dcgan.page.sheets import split_grid
from anime_dcgan.run.checkpoint import load_generator, read
from anime_dcgan.run.runs import find_checkpoint
from anime_dcgan.sampling.latent import latents_of_seeds, noise_of_seeds
from anime_dcgan.sampling.sample import faces, sample_images
from anime_dcgan.system.errors import UserError
from anime_dcgan.training.callbacks.interrupt import Interrupted
from anime_dcgan.training.fit import Unfinished, fit
from anime_dcgan.training.gan import GAN
from tests.conftest import Train, assert_same_weights

Small = Callable[..., DictConfig]


def optimizer_state(path: Path) -> list[torch.Tensor]:
    states = read(path)["optimizer_states"]
    return [t for s in states for p in s["state"].values() for t in p.values()]


@pytest.mark.parametrize(
    ("loss", "model"),
    [
        *(("bce", model) for model in ("dcgan", "radford", "r3gan")),
        pytest.param("bce", "biggan", marks=pytest.mark.slow),
        *(("wgan_gp", model) for model in ("dcgan", "radford")),
    ],
)
def test_resuming_after_an_epoch_gives_the_same_weights(
    train: Train, tmp_path: Path, model: str, loss: str
):
    settings = [f"loss={loss}", "gan.critic_steps=3"]
    if (loss, model) == ("wgan_gp", "radford"):
        settings.append("model.discriminator.batch_norm=false")
    whole = train(*settings, "trainer.max_epochs=4", run="whole", model=model)
    train(*settings, "trainer.max_epochs=2", run="parts", model=model)
    last = tmp_path / "parts/checkpoints/last.ckpt"
    parts = train(*settings, "trainer.max_epochs=4", run="parts", model=model, ckpt_path=last)
    assert_same_weights(whole, parts)
    assert (parts.images_seen, parts.discriminator_steps) == (128, 16)
    states = [
        optimizer_state(tmp_path / run / "checkpoints/last.ckpt") for run in ("whole", "parts")
    ]
    assert len(states[0]) > 10
    assert all(torch.equal(one, other) for one, other in zip(*states, strict=True))


@pytest.mark.parametrize("images", [8, 24, 32, 40, 56])
def test_resuming_within_an_epoch_gives_the_same_weights(train: Train, tmp_path: Path, images: int):
    """Resume at and between the ends of epochs, which have 4 batches of 8."""
    whole = train("trainer.max_epochs=3", run="whole")
    train("trainer.max_epochs=3", f"max_kimg={images / 1000}", run="parts")
    last = tmp_path / "parts/checkpoints/last.ckpt"
    assert read(last)["images_seen"] == images
    parts = train("trainer.max_epochs=3", run="parts", ckpt_path=last)
    assert_same_weights(whole, parts)
    assert parts.images_seen == whole.images_seen == 96


def test_resuming_after_half_epochs_gives_the_same_weights(train: Train, tmp_path: Path):
    half = ("trainer.limit_train_batches=0.5",)
    whole = train(*half, "trainer.max_epochs=4", run="whole")
    train(*half, "trainer.max_epochs=2", run="parts")
    last = tmp_path / "parts/checkpoints/last.ckpt"
    parts = train(*half, "trainer.max_epochs=4", run="parts", ckpt_path=last)
    assert_same_weights(whole, parts)


def test_callbacks_do_not_change_the_weights(train: Train):
    with_all = train("logger=csv", run="with")
    without = train("callbacks=none", run="without")
    assert_same_weights(with_all, without)


def test_the_seed_determines_the_weights(train: Train):
    one, same, other = train(run="a"), train(run="b"), train("seed=1", run="c")
    assert_same_weights(one, same)
    with pytest.raises(AssertionError):
        assert_same_weights(one, other)


def test_files_of_a_run(train: Train, tmp_path: Path):
    train("logger=tensorboard", "trainer.max_epochs=3", "callbacks.scalars.every_kimg=0.016")
    run = tmp_path / "run"
    names = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    epochs = [f"epoch={epoch:04d}" for epoch in (1, 2, 3)]
    assert {f"checkpoints/{epoch}.ckpt" for epoch in epochs} | {"checkpoints/last.ckpt"} <= names
    for weights in ("ema", "raw"):
        assert {f"samples/{weights}/{epoch}.png" for epoch in epochs} <= names
    with Image.open(run / "samples/ema.gif") as animation:
        assert animation.n_frames == 3  # type: ignore[attr-defined]
    assert not any(".partial" in name for name in names)
    _check_events(run / "tensorboard")


def _check_events(folder: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()
    assert set(events.Tags()["scalars"]) >= {
        "loss/discriminator",
        "loss/generator",
        "logit/real",
        "logit/fake",
        "accuracy/real",
        "accuracy/fake",
        "learning_rate/generator",
        "learning_rate/discriminator",
        "speed/images_per_second",
    }
    assert set(events.Tags()["images"]) == {"samples/ema", "samples/raw"}
    assert [event.step for event in events.Scalars("accuracy/real")] == [16, 32, 48, 64, 80, 96]
    assert [event.step for event in events.Images("samples/ema")] == [32, 64, 96]


def test_a_labelled_run_draws_the_same_latents_as_each_class(train: Train, tmp_path: Path):
    trained = train("data.labels=light_side", "logger=tensorboard", "trainer.max_epochs=2")
    run = tmp_path / "run"
    names = {path.name for path in (run / "samples/labels").iterdir()}
    assert names == {"epoch=0001.png", "epoch=0002.png"}
    shown = read_label_rows(run, [])
    assert shown is not None and shown.epoch == 2
    labels = [row.name for row in shown.rows]
    assert labels == list(trained.generator.labels)
    with Image.open(run / "samples/labels/epoch=0002.png") as sheet:
        drawn = split_grid(sheet.convert("RGB"))
    for name, row in zip(labels, drawn, strict=True):
        own = trained.generator_ema.of_label(name)
        latents, noise = latents_of_seeds(range(4), own.latent_dim), noise_of_seeds(range(4), own)
        assert np.abs(row.astype(int) - sample_images(own, latents, noise=noise)).max() <= 1
    _check_images(run / "tensorboard", {"samples/ema", "samples/raw", "samples/labels"})


def _check_images(folder: Path, tags: set[str]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert set(EventAccumulator(str(folder)).Reload().Tags()["images"]) == tags


def test_logged_metrics_are_means_over_the_steps(train: Train, tmp_path: Path, monkeypatch):
    losses = []
    step = GAN.generator_step

    def record_loss(self: GAN, *batch: torch.Tensor) -> dict[str, torch.Tensor]:
        metrics = step(self, *batch)
        losses.append(metrics["loss/generator"].item())
        return metrics

    monkeypatch.setattr(GAN, "generator_step", record_loss)
    settings = ("logger=csv", "metric=none", "callbacks.scalars.every_kimg=0.016")
    train(*settings, "trainer.max_epochs=1")
    lines = (tmp_path / "run/csv/metrics.csv").read_text().splitlines()
    rows = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines[1:]]
    logged = [float(row["loss/generator"]) for row in rows]
    assert logged == pytest.approx([sum(losses[:2]) / 2, sum(losses[2:]) / 2])


def test_interval_and_number_of_checkpoints(train: Train, tmp_path: Path):
    train(
        "trainer.max_epochs=7",
        "callbacks.checkpointer.every_epochs=2",
        "callbacks.checkpointer.keep=2",
    )
    kept = sorted(path.name for path in (tmp_path / "run/checkpoints").iterdir())
    assert kept == ["best.ckpt", "epoch=0004.ckpt", "epoch=0006.ckpt", "last.ckpt"]
    assert read(tmp_path / "run/checkpoints/last.ckpt")["images_seen"] == 7 * 32


def test_checkpoints_within_epochs(train: Train, tmp_path: Path):
    train("callbacks.checkpointer.every_epochs=null", "callbacks.checkpointer.every_kimg=0.024")
    kept = sorted(path.name for path in (tmp_path / "run/checkpoints").iterdir())
    assert kept == ["best.ckpt", "epoch=0000.750.ckpt", "epoch=0001.500.ckpt", "last.ckpt"]
    found = find_checkpoint(tmp_path / "run", "1.5")
    assert read(found)["images_seen"] == 48


def test_weights_of_a_checkpoint_are_those_of_the_run(train: Train, tmp_path: Path):
    module = train()
    path = tmp_path / "run/checkpoints/epoch=0002.ckpt"
    assert_same_weights(load_generator(path, "ema"), module.generator_ema)
    assert_same_weights(load_generator(path, "raw"), module.generator)


def test_a_budget_in_images_ends_the_run_and_a_finished_run_stays_finished(
    train: Train, tmp_path: Path
):
    module = train("max_kimg=0.04", "trainer.max_epochs=-1")
    assert module.images_seen == 40
    last = tmp_path / "run/checkpoints/last.ckpt"
    again = train("max_kimg=0.04", "trainer.max_epochs=-1", ckpt_path=last)
    assert again.images_seen == 40


def test_a_run_that_time_ended_is_unfinished_and_resumes_to_the_same_end(
    train: Train, tmp_path: Path, monkeypatch
):
    whole = train("metric=none", run="whole")
    steps = []
    step = GAN.training_step
    monkeypatch.setattr(Timer, "time_elapsed", lambda *_: 3600.0 * len(steps))
    monkeypatch.setattr(
        GAN, "training_step", lambda self, batch, i: steps.append(i) or step(self, batch, i)
    )
    last = tmp_path / "parts/checkpoints/last.ckpt"
    for images in (8, 16):
        steps.clear()  # each command has its own time
        with pytest.raises(Unfinished, match=f"stopped at {images} of 64 images"):
            train(
                *("metric=none", "trainer.max_time=00:01:00:00"),
                run="parts",
                ckpt_path=last if last.exists() else None,
            )
        assert not (tmp_path / "parts/finished.json").exists()
    assert "Timer" not in read(last)["callbacks"]
    assert_same_weights(whole, train("metric=none", run="parts", ckpt_path=last))
    assert (tmp_path / "parts/finished.json").exists()


def test_numbers_of_batches_are_those_of_discriminator_steps(train: Train, monkeypatch):
    assert train("trainer.fast_dev_run=3", "callbacks=none").discriminator_steps == 3
    batches = []
    step = GAN.training_step
    monkeypatch.setattr(
        GAN, "training_step", lambda self, batch, i: batches.append(batch) or step(self, batch, i)
    )
    train("trainer.overfit_batches=2", "callbacks=none", "trainer.max_epochs=3")
    assert len(batches) == 6
    assert all(torch.equal(batch, batches[index % 2]) for index, batch in enumerate(batches))


def test_resuming_with_other_settings_is_refused(train: Train, tmp_path: Path):
    train()
    last = tmp_path / "run/checkpoints/last.ckpt"
    with pytest.raises(UserError, match="optimizer.*lr=0.0002, not 0.1"):
        train("optimizer.generator.lr=0.1", ckpt_path=last)
    with pytest.raises(UserError, match="loss._target_=anime_dcgan.game.loss.BCE, not"):
        train("loss=wgan", "optimizer=adam", ckpt_path=last)


def save_faces(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    drawn = DrawnFaces(count)
    for index in range(count):
        drawn.read(index, 16).save(folder / f"{index:02d}.png")


def test_the_pixels_of_the_faces_decide_on_resume(small: Small, tmp_path: Path):
    """The same faces continue bit-equal from another place; others in the same place do not."""

    def train_on(path: Path, epochs: int, run: str, last: Path | None = None) -> GAN:
        config = small(f"trainer.max_epochs={epochs}", run=run)
        source = {"_target_": "anime_dcgan.data.folder.FolderFaces", "path": str(path)}
        config.data.source = source
        return fit(config, tmp_path / run, ckpt_path=last)

    original, last = tmp_path / "faces", tmp_path / "parts/checkpoints/last.ckpt"
    save_faces(original, 20)
    whole = train_on(original, 2, "whole")
    train_on(original, 1, "parts")
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "faces")
    assert_same_weights(whole, train_on(Path(archive), 2, "parts", last))
    train_on(original, 1, "other")
    last = tmp_path / "other/checkpoints/last.ckpt"
    (original / "00.png").rename(original / "99.png")
    with pytest.raises(UserError, match="the same .* under other names, in another order"):
        train_on(original, 2, "other", last)
    shutil.copy(original / "01.png", original / "99.png")
    with pytest.raises(UserError, match=r"as many .* but not the same|instead of"):
        train_on(original, 2, "other", last)


@pytest.mark.parametrize(
    ("setting", "fix"),
    [
        ("trainer.precision=bf16-true", "trainer.precision=bf16-mixed"),
        ("trainer.max_steps=100", "use max_kimg=0.8 for 100 batches"),
        ("trainer.min_steps=100", "would override max_kimg"),
        ("trainer.min_epochs=100", "would override max_kimg"),
        ("trainer.limit_train_batches=0", "use trainer.limit_train_batches=1.0"),
        ("trainer.limit_train_batches=0.001", "of 4 batches .* use trainer.limit_train_batches=1 "),
        ("trainer.overfit_batches=0.001", "of 4 batches .* use trainer.overfit_batches=1 "),
        ("trainer.limit_train_batches=1.5", "1.5 for .* use trainer.limit_train_batches=1.0"),
        ("trainer.profiler=abc", "one of .'simple'.* use trainer.profiler=null"),
        ("trainer.max_time=abc", "DD:HH:MM:SS.* use trainer.max_time=null"),
        ("trainer.devices=0", "trainer.devices=1"),
        ("trainer.val_check_interval=100", "use callbacks.quality.every_kimg=20"),
        ("trainer.join_minutes=nan", "use trainer.join_minutes=10"),
        ("callbacks.samples.every_epochs=0", "use callbacks.samples.every_epochs=1, or null"),
        ("callbacks.checkpointer.every_kimg=-1", "use callbacks.checkpointer.every_kimg=1, or"),
        ("callbacks.quality.training=0", "use callbacks.quality.training=10000"),
        ("callbacks.quality.training=1", "callbacks.quality.training=1 must be at least 2"),
    ],
)
def test_invalid_settings_are_refused_with_the_fix(train: Train, setting: str, fix: str):
    with pytest.raises(UserError, match=fix):
        train(setting)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_saves_within_the_epoch_and_resuming_gives_the_same_weights(
    train: Train, tmp_path: Path, monkeypatch, number: int
):
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("the signal is ignored, as by nohup")
    whole = train(run="whole")
    step = GAN.generator_step

    def interrupted_step(self: GAN, *batch: torch.Tensor) -> dict[str, torch.Tensor]:
        if self.discriminator_steps == 5:  # in the sixth step
            signal.raise_signal(number)
        return step(self, *batch)

    before = signal.getsignal(number)
    monkeypatch.setattr(GAN, "generator_step", interrupted_step)
    with pytest.raises(Interrupted):
        train(run="parts")
    assert signal.getsignal(number) is before
    monkeypatch.undo()
    last = tmp_path / "parts/checkpoints/last.ckpt"
    assert read(last)["images_seen"] == 48
    assert_same_weights(whole, train(run="parts", ckpt_path=last))


def test_checkpoints_contain_the_resolved_configuration_as_plain_values(
    small: Small, train: Train, tmp_path: Path
):
    train()
    config = read(tmp_path / "run/checkpoints/last.ckpt")["config"]
    assert config == OmegaConf.to_container(small(f"run={config['run']}"), resolve=True)
    assert config["gan"]["generator"]["latent_dim"] == 6


def test_too_few_faces_for_a_batch(train: Train):
    with pytest.raises(UserError, match=r"data\.batch_size=32"):
        train("data.batch_size=64")
    with pytest.raises(UserError, match=r"batch of 64: use data\.batch_size=16, or"):
        train("data.batch_size=32", "gan.accumulate=2")
    with pytest.raises(UserError, match=r"use data\.batch_size=1 gan\.accumulate=1, or"):
        train("gan.accumulate=40")


@pytest.mark.parametrize(
    "model",
    [
        *("dcgan", "radford", "r3gan"),
        *(pytest.param(model, marks=pytest.mark.slow) for model in ("stylegan2", "biggan")),
    ],
)
def test_a_labelled_run_resumes_with_the_same_weights(train: Train, tmp_path: Path, model: str):
    """The duality gap is measured on the way; faces of a seed have a label of their own."""
    settings = ["data.labels=light_side", "data.balance=classes"]
    whole = train(*settings, run="whole", model=model)
    assert whole.generator.label_frequencies.tolist() == [0.5, 0.5]
    train(*settings, "max_kimg=0.024", run="parts", model=model)
    last = tmp_path / "parts/checkpoints/last.ckpt"
    parts = train(*settings, run="parts", model=model, ckpt_path=last)
    assert_same_weights(whole, parts)
    generator = load_generator(last)
    assert generator.labels == whole.generator.labels
    assert len(generator.labels) == 2
    (face,) = faces(generator, [3])
    label = generator.labels_of_seeds([3])
    assert label is not None
    name = generator.labels[int(label.argmax())]
    (same,) = faces(generator.of_label(name), [3])
    assert (face == same).all()
