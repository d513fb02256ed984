"""How near projections come to real faces: by latent, by style, and by one style per layer.

    python -m benchmarks.projecting MANIFEST CHECKPOINT [CHECKPOINT ...]
    python -m benchmarks.projecting MANIFEST CHECKPOINT faces=16 steps=300

MANIFEST is a manifest of `prepare`, of which the first held-out faces are projected onto the
averaged generator of each checkpoint. The error is the mean absolute difference of pixels in
[-1, 1] over several scales, as in the studio.
"""

import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anime_dcgan.data.manifest import ManifestFaces
from anime_dcgan.explore import projection
from anime_dcgan.explore.styles import StyleSpace
from anime_dcgan.model.base import Generator
from anime_dcgan.run.checkpoint import load_generator
from anime_dcgan.sampling.image import to_float
from anime_dcgan.sampling.sample import image_side
from benchmarks.measure import machine, parse_options

KINDS: tuple[projection.Variables, ...] = ("latent", "style", "layers")
OPTIONS = {"faces": "16", "steps": "300"}


def held_out_faces(manifest: Path, count: int, size: int) -> Tensor:
    """Return the first held-out pictures of a manifest, in [-1, 1]: (count, 3, size, size)."""
    source = ManifestFaces(manifest)
    rows = np.flatnonzero(source.held_out(np.arange(len(source))))[:count]
    pixels = np.stack([np.array(source.read(int(row), size)) for row in rows])
    return to_float(torch.from_numpy(pixels))


def errors(
    generator: Generator, targets: Tensor, steps: int, variables: projection.Variables
) -> list[float]:
    """Return the error of the nearest face that is found for each picture."""
    found = []
    for target in targets:
        *_, last = projection.project(generator, target, steps, variables=variables)
        found.append(last.distance)
    return found


def main() -> None:
    options, paths = parse_options(OPTIONS, sys.argv[1:])
    manifest, *checkpoints = map(Path, paths)
    for path in checkpoints:
        generator = load_generator(path, "ema").requires_grad_(False)
        targets = held_out_faces(manifest, int(options["faces"]), image_side(generator))
        has_mapping = StyleSpace.of(generator).has_mapping
        for kind in KINDS if has_mapping else KINDS[:1]:
            start = time.process_time()
            found = errors(generator, targets, int(options["steps"]), kind)
            seconds = (time.process_time() - start) / len(found)
            spread = f"{min(found):.3f} to {max(found):.3f}"
            print(
                f"{path.parents[1].name:12} {kind:7} mean error {statistics.fmean(found):.3f} "
                f"({spread}), {seconds:.0f} s of CPU per face",
                flush=True,
            )
    print(f"{machine()}; faces={options['faces']} steps={options['steps']}")


if __name__ == "__main__":
    main()
