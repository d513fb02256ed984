"""The forecast of a training, and intervals that follow the number of faces."""

import pytest

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
    ("epoch_images", "max_epochs", "interval"),
    [(64, 150, 15), (64, -1, 79), (2000, 150, 3), (19_000, 150, 1), (64, 3, 1)],
)
def test_few_faces_are_saved_less_often(epoch_images: int, max_epochs: int, interval: int):
    assert Periodic("auto").interval(epoch_images, max_epochs) == interval
    assert Periodic(2).interval(epoch_images, max_epochs) == 2
