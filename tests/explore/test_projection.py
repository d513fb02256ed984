"""A picture that a generator made itself is found again."""

import pytest
import torch

from anime_dcgan.explore import projection
from anime_dcgan.model import dcgan
from anime_dcgan.system.errors import UserError


@pytest.fixture(scope="module")
def generator() -> dcgan.Generator:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = dcgan.Generator(latent_dim=4, width=8, image_size=16)
    with torch.no_grad():
        made.project.weight.mul_(3.0)  # so that faces differ
    return made.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def target(generator: dcgan.Generator) -> torch.Tensor:
    return generator(torch.tensor([[1.0, -0.5, 0.8, -1.2]]))[0]


def test_the_distance_is_zero_for_the_same_and_grows_with_the_difference(target: torch.Tensor):
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(0))
    distances = projection.multiscale_distance(
        torch.stack([target, target + 0.1 * noise, target + noise]), target
    )
    assert distances[0] == 0 and 0 < distances[1] < distances[2]
    shifted = projection.multiscale_distance(target[None] + 0.3, target)
    assert shifted[0] == pytest.approx(0.3, abs=1e-6)  # on every scale


def test_a_face_of_the_generator_is_found_again(generator: dcgan.Generator, target: torch.Tensor):
    course = list(projection.project(generator, target, steps=200))
    distances = [found.distance for found in course]
    assert distances == sorted(distances, reverse=True)
    assert [found.step for found in course] == list(range(201))
    assert distances[-1] < 0.2 * distances[0]
    reached = projection.multiscale_distance(generator(course[-1].latent[None]), target)
    assert float(reached) == pytest.approx(distances[-1], abs=1e-6)


def test_it_is_repeatable_and_leaves_the_generator_and_all_chance_as_they_were(
    generator: dcgan.Generator, target: torch.Tensor
):
    weights = {name: value.clone() for name, value in generator.state_dict().items()}
    before = torch.random.get_rng_state()
    one, other = (list(projection.project(generator, target, steps=5))[-1] for _ in range(2))
    assert torch.equal(one.latent, other.latent)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(weights[name], value) for name, value in generator.state_dict().items())
    assert all(parameter.grad is None for parameter in generator.parameters())


def test_no_step_is_refused(generator: dcgan.Generator, target: torch.Tensor):
    with pytest.raises(UserError, match="one step"):
        next(projection.project(generator, target, steps=0))
