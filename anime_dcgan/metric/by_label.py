"""Evaluate the faces of each class of a labelled run."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from anime_dcgan.data.faces import Faces
from anime_dcgan.metric.classifier import LinearClassifier
from anime_dcgan.metric.evaluation import Contents, Evaluation
from anime_dcgan.metric.evaluator import Evaluator, TooFewFaces, Values
from anime_dcgan.model.base import Generator
from anime_dcgan.run.evaluations import LABEL, Row
from anime_dcgan.system.errors import UserError

VERSION = 1
"""Increase this whenever the same images would give different values."""
MIN_FACES = 50
"""Minimum number of real faces on each side: fewer measure hardly more than chance."""
ACCURACY = "accuracy"


class LabelEvaluation:
    """Measures how near the faces of each class are to real ones of it, and if they are of it.

    The distances of a class are those of an `Evaluator` that is given the real faces of this class
    only. `accuracy` is the fraction of generated faces that a classifier recognises as the class
    that was asked for; it is fitted on the features of labelled training faces. The accuracy in
    the `floor` is that of real faces that the classifier was not fitted on.

    Raises `UserError` if the real faces have no labels.
    """

    def __init__(self, evaluation: Evaluation) -> None:
        self.evaluation = evaluation
        faces = evaluation.evaluator.faces
        if faces.labels is None:
            raise UserError(
                "by_label=true: there are no labels of the real faces: use a run that was trained "
                "with data.labels=..., without manifest=..., or by_label=false"
            )
        self.faces: Faces = faces
        self.labels: np.ndarray = faces.labels
        self.names = faces.label_names
        self._fingerprint = faces.fingerprint()["training"]["labels"]
        self._evaluators: dict[str, Evaluator | None] = {}
        self._last: tuple[Contents, float, Generator] | None = None

    def prepare(self) -> None:
        """Describe the real faces of all classes, and fit the classifier."""
        for name in self.names:
            self._evaluator(name)
        _ = self._recognised

    def key(self, contents: Contents, truncation: float, name: str) -> str:
        """Return a key that differs whenever the values of this class may differ."""
        return self.evaluation.key_of(contents, self._settings(truncation, name))

    def measure(self, contents: Contents, path: Path, truncation: float, name: str) -> Row:
        """Return the values of one class; without distances if it has too few real faces."""
        last = self._last
        if last is None or last[0] is not contents or last[1] != truncation:
            last = (contents, truncation, self.evaluation.generator(contents, path, truncation))
            self._last = last
        count, values, floor = self._measure(last[2].of_label(name), truncation, name)
        return {
            LABEL: name,
            "count": count,
            "images": contents["images_seen"],
            "epoch": contents["epochs_done"],
            "weights": self.evaluation.weights,
            "metric": self._settings(truncation, name),
            "floor": floor,
            "values": values,
        }

    def _settings(self, truncation: float, name: str) -> dict[str, Any]:
        own = {LABEL: name, "labels": self._fingerprint, "by_label": VERSION}
        return {**self.evaluation.settings(truncation), **own}

    def _measure(
        self, generator: Generator, truncation: float, name: str
    ) -> tuple[int, Values, Values]:
        evaluator = self._evaluator(name)
        values: Values = {}
        floor: Values = {}
        used = self.evaluation.evaluator if evaluator is None else evaluator
        latents = used.latents(generator.latent_dim)
        described = used.describe(self.evaluation.draw(generator, latents, truncation))
        if evaluator is not None:
            values, floor = evaluator.compare(described), evaluator.references.floor
        label = self.names.index(name)
        predicted = self._classifier.predict(described["features"])
        values = {**values, ACCURACY: _fraction(predicted == label)}
        actual, recognised = self._recognised
        if (actual == label).any():
            floor = {**floor, ACCURACY: _fraction(recognised[actual == label] == label)}
        return len(latents), values, floor

    def _evaluator(self, name: str) -> Evaluator | None:
        """Return the evaluator of a class; None if it has too few real faces."""
        if name not in self._evaluators:
            self._evaluators[name] = self._make_evaluator(name)
        return self._evaluators[name]

    def _make_evaluator(self, name: str) -> Evaluator | None:
        whole = self.evaluation.evaluator
        is_own = self.labels == self.names.index(name)
        train, holdout = (
            rows[is_own[rows]] for rows in (self.faces.train_rows, self.faces.holdout_rows)
        )
        reference = whole.settings["reference"]
        compared = train if reference == "train" else holdout
        if len(compared) < 2 * MIN_FACES or len(train) < MIN_FACES:
            return None
        try:
            return Evaluator(
                whole.metric,
                replace(self.faces, train_rows=train, holdout_rows=holdout),
                min(whole.count, len(compared) // 2),
                reference,
                max(MIN_FACES, len(whole.training_rows) // len(self.names)),
                device=whole.device,
                title=f"real faces of {name}",
            )
        except TooFewFaces:  # most of them are equal
            return None

    @cached_property
    def _classifier(self) -> LinearClassifier:
        whole = self.evaluation.evaluator
        labels = self._labels_of(whole.training_rows)
        known = labels >= 0
        features = whole.references.training
        return LinearClassifier(features[known], labels[known], len(self.names))

    @cached_property
    def _recognised(self) -> tuple[Int64[Tensor, " n"], Int64[Tensor, " n"]]:
        """The classes of real faces that were not fitted, and those that they are taken for."""
        rows, features = self.evaluation.evaluator.held_out_features()
        labels = self._labels_of(rows)
        return labels[labels >= 0], self._classifier.predict(features[labels >= 0])

    def _labels_of(self, rows: np.ndarray) -> Int64[Tensor, " n"]:
        return torch.from_numpy(self.labels[rows]).to(self.evaluation.evaluator.device)


def _fraction(matches: Tensor) -> float:
    return matches.float().mean().item()
