"""Projection recovers a picture that the generator produced."""

import pytest
import torch

from anime_dcgan.explore import projection
from anime_dcgan.model import dcgan
from anime_dcgan.system.errors import UserError


@pytest.fixture(scope="module")
def generator() -> dcgan.Generator:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = dcgan.Generator(latent_dim=4, width=8, image_size=16)
    with torch.no_grad():
        generator.project.weight.mul_(3.0)  # so that faces differ
    return generator.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def target(generator: dcgan.Generator) -> torch.Tensor:
    return generator(torch.tensor([[1.0, -0.5, 0.8, -1.2]]))[0]


def test_the_distance_is_zero_for_equal_images_and_grows_with_the_difference(target: torch.Tensor):
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(0))
    distances = projection.multiscale_distance(
        torch.stack([target, target + 0.1 * noise, target + noise]), target
    )
    assert distances[0] == 0 and 0 < distances[1] < distances[2]
    shifted = projection.multiscale_distance(target[None] + 0.3, target)
    assert shifted[0] == pytest.approx(0.3, abs=1e-6)  # on every scale


def test_a_generated_face_is_recovered(generator: dcgan.Generator, target: torch.Tensor):
    steps = list(projection.project(generator, target, steps=200))
    distances = [best.distance for best in steps]
    assert distances == sorted(distances, reverse=True)
    assert [best.step for best in steps] == list(range(201))
    assert distances[-1] < 0.2 * distances[0]
    reached = projection.multiscale_distance(generator(steps[-1].latent[None]), target)
    assert float(reached) == pytest.approx(distances[-1], abs=1e-6)


def test_projection_is_deterministic_and_has_no_side_effects(
    generator: dcgan.Generator, target: torch.Tensor
):
    weights = {name: value.clone() for name, value in generator.state_dict().items()}
    before = torch.random.get_rng_state()
    one, other = (list(projection.project(generator, target, steps=5))[-1] for _ in range(2))
    assert torch.equal(one.latent, other.latent)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(weights[name], value) for name, value in generator.state_dict().items())
    assert all(parameter.grad is None for parameter in generator.parameters())


def test_zero_steps_are_rejected(generator: dcgan.Generator, target: torch.Tensor):
    with pytest.raises(UserError, match="one step"):
        next(projection.project(generator, target, steps=0))
