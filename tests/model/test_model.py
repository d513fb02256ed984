"""Tests of both pairs of networks: parameter counts, shapes, padding and initialisation."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from anime_dcgan.model import dcgan, radford
from anime_dcgan.model.layers import MinibatchStd, SubpixelConv, Upsample
from anime_dcgan.system.errors import UserError


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_report_pair_has_the_reports_parameters():
    assert parameters(dcgan.Generator(latent_dim=100)) == 7_424_643
    assert parameters(dcgan.Discriminator()) == 92_033


def test_radford_pair_has_the_papers_parameters():
    assert parameters(radford.Generator(latent_dim=100, width=64)) == 3_576_704
    assert parameters(radford.Discriminator(width=64)) == 2_765_568


@pytest.mark.parametrize("pair", [dcgan, radford])
@pytest.mark.parametrize("image_size", [32, 64, 128])
def test_shapes_and_range_at_every_size(pair, image_size):
    generator = pair.Generator(latent_dim=5, width=4, image_size=image_size)
    discriminator = pair.Discriminator(width=4, image_size=image_size)
    images = generator(torch.randn(3, 5))
    assert images.shape == (3, 3, image_size, image_size)
    assert images.abs().max() <= 1
    assert discriminator(images).shape == (3,)


@pytest.mark.parametrize(("pair", "image_size"), [(dcgan, 66), (dcgan, 4), (radford, 48)])
def test_an_unsupported_image_size_is_refused_with_a_supported_one(pair, image_size):
    with pytest.raises(UserError, match="data.image_size=64"):
        pair.Generator(image_size=image_size)
    with pytest.raises(UserError, match="data.image_size=64"):
        pair.Discriminator(image_size=image_size)


def test_strided_convolution_pads_like_keras():
    """Keras' "same" with stride 2 on an even size pads one row below and one column right only."""
    layer = dcgan.KerasSameConv(1, 1)
    nn.init.ones_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    expected = [
        [sum_of(image, 0, 0), sum_of(image, 0, 2)],
        [sum_of(image, 2, 0), sum_of(image, 2, 2)],
    ]
    torch.testing.assert_close(layer(image)[0, 0], torch.tensor(expected))


def sum_of(image: torch.Tensor, top: int, left: int) -> float:
    return image[0, 0, top : top + 3, left : left + 3].sum().item()


@pytest.mark.parametrize(
    ("layer", "reference"),
    [
        (Upsample(5, 4), nn.ConvTranspose2d(5, 4, 4, stride=2, padding=1)),
        (SubpixelConv(5, 3, 7), nn.Conv2d(5, 3, 7, padding=3)),
        (SubpixelConv(2, 1, 1), nn.Conv2d(2, 1, 1)),
    ],
)
def test_outputs_and_gradients_equal_those_of_torch(layer, reference):
    layer, reference = layer.double(), reference.double()
    reference.load_state_dict(layer.state_dict())
    x = torch.randn(2, layer.in_channels, 6, 8, dtype=torch.double)
    torch.testing.assert_close(layer(x), reference(x))
    for network in (layer, reference):
        network(x).square().sum().backward()
    for ours, theirs in zip(layer.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("pair", [dcgan, radford])
def test_spectral_normalisation_makes_the_largest_singular_value_of_each_layer_one(pair):
    torch.manual_seed(0)
    discriminator = pair.Discriminator(width=4, image_size=16, spectral_norm=True)
    plain = pair.Discriminator(width=4, image_size=16)
    for _ in range(30):  # each takes a step of the power iteration
        discriminator(torch.rand(2, 3, 16, 16))
    layers = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == sum(isinstance(m, nn.Conv2d | nn.Linear) for m in plain.modules())
    for layer in layers:
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2)
        assert largest.item() == pytest.approx(1, abs=0.02)


def test_minibatch_std_appends_the_mean_deviation_within_each_group():
    """The groups are images 0, 1, 2 and 3, 4, 5: real and fake images of a batch do not mix."""
    maps = torch.randn(6, 5, 4, 4)
    out = MinibatchStd(3)(maps)
    torch.testing.assert_close(out[:, :5], maps)
    for group in (slice(0, 3), slice(3, 6)):
        expected = np.std(maps[group].numpy(), axis=0).mean()
        torch.testing.assert_close(out[group, 5], torch.full((3, 4, 4), float(expected)))


def test_minibatch_std_accepts_any_batch_size():
    """Nine images form groups of 3 if `group` is 5; a single image has a deviation of 0."""
    maps = torch.randn(9, 2, 4, 4)
    torch.testing.assert_close(MinibatchStd(5)(maps), MinibatchStd(3)(maps))
    torch.testing.assert_close(MinibatchStd(20)(maps), MinibatchStd(9)(maps))
    assert MinibatchStd(4)(maps[:1])[0, 2].max().item() == pytest.approx(0, abs=1e-3)


def test_minibatch_std_makes_a_logit_depend_on_the_other_images_of_the_group():
    torch.manual_seed(0)
    discriminator = radford.Discriminator(4, batch_norm=False, image_size=16, minibatch_std=4)
    faces = torch.rand(4, 3, 16, 16)
    copies = discriminator(faces[:1].expand(4, -1, -1, -1))[0]
    assert abs(copies - discriminator(faces)[0]) > 10 * abs(copies - discriminator(faces[:1])[0])


def test_minibatch_std_is_twice_differentiable_at_equal_images():
    """Gradient penalties need the second derivative."""
    maps = torch.ones(4, 1, 2, 2, requires_grad=True)
    (slope,) = torch.autograd.grad(MinibatchStd(4)(maps).sum(), maps, create_graph=True)
    slope.square().sum().backward()
    assert maps.grad is not None
    assert maps.grad.isfinite().all()


def test_a_negative_minibatch_std_is_refused():
    with pytest.raises(UserError, match="minibatch_std=4, or 0"):
        radford.Discriminator(minibatch_std=-1)


def test_dropout_equals_the_two_consecutive_layers_of_the_report():
    """Two masks that keep 0.6 each keep 0.36 of the values, scaled by 1 / 0.36."""
    (dropout,) = (m for m in dcgan.Discriminator().modules() if isinstance(m, nn.Dropout))
    kept = dropout(torch.ones(200_000))
    assert (kept != 0).float().mean().item() == pytest.approx(0.36, abs=0.01)
    assert kept.max().item() == pytest.approx(1 / 0.36, rel=1e-4)


def test_report_pair_is_initialised_like_keras():
    convolution = dcgan.Generator().to_rgb
    limit = math.sqrt(6 / ((128 + 3) * 7 * 7))  # Glorot & Bengio 2010, equation 16
    assert convolution.weight.abs().max().item() == pytest.approx(limit, rel=1e-2)
    assert convolution.weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=2e-2)
    assert convolution.bias is not None
    assert not convolution.bias.any()


def test_radford_pair_is_initialised_as_in_the_paper():
    generator = radford.Generator()
    assert generator.project.weight.std().item() == pytest.approx(0.02, rel=1e-2)
    assert generator.normalise.weight.mean().item() == pytest.approx(1.0, abs=0.01)
