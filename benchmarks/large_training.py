"""How soon training begins on any number of pictures, and in how much memory it goes on.

    python benchmarks/large_training.py FOLDER COUNT... [override...]

For each count it makes up as many JPEGs below FOLDER as `preparing.py` does, and decodes them into
a cache by a first training. On that cache it then trains a single batch, from the command to its
end, and prints how long it took; and some more (`max_kimg=5`, unless an override says otherwise),
of which it prints the peak memory of all processes together. Linux only.
"""

import sys
import time
from pathlib import Path

from preparing import make, measure


def train(source: Path, folder: Path, overrides: list[str]) -> tuple[float, int]:
    """Seconds and peak bytes of a training."""
    run = folder / f"trained-{time.time_ns()}"
    places = (f"data.cache_dir={folder / 'cache'}", f"hydra.run.dir={run}")
    return measure("train", "data=folder", f"data.path={source}", *places, *overrides)


def main() -> None:
    counts = [int(word) for word in sys.argv[2:] if word.isdigit()]
    overrides = [word for word in sys.argv[2:] if not word.isdigit()]
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
