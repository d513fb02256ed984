"""Speed of drawing and writing many faces with `generate`, compared with a simple loop.

    python -m benchmarks.drawing [faces, default 10000] [rounds, default 3] [overrides of train ...]
    python -m benchmarks.drawing 10000 3 checkpoint=RUN/checkpoints/last.ckpt

The loop passes single latents to the generator and saves each picture with torchvision, in one
process. Both use the same checkpoint: the given one, or one trained for a single batch, whose faces
are noise. `generate` runs with its defaults, and in the precision that is fastest on this
machine. Its time includes the start of the process; that of the loop does not, and the loop draws a
tenth of the faces.
"""

import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import torch

from anime_dcgan.run.checkpoint import load_generator
from benchmarks.measure import alternate, in_new_process, machine, ratio


def loop(checkpoint: Path, folder: Path, count: int) -> float:
    """Return the faces/s of the simple loop, without start-up."""
    from torchvision.utils import save_image

    generator = load_generator(checkpoint)
    out = folder / "loop"
    out.mkdir(exist_ok=True)
    start = time.perf_counter()
    with torch.no_grad():
        for number in range(count):
            face = generator(torch.randn(1, generator.latent_dim))[0]
            save_image(face, out / f"{number}.png", normalize=True, value_range=(-1, 1))
    return count / (time.perf_counter() - start)


def generate(checkpoint: Path, out: Path, count: int, precision: str = "32-true") -> float:
    """Return the faces/s of the command, including start-up."""
    argv = [f"epoch={checkpoint}", f"n={count}", f"out={out}", "overwrite=true"]
    argv.append(f"precision={precision}")
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "anime_dcgan.generate", *argv], check=True, capture_output=True
    )
    return count / (time.perf_counter() - start)


def train(folder: Path, overrides: list[str]) -> Path:
    """Train on one batch and return the path of the checkpoint."""
    argv = ["data=drawn", "data.count=200", "metric=none", "max_kimg=0.064", *overrides]
    argv += [f"data.cache_dir={folder}/cache", f"hydra.run.dir={folder}/a"]
    subprocess.run(
        [sys.executable, "-m", "anime_dcgan.train", *argv], check=True, capture_output=True
    )
    return folder / "a" / "checkpoints" / "last.ckpt"


def main() -> None:
    numbers = [int(text) for text in sys.argv[1:] if text.isdecimal()]
    argv = [text for text in sys.argv[1:] if not text.isdecimal()]
    paths = [Path(text.partition("=")[2]) for text in argv if text.startswith("checkpoint=")]
    count, rounds = [*numbers, *(10000, 3)[len(numbers) :]]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        checkpoint = paths[0] if paths else train(folder, argv)
        draw = partial(generate, checkpoint)
        sides = {
            "zip": partial(draw, folder / "faces.zip", count),
            "folder": partial(draw, folder / "faces", count),
            "zip, precision=auto": partial(draw, folder / "fast.zip", count, "auto"),
            "loop": partial(in_new_process, loop, checkpoint, folder, count // 10),
        }
        results = alternate(sides, rounds, "faces/s")
    loops = results.pop("loop")
    for name, speeds in results.items():
        print(f"{name} / loop: {ratio(speeds, loops):.2f}")
    print(f"{machine()}; {' '.join(sys.argv[1:])}")


if __name__ == "__main__":
    main()
