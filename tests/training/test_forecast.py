"""The forecast of a training, and intervals that follow the number of faces."""

import pytest

from anime_dcgan.system.errors import UserError
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
