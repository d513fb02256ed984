"""StyleGAN2 agrees with per-image weights, the published counts, and its rates and statistics."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu

from anime_dcgan.explore.face import Face
from anime_dcgan.explore.projection import multiscale_distance, project
from anime_dcgan.explore.renderer import Renderer
from anime_dcgan.model.layers import EqualisedConv, EqualisedLinear
from anime_dcgan.model.resampling import blur
from anime_dcgan.model.stylegan2 import Discriminator, Generator, StyledConv, ToRGB
from anime_dcgan.sampling import sample
from anime_dcgan.sampling.image import to_float
from anime_dcgan.system.errors import UserError
from tests.conftest import Train, assert_same_weights


def small(**settings: float) -> Generator:
    """Return a generator of 16 px faces whose noise is visible."""
    generator = Generator(5, 6, **{"width": 8, "image_size": 16, **settings})  # type: ignore[arg-type]
    for convolution in generator.convolutions:
        assert isinstance(convolution, StyledConv)
        if convolution.noise_strength is not None:
            nn.init.ones_(convolution.noise_strength)
    return generator


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("channel_base", "image_size", "layers", "synthesis", "mapping", "discriminator"),
    [
        (16384, 64, 2, 21.7, 0.53, 23.4),
        (32768, 64, 8, 24.9, 2.10, 26.5),
        (4096, 64, 2, 11.7, 0.53, 14.0),
        (16384, 128, 2, 22.4, 0.53, 23.9),
    ],
)
def test_the_pair_has_the_published_number_of_parameters(
    channel_base, image_size, layers, synthesis, mapping, discriminator
):
    with torch.device("meta"):
        generator = Generator(
            channel_base=channel_base, mapping_layers=layers, image_size=image_size
        )
        other = Discriminator(channel_base=channel_base, image_size=image_size)
    of_mapping = parameters(generator.mapping)
    assert of_mapping / 1e6 == pytest.approx(mapping, abs=0.005)
    assert (parameters(generator) - of_mapping) / 1e6 == pytest.approx(synthesis, abs=0.06)
    assert parameters(other) / 1e6 == pytest.approx(discriminator, abs=0.06)
    assert generator.style_layers == {64: 10, 128: 12}[image_size]


@pytest.mark.parametrize("image_size", [8, 16, 32, 64, 128])
def test_shapes_at_every_size(image_size):
    images = Generator(5, 6, width=4, image_size=image_size)(torch.randn(3, 5))
    assert images.shape == (3, 3, image_size, image_size)
    assert Discriminator(width=4, image_size=image_size)(images).shape == (3,)


@pytest.mark.parametrize("doubles", [False, True])
def test_a_styled_convolution_equals_one_with_weights_of_each_images_own(doubles):
    layer = StyledConv(5, 7, 6, doubles).double()
    nn.init.normal_(layer.bias)
    assert layer.noise_strength is not None
    nn.init.normal_(layer.noise_strength)
    maps, style = torch.randn(3, 5, 8, 8).double(), torch.randn(3, 6).double()
    side = 16 if doubles else 8
    noise = torch.randn(3, 1, side, side).double()
    affine = layer.to_scales
    for index in range(3):
        scales = affine.weight @ style[index] / 6**0.5 + affine.bias
        kernel = layer.weight.transpose(0, 1) if doubles else layer.weight
        weights = kernel * scales[None, :, None, None]
        weights = weights / (weights.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        one = maps[index : index + 1]
        if doubles:
            convolved = 4 * blur(conv_transpose2d(one, weights.transpose(0, 1), stride=2), 1)
        else:
            convolved = conv2d(one, weights, padding=1)
        convolved = convolved + layer.noise_strength * noise[index] + layer.bias
        expected = 2**0.5 * leaky_relu(convolved, 0.2)[0]
        torch.testing.assert_close(layer(maps, style, noise)[index], expected)


def test_an_image_equals_a_convolution_with_weights_of_its_own():
    layer = ToRGB(5, 6)
    maps, style = torch.randn(2, 5, 4, 4), torch.randn(2, 6)
    for index in range(2):
        scales = layer.to_scales(style)[index] / 5**0.5
        weights = (layer.weight * scales)[:, :, None, None]
        expected = conv2d(maps[index], weights, layer.bias)
        torch.testing.assert_close(layer(maps, style)[index], expected)


def test_demodulated_outputs_have_unit_variance_whatever_the_style():
    torch.manual_seed(0)
    layer = StyledConv(64, 64, 16, doubles=False)
    maps = torch.randn(4, 64, 16, 16)
    for strength in (0.1, 10.0):
        outputs = layer(maps, strength * torch.randn(4, 16), torch.zeros(4, 1, 16, 16))
        inner = outputs[:, :, 1:-1, 1:-1]  # pixels at the edges have fewer neighbours
        before = torch.where(inner > 0, inner, inner / 0.2) / 2**0.5
        assert before.square().mean().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("rate", [1.0, 0.01])
@pytest.mark.parametrize("inputs", [4, 900])
def test_layers_have_equalised_rates_and_unit_variance(inputs, rate):
    """A step of Adam changes each weight by its rate times the weights' standard deviation."""
    torch.manual_seed(0)
    layer = EqualisedLinear(inputs, 2000, rate=rate, gain=3.0)
    x = torch.randn(50, inputs)
    assert layer(x).std().item() == pytest.approx(3, rel=0.1)
    before = layer.weight_scale * layer.weight.detach()
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    layer(x).sum().backward()
    optimizer.step()
    change = layer.weight_scale * layer.weight.detach() - before
    relative = change.abs().median() / before.std()
    assert relative.item() == pytest.approx(0.1 * rate, rel=0.05)


def test_an_equalised_convolution_has_unit_variance():
    torch.manual_seed(0)
    outputs = EqualisedConv(30, 40, 3, gain=2.0)(torch.randn(8, 30, 8, 8))
    assert outputs.std().item() == pytest.approx(2, rel=0.05)


def test_the_mapping_network_learns_at_a_hundredth_of_the_rate():
    generator = small()
    optimizer = torch.optim.Adam(generator.parameters(), lr=0.1)
    first = generator.mapping[0]
    assert isinstance(first, EqualisedLinear)
    before = (first.weight_scale * first.weight).detach()
    generator(torch.randn(4, 5)).square().sum().backward()
    optimizer.step()
    change = (first.weight_scale * first.weight).detach() - before
    expected = 0.1 * 0.01 * 2**0.5 / 5**0.5
    assert change.abs().median().item() == pytest.approx(expected, rel=0.01)


def test_the_length_of_a_latent_does_not_matter():
    generator, latents = small(), torch.randn(3, 5)
    torch.testing.assert_close(generator.mapping(latents), generator.mapping(7 * latents))


def test_styles_are_mixed_from_a_random_layer_on_in_training_only():
    generator, latents = small(mixing=0.5), torch.randn(200, 5)
    own = generator.mapping(latents)
    generator.eval()
    assert torch.equal(generator.styles(latents), own.unsqueeze(1).expand(-1, 6, -1))
    generator.train()
    is_own = generator.styles(latents).isclose(own.unsqueeze(1), atol=1e-5).all(2)
    assert is_own[:, 0].all()
    assert all((before >= after).all() for before, after in pairwise(is_own.T))
    counts = is_own.sum(1).bincount(minlength=7)
    assert 70 < counts[6] < 130  # half of the images are not mixed
    assert (counts[1:6] > 8).all()  # the others change at any layer
    assert (small(mixing=0.0).styles(latents).diff(dim=1) == 0).all()


def test_the_mean_style_follows_the_styles_of_the_latents_in_training_only():
    generator, latents = small(mixing=1.0), torch.randn(4, 5)
    mean = generator.mapping(latents).mean(0)
    generator.eval()(latents)
    assert not generator.mean_style.any()
    generator.train()
    for _ in range(2):
        generator(latents)
    torch.testing.assert_close(generator.mean_style, (1 - 0.995**2) * mean)


def test_truncation_moves_styles_towards_the_mean_style():
    generator = small().eval()
    nn.init.normal_(generator.mean_style)
    styles = generator.styles(torch.randn(3, 5))
    mean = generator.mean_style.expand_as(styles)
    torch.testing.assert_close(generator.truncate(styles, 1.0), styles)
    torch.testing.assert_close(generator.truncate(styles, 0.0), mean)
    torch.testing.assert_close(generator.truncate(styles, 0.7), 0.7 * styles + 0.3 * mean)


def test_noise_is_drawn_in_training_and_fixed_in_evaluation():
    generator = small(mixing=0.0)
    styles = generator.styles(torch.randn(1, 5)).expand(2, -1, -1)
    one, other = generator.synthesise(styles)
    assert (one - other).abs().max() > 0.01
    one, other = generator.eval().synthesise(styles)
    torch.testing.assert_close(one, other)
    noise = generator.fixed_noise([0, 1])
    torch.testing.assert_close(generator.synthesise(styles, noise)[0], one)
    assert (generator.synthesise(styles, noise)[1] - one).abs().max() > 0.01


def test_each_convolution_has_noise_of_its_own():
    generator = small().eval()
    styles = generator.styles(torch.randn(1, 5))
    noise = torch.zeros(generator.noise_dim, generator.noise_dim)
    noise.fill_diagonal_(10.0)
    images = generator.synthesise(styles.expand(len(noise), -1, -1), noise)
    changes = (images - generator.synthesise(styles, torch.zeros(1, len(noise)))).abs()
    assert (changes.amax((1, 2, 3)) > 1e-4).all()


def test_without_noise_a_latent_determines_its_image():
    generator, latents = small(noise=False, mixing=0.0), torch.randn(2, 5)
    assert generator.noise_dim == 0
    one, other = generator(latents), generator(latents)
    assert torch.equal(one, other)
    assert len(list(sample.faces(generator, [3]))) == 1


def test_a_seed_gives_the_same_face_whatever_the_other_seeds_are():
    generator = small().eval()
    many = dict(zip(range(40), sample.faces(generator, range(40)), strict=True))
    for seeds in ([17], [39, 3, 17], range(5, 23)):
        for seed, face in zip(seeds, sample.faces(generator, seeds), strict=True):
            np.testing.assert_array_equal(face, many[seed])


@pytest.mark.parametrize(
    "settings",
    [
        {"image_size": 48},
        {"image_size": 4},
        {"channel_base": 8},
        {"width": 0},
        {"style_dim": 0},
        {"mapping_layers": 0},
        {"mixing": 1.5},
    ],
)
def test_bad_settings_are_refused_with_an_override(settings: dict[str, float]):
    (name,) = settings
    with pytest.raises(UserError, match=f"{name}=.*use"):
        Generator(**settings)  # type: ignore[arg-type]


def test_resuming_gives_the_same_weights_and_the_same_path_lengths(train: Train, tmp_path):
    settings = (
        "optimizer=adam_stylegan2",
        *("regularizer=r1", "regularizer.interval=2", "generator_regularizer=path_length"),
        *("gan.accumulate=2", "augment=ada", "model.generator.mixing=0.9"),
    )
    whole = train(*settings, "trainer.max_epochs=4", run="whole", model="stylegan2")
    train(*settings, "trainer.max_epochs=2", run="parts", model="stylegan2")
    last = tmp_path / "parts/checkpoints/last.ckpt"
    parts = train(*settings, "trainer.max_epochs=4", run="parts", model="stylegan2", ckpt_path=last)
    assert_same_weights(whole, parts)
    assert whole.generator_regularizer.state_dict()["mean_length"] > 0
    assert whole.generator_ema.state_dict()["mean_style"].any()


def test_a_run_is_drawn_moved_and_projected(train: Train, tmp_path):
    train("trainer.max_epochs=1", "metric=none", model="stylegan2")
    renderer = Renderer(tmp_path, fast_walls=True)
    face = Face("run", "last", seed=0, moves={"sefa.0": 2.0, "pca.1": -1.0})
    assert renderer.wall(face, 5, 20).shape == (20, 16, 16, 3)
    (picture,) = renderer.render([face])
    generator = renderer.model(*face.generator).generator
    target = to_float(torch.from_numpy(picture)[None])[0]
    *_, found = project(generator, target, steps=30)
    assert found.distance < multiscale_distance(generator(torch.randn(1, 6)), target)
