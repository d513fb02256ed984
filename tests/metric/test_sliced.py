"""The sliced Wasserstein distance agrees with its definition and grows with degradation."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from anime_dcgan.data.cache import open_cache
from anime_dcgan.data.drawn import DrawnFaces
from anime_dcgan.metric.sliced import (
    SlicedWasserstein,
    double,
    halve,
    laplacian_pyramid,
    random_patches,
)
from anime_dcgan.system.errors import UserError

CPU = torch.device("cpu")
COUNT = 200


@pytest.fixture(scope="module")
def faces(cache_dir) -> Tensor:
    """Return drawn faces, uint8, 32 px."""
    return torch.from_numpy(np.array(open_cache(DrawnFaces(2 * COUNT), 32, cache_dir).images))


@pytest.fixture(scope="module")
def distances(faces: Tensor) -> Callable[[Tensor], dict[str, float]]:
    """Return a function that gives the distances to the first half of the faces."""
    metric = SlicedWasserstein()
    real = metric.describe([faces[:COUNT]], CPU)
    return lambda other: metric.distances(real, metric.describe([other], CPU))


def test_the_distance_is_the_wasserstein_distance_of_projected_patches(faces: Tensor):
    """Compute the L1 distance between the quantile functions of projections in NumPy."""
    metric = SlicedWasserstein(patches=3, directions=5)
    sets = (faces[:40], faces[40:80])
    described = [metric.describe([part], CPU) for part in sets]
    random = [torch.Generator().manual_seed(0) for _ in sets]
    levels = [laplacian_pyramid(part.permute(0, 3, 1, 2) / 127.5 - 1) for part in sets]
    expected = {}
    for fine, coarse in zip(*levels, strict=True):
        rows = []
        for level, generator in zip((fine, coarse), random, strict=True):
            patches = random_patches(level, 3, generator).numpy().astype(np.float64)
            patches -= patches.mean((0, 2, 3), keepdims=True)
            patches /= patches.std((0, 2, 3), ddof=1, keepdims=True)
            rows.append(patches.reshape(len(patches), -1))
        directions = torch.randn(5, 147, generator=torch.Generator().manual_seed(0)).numpy()
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        distances = [
            np.abs(np.sort(rows[0] @ line) - np.sort(rows[1] @ line)).mean() for line in directions
        ]
        expected[f"swd/{fine.shape[-1]}"] = 1000 * np.mean(distances)
    found = metric.distances(*described)
    assert found.pop("swd/mean") == pytest.approx(np.mean(list(expected.values())), rel=1e-3)
    assert found == pytest.approx(expected, rel=1e-3)


def test_levels_are_named_by_their_size_and_the_pyramid_adds_up_to_the_image():
    images = torch.rand(2, 3, 64, 64)
    levels = laplacian_pyramid(images)
    assert [level.shape[-1] for level in levels] == [64, 32, 16]
    rebuilt = levels[-1]
    for level in levels[-2::-1]:
        rebuilt = level + double(rebuilt)
    torch.testing.assert_close(rebuilt, images)


def test_halving_is_the_binomial_filter_mirrored_at_the_borders():
    images = torch.rand(2, 3, 32, 32)
    row = torch.tensor([1.0, 4, 6, 4, 1]) / 16
    kernel = torch.outer(row, row).expand(3, 1, 5, 5)
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2), mode="reflect")
    expected = torch.nn.functional.conv2d(padded, kernel, stride=2, groups=3)
    torch.testing.assert_close(halve(images), expected)


def test_doubling_is_the_same_filter_between_zeros():
    images = torch.rand(2, 3, 8, 8)
    spread = torch.zeros(2, 3, 16, 16)
    spread[:, :, ::2, ::2] = 4 * images
    row = torch.tensor([1.0, 4, 6, 4, 1]) / 16
    kernel = torch.outer(row, row).expand(3, 1, 5, 5)
    padded = torch.nn.functional.pad(spread, (2, 2, 2, 2), mode="reflect")
    torch.testing.assert_close(double(images), torch.nn.functional.conv2d(padded, kernel, groups=3))


def test_the_bands_of_a_flat_image_are_zero():
    levels = laplacian_pyramid(torch.full((1, 3, 64, 64), 0.5))
    assert max(level.abs().max().item() for level in levels[:-1]) < 1e-5
    torch.testing.assert_close(levels[-1], torch.full((1, 3, 16, 16), 0.5))


@pytest.mark.parametrize("size", [8, 16, 24])
def test_small_images_are_one_level(size: int):
    metric = SlicedWasserstein()
    images = torch.randint(0, 256, (12, size, size, 3), dtype=torch.uint8)
    described = metric.describe([images], CPU)
    assert metric.distances(described, described) == {f"swd/{size}": 0.0, "swd/mean": 0.0}


def test_patches_are_complete_and_come_from_everywhere():
    positions = torch.arange(32 * 32.0).view(1, 1, 32, 32).expand(50, 1, 32, 32)
    patches = random_patches(positions, 20, torch.Generator().manual_seed(0))
    assert patches.shape == (1000, 1, 7, 7)
    corner = patches[:, 0, 0, 0]
    steps = torch.arange(7.0) + 32 * torch.arange(7.0)[:, None]
    assert torch.equal(patches[:, 0], corner[:, None, None] + steps)
    assert corner.min() < 100
    assert corner.max() > 25 * 32
    assert len(corner.unique()) > 500  # of 26 x 26


def test_the_distance_grows_with_blur(faces: Tensor, distances: Callable):
    other = faces[COUNT:]
    blurred = [
        gaussian_blur(other.permute(0, 3, 1, 2), [9, 9], [sigma]).permute(0, 2, 3, 1)
        for sigma in (0.6, 1.2, 2.4)
    ]
    found = [distances(images)["swd/mean"] for images in (other, *blurred)]
    assert found == sorted(found)
    assert found[-1] > 1.5 * found[0]


def test_the_distance_grows_with_noise(faces: Tensor, distances: Callable):
    other = faces[COUNT:]
    noise = torch.randn(other.shape, generator=torch.Generator().manual_seed(0))
    noisy = [
        (other + strength * noise).round().clamp(0, 255).to(torch.uint8) for strength in (8, 24, 72)
    ]
    found = [distances(images) for images in (other, *noisy)]
    for name in ("swd/32", "swd/mean"):
        assert [step[name] for step in found] == sorted(step[name] for step in found)
    assert found[-1]["swd/32"] / found[0]["swd/32"] > found[-1]["swd/16"] / found[0]["swd/16"]


def test_the_distance_grows_with_dropped_modes(faces: Tensor, distances: Callable):
    other = faces[COUNT:]
    found = [
        distances(other[:kinds].repeat(COUNT // kinds, 1, 1, 1))["swd/16"]
        for kinds in (COUNT, 20, 4, 1)
    ]
    assert found == sorted(found)


def test_the_batch_size_does_not_matter(faces: Tensor):
    metric = SlicedWasserstein()
    in_one_batch = metric.describe([faces[:60]], CPU)
    torch.testing.assert_close(
        metric.features(faces[:60].split(7), CPU), in_one_batch["features"], rtol=0, atol=1e-6
    )
    assert in_one_batch["features"].shape == (60, 3 * 16 * 16)


@pytest.mark.parametrize("name", ["patches", "directions"])
def test_invalid_settings_are_refused(name: str):
    with pytest.raises(UserError, match=f"metric.{name}=0"):
        SlicedWasserstein(**{name: 0})  # type: ignore[arg-type]
