"""Speed and memory of `prepare` on any number of pictures.

    python -m benchmarks.preparing FOLDER COUNT...

For each count, JPEGs of 64x64 px are generated below FOLDER (about 4 GB for a million; reused by
later runs); one in 20 is an exact copy and one in 50 a re-encoded one. They are prepared in a new
process, and the pictures per second and the peak memory over all its processes are printed. Linux
only: the memory is read from /proc.
"""

import csv
import io
import multiprocessing
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 64
PER_FOLDER = 1000  # pictures per folder
EQUAL_INTERVAL, REENCODED_INTERVAL = 20, 50  # pictures per copy
SAMPLING_INTERVAL = 0.25  # seconds between readings of the memory


def make_folder(parent: Path, index: int, count: int) -> None:
    """Generate the `count` pictures of the folder with this index."""
    folder = parent / f"{index:05d}"
    if folder.exists() and sum(1 for _ in folder.iterdir()) == count:
        return
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(index)
    before = picture(generator)
    for number in range(count):
        if number % EQUAL_INTERVAL == EQUAL_INTERVAL - 1:
            data = encode(before, 90)
        elif number % REENCODED_INTERVAL == 1:
            data = encode(before, 60)
        else:
            before = picture(generator)
            data = encode(before, 90)
        (folder / f"{number:03d}.jpg").write_bytes(data)


def picture(generator: np.random.Generator) -> Image.Image:
    """Return a random blob of colours with some grain."""
    coarse = Image.fromarray(generator.integers(0, 256, (10, 10, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.int16)
    grain = generator.integers(-12, 13, (SIDE, SIDE, 1), dtype=np.int16)
    return Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8))


def encode(face: Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    face.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def make(folder: Path, count: int) -> None:
    """Generate `count` pictures below `folder`, with all cores."""
    folders = [
        (folder, index, min(PER_FOLDER, count - index * PER_FOLDER))
        for index in range(-(-count // PER_FOLDER))
    ]
    with multiprocessing.Pool() as pool:
        pool.starmap(make_folder, folders, chunksize=1)


def resident_bytes(root: int) -> int:
    """Return the resident memory of a process and all its descendants."""
    parents, sizes = {}, {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        except OSError:
            continue  # the process has ended
        number = int(fields["Pid"])
        parents[number] = int(fields["PPid"])
        sizes[number] = 1024 * int(fields.get("VmRSS", "0 kB").split()[0])
    family = {root}
    while new := {child for child, parent in parents.items() if parent in family} - family:
        family |= new
    return sum(sizes.get(number, 0) for number in family)


def measure(command: str, *overrides: str) -> tuple[float, int]:
    """Return the duration in seconds and the peak memory in bytes of a command of this package."""
    argv = [sys.executable, "-m", f"anime_dcgan.{command}", *overrides]
    start, peak = time.perf_counter(), 0
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, resident_bytes(process.pid))
            time.sleep(SAMPLING_INTERVAL)
    if process.returncode:
        raise SystemExit(process.returncode)
    return time.perf_counter() - start, peak


def count_duplicates(manifest: Path) -> tuple[int, int]:
    """Return the numbers of exact and of near-duplicates in a manifest."""
    equal = near = 0
    with manifest.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            equal += row["reason"].startswith("duplicate")
            near += row["reason"].startswith("near-duplicate")
    return equal, near


def main() -> None:
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    folder = Path(sys.argv[1])
    print(
        "| pictures | seconds | pictures/s | peak memory, MB | exact duplicates | near-duplicates |"
    )
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for count in map(int, sys.argv[2:]):
        source = folder / f"pictures-{count}"
        make(source, count)
        out = folder / f"prepared-{count}"
        shutil.rmtree(out, ignore_errors=True)
        seconds, peak = measure("prepare", f"source={source}", f"out={out}")
        equal, near = count_duplicates(out / "manifest.csv")
        values = f"{seconds:.0f} | {count / seconds:,.0f} | {peak / 1e6:,.0f}"
        print(f"| {count:,} | {values} | {equal:,} | {near:,} |", flush=True)


if __name__ == "__main__":
    main()
