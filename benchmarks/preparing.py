"""How fast, and in how much memory, `prepare` goes through any number of pictures.

    python benchmarks/preparing.py FOLDER COUNT...

For each count it makes up as many JPEGs of 64x64 px below FOLDER (about 4 GB for a million, kept
for the next time), of which one in 20 is an equal copy and one in 50 a re-encoded one, prepares
them in a new process, and prints pictures a second and the peak memory of all its processes
together. Linux only: the memory is read from /proc.
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
SHELF = 1000  # pictures in a folder
EQUAL, REENCODED = 20, 50  # one picture in so many
LOOK_SECONDS = 0.25


def make_shelf(folder: Path, shelf: int, count: int) -> None:
    """Pictures `shelf * SHELF` and the following, `count` of them."""
    place = folder / f"{shelf:05d}"
    if place.exists() and sum(1 for _ in place.iterdir()) == count:
        return
    place.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(shelf)
    before = picture(generator)
    for number in range(count):
        if number % EQUAL == EQUAL - 1:
            data = encoded(before, 90)
        elif number % REENCODED == 1:
            data = encoded(before, 60)
        else:
            before = picture(generator)
            data = encoded(before, 90)
        (place / f"{number:03d}.jpg").write_bytes(data)


def picture(generator: np.random.Generator) -> Image.Image:
    """A blob of colours with a little grain, unlike every other."""
    coarse = Image.fromarray(generator.integers(0, 256, (10, 10, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.int16)
    grain = generator.integers(-12, 13, (SIDE, SIDE, 1), dtype=np.int16)
    return Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8))


def encoded(face: Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    face.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def make(folder: Path, count: int) -> None:
    shelves = [
        (folder, shelf, min(SHELF, count - shelf * SHELF)) for shelf in range(-(-count // SHELF))
    ]
    with multiprocessing.Pool() as pool:
        pool.starmap(make_shelf, shelves, chunksize=1)


def resident_bytes(root: int) -> int:
    """Resident memory of a process and all that descend from it."""
    parents, sizes = {}, {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        except OSError:
            continue  # it ended meanwhile
        number = int(fields["Pid"])
        parents[number] = int(fields["PPid"])
        sizes[number] = 1024 * int(fields.get("VmRSS", "0 kB").split()[0])
    found = {root}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return sum(sizes.get(number, 0) for number in found)


def measure(command: str, *overrides: str) -> tuple[float, int]:
    """Seconds and peak bytes of a command of ours."""
    words = [sys.executable, "-m", f"anime_dcgan.{command}", *overrides]
    start, peak = time.perf_counter(), 0
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, resident_bytes(process.pid))
            time.sleep(LOOK_SECONDS)
    if process.returncode:
        raise SystemExit(process.returncode)
    return time.perf_counter() - start, peak


def found_copies(manifest: Path) -> tuple[int, int]:
    """How many equal and how many near copies it names."""
    equal = near = 0
    with manifest.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            equal += row["reason"].startswith("copy")
            near += row["reason"].startswith("near copy")
    return equal, near


def main() -> None:
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    folder = Path(sys.argv[1])
    print("| pictures | seconds | pictures/s | peak memory, MB | equal copies | near copies |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for count in map(int, sys.argv[2:]):
        source = folder / f"pictures-{count}"
        make(source, count)
        out = folder / f"prepared-{count}"
        shutil.rmtree(out, ignore_errors=True)
        seconds, peak = measure("prepare", f"source={source}", f"out={out}")
        equal, near = found_copies(out / "manifest.csv")
        figures = f"{seconds:.0f} | {count / seconds:,.0f} | {peak / 1e6:,.0f}"
        print(f"| {count:,} | {figures} | {equal:,} | {near:,} |", flush=True)


if __name__ == "__main__":
    main()
