"""How the feature extractors of `fd` and `fd_efficientnet` rank the same damage to faces.

    python -m benchmarks.extractors [FACES [WEIGHTS]]

FACES is a folder or an archive of pictures, "drawn" by default. WEIGHTS is the file of the weights
of MobileNetV2; without it, they are taken from torch's cache or downloaded. Each row is the Frechet
distance of 1,000 faces of 64 px to 1,000 others, which are the same in all rows.
"""

import sys
import time
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from anime_dcgan.data.drawn import DrawnFaces
from anime_dcgan.data.folder import FolderFaces
from anime_dcgan.data.source import Source
from anime_dcgan.metric.extractor import EfficientNetLite0, Extractor, MobileNetV2
from anime_dcgan.metric.features import FeatureDistance
from benchmarks.measure import machine

COUNT, SIZE, BATCH = 1000, 64, 50
CPU = torch.device("cpu")


def read(source: Source, count: int) -> Tensor:
    """Return `count` different faces in random order, as (n, h, w, 3) bytes."""
    found: dict[bytes, np.ndarray] = {}
    for index in np.random.default_rng(0).permutation(len(source)):
        pixels = np.asarray(source.read(int(index), SIZE).convert("RGB"))
        found[pixels.tobytes()] = pixels
        if len(found) == count:
            return torch.from_numpy(np.stack(list(found.values())))
    raise SystemExit(f"{len(found)} different faces are too few: {count} are needed")


def blur(faces: Tensor, sigma: float) -> Tensor:
    blurred = gaussian_blur(faces.permute(0, 3, 1, 2).float(), [13, 13], [sigma, sigma])
    return blurred.round().to(torch.uint8).permute(0, 2, 3, 1)


def add_noise(faces: Tensor, deviation: float) -> Tensor:
    random = torch.Generator().manual_seed(0)
    noise = deviation * torch.randn(faces.shape, generator=random)
    return (faces + noise).round().clamp(0, 255).to(torch.uint8)


def sets(faces: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield the name and the faces of each row."""
    yield "other faces", faces
    for sigma in (0.5, 0.7, 1.0, 2.0):
        yield f"blurred, sigma {sigma} px", blur(faces, sigma)
    for deviation in (5, 10, 20):
        yield f"noise of {deviation}/255 added", add_noise(faces, deviation)
    for kinds in (100, 10):
        yield f"{kinds} faces, repeated", faces[torch.arange(len(faces)) % kinds]
    yield "drawn faces", read(DrawnFaces(2 * COUNT, seed=1), COUNT)
    random = torch.Generator().manual_seed(0)
    yield "noise only", torch.randint(0, 256, faces.shape, generator=random).to(torch.uint8)


def main() -> None:
    path = sys.argv[1] if len(sys.argv) > 1 else "drawn"
    source = DrawnFaces(3 * COUNT) if path == "drawn" else FolderFaces(path)
    weights = sys.argv[2] if len(sys.argv) > 2 else None
    faces = read(source, 2 * COUNT)
    extractors: list[Extractor] = [MobileNetV2(weights), EfficientNetLite0()]
    metrics = [FeatureDistance(extractor) for extractor in extractors]
    real, others = faces[:COUNT], faces[COUNT:]
    start = [time.perf_counter()]
    described = []
    for metric in metrics:
        described.append(metric.describe(real.split(BATCH), CPU))
        start.append(time.perf_counter())
    print(machine())
    names = [type(extractor).__name__ for extractor in extractors]
    print(f"{'':28}{''.join(f'{name:>20}' for name in names)}")
    for title, changed in sets(others):
        values = [
            metric.distances(known, metric.describe(changed.split(BATCH), CPU))["fd/frechet"]
            for metric, known in zip(metrics, described, strict=True)
        ]
        print(f"{title:28}{''.join(f'{value:20,.1f}' for value in values)}", flush=True)
    times = [1000 * (end - begin) / COUNT for begin, end in pairwise(start)]
    print(f"{'ms per image':28}{''.join(f'{each:20.1f}' for each in times)}")


if __name__ == "__main__":
    main()
