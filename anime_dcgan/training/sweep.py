"""Sweeps: several trainings by one command, with a folder for each and a summary of their results.

All state lives in the files of the folders, so that any launcher can run the jobs, and the same
command resumes a sweep that was stopped.
"""

import hashlib
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from anime_dcgan.cli.command import (
    INTERRUPTED,
    USER_ERROR,
    config_dir_options,
    in_sweep,
    print_error,
)
from anime_dcgan.cli.overrides import quote_value, run_override, training_overrides
from anime_dcgan.run.outcome import (
    FAILURE,
    FINISHED,
    best_distance,
    is_finished,
    read_failure,
    read_missing,
)
from anime_dcgan.run.settings import CONFIG
from anime_dcgan.system.console import log, show
from anime_dcgan.system.errors import RefusedFileError, UserError
from anime_dcgan.system.files import try_lock
from anime_dcgan.system.reader import modified, read_text
from anime_dcgan.training.job import (
    LOCK,
    SWEEP_JOB,
    check_same_data,
    check_same_run,
    exclusive,
    last_checkpoint,
    mark_start,
    record_failure,
    record_settings,
    train_in,
)

SOME_FAILED = 1  # exit status
MAX_NAME_BYTES = 200  # file systems allow 255
UNSAFE_CHARACTERS = re.compile(r"[\x00-\x20/\\:*?\"'<>|]+")


def train_job(run_dir: Path, config: DictConfig) -> float:
    """Train one run of a sweep, unless it is finished, and return its best distance."""
    argv = training_overrides(list(HydraConfig.get().overrides.task))
    _adopt_same_run(run_dir, config, argv)
    mark_start(run_dir)
    if is_finished(run_dir, config):
        check_same_run(run_dir, config)
        check_same_data(run_dir, config)
        log(f"{run_dir} is already finished")
        return best_distance(run_dir)
    if config.trainer.devices != 1:
        return _train_in_subprocess(run_dir, argv)
    start = config.ckpt_path if config.ckpt_path != "last" else None
    argv = [override for override in argv if not override.startswith("sweep=")]
    argv = [*config_dir_options(), *argv, run_override(run_dir)]
    with exclusive(run_dir):
        return train_in(run_dir, config, argv, last_checkpoint(run_dir) or start)


def _adopt_same_run(run_dir: Path, config: DictConfig, argv: list[str]) -> None:
    """Rename a run of this sweep with exactly these settings to `run_dir`, if that is still empty.

    `loss=bce` becomes `loss=bce,seed=0` when a sweep over losses is extended to seeds. A run that
    another command is training stays.
    """
    if any(run_dir.iterdir()):
        return
    requested = OmegaConf.to_yaml(config, resolve=True)
    for other in run_dir.parent.glob(f"*/{CONFIG}"):
        if _read_text(other).replace(str(other.parent), str(run_dir)) != requested:
            continue
        with try_lock(other.parent / LOCK) as locked:
            if locked:
                log(f"renaming {other.parent} to {run_dir.name}, which has the same settings")
                run_dir.rmdir()
                other.parent.rename(run_dir)
                record_settings(run_dir, config, argv)
                return


def _read_text(path: Path) -> str:
    """Return the content of a text file; an empty string if it is missing or damaged."""
    try:
        return read_text(path)
    except (FileNotFoundError, RefusedFileError):
        return ""


def _train_in_subprocess(run_dir: Path, argv: list[str]) -> float:
    """Train by a separate command, which Lightning can rerun to start the other processes."""
    folder = f"hydra.run.dir={quote_value(str(run_dir))}"
    argv = [*config_dir_options(), *argv, folder, "hydra.mode=RUN"]
    if last_checkpoint(run_dir):
        argv.append("ckpt_path=last")
    command = [sys.executable, "-m", "anime_dcgan.train", *argv]
    with subprocess.Popen(command, env={**os.environ, SWEEP_JOB: "1"}) as process:
        try:
            status = process.wait()
        except KeyboardInterrupt:  # the process got the signal too and saves
            status = process.wait()
    if status == INTERRUPTED:
        raise SystemExit(INTERRUPTED)
    if status:
        reason = read_failure(run_dir)
        raise UserError(reason or f"the processes of this job ended with status {status}")
    if not (run_dir / FINISHED).exists():
        raise UserError("stopped before its budget was spent")
    return best_distance(run_dir)


class SweepCallback(Callback):
    """Hydra callback that names the jobs' folders, records failures and prints a summary.

    Launchers pickle it together with the jobs; unpickling it in their processes registers the
    resolver for the names there, too.
    """

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self.keys = frozenset(keys)
        self._before: dict[Path, tuple[int, int]] = {}
        OmegaConf.register_new_resolver("varied", self.folder_name, replace=True)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.keys,)

    def folder_name(self, overrides: Iterable[str]) -> str:
        """Return the folder's name: those of a job's overrides that the sweep varies."""
        argv = [override for override in overrides if not override.startswith("sweep=")]
        varied = [override for override in argv if override.split("=")[0] in self.keys]
        return file_name(",".join(varied or training_overrides(argv)) or "job")

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        self.keys = varied_keys(config)
        self._before = _job_times(Path(config.hydra.sweep.dir))

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        if not in_sweep():
            return
        run_dir = Path(config.hydra.runtime.output_dir)
        if job_return.status == JobStatus.COMPLETED:
            (run_dir / FAILURE).unlink(missing_ok=True)
            return
        error = job_return._return_value
        mark_start(run_dir)
        print_error(f"{run_dir.name}: {record_failure(run_dir, error)}")
        job_return.status = JobStatus.COMPLETED  # so that the other jobs continue
        job_return.return_value = math.inf

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        folder = Path(config.hydra.sweep.dir)
        after = _job_times(folder)
        changed = {run: times for run, times in after.items() if times != self._before.get(run)}
        if status := _print_summary(folder, changed, self._before):
            raise SystemExit(status)


def varied_keys(config: DictConfig) -> frozenset[str]:
    """Return the keys that a sweep varies, by its file and the command line, which wins.

    If the command line leaves a single value for each, return the keys of the file.
    """
    params = config.hydra.sweeper.get("params") or {}
    argv = [f"{key}={value}" for key, value in params.items()]
    argv += list(config.hydra.overrides.task)
    parsed = OverridesParser.create().parse_overrides(argv)
    last = {override.get_key_element(): override.is_sweep_override() for override in parsed}
    return frozenset(key for key, varies in last.items() if varies) or frozenset(params)


def file_name(text: str) -> str:
    """Return a valid folder name for `text`; a hash keeps it unique if characters change.

    >>> file_name("loss=bce,seed=0")
    'loss=bce,seed=0'
    >>> file_name("data.path=/faces/a.zip")
    'data.path=-faces-a.zip~eb1e02'
    """
    name = UNSAFE_CHARACTERS.sub("-", text)
    if name == text and len(name.encode()) <= MAX_NAME_BYTES and not name.startswith("."):
        return name
    short = name.encode()[: MAX_NAME_BYTES - 7].decode(errors="ignore").lstrip(".")
    return f"{short}~{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def _job_times(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return when each job was last started and when it finished, in ns; 0 if it did not."""
    try:
        runs = sorted(file.parent for file in folder.glob(f"[!.]*/{LOCK}"))
    except OSError:  # the sweep itself explains why the folder cannot be used
        return {}
    return {run: (modified(run / LOCK), modified(run / FINISHED)) for run in runs}


def _print_summary(
    folder: Path, now: dict[Path, tuple[int, int]], before: dict[Path, tuple[int, int]]
) -> int:
    """Print the results of the jobs, and return the exit status."""
    failed = [run for run in now if (run / FAILURE).exists() or not (run / FINISHED).exists()]
    finished = [run for run in now if run not in failed]
    ends_before = {end for _, end in before.values()}
    skipped = [run for run in finished if now[run][1] in ends_before]
    show(
        f"\n{folder}: {len(finished) - len(skipped)} trained, "
        f"{len(skipped)} finished before, {len(failed)} failed"
    )
    for run in failed:
        show(f"failed  {run.name}: {read_failure(run) or 'it was interrupted'}")
    incomplete = {
        run: missing for run in finished if run not in skipped and (missing := read_missing(run))
    }
    for run, missing in incomplete.items():
        show(f"incomplete  {run.name}: {', '.join(missing)}")
    best = min(finished, key=best_distance, default=None)
    if best is not None and math.isfinite(best_distance(best)):
        show(f"lowest  {best.name}: distance {best_distance(best):.4g}")
    if failed:
        show("\nRun the same command again to retry the failed jobs.")
        return SOME_FAILED
    return USER_ERROR if incomplete else 0
