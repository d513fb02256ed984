"""Latents and noise from seeds: the same seed always gives the same face."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from anime_dcgan.model.base import Generator
from anime_dcgan.sampling.seeds import MAX_SEED
from anime_dcgan.system.errors import UserError


def latent_of_seed(seed: int, latent_dim: int) -> Float[Tensor, " latent_dim"]:
    """Return the standard normal latent of a seed in 0..MAX_SEED; raise `UserError` otherwise."""
    return torch.randn(latent_dim, generator=_random(seed))


def latents_of_seeds(seeds: Sequence[int], latent_dim: int) -> Float[Tensor, "n latent_dim"]:
    """Return the latents of several seeds, one per row."""
    return torch.stack([latent_of_seed(seed, latent_dim) for seed in seeds])


def noise_of_seed(seed: int, generator: Generator) -> Float[Tensor, " noise_dim"]:
    """Return the noise of a seed, which is drawn after its latent."""
    random = _random(seed)
    torch.randn(generator.latent_dim, generator=random)
    return torch.randn(generator.noise_dim, generator=random)


def noise_of_seeds(seeds: Sequence[int], generator: Generator) -> Float[Tensor, "n noise_dim"]:
    """Return the noise of several seeds, one per row."""
    return torch.stack([noise_of_seed(seed, generator) for seed in seeds])


def _random(seed: int) -> torch.Generator:
    if not 0 <= seed <= MAX_SEED:
        raise UserError(f"seed={seed} is outside 0..{MAX_SEED}: choose another seed=...")
    return torch.Generator().manual_seed(seed)


def slerp(
    start: Float[Tensor, " d"], end: Float[Tensor, " d"], fraction: float
) -> Float[Tensor, " d"]:
    """Interpolate spherically (Shoemake 1985), which preserves the norm typical of normal values.

    `fraction` 0 gives `start`, 1 gives `end`. Parallel and opposite latents, for which the great
    circle is undefined, are interpolated linearly.
    """
    cosine = torch.nn.functional.cosine_similarity(start, end, dim=0).clamp(-1, 1)
    angle = torch.acos(cosine)
    if torch.sin(angle) < 1e-4:
        return torch.lerp(start, end, fraction)
    weights = torch.sin(angle * torch.tensor([1 - fraction, fraction])) / torch.sin(angle)
    return weights[0] * start + weights[1] * end
