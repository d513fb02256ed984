"""Standing statistics: those of truncated latents, the same for the same weights."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from anime_dcgan.model import biggan, dcgan, radford
from anime_dcgan.sampling.labels import label_film, label_sheet
from anime_dcgan.sampling.sample import faces
from anime_dcgan.sampling.standing import (
    BATCH,
    PASSES,
    between_statistics,
    with_standing_statistics,
)


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return biggan.Generator(latent_dim=6, width=4, image_size=16).eval()


def test_statistics_are_the_means_over_passes_with_truncated_latents(generator):
    maps: list[Tensor] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        maps.append(inputs[0])

    standing = with_standing_statistics(generator, 0.5)
    last = standing.normalise
    last.register_forward_pre_hook(note)
    with torch.no_grad():
        torch.manual_seed(1)
        latents = torch.randn(PASSES * BATCH, 6)
        standing.synthesise(standing.truncate(standing.styles(latents), 0.5))
    (inputs,) = maps
    torch.testing.assert_close(last.running_mean, inputs.mean((0, 2, 3)), rtol=0.1, atol=0.05)
    torch.testing.assert_close(last.running_var, inputs.var((0, 2, 3)), rtol=0.2, atol=0)


def test_statistics_depend_on_weights_and_truncation_alone(generator):
    before = copy.deepcopy(generator.state_dict())
    one = with_standing_statistics(generator, 0.5)
    torch.manual_seed(5)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        other = with_standing_statistics(copy.deepcopy(generator), 0.5)
    states = one.state_dict(), other.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert all(torch.equal(before[name], now) for name, now in generator.state_dict().items())
    assert not any(module.training for module in one.modules())
    assert (next(faces(one, [3], 0.5)) != next(faces(generator, [3], 0.5))).any()
    assert next(one.parameters()) is next(generator.parameters())


def test_generators_that_need_none_stay_as_they_are(generator):
    assert with_standing_statistics(generator, 1.0) is generator
    for pair in (dcgan, radford):
        plain = pair.Generator(latent_dim=6, width=4, image_size=16)
        assert with_standing_statistics(plain, 0.5) is plain


def test_a_label_has_the_same_statistics_in_a_sheet_a_film_and_alone():
    torch.manual_seed(0)
    generator = biggan.Generator(9, width=4, image_size=16, labels=("blue", "red")).eval()
    generator.label_frequencies.copy_(torch.tensor([0.8, 0.2]))
    (alone,) = faces(with_standing_statistics(generator.of_label("red"), 0.5), [3], 0.5)
    standing = with_standing_statistics(generator, 0.5)
    sheet = label_sheet(standing, [3], ["blue", "red"], 0.5)
    np.testing.assert_array_equal(sheet[1], alone)
    frames = list(label_film(standing, 3, ["blue", "red"], 2, 0.5))
    assert np.abs(frames[2].astype(int) - alone).max() <= 1


def test_statistics_are_interpolated_between_two_truncations(generator):
    narrow, wide = (with_standing_statistics(generator, value) for value in (0.2, 0.9))
    between = between_statistics(narrow, wide, 0.25)
    means = [each.normalise.running_mean for each in (narrow, between, wide)]
    torch.testing.assert_close(means[1], 0.75 * means[0] + 0.25 * means[2])
    assert next(between.parameters()) is next(generator.parameters())
