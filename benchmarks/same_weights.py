"""Compare the weights that two versions of the program train from the same seeds.

    python -m benchmarks.same_weights REVISION [RECIPE ...]

Each recipe below is trained for a short time by the working tree and by REVISION, a commit of this
repository, in separate processes. The tensors of `last.ckpt` are compared in order, so that a
renamed attribute makes no difference. The exit status is 1 if any of them differ.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
SMALL = (
    *("data.count=300", "max_kimg=1", "metric=none", "logger=none", "seed=1"),
    *("trainer=cpu", "trainer.max_epochs=-1", "callbacks.samples=null"),
)
RECIPES: dict[str, tuple[str, ...]] = {
    "quickstart": ("experiment=quickstart",),
    "original": ("experiment=original", "data.image_size=32"),
    "best_small": ("experiment=best_small", "data.image_size=32"),
    "best": ("experiment=best", "model.width=4", "data.image_size=32"),
    "wgan": ("loss=wgan", "trainer.devices=1", "data.image_size=32"),
    "wgan_gp": ("loss=wgan_gp", "data.image_size=32", "trainer.precision=32-true"),
    "r1": ("regularizer=r1", "regularizer.interval=2", "gan.accumulate=2", "data.image_size=32"),
    "ada": ("augment=ada", "augment.initial=0.3", "schedule=cosine", "data.image_size=32"),
    "float32": ("experiment=quickstart", "trainer.precision=32-true"),
    "stylegan2": ("experiment=stylegan2", "model.width=16", "data.image_size=16"),
    "biggan": ("experiment=biggan", "model.width=4", "data.image_size=32"),
    "r3gan": ("experiment=r3gan", "model.width=32", "data.image_size=16"),
}


def train(code: Path, settings: tuple[str, ...], folder: Path) -> list[torch.Tensor]:
    """Train with the code in `code`; return all tensors of the networks in order."""
    command = [sys.executable, "-m", "anime_dcgan.train", *SMALL, *settings, "run=run"]
    environment = {**os.environ, "PYTHONPATH": str(code), "OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if result.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{result.stderr}")
    checkpoint = torch.load(folder / "outputs/run/checkpoints/last.ckpt", weights_only=True)
    return list(checkpoint["state_dict"].values())


def main() -> None:
    revision, *chosen = sys.argv[1:]
    differing = 0
    with tempfile.TemporaryDirectory() as name:
        before = Path(name) / "before"
        subprocess.run(
            ["git", "worktree", "add", "--detach", "--quiet", str(before), revision],
            cwd=ROOT,
            check=True,
        )
        try:
            for recipe in chosen or RECIPES:
                sides = []
                for side, code in (("now", ROOT), ("then", before)):
                    folder = Path(name) / recipe / side
                    folder.mkdir(parents=True)
                    sides.append(train(code, RECIPES[recipe], folder))
                pairs = list(zip(*sides, strict=True))
                equal = all(torch.equal(ours, theirs) for ours, theirs in pairs)
                differing += not equal
                print(
                    f"{recipe:12} {len(pairs)} tensors {'equal' if equal else 'DIFFER'}", flush=True
                )
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(before)], cwd=ROOT)
    raise SystemExit(differing > 0)


if __name__ == "__main__":
    main()
