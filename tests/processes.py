"""Commands in their own processes, as users run them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from anime_dcgan.system.paths import CONF_DIR

TINY = (
    *("data.count=40", "data.image_size=16", "data.batch_size=8", "model.latent_dim=6"),
    *("model.generator.width=3", "model.discriminator.width=3"),
    *("trainer=cpu", "trainer.precision=32-true", "callbacks.samples.count=4"),
)


class Result(NamedTuple):
    """Output of a command."""

    stdout: str
    stderr: str
    status: int = 0


def start(command: str, *overrides: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", f"anime_dcgan.{command}", *overrides],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(CONF_DIR.parent)},
    )


def run(command: str, *overrides: str, cwd: Path, status: int = 0) -> Result:
    """Run the command in its own process."""
    process = start(command, *overrides, cwd=cwd)
    out, err = process.communicate(timeout=120)
    assert process.returncode == status, out + err
    return Result(out, err)
