"""Speed and memory of loading faces for training: building the cache, delivering batches.

    python -m benchmarks.feeding [FOLDER of pictures] [rounds=3]
    python -m benchmarks.feeding pictures=20000 size=64

The second command uses synthetic pictures of `size` px. It measures three
quantities: the speed of building the cache of decoded pictures at 64 px with `open_cache`, compared
with a single thread that decodes them all with Pillow; the speed of delivering batches of 64 in the
order of an epoch, flipped at random and converted to float in channels_last, compared with the
speed of training (rate=..., images/s; by default the bare step of `model=radford` is measured); and
the resident memory of a process after each third of an epoch.

Torch is imported inside functions, because the processes that decode import this module.
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
from benchmarks.measure import (
    alternate,
    in_new_process,
    machine,
    memory,
    ratio,
    seconds,
    write_faces,
)

BATCH = 64


def build(folder: Path, cache_dir: Path) -> float:
    """Return the pictures/s of building a new cache."""
    shutil.rmtree(cache_dir, ignore_errors=True)
    source = FolderFaces(folder)
    with redirect_stderr(io.StringIO()):
        duration = seconds(lambda: open_cache(source, 64, cache_dir))
    return len(source) / duration


def pillow(folder: Path) -> float:
    """Return the pictures/s of one thread that decodes with Pillow into an array."""
    paths = sorted(folder.rglob("*.jpg"))
    start = time.perf_counter()
    faces = np.empty((len(paths), 64, 64, 3), np.uint8)
    for row, path in enumerate(paths):
        with Image.open(path) as picture:
            faces[row] = np.asarray(picture.convert("RGB").resize((64, 64)))
    return len(paths) / (time.perf_counter() - start)


def deliver(folder: Path, cache_dir: Path) -> tuple[float, list[float]]:
    """Return the images/s over an epoch, and the resident MiB after each third of it."""
    from anime_dcgan.data.batches import FaceBatches
    from anime_dcgan.game.augment import Flip
    from anime_dcgan.sampling.image import to_float

    images = open_cache(FolderFaces(folder), 64, cache_dir).images
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

    folders = [argument for argument in sys.argv[1:] if "=" not in argument]
    settings = dict(argument.split("=", 1) for argument in sys.argv[1:] if "=" in argument)
    with tempfile.TemporaryDirectory() as temporary:
        folder, cache = Path(temporary) / "drawn", Path(temporary) / "cache"
        if folders:
            folder = Path(folders[0])
        else:
            count, size = int(settings.get("pictures", 20000)), int(settings.get("size", 64))
            write_faces(folder, count, size)
        rounds = int(settings.get("rounds", 3))
        sides = {
            "cache": partial(in_new_process, build, folder, cache),
            "Pillow": partial(pillow, folder),
        }
        speeds = alternate(sides, rounds, "pictures/s")
        print(f"cache / one thread of Pillow: {ratio(speeds['cache'], speeds['Pillow']):.2f}")
        overrides = ["model=radford", "data=folder", f"data.path={folder}"]
        overrides.append(f"data.cache_dir={cache}")
        delivered, trained = [], []
        for _ in range(rounds):
            speed, resident = in_new_process(deliver, folder, cache)
            delivered.append(speed)
            trained.append(float(settings.get("rate") or in_new_process(bare, overrides, 2000)))
            sizes = ", ".join(f"{size:.0f}" for size in resident)
            print(f"delivered {speed:,.0f} images/s, trained {trained[-1]:.0f}; MiB: {sizes}")
        print(f"delivery / training: {ratio(delivered, trained):.0f}")
    print(machine())


if __name__ == "__main__":
    main()
