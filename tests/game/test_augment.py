"""Augmentations agree with plain implementations, and take part in all steps."""

import itertools
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from anime_dcgan.game.augment import Adaptive, Augment, DiffAugment, FixedADA, Flip
from anime_dcgan.game.loss import BCE, WGAN
from anime_dcgan.game.objective import discriminator_cost, generator_cost
from anime_dcgan.game.regularizer import R1
from anime_dcgan.run.checkpoint import read
from anime_dcgan.system.errors import UserError
from tests.conftest import Train, assert_same_weights
from tests.training.test_gan import make

SIZE = 16
OFF = {"brightness": 0, "saturation": 0, "contrast": 0, "translation": 0, "cutout": 0}
ALL = {
    "flip": Flip(),
    "diffaugment": DiffAugment(),
    "ada": Adaptive(initial=1.0),
    "ada with p=0.5": Adaptive(initial=0.5),
    "ada_fixed": FixedADA(1.0),
}
for_each_augment = pytest.mark.parametrize("augment", ALL.values(), ids=ALL.keys())


def only(**settings: float) -> DiffAugment:
    return DiffAugment(**{**OFF, **settings})


def noise(count: int = 8, size: int = SIZE) -> Tensor:
    """Return images without a value of 0."""
    random = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, size, size, generator=random) * 0.8 + 0.1


def seeded(augment: nn.Module, images: Tensor, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return augment(images)


@for_each_augment
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_shape_and_dtype_are_kept_and_values_are_finite(augment: Augment, dtype: torch.dtype):
    images = noise().to(dtype)
    changed = seeded(augment, images)
    assert (changed.shape, changed.dtype) == (images.shape, dtype)
    assert changed.isfinite().all()
    assert not torch.equal(changed, images)


@for_each_augment
def test_draws_depend_on_the_seed_and_differ_between_images(augment: Augment):
    same_image = noise(1).expand(64, -1, -1, -1)
    changed = seeded(augment, same_image)
    assert torch.equal(changed, seeded(augment, same_image))
    assert not torch.equal(changed, seeded(augment, same_image, seed=1))
    different = {image.numpy().tobytes() for image in changed}
    assert len(different) == 2 if isinstance(augment, Flip) else len(different) > 60 * 0.6


@for_each_augment
def test_the_gradient_equals_finite_differences(augment: Augment):
    """Every augmentation is affine in the image, so that finite differences are exact."""
    images, direction = noise().requires_grad_(True), torch.randn(8, 3, SIZE, SIZE)
    weights = torch.randn(8, 3, SIZE, SIZE)
    torch.manual_seed(0)
    (weights * augment(images)).sum().backward()
    assert images.grad is not None
    assert (images.grad.flatten(1).abs().sum(1) > 0).all()
    moved = seeded(augment, images.detach() + direction) - seeded(augment, images.detach())
    expected = (weights * moved).sum((1, 2, 3))
    assert torch.allclose((images.grad * direction).sum((1, 2, 3)), expected, atol=1e-2, rtol=1e-3)


@for_each_augment
def test_autocast_does_not_reduce_the_precision(augment: Augment):
    images = noise()
    with torch.autocast("cpu", torch.bfloat16):
        coarse = seeded(augment, images)
    assert torch.equal(coarse, seeded(augment, images))


@pytest.mark.parametrize(
    "augment",
    [Augment(), Flip(0.0), only(), Adaptive(), Adaptive(geometry=False), FixedADA(0.0)],
)
def test_a_disabled_augmentation_returns_the_images_bit_by_bit(augment: Augment):
    images = noise()
    assert torch.equal(seeded(augment, images), images)


# Flip


def test_images_are_mirrored_with_the_given_probability():
    images = noise(4000, size=2)
    fractions = {}
    for probability in (0.2, 0.5):
        changed = seeded(Flip(probability), images)
        flipped = (changed == images[..., [1, 0]]).flatten(1).all(1)
        assert (flipped | (changed == images).flatten(1).all(1)).all()
        fractions[probability] = flipped.float().mean().item()
    assert fractions == pytest.approx({0.2: 0.2, 0.5: 0.5}, abs=0.03)
    assert torch.equal(seeded(Flip(1.0), images), images[..., [1, 0]])


def test_real_and_fake_images_get_independent_draws():
    images, flip = noise(32), Flip()
    torch.manual_seed(0)
    assert not torch.equal(flip(images), flip(images))


# DiffAugment, each transform compared with loops


def test_brightness_adds_the_same_to_all_pixels_of_an_image():
    images = noise(200)
    added = seeded(only(brightness=0.5), images) - images
    for difference in added:
        assert difference.max() - difference.min() < 1e-6
    shifts = added[:, 0, 0, 0]
    assert -0.5 <= shifts.min() < -0.45 and 0.45 < shifts.max() <= 0.5


def test_saturation_multiplies_the_distance_from_grey():
    images = noise(40)
    changed = seeded(only(saturation=1.0), images)
    pairs = list(zip(images, changed, strict=True))
    factors = [_check_factor(one, other, per_pixel=True) for one, other in pairs]
    assert 0 <= min(factors) < 0.2 and 1.8 < max(factors) <= 2


def test_contrast_multiplies_the_distance_from_the_mean():
    images = noise(40)
    changed = seeded(only(contrast=0.5), images)
    pairs = list(zip(images, changed, strict=True))
    factors = [_check_factor(one, other, per_pixel=False) for one, other in pairs]
    assert 0.5 <= min(factors) < 0.6 and 1.4 < max(factors) <= 1.5


def _check_factor(image: Tensor, changed: Tensor, per_pixel: bool) -> float:
    """Return the factor by which every value moved from the mean of its pixel or of the image."""
    pixels, result = image.tolist(), changed.tolist()
    mean = image.mean().item()

    def centre(y: int, x: int) -> float:
        return sum(pixels[c][y][x] for c in range(3)) / 3 if per_pixel else mean

    farthest = max(
        itertools.product(range(3), range(SIZE), range(SIZE)),
        key=lambda at: abs(pixels[at[0]][at[1]][at[2]] - centre(*at[1:])),
    )
    c, y, x = farthest
    factor = (result[c][y][x] - centre(y, x)) / (pixels[c][y][x] - centre(y, x))
    for c, y, x in itertools.product(range(3), range(SIZE), range(SIZE)):
        expected = centre(y, x) + factor * (pixels[c][y][x] - centre(y, x))
        assert result[c][y][x] == pytest.approx(expected, abs=1e-5)
    return factor


def test_translation_shifts_by_whole_pixels_up_to_an_eighth_and_pads_with_zero():
    images = noise(300)
    changed = seeded(only(translation=0.125), images).numpy()
    found = Counter()
    for image, result in zip(images.numpy(), changed, strict=True):
        matching = [
            (down, across)
            for down, across in itertools.product(range(-2, 3), repeat=2)
            if np.array_equal(_shifted(image, down, across), result)
        ]
        assert len(matching) == 1
        found[matching[0]] += 1
    assert len(found) == 25  # every shift occurs
    assert max(found.values()) < 40


@pytest.mark.parametrize(("size", "shift"), [(36, 5), (28, 4), (20, 3), (12, 2), (32, 4), (64, 8)])
def test_the_largest_shift_and_the_cutout_are_rounded_as_in_the_authors_code(size, shift):
    """int(x + 0.5) of an eighth and, at an odd side, of a half of it."""
    ones = torch.ones(300, 3, size, size)
    moved = seeded(only(translation=0.125), ones)
    assert max(int((image[0].amax(1) == 0).sum()) for image in moved) == shift
    cut = seeded(only(cutout=0.5), torch.ones(300, 3, size + 1, size + 1))
    assert max(int((image[0].amin(1) == 0).sum()) for image in cut) == size // 2 + 1


def _shifted(image: np.ndarray, down: int, across: int) -> np.ndarray:
    result = np.zeros_like(image)
    for y, x in itertools.product(range(SIZE), repeat=2):
        if 0 <= y - down < SIZE and 0 <= x - across < SIZE:
            result[:, y, x] = image[:, y - down, x - across]
    return result


@pytest.mark.parametrize(("cutout", "side"), [(0.5, 8), (0.2, 3)])
def test_cutout_sets_one_square_around_any_point_to_zero(cutout: float, side: int):
    """A square that lies partly outside leaves a smaller rectangle."""
    images = noise(600)
    changed = seeded(only(cutout=cutout), images)
    tops = []
    for image, result in zip(images, changed, strict=True):
        rows, columns = ((result == 0).all(0).any(axis).nonzero().flatten() for axis in (1, 0))
        expected = image.clone()
        expected[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = 0
        assert torch.equal(result, expected)
        for span in (rows, columns):
            at_border = span[0] == 0 or span[-1] == SIZE - 1
            assert side // 2 <= len(span) <= side if at_border else len(span) == side
        tops.append(int(rows[0]))
    assert set(tops) == set(range(SIZE - side // 2 + 1 - side % 2))


# Adaptive


def observe(augment: Adaptive, signs: list[float], batches: int = 1) -> float:
    for _ in range(batches):
        augment.observe(torch.tensor(signs))
    return augment.probability.item()


CONFIDENT, MISTAKEN = [3.0] * 10, [-0.1] * 10


def test_p_rises_from_0_to_1_within_adjust_kimg():
    augment = Adaptive(adjust_kimg=0.2, every=4)
    found = [observe(augment, CONFIDENT) for _ in range(24)]
    expected = [0.0] * 3 + [0.2] * 4 + [0.4] * 4 + [0.6] * 4 + [0.8] * 4 + [1.0] * 4 + [1.0]
    assert found == pytest.approx(expected)
    assert [observe(augment, MISTAKEN) for _ in range(4)] == pytest.approx([1.0] * 3 + [0.8])
    assert observe(augment, MISTAKEN, 100) == 0.0


def test_p_does_not_exceed_max_probability():
    assert observe(
        Adaptive(adjust_kimg=0.1, every=1, max_probability=0.8), CONFIDENT, 50
    ) == pytest.approx(0.8)


@pytest.mark.parametrize(("positive", "rises"), [(17, True), (15, False), (10, False)])
def test_p_rises_if_the_mean_sign_is_above_the_target(positive: int, rises: bool):
    """The mean sign is 0.7 if 17 of 20 logits are positive, and 0.5 if 15 are."""
    augment = Adaptive(adjust_kimg=0.2, every=1, initial=0.5)
    p = observe(augment, [0.01] * positive + [-100.0] * (20 - positive))
    assert p == pytest.approx(0.6 if rises else 0.4)


def test_adaptive_resumes_exactly_between_adjustments():
    uninterrupted, first, resumed = (Adaptive(adjust_kimg=0.3, every=4) for _ in range(3))
    batches = [CONFIDENT] * 9 + [MISTAKEN] * 4
    for signs in batches:
        uninterrupted.observe(torch.tensor(signs))
    for signs in batches[:6]:
        first.observe(torch.tensor(signs))
    resumed.load_state_dict(first.state_dict())
    for signs in batches[6:]:
        resumed.observe(torch.tensor(signs))
    assert_same_weights(resumed, uninterrupted)
    assert uninterrupted.probability > 0


def test_p_is_not_rounded_by_any_training_precision():
    augment = Adaptive(initial=0.3).to(torch.bfloat16)
    assert augment.probability == torch.tensor(0.3)


# Steps and the duality gap


class Double(Augment):
    """Doubles images and counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        self.calls.append(len(images))
        return 2 * images


class Square(nn.Module):
    """The critic D(x) = |x|^2 / 2, whose gradient is x."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1).square().sum(1) / 2


def test_logits_and_penalties_are_computed_at_augmented_images():
    real, fake = noise(4), noise(5)[1:]
    cost = discriminator_cost(Square(), BCE(), R1(weight=2), Double(), real, fake)
    assert torch.allclose(cost.real_logits, Square()(2 * real))
    assert torch.allclose(cost.fake_logits, Square()(2 * fake))
    assert cost.penalty.item() == pytest.approx((2 * real).flatten(1).square().sum(1).mean().item())


def test_the_generator_learns_through_the_augmentation():
    fake = (noise(4) / 100).requires_grad_(True)
    generator_cost(Square(), WGAN(), Double(), noise(4), fake).backward()
    assert fake.grad is not None
    assert torch.allclose(fake.grad, -4 * fake.detach() / 4)  # d/dx of -|2 x|^2 / 2, mean over 4


def test_a_relativistic_loss_compares_with_augmented_real_images():
    double = Double()
    generator_cost(Square(), BCE(relativistic=True), double, noise(4), noise(4))
    assert double.calls == [4, 4]


def test_the_discriminator_sees_only_augmented_images_in_both_steps(train: Train, monkeypatch):
    calls = []
    forward = Augment.forward
    monkeypatch.setattr(
        Augment, "forward", lambda self, x: calls.append(len(x)) or forward(self, x)
    )
    train("gan.fakes_per_real=2", "trainer.max_epochs=1", "trainer.threads=1", "callbacks=none")
    assert calls == [8, 8, 16] * 4


@pytest.mark.parametrize("loss", [WGAN(), BCE(relativistic=True)])
def test_adaptive_requires_a_loss_whose_logits_have_meaningful_signs(loss):
    settings = {"regularizer": R1(), "loss": loss}
    with pytest.raises(UserError, match="use augment=ada_fixed"):
        make(**settings, augment=Adaptive())
    make(**settings, augment=FixedADA())


ADA = ("augment=ada", "augment.adjust_kimg=0.3", "augment.every=2", "augment.initial=0.5")


@pytest.mark.parametrize("images", [24, 40])
def test_a_training_with_ada_resumes_bit_equal(train: Train, tmp_path: Path, images: int):
    """Stop halfway between two adjustments of p; each adjustment changes p by 16 / 300."""
    uninterrupted = train(*ADA, "trainer.max_epochs=2", "callbacks=none", run="uninterrupted")
    train(*ADA, "trainer.max_epochs=2", f"max_kimg={images / 1000}", run="resumed")
    last = tmp_path / "resumed/checkpoints/last.ckpt"
    assert read(last)["state_dict"]["augment.batches"] == images // 8 % 2
    resumed = train(*ADA, "trainer.max_epochs=2", run="resumed", ckpt_path=last)
    assert_same_weights(uninterrupted, resumed)  # including p and its counters; with callbacks, too
    assert isinstance(resumed.augment, Adaptive)
    assert resumed.augment.level.item() not in (150, 0)


def test_p_and_the_overfitting_heuristic_are_logged(train: Train, tmp_path: Path):
    settings = ("logger=csv", "metric=none", "callbacks.scalars.every_kimg=0.016")
    module = train(*ADA, *settings)
    lines = (tmp_path / "run/csv/metrics.csv").read_text().splitlines()
    rows = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines[1:]]
    assert isinstance(module.augment, Adaptive)
    p = [float(row["augment/probability"]) for row in rows]  # mean of before and after a step
    assert abs(p[0] - 0.5) == pytest.approx(8 / 300)
    assert p[-1] - module.augment.probability.item() == pytest.approx(
        math.copysign(8 / 300, p[-2] - p[-1])
    )
    for row in rows:  # real logits are never 0, so that accuracy and mean sign agree
        assert float(row["augment/overfitting"]) == pytest.approx(
            2 * float(row["accuracy/real"]) - 1, abs=1e-5
        )


@pytest.mark.parametrize("name", ["flip", "diffaugment"])
def test_every_augmentation_trains_reproducibly(train: Train, name: str):
    settings = (f"augment={name}", "callbacks=none", "trainer.max_epochs=1")
    one, same, without = train(*settings, run="a"), train(*settings, run="b"), train(*settings[1:])
    assert_same_weights(one, same)
    with pytest.raises(AssertionError):
        assert_same_weights(one, without)


@pytest.mark.parametrize(
    ("kind", "setting", "value"),
    [
        *((Adaptive, "target", value) for value in (2.0, 1.0, -0.1)),
        *((Adaptive, "adjust_kimg", value) for value in (0.0, -1.0)),
        (Adaptive, "every", 0),
        *((Adaptive, "initial", value) for value in (-0.1, 1.5)),
        *((Adaptive, "max_probability", value) for value in (-0.1, 1.5)),
        *((kind, "probability", value) for kind in (Flip, FixedADA) for value in (-0.1, 1.5)),
        *((DiffAugment, name, 1.5) for name in OFF),
        *((DiffAugment, name, -0.5) for name in OFF),
    ],
)
def test_invalid_settings_are_refused_with_a_fix(kind, setting: str, value: float):
    with pytest.raises(UserError, match=rf"augment\.{setting}={value} .*use augment\.{setting}="):
        kind(**{setting: value})


def test_adaptive_without_any_transformation_is_refused():
    with pytest.raises(UserError, match="use augment=none"):
        Adaptive(pixels=False, geometry=False, colours=False)
    with pytest.raises(UserError, match=r"augment\.initial=0\.9"):
        Adaptive(initial=0.9, max_probability=0.8)
