"""Small games whose dynamics are known from the literature."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from anime_dcgan.game.duality import duality_gap
from anime_dcgan.game.loss import BCE
from anime_dcgan.game.regularizer import Regularizer
from anime_dcgan.game.step import Game
from anime_dcgan.metric.variety import diversity
from anime_dcgan.metric.verdict import Observation

POINTS = 8000
"""Sample size; with fewer, the distance at rest is mostly sampling noise in the mode counts."""

Games = tuple[Game, "Target"]


class Point(nn.Module):
    """The generator of the Dirac-GAN: every latent becomes the same point."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.tensor([start]))

    def forward(self, latents: Tensor) -> Tensor:
        return self.position.expand(len(latents), 1)


class Slope(nn.Module):
    """The discriminator of the Dirac-GAN: D(x) = slope * x."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(start))

    def forward(self, points: Tensor) -> Tensor:
        return self.slope * points[:, 0]


class Target:
    """The distribution of the real points, and the distance of generated points from it."""

    latent_dim = 1

    def real(self, count: int, random: torch.Generator) -> Tensor:
        raise NotImplementedError

    def distance(self, points: Tensor) -> float:
        raise NotImplementedError

    def diversity(self, points: Tensor) -> float:
        raise NotImplementedError


class AtZero(Target):
    """The Dirac-GAN: all real points lie at 0 (arXiv 1801.04406, section 2)."""

    def real(self, count: int, random: torch.Generator) -> Tensor:
        return torch.zeros(count, 1)

    def distance(self, points: Tensor) -> float:
        return points.abs().mean().item()

    def diversity(self, points: Tensor) -> float:
        return 1.0


class Ring(Target):
    """Eight Gaussians on a circle of radius 1, as in arXiv 1611.02163."""

    latent_dim = 8

    def real(self, count: int, random: torch.Generator) -> Tensor:
        angle = torch.randint(8, (count,), generator=random) * (math.tau / 8)
        spread = 0.05 * torch.randn(count, 2, generator=random)
        return torch.stack([angle.cos(), angle.sin()], 1) + spread

    def distance(self, points: Tensor) -> float:
        """Sliced Wasserstein distance, 64 directions."""
        random = torch.Generator().manual_seed(1)
        real = self.real(len(points), random)
        angle = torch.linspace(0, math.pi, 64)
        directions = torch.stack([angle.cos(), angle.sin()])
        sides = [(x @ directions).sort(0).values for x in (real, points)]
        return (sides[0] - sides[1]).abs().mean().item()

    def diversity(self, points: Tensor) -> float:
        subset = points[:1000]
        return diversity(self.real(len(subset), torch.Generator().manual_seed(1)), subset)


def dirac(regularizer: Regularizer, lr: float = 0.1) -> Games:
    generator, discriminator = Point(1.0), Slope(1.0)
    return Game(
        generator,
        discriminator,
        torch.optim.SGD(generator.parameters(), lr),
        torch.optim.SGD(discriminator.parameters(), lr),
        BCE(),
        regularizer,
    ), AtZero()


def ring(regularizer: Regularizer, seed: int = 0, lr: float = 1e-3, beta: float = 0.5) -> Games:
    torch.manual_seed(seed)
    generator = nn.Sequential(
        *(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    )
    discriminator = nn.Sequential(
        *(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)),
        nn.Flatten(0),
    )
    return Game(
        generator,
        discriminator,
        torch.optim.Adam(generator.parameters(), lr, betas=(beta, 0.99)),
        torch.optim.Adam(discriminator.parameters(), lr, betas=(beta, 0.99)),
        BCE(),
        regularizer,
    ), Ring()


def play(
    game: Game,
    target: Target,
    steps: int,
    interval: int,
    batch: int = 64,
    response_steps: int = 10,
    halflife: float = 0.0,
) -> Iterator[Observation]:
    """Train, and yield an observation every `interval` steps, always of the same latents.

    With a `halflife`, in steps, the generator's moving average is observed, as `train` does.
    """
    decay = 0.5 ** (1 / halflife) if halflife else 0.0
    average = AveragedModel(game.generator, multi_avg_fn=get_ema_multi_avg_fn(decay))
    random = torch.Generator().manual_seed(0)
    fixed_latents = torch.randn(
        POINTS, target.latent_dim, generator=torch.Generator().manual_seed(1)
    )

    def draw(count: int) -> Tensor:
        return torch.randn(count, target.latent_dim, generator=random)

    for step in range(1, steps + 1):
        real = target.real(batch, random)
        game.discriminator_step(real, draw, step - 1)
        game.generator_step(real, draw)
        average.update_parameters(game.generator)
        if step % interval == 0:
            batches = [target.real(batch, random) for _ in range(response_steps)]
            gap = duality_gap(game, batches, draw, target.real(512, random))
            with torch.no_grad():
                points = average(fixed_latents)
            yield Observation(
                images=step * batch,
                epoch=step / interval,
                distance=target.distance(points),
                gap=gap.total,
                diversity=target.diversity(points),
            )
