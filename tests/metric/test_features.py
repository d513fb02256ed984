"""Frechet and kernel distances agree with closed forms and with torchmetrics."""

import pytest
import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from anime_dcgan.metric.extractor import Extractor
from anime_dcgan.metric.features import FeatureDistance, frechet_distance, kernel_distance

SIDE, FEATURES = 8, 24


class RandomProjection(Extractor):
    """A small fixed random network instead of a trained one."""

    num_features = FEATURES

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.layers = nn.Sequential(
                nn.Linear(3 * SIDE * SIDE, 64), nn.Tanh(), nn.Linear(64, FEATURES)
            )
        self.requires_grad_(False)

    def settings(self) -> dict[str, str | int | float]:
        return {"extractor": "RandomProjection"}

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images.float().flatten(1) / 255)


def pictures(count: int, seed: int, contrast: int = 256) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(0, contrast, (count, SIDE, SIDE, 3), generator=random).to(torch.uint8)


def with_moments(mean: Tensor, factor: Tensor, count: int) -> Tensor:
    """Return features with the exact sample mean `mean` and sample covariance `factor' factor`."""
    random = torch.Generator().manual_seed(count)
    rows = torch.randn(count, len(mean), generator=random, dtype=torch.float64)
    rows -= rows.mean(0)
    white = torch.linalg.qr(rows).Q * (count - 1) ** 0.5
    return (white @ factor.double() + mean.double()).float()


def test_frechet_distance_of_gaussians_with_the_same_covariance_is_the_squared_shift():
    factor = torch.randn(5, 5, generator=torch.Generator().manual_seed(1))
    one = with_moments(torch.zeros(5), factor, 40)
    other = with_moments(torch.tensor([1.0, 2.0, 0.0, -1.0, 0.5]), factor, 60)
    assert frechet_distance(one, other) == pytest.approx(6.25, rel=1e-3)


def test_frechet_distance_of_diagonal_gaussians():
    """The distance is the sum of (s1 - s2)^2 over the standard deviations."""
    one = with_moments(torch.zeros(3), torch.diag(torch.tensor([1.0, 2.0, 3.0])), 30)
    other = with_moments(torch.zeros(3), torch.diag(torch.tensor([2.0, 2.0, 0.5])), 50)
    assert frechet_distance(one, other) == pytest.approx(1 + 0 + 2.5**2, rel=1e-3)


@pytest.mark.parametrize(("count", "dimensions"), [(200, 6), (20, 50)], ids=["many", "few"])
def test_frechet_distance_is_exact_with_fewer_images_than_features(count: int, dimensions: int):
    """Compare with the eigenvalues of the product of the covariances."""
    random = torch.Generator().manual_seed(0)
    one = torch.randn(count, dimensions, generator=random)
    other = 1.5 * torch.randn(count, dimensions, generator=random) + 0.3
    covariances = [torch.cov(rows.double().T) for rows in (one, other)]
    root = torch.linalg.eigvals(covariances[0] @ covariances[1]).real.clamp_min(0).sqrt().sum()
    expected = (one.double().mean(0) - other.double().mean(0)).square().sum()
    expected += covariances[0].trace() + covariances[1].trace() - 2 * root
    assert frechet_distance(one, other) == pytest.approx(expected.item(), rel=1e-3)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_both_distances_agree_with_torchmetrics_on_the_same_features():
    real, fake = pictures(80, 0), pictures(80, 1, contrast=200)
    metric = FeatureDistance(RandomProjection())
    cpu = torch.device("cpu")
    found = metric.distances(metric.describe([real], cpu), metric.describe([fake], cpu))
    frechet = FrechetInceptionDistance(RandomProjection(), input_img_size=(SIDE, SIDE, 3))
    kernel = KernelInceptionDistance(RandomProjection(), subsets=1, subset_size=80)
    for library in (frechet, kernel):
        library.update(real, real=True)
        library.update(fake, real=False)
    assert found["fd/frechet"] == pytest.approx(frechet.compute().item(), rel=1e-3)
    assert found["fd/kernel"] == pytest.approx(1000 * kernel.compute()[0].item(), rel=1e-3)


def test_the_kernel_distance_is_unbiased_and_its_standard_error_is_correct():
    random = torch.Generator().manual_seed(0)
    draws = [
        kernel_distance(
            torch.randn(60, 8, generator=random), torch.randn(60, 8, generator=random) * 1.2
        )
        for _ in range(300)
    ]
    same = [
        kernel_distance(torch.randn(60, 8, generator=random), torch.randn(60, 8, generator=random))
        for _ in range(300)
    ]
    spread = torch.tensor([draw.value for draw in draws]).std().item()
    estimated = torch.tensor([draw.standard_error for draw in draws]).mean().item()
    assert estimated == pytest.approx(spread, rel=0.35)
    unbiased = torch.tensor([draw.value for draw in same])
    assert abs(unbiased.mean().item()) < 3 * unbiased.std().item() / 300**0.5


def test_distances_grow_with_noise_and_dropped_modes():
    cpu = torch.device("cpu")
    metric = FeatureDistance(RandomProjection())
    modes = pictures(8, 3)
    random = torch.Generator().manual_seed(4)

    def faces(kinds: int, noise: float) -> Tensor:
        chosen = modes[torch.arange(200) % kinds].float()
        noisy = chosen + (10 + noise) * torch.randn(chosen.shape, generator=random)
        return noisy.round().clamp(0, 255).to(torch.uint8)

    real = metric.describe([faces(8, 0)], cpu)
    for degraded in (
        [faces(8, noise) for noise in (0, 30, 90)],
        [faces(kinds, 0) for kinds in (8, 4, 1)],
    ):
        found = [metric.distances(real, metric.describe([images], cpu)) for images in degraded]
        for name in ("fd/frechet", "fd/kernel"):
            assert [step[name] for step in found] == sorted(step[name] for step in found)
