"""Sheets and films of a generator that was trained on labelled images."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import UInt8

from anime_dcgan.model.base import Generator
from anime_dcgan.sampling.film import film_through
from anime_dcgan.sampling.latent import latents_of_seeds, noise_of_seeds
from anime_dcgan.sampling.sample import Pixels, faces


def label_sheet(
    generator: Generator, seeds: Sequence[int], labels: Sequence[str], truncation: float = 1.0
) -> UInt8[np.ndarray, "n h w 3"]:
    """Return the face of each seed with each label, a row for each label.

    Raises `UserError` for labels that the generator does not know.
    """
    rows = [faces(generator.of_label(label), seeds, truncation) for label in labels]
    return np.stack([face for row in rows for face in row])


def label_film(
    generator: Generator,
    seed: int,
    labels: Sequence[str],
    frames_per_face: int,
    truncation: float = 1.0,
) -> Iterator[Pixels]:
    """Yield the frames of a film of one face, from each label to the next and back to the first."""
    one_hot = torch.stack([_default_label(generator.of_label(label)) for label in labels])
    latents = latents_of_seeds([seed], generator.latent_dim).expand(len(labels), -1)
    noise = noise_of_seeds([seed], generator).expand(len(labels), -1)
    return film_through(generator, latents, frames_per_face, noise, truncation, one_hot)


def _default_label(generator: Generator) -> torch.Tensor:
    assert generator.default_label is not None
    return generator.default_label


def choose_labels(generator: Generator, labels: Sequence[str]) -> list[str]:
    """Return these labels, or all that the generator knows for "all".

    Raises `UserError` for labels that it does not know.
    """
    chosen = list(generator.labels) if list(labels) == ["all"] else list(labels)
    for label in chosen or labels:
        generator.of_label(label)
    return chosen
