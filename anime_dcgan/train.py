"""`python -m anime_dcgan.train`: train a GAN on faces.

Lightning and torch are imported when the training begins, not with this module: the worker
processes that decode pictures import it, too, and a mistyped override fails at once.
"""

import math
import os
import shlex
import sys
from pathlib import Path

from omegaconf import DictConfig

from anime_dcgan.cli.command import (
    INTERRUPTED,
    check_run_name,
    command,
    config_dir_options,
    fail,
    in_sweep,
    normalise_arguments,
)
from anime_dcgan.cli.new_run import new_run
from anime_dcgan.cli.overrides import (
    OUTPUTS,
    RECORD,
    command_line,
    find_last_run,
    find_last_sweep,
    is_sweep,
    module_line,
    names_run,
    quote_value,
    run_override,
    shows_info,
    training_overrides,
)
from anime_dcgan.run.outcome import best_distance
from anime_dcgan.run.runs import by_epoch
from anime_dcgan.run.settings import CONFIG
from anime_dcgan.system.console import is_first_process, launched_processes, log, show
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.reader import is_regular, modified, read_object
from anime_dcgan.training.job import (
    SWEEP_JOB,
    check_same_run,
    exclusive,
    last_checkpoint,
    record_overrides,
    train_in,
)
from anime_dcgan.training.outputs import Incomplete
from anime_dcgan.training.schema import CHECKS, check_combinations
from anime_dcgan.training.sweep import train_job


@command("train", **CHECKS)
def train(config: DictConfig) -> float:
    """Train, and return the lowest distance that was measured, for Hydra's sweepers."""
    check_combinations(config)
    run_dir = Path(config.run_dir)
    if config.preview:
        _preview(config, run_dir / "preview.png")
        return math.inf
    from anime_dcgan.training.fit import Interrupted, Unfinished

    try:
        return train_job(run_dir, config) if in_sweep() else _train_alone(run_dir, config)
    except Incomplete as end:
        if not in_sweep() and SWEEP_JOB not in os.environ:
            _print_once(_summarise(run_dir))
            raise
        log(str(end))
        return best_distance(run_dir)
    except Unfinished as end:
        if in_sweep():
            raise
        _print_once(f"{_summarise(run_dir)}\n\n{end}\n\nResume: {_resume_command(run_dir)}")
        if end.missing:
            raise Incomplete(end.missing) from None
        return best_distance(run_dir)
    except Interrupted as end:
        _print_once(f"\nstopped, and saved in {run_dir}\n\nResume: {_resume_command(run_dir)}")
        if end.missing:
            log(str(Incomplete(end.missing)))
        raise SystemExit(INTERRUPTED) from None
    except KeyboardInterrupt:  # while the faces were decoded, for instance
        if in_sweep() or not is_regular(run_dir / RECORD):
            raise
        _print_once(f"\nstopped before the training began\n\nResume: {_resume_command(run_dir)}")
        raise SystemExit(INTERRUPTED) from None


def _train_alone(run_dir: Path, config: DictConfig) -> float:
    with exclusive(run_dir):
        ckpt_path = _choose_checkpoint(run_dir, config)
        if is_first_process() and not is_regular(run_dir / CONFIG):
            record_overrides(run_dir, sys.argv[1:])  # for a run that is killed before it trains
        distance = train_in(run_dir, config, sys.argv[1:], ckpt_path)
    _print_once(_summarise(run_dir))
    return distance


def _choose_checkpoint(run_dir: Path, config: DictConfig) -> Path | str | None:
    """Return the checkpoint to resume from, if any; raise `UserError` if the folder is in use."""
    last = last_checkpoint(run_dir)
    if is_first_process() and config.ckpt_path is None:
        _check_unused(run_dir)
    if config.ckpt_path == "":
        raise UserError("ckpt_path= is empty: use ckpt_path=last or the path of a checkpoint")
    if config.ckpt_path == "last" and last is None:
        _check_can_begin_again(run_dir, config)
        return None
    return last if config.ckpt_path == "last" else config.ckpt_path


def _check_can_begin_again(run_dir: Path, config: DictConfig) -> None:
    """Raise `UserError` unless the folder's run has these settings and never had a checkpoint."""
    fix = _resume_newest_epoch(run_dir)
    if fix is None and not any(is_regular(run_dir / each) for each in (CONFIG, RECORD)):
        fix = "remove ckpt_path=last to start it, or use another run=..."
    if fix is not None:
        raise UserError(f"ckpt_path=last: {run_dir} has no last.ckpt: {fix}")
    check_same_run(run_dir, config)
    if is_first_process():
        log(f"{run_dir} was stopped before its first checkpoint: the training begins again")


def _check_unused(run_dir: Path) -> None:
    if last_checkpoint(run_dir) is not None:
        raise UserError(
            f"{run_dir} already has a run: resume it with ckpt_path=last, or use another run=..."
        )
    if fix := _resume_newest_epoch(run_dir):
        raise UserError(
            f"{run_dir} has checkpoints of a run, but not its last.ckpt: use another run=..., "
            f"or {fix}"
        )


def _resume_newest_epoch(run_dir: Path) -> str | None:
    """Return how to resume from the newest epoch that has a checkpoint, if any."""
    epochs = by_epoch(run_dir / "checkpoints", ".ckpt")
    if not epochs:
        return None
    return f"resume with {shlex.quote(f'ckpt_path={quote_value(str(epochs[-1]))}')}"


def _preview(config: DictConfig, path: Path) -> None:
    from anime_dcgan.training.preview import write_preview

    columns = write_preview(config, path)
    show(f"preview      {path}\ncolumns      {columns}")


def _print_once(message: str) -> None:
    if is_first_process():
        show(message)


def _resume_command(run_dir: Path) -> str:
    if in_sweep():
        return command_line(sys.argv[1:])
    argv = [*config_dir_options(), *training_overrides(sys.argv[1:])]
    return command_line([*argv, run_override(run_dir), "ckpt_path=last"])


def _summarise(run_dir: Path) -> str:
    """Return the files of a finished run, and the commands that use it."""
    lines = ["", *_verdict_line(run_dir)]
    if grids := by_epoch(run_dir / "samples" / "ema", ".png"):
        lines.append(f"faces        {grids[-1]}")
    for label, path in (
        ("film", run_dir / "samples" / "ema.gif"),
        ("profile", run_dir / "profile"),
        ("checkpoints", run_dir / "checkpoints"),
    ):
        if modified(path):
            lines.append(f"{label:12} {path}")
    if modified(run_dir / "tensorboard"):
        curves = module_line("tensorboard.main", ["--logdir", str(run_dir)])
        lines.append(f"curves       {curves}")
    if is_regular(run_dir / "report.html"):
        lines.append(f"report       {run_dir / 'report.html'}")
    if last_checkpoint(run_dir) is not None:
        name = run_dir.name if run_dir.parent.name == OUTPUTS.name else run_dir
        run = f"run={quote_value(str(name))}"
        generate = command_line([run, "n=100", "seed=1", "out=faces.png"], "generate")
        lines += ["", f"Generate: {generate}", f"Explore:  {command_line([run], 'studio')}"]
    return "\n".join(lines)


def _verdict_line(run_dir: Path) -> list[str]:
    content = read_object(run_dir / "equilibrium.json")
    try:
        since = f" since epoch {content['epoch']:g}" if content["epoch"] is not None else ""
        return [f"verdict      {content['verdict']}{since}: {'; '.join(content['reasons'])}"]
    except (KeyError, TypeError, ValueError):  # the file is missing or damaged
        return []


def main() -> None:
    """Run the console script.

    Without `run=...`, `ckpt_path=last` resumes the last run of the same command, and a sweep
    resumes the last sweep of the same command.
    """
    normalise_arguments()
    argv = sys.argv[1:]
    check_run_name(argv)
    if launched_processes() > 1:
        _share_folder(argv)
    if not names_run(argv) and not shows_info(argv):
        if is_sweep(argv):
            _resume_sweep(argv)
        elif "ckpt_path=last" in argv:
            _resume_run(argv)
    try:
        with new_run():
            train()
    except KeyboardInterrupt:  # while a launcher waited for the jobs
        _print_once(f"\nstopped\n\nResume: {command_line(sys.argv[1:])}")
        raise SystemExit(INTERRUPTED) from None


def _share_folder(argv: list[str]) -> None:
    """Require one run whose folder all processes name alike; only the first one writes to it."""
    if is_sweep(argv):
        fail(
            "torchrun and srun start several processes of one training, and not of a sweep: start "
            "the sweep without them, with trainer.devices=2"
        )
    if not names_run(argv):
        fail(
            "torchrun and srun start several processes of one training: name its folder, run=first"
        )
    if not is_first_process():
        sys.argv.append("hydra.output_subdir=null")


def _resume_sweep(argv: list[str]) -> None:
    sweep = find_last_sweep(argv)
    if sweep is not None:
        log(f"resuming the sweep {OUTPUTS / sweep}; run=... with another name starts a new one")
        sys.argv.append(f"run={quote_value(sweep)}")


def _resume_run(argv: list[str]) -> None:
    run = find_last_run(argv)
    if run is None:
        fail(
            f"ckpt_path=last: this command started no run in {OUTPUTS}/: use run=... with the "
            "name of one"
        )
    sys.argv.append(f"run={quote_value(run)}")


if __name__ == "__main__":
    main()
