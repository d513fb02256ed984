"""BigGAN: parameter counts, chunks of the latent, conditional normalisation, truncated latents."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate

from anime_dcgan.model import biggan
from anime_dcgan.model.attention import SelfAttention
from anime_dcgan.model.fused import DoublingConv, HalvingConv
from anime_dcgan.system.errors import UserError


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("width", "generator", "discriminator"),
    [(16, 748_324, 1_223_410), (32, 2_761_284, 4_889_186)],
)
def test_pair_has_the_published_tables_parameters(width, generator, discriminator):
    """The counts are those of StudioGAN's 64 px networks without the parts for classes."""
    assert parameters(biggan.Generator(100, width, spectral_norm=False)) == generator
    assert parameters(biggan.Discriminator(width, spectral_norm=False)) == discriminator


def test_channels_are_those_of_both_published_tables():
    for size, table in ((64, [16, 8, 4, 2, 1]), (128, [16, 16, 8, 4, 2, 1])):
        generator = biggan.Generator(120, 1, size, spectral_norm=False)
        layers = [layer for layer in generator.modules() if isinstance(layer, DoublingConv)]
        assert [layer.in_channels for layer in layers] == table[:-1]
        assert [layer.out_channels for layer in layers] == table[1:]
    discriminator = biggan.Discriminator(1, 128, spectral_norm=False)
    blocks = [layer for layer in discriminator.layers if isinstance(layer, biggan.ResidualBlock)]
    assert [block.conv_1.in_channels for block in blocks] == [3, 1, 2, 4, 8, 16]
    assert [block.conv_1.out_channels for block in blocks] == [1, 2, 4, 8, 16, 16]
    assert [block.halve for block in blocks] == [True] * 5 + [False]


@pytest.mark.parametrize("image_size", [8, 16, 32, 128])
def test_shapes_and_range_at_every_size(image_size):
    images = biggan.Generator(width=2, image_size=image_size)(torch.randn(3, 120))
    assert images.shape == (3, 3, image_size, image_size)
    assert images.abs().max() <= 1
    assert biggan.Discriminator(2, image_size)(images).shape == (3,)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_size": 48}, "data.image_size=64"),
        ({"latent_dim": 101}, "5 equal chunks.*use model.latent_dim=100"),
        ({"latent_dim": 2}, "use model.latent_dim=5"),
        ({"attention": 64}, "images of 64 px have no such map: use one of 4, 8, 16, 32, or 0"),
        ({"attention": -8}, "use one of 4, 8, 16, 32, or 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused_with_those_that_do(settings, message):
    with pytest.raises(UserError, match=message):
        biggan.Generator(**settings)


def test_the_place_of_attention_is_a_setting_of_both_players():
    places: list[int] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        places.append(output.shape[-1])

    for attention, expected in ((None, [16, 16]), (8, [8, 8]), (0, [])):
        generator = biggan.Generator(120, 2, 32, attention)
        discriminator = biggan.Discriminator(2, 32, attention)
        for module in (*generator.modules(), *discriminator.modules()):
            if isinstance(module, SelfAttention):
                module.register_forward_hook(note)
        discriminator(generator(torch.randn(2, 120)))
        assert places == expected
        places.clear()


def test_attention_equals_a_plain_double_loop():
    torch.manual_seed(0)
    layer = SelfAttention(8).double()
    nn.init.constant_(layer.gain, 0.7)
    maps = torch.randn(2, 8, 4, 6, dtype=torch.double)
    query, key, value = layer.query(maps), layer.key(maps), layer.value(maps)
    blocks = [(top, left) for top in (0, 2) for left in (0, 2, 4)]

    def highest(of: Tensor, image: int, block: tuple[int, int]) -> Tensor:
        top, left = block
        return of[image, :, top : top + 2, left : left + 2].amax((1, 2))

    expected = maps.clone()
    for image in range(2):
        for row in range(4):
            for column in range(6):
                own = query[image, :, row, column]
                exponentials = [torch.exp(own @ highest(key, image, block)) for block in blocks]
                total = torch.stack(exponentials).sum()
                mean = sum(
                    weight / total * highest(value, image, block)
                    for weight, block in zip(exponentials, blocks, strict=True)
                )
                expected[image, :, row, column] += 0.7 * layer.out.weight[:, :, 0, 0] @ mean
    torch.testing.assert_close(layer(maps), expected, rtol=1e-5, atol=1e-6)


def test_attention_changes_nothing_at_the_start():
    maps = torch.randn(2, 8, 4, 4)
    assert torch.equal(SelfAttention(8)(maps), maps)


@pytest.mark.parametrize("merged", [DoublingConv(3, 4), HalvingConv(3, 4)])
def test_merged_convolutions_equal_resampling_and_convolution(merged):
    merged = merged.double()
    x = torch.randn(2, 3, 6, 8, dtype=torch.double)
    if isinstance(merged, DoublingConv):
        plain = conv2d(interpolate(x, scale_factor=2.0), merged.weight, merged.bias, padding=1)
    else:
        plain = avg_pool2d(conv2d(x, merged.weight, merged.bias, padding=1), 2)
    results = []
    for output in (merged(x), plain):
        gradients = torch.autograd.grad(output.square().sum(), list(merged.parameters()))
        results.append((output, *gradients))
    torch.testing.assert_close(*results)


def test_a_chunk_changes_the_image_only_from_its_block_on():
    torch.manual_seed(0)
    generator = biggan.Generator(100, 2).eval()
    latents = torch.randn(1, 100)
    maps: list[Tensor] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        maps.append(output)

    for block in generator.blocks:
        block.register_forward_hook(note)
    generator(latents)
    before = maps.copy()
    for chunk in range(5):
        maps.clear()
        changed = latents.clone()
        changed[:, 20 * chunk : 20 * (chunk + 1)] += 1
        generator(changed)
        same = [torch.equal(*pair) for pair in zip(maps, before, strict=True)]
        assert same == [block < chunk - 1 for block in range(4)]


def test_the_chunks_are_the_styles():
    torch.manual_seed(0)
    generator = biggan.Generator(20, 2, 32).eval()
    latents = torch.randn(2, 20)
    styles = generator.styles(latents)
    assert styles.shape == (2, 4, 5)
    assert torch.equal(styles.flatten(1), latents)
    assert torch.equal(generator.synthesise(styles), generator(latents))


def test_all_weights_are_orthogonal_at_the_start():
    for network in (biggan.Generator(40, 2, 32, spectral_norm=False), biggan.Discriminator(2, 32)):
        layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        assert len(layers) > 10
        for layer in layers:
            weight = layer.weight.detach().flatten(1)
            gram = weight @ weight.T if len(weight) <= weight.shape[1] else weight.T @ weight
            torch.testing.assert_close(gram, torch.eye(len(gram)), rtol=0, atol=1e-2)


@pytest.mark.parametrize("truncation", [0.3, 0.9])
def test_truncated_latents_have_the_distribution_of_a_normal_cut_at_two(truncation):
    """Kolmogorov-Smirnov: the largest distance exceeds 1.63 / sqrt(n) in one case of a hundred."""
    generator = biggan.Generator(20, 1, 32)
    count = 20_000
    latents = torch.randn(count, 20, generator=torch.Generator().manual_seed(0))
    values = generator.truncate(generator.styles(latents), truncation)[:, 1, 2].double().sort()[0]
    assert values.abs().max() <= 2 * truncation

    def normal(x: Tensor) -> Tensor:
        return (1 + torch.erf(x / math.sqrt(2))) / 2

    tail = normal(torch.tensor(-2.0, dtype=torch.double))
    expected = (normal(values / truncation) - tail) / (1 - 2 * tail)
    ranks = torch.arange(count, dtype=torch.double)
    distance = max((expected - ranks / count).max(), ((ranks + 1) / count - expected).max())
    assert distance < 1.63 / math.sqrt(count)


def test_truncation_keeps_the_order_of_latents_and_one_leaves_them_alone():
    generator = biggan.Generator(20, 1, 32)
    latents = torch.linspace(-6, 6, 20)[None]
    styles = generator.styles(latents)
    assert torch.equal(generator.truncate(styles, 1.0), styles)
    truncated = generator.truncate(styles, 0.5).flatten()
    assert (truncated.diff() >= 0).all()
    torch.testing.assert_close(truncated, -truncated.flip(0))
    assert not generator.truncate(styles, 0.0).any()
