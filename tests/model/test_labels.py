"""Labels in both players of every pair."""

from typing import Any

import pytest
import torch
from torch import nn

from anime_dcgan.game.augment import Augment
from anime_dcgan.game.loss import BCE
from anime_dcgan.game.objective import discriminator_cost
from anime_dcgan.game.regularizer import R1R2, GradientPenalty, Regularizer
from anime_dcgan.model import biggan, dcgan, r3gan, radford, stylegan2
from anime_dcgan.model.base import Generator
from anime_dcgan.model.labels import EMBEDDING_DIM, one_hot
from anime_dcgan.model.layers import ConditionalBatchNorm
from anime_dcgan.sampling.latent import latent_of_seed
from anime_dcgan.system.errors import UserError

NAMES = ("blue", "green", "red")
SIZES: dict[Any, dict[str, Any]] = {
    dcgan: {"width": 4, "image_size": 16},
    radford: {"width": 4, "image_size": 16},
    stylegan2: {"width": 8, "channel_base": 128, "image_size": 16},
    biggan: {"width": 2, "image_size": 16, "attention": 8},
    r3gan: {"width": 16, "narrow_above": 8, "group_size": 4, "image_size": 16},
}
PAIRS = pytest.mark.parametrize("pair", SIZES, ids=lambda pair: pair.__name__.split(".")[-1])


def make_generator(pair: Any, labels: tuple[str, ...] = NAMES) -> Generator:
    torch.manual_seed(0)
    return pair.Generator(latent_dim=6, labels=labels, **SIZES[pair])


def make_discriminator(pair: Any, labels: tuple[str, ...] = NAMES) -> nn.Module:
    torch.manual_seed(0)
    plain = {"batch_norm": False} if pair is radford else {}
    return pair.Discriminator(labels=labels, **plain, **SIZES[pair]).eval()


def labels_of(*classes: int) -> torch.Tensor:
    return one_hot(torch.tensor(classes), len(NAMES))


@PAIRS
def test_the_same_latent_gives_another_image_for_each_label(pair: Any):
    generator = make_generator(pair).eval()
    for block in generator.modules():  # residual blocks may start as the identity
        if isinstance(block, r3gan.ResidualBlock):
            nn.init.normal_(block.narrow.weight)
    latents = torch.randn(1, 6).expand(4, -1)
    images = generator(latents, labels=labels_of(0, 1, 1, -1))
    assert torch.allclose(images[1], images[2], atol=1e-5)
    for other in (0, 3):
        assert (images[1] - images[other]).abs().max() > 1e-4


@PAIRS
def test_an_image_without_a_label_is_that_of_an_unknown_one(pair: Any):
    generator = make_generator(pair).eval()
    latents, noise = torch.randn(3, 6), generator.fixed_noise(range(3))
    unknown = generator(latents, noise, labels_of(-1, -1, -1))
    assert torch.equal(generator(latents, noise), unknown)


@PAIRS
def test_a_default_label_does_not_change_the_original(pair: Any):
    generator = make_generator(pair).eval()
    latents, noise = torch.randn(3, 6), generator.fixed_noise(range(3))
    plain = generator(latents, noise)
    green = generator.of_label("green")
    assert torch.equal(green(latents, noise), generator(latents, noise, labels_of(1, 1, 1)))
    assert torch.equal(generator(latents, noise), plain)
    with pytest.raises(UserError, match="label=pink is not a label .* blue, green, red"):
        generator.of_label("pink")


@PAIRS
def test_truncation_keeps_the_label(pair: Any):
    generator = make_generator(pair).eval()
    styles = generator.styles(torch.randn(2, 6), labels_of(0, 2))
    if pair is stylegan2:  # whose styles mix latent and label
        return check_mean_styles(generator)
    truncated = generator.truncate(styles, 0.5)
    assert torch.equal(truncated[..., -EMBEDDING_DIM:], styles[..., -EMBEDDING_DIM:])
    assert not torch.allclose(truncated[..., :-EMBEDDING_DIM], styles[..., :-EMBEDDING_DIM])


def check_mean_styles(generator: Any) -> None:
    """Truncated styles approach the mean style of their label, or of a mixture of labels."""
    labels = torch.cat([labels_of(0, 2, -1), torch.tensor([[0.5, 0.5, 0.0]])])
    latents = torch.randn(4096, 6)
    with torch.no_grad():
        each = [generator.styles(latents, label.expand(4096, -1))[:, 0] for label in labels]
    expected = torch.stack([styles.mean(0) for styles in each])
    spread = torch.stack([styles.std(0) for styles in each])
    zeros = torch.zeros(4, 2, expected.shape[1])
    means = generator.truncate(zeros, 0.0, labels)
    assert ((means - expected[:, None]) / spread[:, None]).abs().max() < 0.15
    assert ((means[0] - means[1]) / spread[0]).abs().max() > 0.5
    alone = generator.truncate(zeros[:1], 0.0, labels[[1]])
    assert torch.equal(alone[0], means[1]) and not means.requires_grad
    generator.mean_style.normal_()
    assert torch.equal(generator.truncate(zeros, 0.0)[0, 0], generator.mean_style)


@PAIRS
def test_the_discriminator_adds_the_product_of_features_and_label(pair: Any):
    """The logit minus that of an unknown label is linear in the label: arXiv 1802.05637."""
    discriminator = make_discriminator(pair)
    images = torch.randn(1, 3, 16, 16).expand(4, -1, -1, -1)
    with torch.no_grad():
        plain = discriminator(images)
        assert torch.allclose(plain, discriminator(images, labels_of(-1, -1, -1, -1)))
        mixture = torch.tensor([[0.5, 0.25, 0.25]])
        labels = torch.cat([torch.eye(3), mixture])
        added = discriminator(images, labels) - plain
    assert added[:3].std() > 1e-5
    assert torch.allclose(added[3], mixture[0] @ added[:3], atol=1e-4)


@PAIRS
def test_without_labels_there_is_nothing_to_learn_about_them(pair: Any):
    without = pair.Generator(latent_dim=6, **SIZES[pair]), pair.Discriminator(**SIZES[pair])
    names = [name for network in without for name, _ in network.named_parameters()]
    assert not [name for name in names if "label" in name or "embed" in name]


@PAIRS
@pytest.mark.parametrize("regularizer", [Regularizer(), R1R2(), GradientPenalty()])
def test_the_cost_uses_the_label_of_each_image(pair: Any, regularizer: Regularizer):
    """Real and fake images share a batch, whose logits must still be those of their labels."""
    discriminator = make_discriminator(pair)
    torch.manual_seed(1)
    real, fake = torch.randn(2, 4, 3, 16, 16)
    labels = labels_of(0, 2, 1, -1)
    cost = discriminator_cost(discriminator, BCE(), regularizer, Augment(), real, fake, labels)
    assert torch.allclose(cost.real_logits, discriminator(real, labels), atol=1e-4)
    assert torch.allclose(cost.fake_logits, discriminator(fake, labels), atol=1e-4)
    assert not torch.allclose(cost.real_logits, discriminator(real), atol=1e-4)


def test_a_label_changes_the_gain_and_the_bias_of_each_normalisation():
    """Statistics that saw the label in the first layer alone made the faces of a class alike."""
    generator = make_generator(radford)
    labelled = [each for each in generator.modules() if isinstance(each, ConditionalBatchNorm)]
    plain_norms = make_generator(radford, ()).modules()
    assert len(labelled) == sum(isinstance(each, nn.BatchNorm2d) for each in plain_norms)


def test_labels_of_seeds_are_as_frequent_as_in_the_training_and_always_the_same():
    generator = make_generator(dcgan)
    generator.label_frequencies.copy_(torch.tensor([0.7, 0.3, 0.0]))
    labels = generator.labels_of_seeds(range(400))
    assert labels is not None
    assert torch.equal(labels.sum(1), torch.ones(400))
    assert labels.mean(0).tolist() == pytest.approx([0.7, 0.3, 0.0], abs=0.07)
    again = generator.labels_of_seeds([399])
    assert again is not None
    assert torch.equal(again[0], labels[399])
    firsts = torch.stack([latent_of_seed(seed, 2)[0] for seed in range(400)])
    means = [firsts[labels[:, label] == 1].mean().item() for label in range(2)]
    assert means == pytest.approx([0, 0], abs=0.25)  # the label does not depend on the latent
    red = generator.of_label("red").labels_of_seeds([5, 6])
    assert red is not None
    assert red.tolist() == [[0, 0, 1], [0, 0, 1]]
