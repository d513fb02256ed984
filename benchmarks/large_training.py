"""Start-up time and memory of training on any number of pictures.

    python -m benchmarks.large_training FOLDER COUNT... [override...]

For each count, JPEGs are generated below FOLDER as by `benchmarks.preparing`, and a first training
decodes them into a cache. Printed are the duration of a second training, of a single batch on
that cache, including start-up, and the peak memory over all processes of a longer one (`max_kimg=5`
unless overridden). Linux only.
"""

import sys
import time
from pathlib import Path

from benchmarks.preparing import make, measure


def train(source: Path, folder: Path, overrides: list[str]) -> tuple[float, int]:
    """Return the duration in seconds and the peak memory in bytes of a training."""
    run = folder / f"trained-{time.time_ns()}"
    paths = (f"data.cache_dir={folder / 'cache'}", f"hydra.run.dir={run}")
    return measure("train", "data=folder", f"data.path={source}", *paths, *overrides)


def main() -> None:
    counts = [int(argument) for argument in sys.argv[2:] if argument.isdigit()]
    overrides = [argument for argument in sys.argv[2:] if not argument.isdigit()]
    if not counts:
        raise SystemExit(__doc__)
    folder = Path(sys.argv[1])
    print("| pictures | cache, GB | one batch, s | peak memory, MB |")
    print("| ---: | ---: | ---: | ---: |")
    for count in counts:
        source = folder / f"pictures-{count}"
        make(source, count)
        train(source, folder, [*overrides, "max_kimg=0.01"])
        seconds, _ = train(source, folder, [*overrides, "max_kimg=0.01"])
        _, peak = train(source, folder, ["max_kimg=5", *overrides])
        cache = next((folder / "cache").glob(f"pictures-{count}-*/faces.npy"))
        size = cache.stat().st_size / 1e9
        print(f"| {count:,} | {size:.2f} | {seconds:.1f} | {peak / 1e6:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
