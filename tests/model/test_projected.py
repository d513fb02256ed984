"""Heads on the maps of a fixed network and on pixels."""

from typing import Any

import pytest
import torch
from torch import nn

from anime_dcgan.game.augment import Adaptive, Augment
from anime_dcgan.game.loss import BCE, Hinge
from anime_dcgan.game.objective import discriminator_cost
from anime_dcgan.game.regularizer import R1, R1R2, Regularizer
from anime_dcgan.game.step import Game
from anime_dcgan.model import features, radford
from anime_dcgan.model.labels import one_hot
from anime_dcgan.model.projected import Discriminator
from anime_dcgan.model.recompute import set_recompute
from anime_dcgan.system.errors import UserError
from tests.features import SHA256, random_features


@pytest.fixture(autouse=True)
def without_pretrained_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(features.NETWORKS, "efficientnet_lite0", random_features)


def make(seed: int = 0, **settings: Any) -> Discriminator:
    torch.manual_seed(seed)
    small: dict[str, Any] = {"width": 4, "head_width": 8, "pixel_width": 4, "image_size": 32}
    return Discriminator(**{**small, **settings})


def images(count: int = 4, size: int = 32) -> torch.Tensor:
    torch.manual_seed(9)
    return torch.rand(count, 3, size, size) * 2 - 1


def test_each_scale_and_the_pixels_have_a_logit():
    assert make()(images()).shape == (4, 5)
    assert make(scales=2, pixels=0)(images()).shape == (4, 2)
    assert make(image_size=48, pixels=32)(images(size=48)).shape == (4, 5)
    assert make(pixels=[32, 8])(images()).shape == (4, 6)
    assert make(pixels=[])(images()).shape == (4, 4)
    assert make(resize=64)(images()).shape == (4, 5)


def test_the_projections_are_fixed_by_the_seed_and_never_trained():
    one, other = make(), make(seed=1)
    projections = dict(one.mix.named_buffers())
    assert len(projections) == 7
    for name, values in make().mix.named_buffers():
        assert torch.equal(values, projections[name])
        assert not torch.equal(values, other.mix.get_buffer(name))
    assert not list(one.mix.parameters())
    assert {f"mix.{name}" for name in projections} < one.state_dict().keys()
    optimizer = torch.optim.SGD(one.parameters(), lr=1.0)
    before = {name: values.clone() for name, values in one.state_dict().items()}
    one(images()).sum().backward()
    optimizer.step()
    changed = {name for name in before if not torch.equal(before[name], one.state_dict()[name])}
    assert changed and not any(name.startswith(("mix.", "features.")) for name in changed)


def test_every_map_contains_all_coarser_ones():
    """The finest map depends on the coarsest, and not the other way round (section 3.2)."""
    mix = make().mix
    maps = [torch.randn(1, c, s, s) for c, s in make().features.shapes(32)]
    before = mix(maps)
    for changed in range(4):
        other = [each + (index == changed) for index, each in enumerate(maps)]
        depends = [not torch.equal(one, two) for one, two in zip(before, mix(other), strict=True)]
        assert depends == [index <= changed for index in range(4)]


@pytest.mark.parametrize("head", range(5))
def test_the_gradient_of_each_head_reaches_the_image_and_no_fixed_weight(head: int):
    discriminator, batch = make(), images().requires_grad_(True)
    discriminator(batch)[:, head].sum().backward()
    assert batch.grad is not None and batch.grad.flatten(1).norm(dim=1).min() > 0
    assert not any(values.requires_grad for values in discriminator.features.buffers())
    trained = [weight.grad is not None for weight in discriminator.heads[head].parameters()]
    assert trained and all(trained)


def test_the_weight_of_the_heads_on_pixels_scales_what_the_generator_receives_through_them():
    gradients, logits = [], []
    for weight in (1.0, 0.25):
        discriminator, batch = make(pixels=[32, 8], pixel_weight=weight), images()
        batch.requires_grad_(True)
        logits.append(discriminator(batch))
        gradients.append(
            [torch.autograd.grad(head.sum(), batch, retain_graph=True)[0] for head in logits[-1].T]
        )
    assert torch.equal(*logits)
    for head, (full, weighted) in enumerate(zip(*gradients, strict=True)):
        torch.testing.assert_close(weighted, full * (0.25 if head >= 4 else 1.0))


@pytest.mark.parametrize("weight", [0.0, -1.0, float("inf"), float("nan")])
def test_other_weights_of_the_heads_on_pixels_are_refused(weight: float):
    with pytest.raises(UserError, match="pixel_weight"):
        make(pixel_weight=weight)


def test_a_head_on_pixels_sees_brightness_and_contrast():
    """It has no normalisation, and averages pixels: noise of mean 0 within blocks is invisible."""
    discriminator = make(pixels=[32, 8]).eval()
    batch = images()
    checkers = torch.ones(32, 32)
    checkers[::2, ::2] = checkers[1::2, 1::2] = -1
    changed = [batch + 0.2, batch * 0.5, batch + checkers]
    before = discriminator(batch)[:, -1]
    brighter, paler, checkered = (
        (discriminator(each)[:, -1] - before).abs().max().item() for each in changed
    )
    assert min(brighter, paler) > 1e-3 > 1e-5 > checkered


def test_an_unshuffled_head_on_pixels_sees_every_detail():
    """It receives each pixel of a block as channels: the values of torch.nn.PixelUnshuffle."""
    discriminator, batch = make(pixels=[16, 8], unshuffle=True).eval(), images()
    maps = discriminator._maps(batch)[-2:]
    assert [tuple(each.shape[1:]) for each in maps] == [(12, 16, 16), (48, 8, 8)]
    for each, factor in zip(maps, (2, 4), strict=True):
        assert torch.equal(nn.PixelShuffle(factor)(each), batch)
    checkers = torch.ones(32, 32)
    checkers[::2, ::2] = checkers[1::2, 1::2] = -1
    difference = discriminator(batch + checkers)[:, -2:] - discriminator(batch)[:, -2:]
    assert difference.abs().amax(0).min() > 1e-3, difference
    judged = discriminator.judge(discriminator.encode(batch))
    torch.testing.assert_close(judged, discriminator(batch))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_pixel_of_a_larger_image_reaches_the_features(dtype: torch.dtype):
    discriminator = make(image_size=128, resize=32, pixels=0)
    batch = images(size=128).to(dtype).requires_grad_(True)
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        discriminator(batch)[:, 0].sum().backward()
    assert batch.grad is not None and (batch.grad != 0).float().mean() > 0.99


def test_labels_change_the_logit_of_every_head():
    discriminator = make(labels=("dark", "fair")).eval()
    batch = images(1).expand(3, -1, -1, -1)
    dark, fair, unknown = discriminator(batch, one_hot(torch.tensor([0, 1, -1]), 2))
    assert ((dark - fair).abs() > 1e-4).all()
    torch.testing.assert_close(unknown, discriminator(batch)[0])


def test_images_do_not_depend_on_each_other():
    discriminator, batch = make().eval(), images()
    torch.testing.assert_close(discriminator(batch)[:2], discriminator(batch[:2]))


@pytest.mark.parametrize("regularizer", [Regularizer(), R1R2()])
def test_recomputing_gives_the_same_gradients(regularizer: Regularizer):
    gradients = []
    for recomputes in (False, True):
        discriminator = make()
        set_recompute(discriminator, recomputes)
        cost = discriminator_cost(
            discriminator, Hinge(), regularizer, Augment(), images(), images().flip(0) * 0.5
        )
        (cost.loss + cost.penalty).backward()
        gradients.append([weight.grad for weight in discriminator.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert torch.equal(one, other)


def test_a_copy_of_the_state_gives_the_same_logits_and_names_its_weights():
    discriminator, other = make().eval(), make(seed=1).eval()
    assert not any(name.startswith("features.") for name in discriminator.state_dict())
    other.load_state_dict(discriminator.state_dict())
    assert torch.equal(other(images()), discriminator(images()))
    assert discriminator.pretrained == {"random": SHA256}


def test_a_step_returns_one_logit_per_image_for_adaptive_augmentation():
    generator = radford.Generator(latent_dim=3, width=2, image_size=32)
    discriminator = make()
    optimizers = [
        torch.optim.SGD(network.parameters(), lr=0.0) for network in (generator, discriminator)
    ]
    game = Game(generator, discriminator, optimizers[0], optimizers[1], Hinge(), Regularizer())
    _, logits = game.discriminator_step(images(), lambda count: torch.randn(count, 3), 0)
    torch.testing.assert_close(logits, discriminator.eval()(images()).mean(1), rtol=1e-3, atol=1e-3)
    adaptive = Adaptive(every=1)
    adaptive.observe(logits)
    assert abs(int(adaptive.level)) in (0, 4)  # the images, not the heads


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_judging_encoded_images_gives_the_logits(dtype: torch.dtype):
    discriminator = make(labels=("dark", "fair"), pixels=[32, 8]).eval()
    labels = one_hot(torch.tensor([0, 1, -1, 0]), 2)
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        judged = discriminator.judge(discriminator.encode(images()), labels)
        torch.testing.assert_close(judged, discriminator(images(), labels))


def penalty_of_each_head(discriminator: Discriminator, batch: torch.Tensor) -> torch.Tensor:
    """Return the squared gradient of each head with respect to its own, scaled maps."""
    penalties = []
    maps = discriminator._maps(batch)
    for head, inputs, scale in zip(
        discriminator.heads, maps, [0.5, 0.5, 0.5, 0.5, 1.0], strict=True
    ):
        inputs = inputs.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(head(inputs, None).sum(), inputs, create_graph=True)
        penalties.append((scale * gradient).square().sum((1, 2, 3)))
    return torch.stack(penalties, dim=1)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("relativistic", [False, True])
def test_penalties_are_the_sum_over_the_heads_of_the_gradient_at_their_maps(
    precision: str, relativistic: bool
):
    """The expected gradients are torch's own, head by head."""
    discriminator = make(spectral_norm=False)
    real, fake = images(), images().flip(0) * 0.5
    loss = BCE(relativistic=relativistic)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        cost = discriminator_cost(discriminator, loss, R1R2(weight=3.0), Augment(), real, fake)
        logits = discriminator(real).float(), discriminator(fake).float()
        expected = loss.discriminator(*logits).mean()
    at_real, at_fake = (penalty_of_each_head(discriminator, batch).sum(1) for batch in (real, fake))
    penalty = 1.5 * (at_real + at_fake).mean()
    rtol = 1e-5 if precision == "float32" else 2e-2
    torch.testing.assert_close(cost.penalty, penalty, rtol=rtol, atol=1e-4)
    torch.testing.assert_close(cost.loss, expected, rtol=rtol, atol=1e-4)
    weights = list(discriminator.parameters())
    found = torch.autograd.grad(cost.loss + cost.penalty, weights)
    wanted = torch.autograd.grad(expected + penalty, weights)
    largest = max(gradient.norm() for gradient in wanted)
    for one, other in zip(found, wanted, strict=True):  # that of some biases is 0
        assert (one - other).norm() < largest * (1e-5 if precision == "float32" else 3e-2)


def test_r1_of_the_heads_depends_on_real_images_only():
    discriminator, real = make(spectral_norm=False), images()
    for fake in (real.flip(0), -real):
        cost = discriminator_cost(discriminator, Hinge(), R1(weight=2.0), Augment(), real, fake)
        expected = penalty_of_each_head(discriminator, real).sum(1).mean()
        torch.testing.assert_close(cost.penalty, expected)


def test_a_step_with_a_penalty_computes_the_fixed_features_once():
    discriminator, calls = make(spectral_norm=False), []
    discriminator.features.register_forward_hook(lambda *_: calls.append(1))
    loss = BCE(relativistic=True)
    with torch.autocast("cpu", torch.bfloat16):
        discriminator_cost(discriminator, loss, R1R2(), Augment(), images(), images().flip(0))
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"features": "vgg"}, r"features=vgg is not a network: use efficientnet_lite0 or mobile"),
        ({"scales": 0}, r"scales=0 .* use 1 to 4"),
        (
            {"pixels": 2},
            r"pixels has 2, less than 4 px: use model\.discriminator\.pixels=32",
        ),
        ({"resize": 4}, r"resize=4 .* use model\.discriminator\.resize=32, or null"),
        ({"head_width": 0}, r"head_width=0 leaves no channels"),
        (
            {"image_size": 50, "pixels": [25, 20], "unshuffle": True},
            r"unshuffle=true: images of 50 px have no whole blocks of 3 px for model\.disc.*=20",
        ),
    ],
)
def test_settings_that_leave_nothing_are_refused(settings: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message):
        make(**settings)
