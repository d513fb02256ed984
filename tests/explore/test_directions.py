"""Directions agree with known properties of the generator."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from anime_dcgan.explore import directions
from anime_dcgan.model import base, biggan, dcgan, radford, stylegan2
from anime_dcgan.system.errors import UserError
from tests.sharing.generators import small_generator


class Convolutional(base.Generator):
    """A generator that starts with a transposed convolution of a 1 x 1 px latent."""

    def __init__(self) -> None:
        super().__init__(6)
        self.first = nn.ConvTranspose2d(6, 5, 4)
        self.second = nn.ConvTranspose2d(5, 3, 4, stride=2, padding=1)

    def synthesise(self, styles: Tensor, noise: Tensor | None = None) -> Tensor:
        return torch.tanh(self.second(torch.relu(self.first(styles[:, 0, :, None, None]))))


class OneLayer(base.Generator):
    def __init__(self) -> None:
        super().__init__(2)
        self.only = nn.Linear(2, 12)

    def synthesise(self, styles: Tensor, noise: Tensor | None = None) -> Tensor:
        return self.only(styles.squeeze(1)).unflatten(1, (3, 2, 2))


GENERATORS = {
    "dcgan": lambda: dcgan.Generator(latent_dim=6, width=4, image_size=16),
    "radford": lambda: radford.Generator(latent_dim=6, width=4, image_size=16).eval(),
    "convolutional": Convolutional,
}


@pytest.fixture(params=GENERATORS)
def generator(request: pytest.FixtureRequest) -> base.Generator:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return GENERATORS[request.param]()


def stretch(generator: base.Generator, vector: Tensor) -> float:
    """Return the distance by which a unit step moves the output of the first layer."""
    outputs: list[Tensor] = []
    first = next(m for m in generator.modules() if isinstance(m, directions.Layer))
    hook = first.register_forward_hook(lambda layer, inputs, output: outputs.append(output.clone()))
    with torch.no_grad():
        generator(torch.stack([vector, torch.zeros_like(vector)]))
    hook.remove()
    return float((outputs[0][0] - outputs[0][1]).norm())


def test_sefa_finds_directions_of_each_chunk_of_a_latent():
    torch.manual_seed(0)
    generator = biggan.Generator(9, width=4, image_size=16, spectral_norm=False).eval()
    nn.init.normal_(generator.project.weight)
    found = directions.find(generator, "sefa", 9)
    chunks = [direction.vector.unflatten(0, (3, 3)) for direction in found]
    assert all(int(chunk.any(1).sum()) == 1 for chunk in chunks)
    of_first = [chunk[0] for chunk in chunks if chunk[0].any()]
    assert len(of_first) == 3
    expected = torch.linalg.svd(generator.project.weight.detach()).Vh[0]
    assert abs(of_first[0] @ expected).item() == pytest.approx(1, abs=1e-3)


def test_pca_finds_directions_of_a_generator_with_chunks():
    generator = biggan.Generator(latent_dim=9, width=4, image_size=16).eval()
    assert len(directions.find(generator, "pca", 9)) == 9


def test_sefa_finds_the_directions_that_move_the_first_layer_most(generator: base.Generator):
    found = directions.find(generator, "sefa", 6)
    moved = [stretch(generator, direction.vector) for direction in found]
    assert moved == sorted(moved, reverse=True)
    random = torch.nn.functional.normalize(torch.randn(200, 6), dim=1)
    assert max(stretch(generator, vector) for vector in random) <= moved[0] + 1e-4
    assert [one.strength for one in found] == pytest.approx(
        [move**2 / sum(m**2 for m in moved) for move in moved], rel=1e-3
    )


@pytest.mark.parametrize("method", ["sefa", "pca"])
def test_directions_are_unit_vectors_and_deterministic(
    generator: base.Generator, method: directions.Method
):
    before = torch.random.get_rng_state()
    found = directions.find(generator, method, 6)
    assert torch.equal(torch.random.get_rng_state(), before)
    vectors = torch.stack([direction.vector for direction in found])
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(6))
    again = torch.stack([direction.vector for direction in directions.find(generator, method, 6)])
    assert torch.equal(vectors, again)
    assert [direction.id for direction in found] == [f"{method}.{number}" for number in range(6)]
    strengths = [direction.strength for direction in found]
    assert strengths == sorted(strengths, reverse=True) and sum(strengths) <= 1 + 1e-5


def test_pca_recovers_known_axes():
    generator = Convolutional()
    scales = torch.tensor([5.0, 3.0, 1.0, 0.1, 0.1, 0.1])
    with torch.no_grad():
        spread = torch.zeros(6, 5, 4, 4)
        for axis in range(6):  # each component moves its own outputs, far from the kink of ReLU
            spread.flatten(1)[axis, axis * 13 : axis * 13 + 13] = scales[axis]
        generator.first.weight.copy_(spread)
        generator.first.bias = nn.Parameter(torch.full((5,), 100.0))
    found = directions.find(generator, "pca", 3)
    for axis, direction in enumerate(found):
        assert abs(direction.vector[axis]) > 0.99


def test_pca_finds_the_same_directions_with_other_latents(monkeypatch: pytest.MonkeyPatch):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = radford.Generator(latent_dim=64, width=16, image_size=16).eval()
    found = []
    for seed in (1, 2):
        monkeypatch.setattr(directions, "PCA_SEED", seed)
        found.append(torch.stack([each.vector for each in directions.find(generator, "pca", 5)]))
    agreement = (found[0] * found[1]).sum(1).abs()
    assert agreement.min() > 0.9 and agreement.mean() > 0.97


def test_more_latent_axes_than_latents_have_directions_too():
    generator = radford.Generator(latent_dim=600, width=1, image_size=8).eval()
    assert len(directions.find(generator, "pca", 3)) == 3


def test_pca_does_not_hook_the_shared_generator(
    generator: base.Generator, monkeypatch: pytest.MonkeyPatch
):
    hooked: list[nn.Module] = []
    register = nn.Module.register_forward_pre_hook
    monkeypatch.setattr(
        nn.Module,
        "register_forward_pre_hook",
        lambda self, *given: hooked.append(self) or register(self, *given),
    )
    directions.pca(generator)
    assert hooked and not set(hooked) & set(generator.modules())


@pytest.mark.parametrize("method", ["sefa", "pca"])
def test_a_generator_with_conditional_normalisation_has_directions(method: directions.Method):
    generator = small_generator("radford", ("a", "b"))
    found = directions.find(generator, method, 12)
    assert 0.5 < sum(each.strength for each in found) <= 1 + 1e-5
    for weights in itertools.islice(generator.parameters(), 3):
        nn.init.zeros_(weights)
    with pytest.raises(UserError, match=f"no {method} directions .its faces do not depend"):
        directions.find(generator, method)


def test_there_are_no_more_directions_than_latent_axes(generator: base.Generator):
    assert len(directions.find(generator, "pca", 50)) == 6


def test_a_generator_of_one_layer_has_no_directions():
    with pytest.raises(UserError, match="fewer than two weighted layers"):
        directions.find(OneLayer(), "sefa")


@pytest.mark.parametrize("frequencies", [(0.5, 0.5), (0.9, 0.1)])
def test_directions_are_those_within_all_classes(frequencies: tuple[float, float]):
    """The styles of one class vary 5 times as much as those of the other."""
    torch.manual_seed(0)
    generator = stylegan2.Generator(
        6, 5, width=8, channel_base=128, mapping_layers=1, image_size=16, labels=("dull", "lively")
    ).eval()
    assert generator.embed is not None
    generator.label_frequencies.copy_(torch.tensor(frequencies))
    with torch.no_grad():
        generator.embed.weight.copy_(torch.tensor([[-1.0], [1.0]]).expand(2, 32))
        weight: Any = generator.mapping[0].weight
        weight[:, 6:] = 400  # the same sign for all values of a style
    latents = directions._balanced_latents(6)
    spreads = []
    for label in torch.eye(2):
        with torch.no_grad():
            styles = generator.styles(latents, label.expand(len(latents), -1))[:, 0]
        spreads.append(styles.T.cov())
    dull, lively = spreads
    assert lively.trace() > 20 * dull.trace()
    pooled = frequencies[0] * dull + frequencies[1] * lively
    found = directions.find(generator, "pca")
    variance = sum(float(one.vector.square().sum()) for one in found)
    assert variance == pytest.approx(float(pooled.trace()), rel=0.2)
    axis = torch.linalg.eigh(pooled).eigenvectors[:, -1]
    assert abs(torch.cosine_similarity(found[0].vector, axis, dim=0)) > 0.95
