"""`python -m anime_dcgan.train`: train a GAN on faces.

Lightning and torch are imported when the training begins, not with this module: the processes
that decode pictures import it anew, and the word about a mistyped override comes at once.
"""

import math
import shlex
import sys
import tempfile
from pathlib import Path

from omegaconf import DictConfig

from anime_dcgan.cli.command import (
    INTERRUPTED,
    check_run_name,
    check_switch,
    command,
    fail,
    in_sweep,
)
from anime_dcgan.cli.overrides import (
    OUTPUTS,
    SHOWS_ONLY,
    command_line,
    find_last_run,
    find_last_sweep,
    is_named,
    is_sweep,
    own_overrides,
    place,
    quoted,
)
from anime_dcgan.run.runs import by_epoch
from anime_dcgan.system.console import is_first_process, log
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.files import read_object
from anime_dcgan.training.job import last_checkpoint, train_in
from anime_dcgan.training.sweep import train_job

BEGIN = "leave out ckpt_path=last to begin, or name another run=..."


@command("train")
def train(config: DictConfig) -> float:
    """Train, and return the lowest distance that was measured, for Hydra's sweepers."""
    run_dir = Path(config.run_dir)
    check_switch(config, "preview")
    if config.preview:
        _preview(config, run_dir / "preview.png")
        return math.inf
    from anime_dcgan.training.fit import Interrupted

    try:
        return train_job(run_dir, config) if in_sweep() else _train_alone(run_dir, config)
    except Interrupted:
        _tell(f"\nstopped, and saved in {run_dir}\n\nGo on: {_resume_command(run_dir)}")
        raise SystemExit(INTERRUPTED) from None


def _train_alone(run_dir: Path, config: DictConfig) -> float:
    last = last_checkpoint(run_dir)
    if is_first_process() and config.ckpt_path is None:
        _check_unused(run_dir)
    if config.ckpt_path == "":
        raise UserError("ckpt_path= names no checkpoint: use ckpt_path=last")
    if config.ckpt_path == "last" and last is None:
        raise UserError(
            f"there is no checkpoint last.ckpt in {run_dir}: {_another(run_dir) or BEGIN}"
        )
    ckpt_path = last if config.ckpt_path == "last" else config.ckpt_path
    distance = train_in(run_dir, config, sys.argv[1:], ckpt_path)
    _tell(_what_next(run_dir))
    return distance


def _check_unused(run_dir: Path) -> None:
    if last_checkpoint(run_dir) is not None:
        raise UserError(
            f"{run_dir} holds a run already: go on with ckpt_path=last, or name another run=..."
        )
    if other := _another(run_dir):
        raise UserError(
            f"{run_dir} holds checkpoints of a run, but not its last.ckpt: name another run=..., "
            f"or {other}"
        )


def _another(run_dir: Path) -> str | None:
    """How to go on from the newest epoch that there is a checkpoint of."""
    kept = by_epoch(run_dir / "checkpoints", ".ckpt")
    return f"go on with {shlex.quote(f'ckpt_path={quoted(str(kept[-1]))}')}" if kept else None


def _preview(config: DictConfig, path: Path) -> None:
    from anime_dcgan.training.preview import write_preview

    columns = write_preview(config, path)
    print(f"preview      {path}\ncolumns      {columns}")


def _tell(message: str) -> None:
    if is_first_process():
        print(message)


def _resume_command(run_dir: Path) -> str:
    if in_sweep():
        return command_line(sys.argv[1:])
    return command_line([*own_overrides(sys.argv[1:]), place(run_dir), "ckpt_path=last"])


def _what_next(run_dir: Path) -> str:
    """What the run has left, and what to type next with it."""
    lines = ["", *_verdict(run_dir)]
    if grids := by_epoch(run_dir / "samples" / "ema", ".png"):
        lines.append(f"faces        {grids[-1]}")
    for label, path in (
        ("film", run_dir / "samples" / "ema.gif"),
        ("profile", run_dir / "profile"),
        ("checkpoints", run_dir / "checkpoints"),
    ):
        if path.exists():
            lines.append(f"{label:12} {path}")
    if (run_dir / "tensorboard").is_dir():
        lines.append(f"curves       tensorboard --logdir {run_dir}")
    if (run_dir / "report.html").exists():
        lines.append(f"report       {run_dir / 'report.html'}")
    if last_checkpoint(run_dir) is not None:
        name = run_dir.name if run_dir.parent.name == OUTPUTS.name else run_dir
        run = f"run={quoted(str(name))}"
        draw = command_line([run, "n=100", "seed=1", "out=faces.png"], "generate")
        lines += ["", f"Draw:  {draw}", f"Play:  {command_line([run], 'studio')}"]
    return "\n".join(lines)


def _verdict(run_dir: Path) -> list[str]:
    said = read_object(run_dir / "equilibrium.json")
    try:
        place = f" since epoch {said['epoch']:g}" if said["epoch"] is not None else ""
        return [f"verdict      {said['verdict']}{place}: {'; '.join(said['reasons'])}"]
    except (KeyError, TypeError, ValueError):  # absent or damaged
        return []


def main() -> None:
    """The console script. `ckpt_path=last` alone means the last run of the same command.

    A sweep without a name goes on with the last one of the same command.
    """
    words = sys.argv[1:]
    check_run_name(words)
    if not is_named(words) and not SHOWS_ONLY & set(words):
        if is_sweep(words):
            _go_on_with_sweep(words)
        elif "ckpt_path=last" in words:
            _go_on_with_run(words)
    _check_outputs(words)
    try:
        train()
    except KeyboardInterrupt:  # while a launcher waited for the jobs
        _tell(f"\nstopped\n\nGo on: {command_line(sys.argv[1:])}")
        raise SystemExit(INTERRUPTED) from None


def _go_on_with_sweep(words: list[str]) -> None:
    sweep = find_last_sweep(words)
    if sweep is not None:
        log(f"going on with the sweep {OUTPUTS / sweep}; run=... with another name starts anew")
        sys.argv.append(f"run={sweep}")


def _go_on_with_run(words: list[str]) -> None:
    run = find_last_run(words)
    if run is None:
        fail(
            f"ckpt_path=last: no run below {OUTPUTS}/ was started by this command; "
            "name one with run=..."
        )
    sys.argv.append(f"run={run}")


def _check_outputs(words: list[str]) -> None:
    """Hydra makes the run's folder, and would end in a traceback where it cannot."""
    elsewhere = any(word.startswith("hydra.") and ".dir=" in word for word in words)
    if elsewhere or SHOWS_ONLY & set(words):
        return
    try:
        OUTPUTS.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=OUTPUTS):
            pass
    except OSError as error:
        fail(
            f"{OUTPUTS.absolute()} cannot be written to ({error.strerror}): "
            "start in another folder, or name one with hydra.run.dir=..."
        )


if __name__ == "__main__":
    main()
