"""How fast faces reach the training: building the cache, delivering batches, and the memory of it.

    python -m benchmarks.feeding [FOLDER of pictures] [rounds=3]
    python -m benchmarks.feeding pictures=20000 size=64

The second one draws its pictures, of `size` px. Three figures: the cache of decoded pictures at
64 px, built by `open_cache`, against one thread of Pillow that decodes them all; batches of 64,
gathered in the order of an epoch, flipped at random and turned to float in channels_last, against
the rate of training (give it with rate=..., images/s; by default it is measured as the bare step
of `model=radford`); and the resident memory of a process after each third of an epoch.

This module imports torch where it is needed, as the processes that decode import it anew.
"""

import io
import shutil
import sys
import tempfile
import time
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from anime_dcgan.data.cache import open_cache
from anime_dcgan.data.folder import FolderFaces
from benchmarks.measure import apart, machine, memory, ratio, seconds, take_turns, write_faces

BATCH = 64


def build(folder: Path, place: Path) -> float:
    """Pictures/s into a new cache."""
    shutil.rmtree(place, ignore_errors=True)
    source = FolderFaces(folder)
    with redirect_stderr(io.StringIO()):
        taken = seconds(lambda: open_cache(source, 64, place))
    return len(source) / taken


def pillow(folder: Path) -> float:
    """Pictures/s of one thread that decodes into one array."""
    paths = sorted(folder.rglob("*.jpg"))
    start = time.perf_counter()
    faces = np.empty((len(paths), 64, 64, 3), np.uint8)
    for row, path in enumerate(paths):
        with Image.open(path) as picture:
            faces[row] = np.asarray(picture.convert("RGB").resize((64, 64)))
    return len(paths) / (time.perf_counter() - start)


def deliver(folder: Path, place: Path) -> tuple[float, list[float]]:
    """Images/s over an epoch, and the resident MiB after each third of another."""
    from anime_dcgan.data.batches import FaceBatches
    from anime_dcgan.game.augment import Flip
    from anime_dcgan.sampling.image import to_float

    images = open_cache(FolderFaces(folder), 64, place).images
    batches = FaceBatches(images, np.arange(len(images)), BATCH, seed=0)
    flip = Flip()

    def epoch() -> list[float]:
        resident = []
        for number, batch in enumerate(batches):
            flip(to_float(batch))
            if number % (len(batches) // 3) == len(batches) // 3 - 1:
                resident.append(memory("VmRSS"))
        return resident

    epoch()
    start = time.perf_counter()
    resident = epoch()
    return len(batches) * BATCH / (time.perf_counter() - start), resident


def main() -> None:
    from benchmarks.training import bare

    given = [word for word in sys.argv[1:] if "=" not in word]
    settings = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    with tempfile.TemporaryDirectory() as place:
        folder, cache = Path(place) / "drawn", Path(place) / "cache"
        if given:
            folder = Path(given[0])
        else:
            count, size = int(settings.get("pictures", 20000)), int(settings.get("size", 64))
            write_faces(folder, count, size)
        rounds = int(settings.get("rounds", 3))
        sides = {"cache": partial(apart, build, folder, cache), "Pillow": partial(pillow, folder)}
        figures = take_turns(sides, rounds, "pictures/s")
        print(f"cache / one thread of Pillow: {ratio(figures['cache'], figures['Pillow']):.2f}")
        overrides = ["model=radford", "data=folder", f"data.path={folder}"]
        overrides.append(f"data.cache_dir={cache}")
        delivered, trained = [], []
        for _ in range(rounds):
            speed, resident = apart(deliver, folder, cache)
            delivered.append(speed)
            trained.append(float(settings.get("rate") or apart(bare, overrides, 2000)))
            sizes = ", ".join(f"{size:.0f}" for size in resident)
            print(f"delivered {speed:,.0f} images/s, trained {trained[-1]:.0f}; MiB: {sizes}")
        print(f"delivery / training: {ratio(delivered, trained):.0f}")
    print(machine())


if __name__ == "__main__":
    main()
