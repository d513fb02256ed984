"""Penalties of the generator: when they are due, and how they enter its step."""

import pytest
import torch
from torch import Tensor, nn

from anime_dcgan.game.compatibility import check_generator
from anime_dcgan.game.generator_regularizer import (
    GeneratorRegularizer,
    LazyPenalty,
    Orthogonal,
    PathLength,
    path_lengths,
)
from anime_dcgan.game.loss import BCE
from anime_dcgan.game.regularizer import Regularizer
from anime_dcgan.game.step import Game
from anime_dcgan.model import dcgan, radford, stylegan2
from anime_dcgan.model.base import Generator
from anime_dcgan.model.labels import LabelEmbedding
from anime_dcgan.model.layers import normalise_spectrally
from anime_dcgan.system.errors import UserError


class WeightDecay(LazyPenalty):
    """weight * |w|^2; counts its calls in a buffer."""

    calls: Tensor

    def __init__(self, weight: float, interval: int = 1) -> None:
        super().__init__(weight, interval)
        self.register_buffer("calls", torch.zeros(()))

    def penalty(
        self, generator: nn.Module, latents: Tensor, labels: Tensor | None = None
    ) -> Tensor:
        self.calls += 1
        squares = [weights.square().sum() for weights in generator.parameters()]
        return self.weight * torch.stack(squares).sum()


class Line(Generator):
    def __init__(self) -> None:
        super().__init__(latent_dim=2)
        self.scale = nn.Parameter(torch.tensor([2.0, -1.0]))

    def forward(self, latents: Tensor) -> Tensor:
        return self.scale * latents


class Blind(nn.Module):
    """A discriminator whose logits depend on its weight alone, so that the loss has no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        return 0 * images.sum(1) + self.weight


def game(regularizer: GeneratorRegularizer) -> Game:
    generator, discriminator = Line(), Blind()
    return Game(
        generator,
        discriminator,
        torch.optim.SGD(generator.parameters(), lr=0.1),
        torch.optim.SGD(discriminator.parameters(), lr=0.1),
        BCE(),
        Regularizer(),
        accumulate=2,
        generator_regularizer=regularizer,
    )


def draw(count: int) -> Tensor:
    return torch.randn(count, 2)


def test_a_lazy_penalty_is_due_every_interval_steps_and_weighs_as_much_on_average():
    regularizer = WeightDecay(0.5, interval=4)
    played = game(regularizer)
    real = torch.zeros(8, 2)
    (weight,) = played.generator.parameters()
    weights = [weight.detach().clone()]
    for step in range(8):
        metrics = played.generator_step(real, draw, step)
        assert ("loss/generator_penalty" in metrics) == (step % 4 == 0)
        weights.append(weight.detach().clone())
    factor = 1 - 0.1 * 2 * (4 * 0.5)  # one step of SGD on 4 * 0.5 * |w|^2
    torch.testing.assert_close(weights[1], factor * weights[0])
    assert all(torch.equal(weight, weights[1]) for weight in weights[1:5])
    torch.testing.assert_close(weights[5], factor * weights[1])
    assert regularizer.calls == 4  # two microbatches in each of two steps: the state is shared


@pytest.mark.parametrize("settings", [{"weight": -1.0}, {"weight": 1.0, "interval": 0}])
def test_settings_that_are_no_penalty_are_refused(settings: dict[str, float]):
    with pytest.raises(UserError, match="use generator_regularizer"):
        LazyPenalty(**settings)  # type: ignore[arg-type]


def test_the_orthogonal_penalty_has_the_gradient_of_the_paper():
    """|W W^T * (1 - I)|^2 has the gradient 4 (W W^T * (1 - I)) W; embeddings have none."""
    torch.manual_seed(0)
    tall, wide, transposed = nn.Linear(3, 7), nn.Conv2d(2, 5, 3), nn.ConvTranspose2d(4, 3, 2)
    normalised = nn.Linear(4, 3)
    normalise_spectrally(normalised)
    layers = [tall, wide, transposed, normalised, LabelEmbedding(6, 2), nn.BatchNorm2d(3)]
    penalty = Orthogonal(weight=0.3).penalty(nn.ModuleList(layers), torch.zeros(1, 1))
    weights = [
        *(tall.weight, wide.weight, transposed.weight),
        normalised.get_parameter("parametrizations.weight.original"),
    ]
    total = 0.0
    for weight, gradient in zip(weights, torch.autograd.grad(penalty, weights), strict=True):
        rows = 1 if weight is transposed.weight else 0
        matrix, ours = (each.detach().movedim(rows, 0).flatten(1) for each in (weight, gradient))
        off_diagonal = matrix @ matrix.T * (1 - torch.eye(len(matrix)))
        torch.testing.assert_close(ours, 0.3 * 4 * off_diagonal @ matrix)
        total += 0.3 * off_diagonal.square().sum().item()
    assert penalty.item() == pytest.approx(total)


class LinearGenerator(Generator):
    """Images of 2 x 3 px that are A z."""

    def __init__(self) -> None:
        super().__init__(latent_dim=4)
        self.matrix = nn.Parameter(torch.randn(18, 4))

    def synthesise(self, styles: Tensor, noise: Tensor | None = None) -> Tensor:
        return (styles.squeeze(1) @ self.matrix.T).unflatten(1, (3, 2, 3))


def test_the_path_lengths_of_a_linear_generator_are_those_of_the_closed_form():
    generator = LinearGenerator()
    torch.manual_seed(1)
    lengths = path_lengths(generator, torch.randn(5, 4))
    torch.manual_seed(1)
    torch.randn(5, 4)
    directions = torch.randn(5, 18) / 6**0.5
    expected = (directions @ generator.matrix).norm(dim=1)
    torch.testing.assert_close(lengths, expected)


def test_path_length_is_the_squared_distance_from_a_running_mean_of_half_of_the_batches():
    generator, regularizer = LinearGenerator(), PathLength(weight=3.0, interval=4)
    latents, mean = torch.randn(6, 4), 0.0
    for step in (0, 4):
        torch.manual_seed(step)
        penalty = torch.as_tensor(regularizer.at(step).penalty(generator, latents))
        torch.manual_seed(step)
        lengths = path_lengths(generator, latents[:3]).detach()
        mean += 0.01 * (lengths.mean().item() - mean)
        expected = 4 * 3 * (lengths - mean).square().mean()
        assert penalty.item() == pytest.approx(expected.item(), rel=1e-4)
    assert regularizer.state_dict()["mean_length"].item() == pytest.approx(mean)


def test_path_lengths_have_the_gradients_of_torch_in_every_weight():
    generator = stylegan2.Generator(5, 6, width=8, mixing=0.5, image_size=16).double()
    latents = torch.randn(4, 5, dtype=torch.double)
    torch.manual_seed(2)
    path_lengths(generator, latents).sum().backward()
    ours = [weight.grad for weight in generator.parameters()]
    generator.zero_grad()
    torch.manual_seed(2)
    styles = generator.styles(latents)
    images = generator.synthesise(styles)
    outputs = (images * torch.randn_like(images) / 16).sum()
    (slopes,) = torch.autograd.grad(outputs, styles, create_graph=True)
    slopes.square().sum(2).mean(1).sqrt().sum().backward()
    assert any(weight is not None for weight in ours[:4])  # of the mapping network
    for mine, weight in zip(ours, generator.parameters(), strict=True):
        if weight.grad is not None:
            assert mine is not None
            torch.testing.assert_close(mine, weight.grad)


def test_path_length_refuses_batch_normalisation_with_a_fix():
    message = "^generator_regularizer=path_length needs .*use generator_regularizer=none, or model="
    with pytest.raises(UserError, match=message):
        check_generator(radford.Generator(width=2, image_size=16), PathLength())
    check_generator(radford.Generator(width=2, image_size=16), GeneratorRegularizer())
    check_generator(dcgan.Generator(width=2, image_size=16), PathLength())


def test_the_orthogonal_penalty_refuses_weights_that_are_scaled_when_used():
    generator = stylegan2.Generator(width=2, image_size=16)
    with pytest.raises(UserError, match="use generator_regularizer=path_length or none"):
        check_generator(generator, Orthogonal())


@pytest.mark.parametrize("settings", [{"batch_fraction": 0.0}, {"decay": 1.0}])
def test_settings_that_are_no_running_mean_are_refused(settings: dict[str, float]):
    with pytest.raises(UserError, match="use generator_regularizer"):
        PathLength(**settings)  # type: ignore[arg-type]
