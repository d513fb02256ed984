"""Faces of each class are compared with real ones of it, and recognised or not."""

from pathlib import Path

import numpy as np
import pytest
import torch

from anime_dcgan.data.faces import Faces
from anime_dcgan.metric import by_label
from anime_dcgan.metric.by_label import LabelEvaluation
from anime_dcgan.metric.classifier import LinearClassifier
from anime_dcgan.metric.evaluation import Evaluation
from anime_dcgan.metric.evaluator import Evaluator
from anime_dcgan.metric.sliced import SlicedWasserstein
from anime_dcgan.model.base import Generator

CONTENTS = {"images_seen": 10, "epochs_done": 1.0}


@pytest.fixture
def faces(tmp_path: Path) -> Faces:
    """Return noise of two classes, one of which has more red, and the other more blue."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 400)
    images = random.integers(0, 200, (400, 16, 16, 3)).astype(np.uint8)
    images[np.arange(400), :, :, 2 * labels] += 50
    rows, digests = np.arange(400), np.arange(400, dtype=np.uint64)
    return Faces(
        *(tmp_path, images, rows[:320], rows[320:], digests),
        label_names=("red", "blue"),
        labels=labels,
    )


def evaluation_of(faces: Faces, swapped: bool) -> Evaluation:
    """Return an evaluation of a generator that draws held-out faces of a class, or of the other."""
    assert faces.labels is not None
    labels = faces.labels[faces.holdout_rows]

    class Copied(Evaluation):
        def __init__(self) -> None:
            self.weights, self.dtype = "ema", torch.float32
            self.evaluator = Evaluator(SlicedWasserstein(), faces, count=80)

        def generator(self, contents, path, truncation) -> Generator:
            return Generator(2, faces.label_names)

        def draw(self, generator, latents, truncation) -> np.ndarray:
            assert generator.default_label is not None
            wanted = int(generator.default_label.argmax()) ^ swapped
            rows = np.resize(faces.holdout_rows[labels == wanted], len(latents))
            return faces.images[rows]

    return Copied()


def test_real_faces_of_a_class_are_recognised_and_near_and_others_are_not(faces: Faces):
    for swapped in (False, True):
        found = LabelEvaluation(evaluation_of(faces, swapped))
        rows = [found.measure(CONTENTS, Path(), 1.0, name) for name in found.names]
        for row in rows:
            assert row["floor"]["accuracy"] > 0.95
            assert row["values"]["accuracy"] == pytest.approx(0 if swapped else 1, abs=0.05)
            assert (row["values"]["coverage"] < 0.5 * row["floor"]["coverage"]) is swapped
            assert row["values"]["swd/mean"] > 0
        assert len({found.key(CONTENTS, 1.0, name) for name in found.names}) == 2


def test_a_class_of_few_faces_has_an_accuracy_only(faces: Faces, monkeypatch):
    monkeypatch.setattr(by_label, "MIN_FACES", 1000)
    found = LabelEvaluation(evaluation_of(faces, swapped=False))
    row = found.measure(CONTENTS, Path(), 1.0, found.names[0])
    assert set(row["values"]) == set(row["floor"]) == {"accuracy"}


def test_the_classifier_names_small_classes_too_and_none_without_faces():
    random = torch.Generator().manual_seed(0)
    labels = torch.tensor([0] * 500 + [2] * 10)
    centres = torch.tensor([[0.0, 0.0], [50.0, 50.0], [2.0, 0.0]])

    def draw(rows: torch.Tensor) -> torch.Tensor:
        return centres[rows] + torch.randn(len(rows), 2, generator=random)

    classifier = LinearClassifier(draw(labels), labels, classes=3)
    small = classifier.predict(draw(torch.full((200,), 2)))
    assert (small == 2).float().mean() > 0.7
    assert not (classifier.predict(draw(torch.full((50,), 1))) == 1).any()
