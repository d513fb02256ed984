"""Make run folders without training."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from anime_dcgan.run.runs import file_stem
from anime_dcgan.run.scalars import SCALARS, append_scalars
from anime_dcgan.sampling import image

IMAGES_PER_EPOCH = 1000


def make_run(folder: Path, epochs: Iterable[float] = (), size: int = 16, faces: int = 9) -> Path:
    """Make a run with an empty checkpoint, settings, and grids of noise for these epochs."""
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "last.ckpt").touch()
    (folder / "command.txt").write_text("python -m anime_dcgan.train run=a\n")
    (folder / "config.yaml").write_text("data:\n  image_size: 16\n")
    for epoch in epochs:
        for weights in ("ema", "raw"):
            path = folder / "samples" / weights / f"{file_stem(epoch)}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.grid(noise(faces, size, seed=int(epoch))).save(path)
    return folder


def add_label_rows(run: Path, names: list[str], epoch: float = 1, size: int = 16) -> Path:
    """Add a grid of noise with a row of three faces for each class."""
    path = run / "samples" / "labels" / f"{file_stem(epoch)}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = image.grid(noise(3 * len(names), size), columns=3)
    sheet.save(path, pnginfo=image.describe_rows(names))
    return path


def noise(faces: int, size: int, seed: int = 0) -> np.ndarray:
    """Return faces of noise without white pixels."""
    generator = np.random.default_rng(seed)
    return generator.integers(0, 250, (faces, size, size, 3)).astype(np.uint8)


def write_scalars(folder: Path, scalars: dict[str, list[tuple[int, float]]]) -> None:
    """Append curves to `scalars.jsonl`, with one line for each number of images."""
    lines: dict[int, dict[str, float]] = {}
    for name, points in scalars.items():
        for images, value in points:
            lines.setdefault(images, {})[name] = value
    for images, values in sorted(lines.items()):
        append_scalars(folder / SCALARS, images, values)


def row(epoch: float, weights: str = "ema", /, **values: float | None) -> dict[str, Any]:
    """Return a row of quality.json; `swd_all=3.0` becomes "swd/all"."""
    renamed = {key.replace("_", "/"): value for key, value in values.items()}
    images = int(epoch * IMAGES_PER_EPOCH)
    return {"images": images, "epoch": epoch, "weights": weights, "best": False, "values": renamed}


def write_quality(folder: Path, rows: list[dict[str, Any]], **floor: float) -> None:
    contents = {
        "metric": {"name": "swd", "headline": "swd/all", "count": 2000},
        "floor": {key.replace("_", "/"): value for key, value in floor.items()},
        "rows": rows,
    }
    (folder / "quality.json").write_text(json.dumps(contents))


def write_verdict(
    folder: Path,
    verdict: str,
    epoch: float | None = None,
    reasons: Iterable[str] = ("the distance no longer falls",),
    history: Iterable[dict[str, Any]] = (),
) -> None:
    contents = {
        "verdict": verdict,
        "reasons": list(reasons),
        "epoch": epoch,
        "images": None if epoch is None else epoch * IMAGES_PER_EPOCH,
        "history": list(history),
    }
    (folder / "equilibrium.json").write_text(json.dumps(contents))


def make_full_run(folder: Path) -> Path:
    """Make a run of ten epochs with everything that a page can show; the best epoch is 8."""
    run = make_run(folder, epochs=range(1, 11))
    losses = [(number * 250, 1.0 + 1 / number) for number in range(1, 41)]
    names = ("loss/discriminator", "loss/generator", "accuracy/real", "accuracy/fake")
    write_scalars(run, dict.fromkeys(names, losses))
    rows = [
        row(epoch, swd_all=10 + abs(8 - epoch), swd_16=9.0 + epoch, precision=0.1 * epoch / 2)
        for epoch in range(1, 11)
    ]
    write_quality(run, rows, swd_all=3.0, precision=0.7)
    history = [{"images": epoch * 1000, "gap": 1 / epoch} for epoch in range(1, 11)]
    write_verdict(run, "equilibrium", epoch=6.0, history=[*history, {"images": 11000, "gap": None}])
    image.grid(noise(6, 16)).save(run / "neighbours.png")
    return run
