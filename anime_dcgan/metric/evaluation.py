"""Evaluate checkpoints of a run with one metric, on the data that it was trained on."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from anime_dcgan.data.faces import Faces, open_faces
from anime_dcgan.data.manifest import ManifestFaces
from anime_dcgan.data.source import Source
from anime_dcgan.metric.base import Metric
from anime_dcgan.metric.evaluator import Evaluator, Pixels, Values
from anime_dcgan.run import checkpoint, trusted
from anime_dcgan.sampling.sample import sample_images
from anime_dcgan.system import precision

Contents = dict[str, Any]
"""What `checkpoint.read` returns."""


class Evaluation:
    """Evaluates checkpoints of one run.

    Parameters:
        first: any checkpoint of the run; its configuration names the training data.
        settings: `weights`, `count`, `reference`, `training`, `manifest`, `device` as in
            `conf/evaluate.yaml`.

    Raises `UserError` if the training data no longer exists.
    """

    def __init__(self, first: Path, metric: Metric, settings: DictConfig) -> None:
        self.weights = settings.weights
        config = checkpoint.read(first)["config"]
        self.device, self.dtype = _device(settings.device, config)
        faces = open_data(config, first, settings.manifest)
        self.evaluator = Evaluator(
            metric,
            faces,
            settings.count,
            settings.reference,
            settings.training,
            device=self.device,
        )
        self.headline = metric.headline
        self._last_faces: tuple[Contents, Pixels] | None = None  # with their checkpoint

    @property
    def floor(self) -> Values:
        """Values of an equally large set of other real faces."""
        return self.evaluator.references.floor

    def key(self, contents: Contents) -> str:
        """Return a key that differs whenever the values may differ."""
        settings = {**self.evaluator.settings, "weights": self.weights, "dtype": str(self.dtype)}
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
        return f"{contents['images_seen']}-{digest[:16]}"

    def measure(self, contents: Contents, path: Path) -> dict[str, Any]:
        """Return the values of one checkpoint, with its epoch and the settings of the metric.

        Parameters:
            contents: what `checkpoint.read` returned for `path`, which may have changed since.
        """
        return {
            "images": contents["images_seen"],
            "epoch": contents["epochs_done"],
            "weights": self.weights,
            "metric": self.evaluator.settings,
            "values": self.evaluator.measure(self.faces(contents, path)),
        }

    def faces(self, contents: Contents, path: Path) -> Pixels:
        """Return the generated faces of a checkpoint that are measured."""
        if self._last_faces is None or self._last_faces[0] is not contents:
            self._last_faces = (contents, self._sample(contents, path))
        return self._last_faces[1]

    def _sample(self, contents: Contents, path: Path) -> Pixels:
        generator = checkpoint.build_generator(contents, self.weights, path)
        generator = generator.to(self.device).to(memory_format=torch.channels_last)
        latents = self.evaluator.latents(generator.latent_dim)
        fast = self.dtype == torch.bfloat16
        with precision.autocast(fast, self.device.type):
            return sample_images(generator, latents)


def _device(name: str, config: dict[str, Any]) -> tuple[torch.device, torch.dtype]:
    """Return the device, and the dtype in which the generator was trained."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    trained = config["trainer"]["precision"]
    fast = (precision.choose(name)[0] if trained == "auto" else trained) == precision.FAST
    return torch.device(name), torch.bfloat16 if fast else torch.float32


def open_data(config: dict[str, Any], origin: Path, manifest: str | None = None) -> Faces:
    """Open the training and hold-out faces that a checkpoint's configuration names.

    A `manifest` replaces them by the faces that it keeps, at the same size.
    """
    data = config["data"]
    if manifest is None:
        source = trusted.build(data["source"], "anime_dcgan.data", Source, origin)
        holdout = data["holdout"]
    else:
        source, holdout = ManifestFaces(manifest), None
    return open_faces(
        source,
        data["image_size"],
        holdout,
        config["seed"],
        Path(data["cache_dir"]),
        data["workers"],
    )
