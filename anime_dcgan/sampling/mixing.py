"""Style mixing: faces with the coarse styles of one parent and the fine styles of another."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from anime_dcgan.model.base import Generator
from anime_dcgan.sampling.latent import latents_of_seeds, noise_of_seeds
from anime_dcgan.sampling.sample import BLOCK, sample_styles, styles_of
from anime_dcgan.system.errors import UserError


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
    styles = styles_of(generator, latents_of_seeds(everyone, generator.latent_dim), truncation)
    layers = range(styles.shape[1] // 2) if layers is None else layers
    _check_layers(layers, styles.shape[1])
    noise = noise_of_seeds(everyone, generator)
    parents = sample_styles(generator, styles, BLOCK, noise)
    rows = [np.stack([np.full_like(parents[0], 255), *parents[len(seeds) :]])]
    chosen = slice(layers.start, layers.stop)
    for number in range(len(seeds)):
        mixed = styles[[number]].repeat(len(sources), 1, 1)
        mixed[:, chosen] = styles[len(seeds) :, chosen]
        same_noise = noise[[number]].expand(len(sources), -1)
        children = sample_styles(generator, mixed, BLOCK, same_noise)
        rows.append(np.concatenate([parents[[number]], children]))
    return np.concatenate(rows)


def _check_layers(layers: range, count: int) -> None:
    if count == 1:
        raise UserError(
            "mix=... needs a generator with several style layers, which model=dcgan and "
            "model=radford lack: use a run of model=stylegan2 or model=biggan"
        )
    if layers.stop > count:
        raise UserError(
            f"layers={layers.start}-{layers.stop - 1} is out of range: this generator has the "
            f"style layers 0-{count - 1}"
        )
