"""Style mixing: faces with the coarse styles of one parent and the fine styles of another."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from anime_dcgan.model.base import Generator
from anime_dcgan.sampling.latent import latents_of_seeds, noise_of_seeds
from anime_dcgan.sampling.layers import check_layers
from anime_dcgan.sampling.sample import BLOCK, sample_styles, styles_of


def mixing_sheet(
    generator: Generator,
    seeds: Sequence[int],
    sources: Sequence[int],
    layers: range | None = None,
    truncation: float = 1.0,
) -> UInt8[np.ndarray, "n h w 3"]:
    """Return the pictures of a style mixing sheet row by row: arXiv 1812.04948, figure 3.

    The first row is a blank picture and the faces of `sources`. Each further row begins with the
    face of one of `seeds`, followed by this face with the styles of each source in `layers`.

    Parameters:
        layers: consecutive style layers, from coarse to fine; None takes the coarser half.

    Raises `UserError` if the generator does not have these layers.
    """
    everyone = [*seeds, *sources]
    latents = latents_of_seeds(everyone, generator.latent_dim)
    labels = generator.labels_of_seeds(everyone)
    styles = styles_of(generator, latents, truncation, labels=labels)
    layers = range(max(1, styles.shape[1] // 2)) if layers is None else layers
    check_layers("layers", layers, styles.shape[1])
    noise = noise_of_seeds(everyone, generator)
    parents = sample_styles(generator, styles, BLOCK, noise)
    rows = [np.stack([np.full_like(parents[0], 255), *parents[len(seeds) :]])]
    for number in range(len(seeds)):
        base = styles[[number]].expand(len(sources), -1, -1)
        mixed = replace_layers(base, layers, styles[len(seeds) :])
        same_noise = noise[[number]].expand(len(sources), -1)
        children = sample_styles(generator, mixed, BLOCK, same_noise)
        rows.append(np.concatenate([parents[[number]], children]))
    return np.concatenate(rows)


def replace_layers(
    styles: Float[Tensor, "n style_layers style_dim"],
    layers: range,
    source: Float[Tensor, "_ style_layers style_dim"],
) -> Float[Tensor, "n style_layers style_dim"]:
    """Return styles with those of `source` in these layers; it has n styles, or one for all."""
    mixed = styles.clone()
    mixed[:, layers.start : layers.stop] = source[:, layers.start : layers.stop]
    return mixed
