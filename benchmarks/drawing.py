"""How fast `generate` draws and writes many faces, beside the loop that one would write.

    python -m benchmarks.drawing [faces, default 10000] [rounds, default 3] [overrides of train ...]
    python -m benchmarks.drawing 10000 3 checkpoint=RUN/checkpoints/last.ckpt

The loop gives the generator one latent after the other and saves each picture by torchvision, in
one process, from the same checkpoint: the one that is named, or one that was trained for a single
batch, whose faces are noise. `generate` draws as it does by default, and in the precision
that is fastest here. It is timed from the start of its process to the end; the loop without its
start, on a tenth of the faces.
"""

import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import torch

from anime_dcgan.run.checkpoint import load_generator
from benchmarks.measure import apart, machine, ratio, take_turns


def loop(checkpoint: Path, folder: Path, count: int) -> float:
    """Faces/s of the plain loop, without the start of its process."""
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
    """Faces/s of the command, with the start of its process."""
    words = [f"epoch={checkpoint}", f"n={count}", f"out={out}", "overwrite=true"]
    words.append(f"precision={precision}")
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "anime_dcgan.generate", *words], check=True, capture_output=True
    )
    return count / (time.perf_counter() - start)


def train(folder: Path, overrides: list[str]) -> Path:
    """The checkpoint of a training of one batch."""
    words = ["data=drawn", "data.count=200", "metric=none", "max_kimg=0.064", *overrides]
    words += [f"data.cache_dir={folder}/cache", f"hydra.run.dir={folder}/a"]
    subprocess.run(
        [sys.executable, "-m", "anime_dcgan.train", *words], check=True, capture_output=True
    )
    return folder / "a" / "checkpoints" / "last.ckpt"


def main() -> None:
    numbers = [int(word) for word in sys.argv[1:] if word.isdecimal()]
    words = [word for word in sys.argv[1:] if not word.isdecimal()]
    named = [Path(word.partition("=")[2]) for word in words if word.startswith("checkpoint=")]
    count, rounds = [*numbers, *(10000, 3)[len(numbers) :]]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        checkpoint = named[0] if named else train(folder, words)
        draw = partial(generate, checkpoint)
        sides = {
            "zip": partial(draw, folder / "faces.zip", count),
            "folder": partial(draw, folder / "faces", count),
            "zip, precision=auto": partial(draw, folder / "fast.zip", count, "auto"),
            "loop": partial(apart, loop, checkpoint, folder, count // 10),
        }
        figures = take_turns(sides, rounds, "faces/s")
    loops = figures.pop("loop")
    for name, speeds in figures.items():
        print(f"{name} / loop: {ratio(speeds, loops):.2f}")
    print(f"{machine()}; {' '.join(sys.argv[1:])}")


if __name__ == "__main__":
    main()
