"""The forecast of a training, and intervals that follow the number of faces."""

import re

import pytest

from anime_dcgan.system.errors import UserError
from anime_dcgan.training import forecast
from anime_dcgan.training.callbacks import epochs
from anime_dcgan.training.callbacks.periodic import Periodic
from anime_dcgan.training.forecast import describe
from tests.conftest import Train


def test_a_training_announces_its_length_before_it_decodes(
    train: Train, capsys: pytest.CaptureFixture[str]
):
    train("trainer.max_epochs=2", "metric=none")
    errors = capsys.readouterr().err
    assert "64 images take about a minute" in errors
    assert errors.index("64 images take") < errors.index("40 faces, 8 of them held out")


def test_a_long_training_names_settings_that_shorten_it():
    line = describe(images=2_800_000, hours=20.0, disk_bytes=18_000_000_000)
    assert "about 20 hours and 18.0 GB" in line
    for setting in ("max_kimg=140", "experiment=quickstart", "callbacks.checkpointer.keep=10"):
        assert setting in line


@pytest.mark.parametrize(
    ("epoch_images", "total", "interval"),
    [(64, 9600, 15), (64, None, 156), (64, 300_000, 156), (2000, 300_000, 5), (64, 192, 1)],
)
def test_few_faces_are_saved_less_often(epoch_images: int, total: int | None, interval: int):
    assert Periodic("auto").interval(epoch_images, total) == interval
    assert Periodic(2).interval(epoch_images, total) == 2
    assert Periodic("auto").interval(19_000, 150 * 19_000) == 1


def test_few_faces_are_trained_for_more_epochs(train: Train, monkeypatch, capsys):
    """The report's 150 epochs are 32 images each here; any number that is set is obeyed."""
    auto = ("trainer.max_epochs=auto", "metric=none", "callbacks.checkpointer.every_epochs=null")
    monkeypatch.setattr(epochs, "REPORT_EPOCHS", 2)
    monkeypatch.setattr(epochs, "MIN_IMAGES", 90)
    assert train(*auto, run="few").images_seen == 96
    assert "96 images take" in (line := capsys.readouterr().err) and "these are 3 epochs" in line
    assert train(*auto, "max_kimg=0.16", run="budget").images_seen == 160
    assert train(*auto, "trainer.max_epochs=1", run="one").images_seen == 32
    assert "these are" not in capsys.readouterr().err
    monkeypatch.setattr(epochs, "MIN_IMAGES", 10)
    assert train(*auto, run="many").images_seen == 64


@pytest.mark.parametrize("value", ["0", "-3", "many"])
def test_other_numbers_of_epochs_are_refused(train: Train, value: str):
    with pytest.raises(UserError, match=f"trainer.max_epochs={value} must be auto, a number"):
        train(f"trainer.max_epochs={value}")


def test_a_training_announces_the_cost_of_a_step(train: Train, capsys: pytest.CaptureFixture[str]):
    train("trainer.max_epochs=1", "metric=none")
    line = re.search(r"at (\S+) s a step and (\S+) GB of memory", capsys.readouterr().err)
    assert line and 0 < float(line[1]) < 60 and 0.1 < float(line[2]) < 20


def test_a_step_that_does_not_fit_is_refused_with_settings_that_help(train: Train, monkeypatch):
    """A step on an eighth of the images shows it, before one on all of them."""
    monkeypatch.setattr(forecast, "PROBE_PIXELS", 0)
    monkeypatch.setattr(forecast, "free_memory", lambda: 10**6)
    settings = ("data.batch_size=32", "model.generator.width=64", "metric=none")
    fix = "data.batch_size=16 gan.accumulate=2, or gan.recompute=true"
    with pytest.raises(UserError, match=rf"a step needs about \S+ GB, and 0.0 GB are free.*{fix}"):
        train(*settings)
    monkeypatch.setattr(forecast, "free_memory", lambda: 10**12)
    train(*settings, "trainer.max_epochs=1")
