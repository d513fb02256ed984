"""Evaluate checkpoints of a run with one metric, on the data that it was trained on."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from anime_dcgan.data.cache import check_space
from anime_dcgan.data.faces import Faces, open_faces
from anime_dcgan.data.folder import FolderFaces
from anime_dcgan.data.hub import HubFaces
from anime_dcgan.data.labels import read_labels
from anime_dcgan.data.manifest import ManifestFaces
from anime_dcgan.data.source import Source
from anime_dcgan.metric.base import Metric
from anime_dcgan.metric.evaluator import Evaluator, Pixels, Values
from anime_dcgan.model.base import Generator
from anime_dcgan.run import checkpoint, trusted
from anime_dcgan.run.settings import Fingerprint, describe_difference
from anime_dcgan.sampling.sample import sample_images
from anime_dcgan.sampling.standing import with_standing_statistics
from anime_dcgan.system import precision
from anime_dcgan.system.errors import UserError

Contents = dict[str, Any]
"""The contents of a checkpoint, from `checkpoint.read`."""


class Evaluation:
    """Evaluates checkpoints of one run.

    Parameters:
        first: any checkpoint of the run; its configuration names the training data.
        settings: `weights`, `count`, `reference`, `training`, `data.path`, `manifest`, `device` as
            in `conf/evaluate.yaml`.

    Raises `UserError` if the training data no longer exists or has changed.
    """

    def __init__(self, first: Path, metric: Metric, settings: DictConfig) -> None:
        self.weights = settings.weights
        contents = checkpoint.read(first)
        config = contents["config"]
        self.device, self.dtype = _device(settings.device, config)
        faces = open_data(config, first, settings.data, settings.manifest)
        if settings.manifest is None:
            _check_unchanged(checkpoint.faces_of(contents), faces)
        self.evaluator = Evaluator(
            metric,
            faces,
            settings.count,
            settings.reference,
            settings.training,
            device=self.device,
        )
        self.headline = metric.headline
        self._last_faces: tuple[Contents, float, Pixels] | None = None
        """Faces with their checkpoint and truncation."""

    @property
    def floor(self) -> Values:
        """Values of an equally large set of other real faces."""
        return self.evaluator.references.floor

    def key(self, contents: Contents, truncation: float = 1.0) -> str:
        """Return a key that differs whenever the values may differ."""
        return self.key_of(contents, self.settings(truncation))

    def key_of(self, contents: Contents, settings: dict[str, Any]) -> str:
        """Return a key of a checkpoint that is measured with these settings."""
        settings = {**settings, "weights": self.weights, "dtype": str(self.dtype)}
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
        return f"{contents['images_seen']}-{digest[:16]}"

    def measure(self, contents: Contents, path: Path, truncation: float = 1.0) -> dict[str, Any]:
        """Return the values of one checkpoint, with its epoch and the settings of the metric.

        Parameters:
            contents: what `checkpoint.read` returned for `path`, which may have changed since.
            truncation: see `model.base.Generator.truncate`.
        """
        return {
            "images": contents["images_seen"],
            "epoch": contents["epochs_done"],
            "weights": self.weights,
            "metric": {**self.settings(truncation), "headline": self.headline},
            "floor": self.floor,
            "values": self.evaluator.measure(self.faces(contents, path, truncation)),
        }

    def settings(self, truncation: float) -> dict[str, Any]:
        """Return the settings of a measurement; those without truncation need not name it."""
        truncated = {} if truncation == 1 else {"truncation": truncation}
        return {**self.evaluator.settings, **truncated}

    def faces(self, contents: Contents, path: Path, truncation: float = 1.0) -> Pixels:
        """Return the generated faces of a checkpoint that are measured."""
        last = self._last_faces
        if last is None or last[0] is not contents or last[1] != truncation:
            last = (contents, truncation, self._sample(contents, path, truncation))
            self._last_faces = last
        return last[2]

    def _sample(self, contents: Contents, path: Path, truncation: float) -> Pixels:
        generator = self.generator(contents, path, truncation)
        return self.draw(generator, self.evaluator.latents(generator.latent_dim), truncation)

    def generator(self, contents: Contents, path: Path, truncation: float) -> Generator:
        """Return the generator of a checkpoint, on the device."""
        generator = checkpoint.build_generator(contents, self.weights, path)
        generator = generator.to(self.device).to(memory_format=torch.channels_last)
        return with_standing_statistics(generator, truncation)

    def draw(self, generator: Generator, latents: Tensor, truncation: float) -> Pixels:
        """Return the faces of latents, in the precision of the training."""
        fast = self.dtype == torch.bfloat16
        with precision.autocast(fast, self.device.type):
            return sample_images(generator, latents, truncation=truncation)


def _device(name: str, config: dict[str, Any]) -> tuple[torch.device, torch.dtype]:
    """Return the device, and the dtype in which the generator was trained."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device=cuda: torch finds no GPU here: use device=cpu or device=auto")
    trainer = config.get("trainer")
    trained = trainer.get("precision") if isinstance(trainer, dict) else None
    fast = (precision.choose(name)[0] if trained == "auto" else trained) == precision.FAST
    return torch.device(name), torch.bfloat16 if fast else torch.float32


def _check_unchanged(trained: Fingerprint, faces: Faces) -> None:
    """Raise `UserError` if the faces are not those that the run was trained on.

    Their labels do not matter: the generator knows how often to draw each class.
    """
    if faces.labels is None:
        trained = {name: {**part} for name, part in trained.items()}
        for part in trained.values():
            part.pop("labels", None)
    if difference := describe_difference(trained, faces.fingerprint()):
        raise UserError(
            f"the run was trained on other data: there are {difference}. Use data.path=... for "
            "data that were moved, or manifest=... to compare with other faces"
        )


def open_data(
    config: dict[str, Any], origin: Path, own: DictConfig, manifest: str | None = None
) -> Faces:
    """Open the training and hold-out faces that a checkpoint's configuration names.

    The checkpoint may be a stranger's: it says which faces, and never where to write or whether to
    open a connection. A `manifest` replaces them by the faces that it keeps, at the same size.

    Parameters:
        own: the user's own `data` settings, as in `conf/evaluate.yaml`.
    """
    size, holdout, seed = _split_settings(config, origin)
    labels = config["data"].get("labels")
    if manifest is not None:
        source, holdout, labels = ManifestFaces(manifest), None, None
    elif own.path is not None:
        source = FolderFaces(own.path)
    else:
        settings = config["data"].get("source")
        if settings is None:
            raise UserError(
                f"{origin} does not say where its training faces are: use data.path=... for these, "
                "or manifest=... to compare with other faces"
            )
        source = _build_source(settings, origin, own)
    found = None
    if labels is not None:
        check_space(source, size, Path(own.cache_dir))
        found = read_labels(source, str(labels))
    return open_faces(source, size, holdout, seed, Path(own.cache_dir), labels=found)


def _build_source(settings: Any, origin: Path, own: DictConfig) -> Source:
    if isinstance(settings, dict):
        settings = {key: settings[key] for key in settings.keys() - {"cache_dir", "endpoint"}}
    source = trusted.build(settings, "anime_dcgan.data", Source, origin)
    return source.kept_in(own.fetch_dir, own.fetch) if isinstance(source, HubFaces) else source


def _split_settings(config: dict[str, Any], origin: Path) -> tuple[int, float | None, int]:
    """Return image size, share held out and seed. Raises `UserError` if one is damaged."""
    data, seed = config.get("data"), config.get("seed")
    size, holdout = (
        (data.get("image_size"), data.get("holdout")) if isinstance(data, dict) else (0, 0)
    )
    is_share = holdout is None or (isinstance(holdout, int | float) and 0 <= holdout < 1)
    if type(size) is not int or not 1 <= size <= checkpoint.MAX_IMAGE_SIZE:
        raise UserError(f"{origin} is refused: its data.image_size is {size!r:.40}")
    if not is_share or type(seed) is not int or seed < 0:
        raise UserError(f"{origin} is refused: its data.holdout or seed is damaged")
    return size, holdout, seed
