"""Small games whose course is known from the literature."""

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
"""With fewer, how many of them fall to each mode by chance is most of the distance at rest."""

Games = tuple[Game, "Truth"]


class Point(nn.Module):
    """The generator of the Dirac-GAN: every latent becomes the same point."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.tensor([start]))

    def forward(self, latents: Tensor) -> Tensor:
        return self.place.expand(len(latents), 1)


class Slope(nn.Module):
    """Its discriminator: D(x) = slope * x."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(start))

    def forward(self, points: Tensor) -> Tensor:
        return self.slope * points[:, 0]


class Truth:
    """Where the real points of a game come from, and how far others are from them."""

    latent_dim = 1

    def real(self, count: int, random: torch.Generator) -> Tensor:
        raise NotImplementedError

    def distance(self, points: Tensor) -> float:
        raise NotImplementedError

    def diversity(self, points: Tensor) -> float:
        raise NotImplementedError


class AtZero(Truth):
    """The Dirac-GAN: all real points lie at 0 (arXiv 1801.04406, section 2)."""

    def real(self, count: int, random: torch.Generator) -> Tensor:
        return torch.zeros(count, 1)

    def distance(self, points: Tensor) -> float:
        return points.abs().mean().item()

    def diversity(self, points: Tensor) -> float:
        return 1.0


class Ring(Truth):
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
        few = points[:1000]
        return diversity(self.real(len(few), torch.Generator().manual_seed(1)), few)


def dirac(regularizer: Regularizer, rate: float = 0.1) -> Games:
    generator, discriminator = Point(1.0), Slope(1.0)
    return Game(
        generator,
        discriminator,
        torch.optim.SGD(generator.parameters(), rate),
        torch.optim.SGD(discriminator.parameters(), rate),
        BCE(),
        regularizer,
    ), AtZero()


def ring(regularizer: Regularizer, seed: int = 0, rate: float = 1e-3, beta: float = 0.5) -> Games:
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
        torch.optim.Adam(generator.parameters(), rate, betas=(beta, 0.99)),
        torch.optim.Adam(discriminator.parameters(), rate, betas=(beta, 0.99)),
        BCE(),
        regularizer,
    ), Ring()


def play(
    game: Game,
    truth: Truth,
    steps: int,
    every: int,
    batch: int = 64,
    answer: int = 10,
    halflife: float = 0.0,
) -> Iterator[Observation]:
    """Train, and look after every so many steps, always at the points of the same latents.

    With a `halflife`, in steps, at those of the generator's moving average, as `train` does.
    """
    decay = 0.5 ** (1 / halflife) if halflife else 0.0
    average = AveragedModel(game.generator, multi_avg_fn=get_ema_multi_avg_fn(decay))
    random = torch.Generator().manual_seed(0)
    shown = torch.randn(POINTS, truth.latent_dim, generator=torch.Generator().manual_seed(1))

    def draw(count: int) -> Tensor:
        return torch.randn(count, truth.latent_dim, generator=random)

    for step in range(1, steps + 1):
        real = truth.real(batch, random)
        game.discriminator_step(real, draw, step - 1)
        game.generator_step(real, draw)
        average.update_parameters(game.generator)
        if step % every == 0:
            batches = [truth.real(batch, random) for _ in range(answer)]
            gap = duality_gap(game, batches, draw, truth.real(512, random))
            with torch.no_grad():
                points = average(shown)
            yield Observation(
                images=step * batch,
                epoch=step / every,
                distance=truth.distance(points),
                gap=gap.total,
                diversity=truth.diversity(points),
            )
