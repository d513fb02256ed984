"""Several trainings by one command: what their folders are called, and what became of each.

Everything is told by the files of the folders, so that jobs may run in processes of any launcher,
and the same command goes on where the last one was stopped.
"""

import hashlib
import math
import re
import shutil
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

from anime_dcgan.cli.command import INTERRUPTED, in_sweep, print_error
from anime_dcgan.cli.overrides import own_overrides, place, quoted
from anime_dcgan.run.outcome import FAILURE, FINISHED, best_distance, is_finished, read_failure
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError
from anime_dcgan.training.job import check_same_run, last_checkpoint, record_failure, train_in

SOME_FAILED = 1  # exit status
LONGEST_NAME = 200  # bytes; file systems take 255
BAD_IN_NAMES = re.compile(r"[\x00-\x20/\\:*?\"'<>|]+")


def train_job(run_dir: Path, config: DictConfig) -> float:
    """Train one of the runs of a sweep, as far as it is not trained; return the best distance."""
    _take_over(run_dir, config)
    if is_finished(run_dir, config):
        check_same_run(run_dir, config)
        log(f"{run_dir} is finished already")
        return best_distance(run_dir)
    words = own_overrides(list(HydraConfig.get().overrides.task))
    if config.trainer.devices != 1:
        return _train_apart(run_dir, words)
    start = config.ckpt_path if config.ckpt_path != "last" else None
    words = [word for word in words if not word.startswith("sweep=")]
    return train_in(run_dir, config, [*words, place(run_dir)], last_checkpoint(run_dir) or start)


def _take_over(run_dir: Path, config: DictConfig) -> None:
    """Make a run of this sweep that has these very settings, by a shorter name, this one.

    `loss=bce` becomes `loss=bce,seed=0` where a sweep of losses is extended by seeds.
    """
    if [path.name for path in run_dir.iterdir()] != [".hydra"]:
        return
    wanted = OmegaConf.to_yaml(config, resolve=True)
    for other in run_dir.parent.glob("*/config.yaml"):
        if other.read_text().replace(str(other.parent), str(run_dir)) == wanted:
            log(f"{other.parent} has these settings: it becomes {run_dir.name}")
            shutil.rmtree(other.parent / ".hydra")
            (run_dir / ".hydra").rename(other.parent / ".hydra")
            run_dir.rmdir()
            other.parent.rename(run_dir)
            OmegaConf.save(config, run_dir / "config.yaml", resolve=True)
            return


def _train_apart(run_dir: Path, words: list[str]) -> float:
    """Train in a command of its own, which Lightning can repeat to start the other processes."""
    words = [*words, f"hydra.run.dir={quoted(str(run_dir))}", "hydra.mode=RUN"]
    if last_checkpoint(run_dir):
        words.append("ckpt_path=last")
    with subprocess.Popen([sys.executable, "-m", "anime_dcgan.train", *words]) as process:
        try:
            status = process.wait()
        except KeyboardInterrupt:  # it got the signal too, and saves
            status = process.wait()
    if status == INTERRUPTED:
        raise SystemExit(INTERRUPTED)
    if status:
        reason = read_failure(run_dir)
        raise UserError(reason or f"the processes of this job ended with status {status}")
    return best_distance(run_dir)


class SweepCallback(Callback):
    """Hydra's callback: names the folder of each job, keeps its failure, and sums up in the end.

    Launchers pickle it together with the jobs. Made anew in their processes it registers there,
    too, what names the folders.
    """

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self.keys = frozenset(keys)
        self._before: dict[Path, tuple[int, int]] = {}
        OmegaConf.register_new_resolver("varied", self.folder_name, replace=True)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.keys,)

    def folder_name(self, overrides: Iterable[str]) -> str:
        """Of a job's overrides, those that the sweep varies."""
        words = [word for word in overrides if not word.startswith("sweep=")]
        varied = [word for word in words if word.split("=")[0] in self.keys]
        return file_name(",".join(varied or own_overrides(words)) or "job")

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        self.keys = varied_keys(config)
        self._before = _states(Path(config.hydra.sweep.dir))

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        if not in_sweep():
            return
        run_dir = Path(config.hydra.runtime.output_dir)
        if job_return.status == JobStatus.COMPLETED:
            (run_dir / FAILURE).unlink(missing_ok=True)
            return
        error = job_return._return_value
        print_error(f"{run_dir.name}: {record_failure(run_dir, error)}")
        job_return.status = JobStatus.COMPLETED  # the other jobs go on
        job_return.return_value = math.inf

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        folder = Path(config.hydra.sweep.dir)
        after = _states(folder)
        changed = {run: state for run, state in after.items() if state != self._before.get(run)}
        failed = _sum_up(folder, changed, self._before)
        if failed:
            raise SystemExit(SOME_FAILED)


def varied_keys(config: DictConfig) -> frozenset[str]:
    """What a sweep varies: by its file, and by the command line, which beats it.

    Where it leaves one value of each, what the file would vary.
    """
    params = config.hydra.sweeper.get("params") or {}
    words = [f"{key}={value}" for key, value in params.items()]
    words += list(config.hydra.overrides.task)
    parsed = OverridesParser.create().parse_overrides(words)
    last = {override.get_key_element(): override.is_sweep_override() for override in parsed}
    return frozenset(key for key, varies in last.items() if varies) or frozenset(params)


def file_name(words: str) -> str:
    """A name for a folder; where something is replaced or cut, a hash keeps it unique.

    >>> file_name("loss=bce,seed=0")
    'loss=bce,seed=0'
    >>> file_name("data.path=/faces/a.zip")
    'data.path=-faces-a.zip~eb1e02'
    """
    name = BAD_IN_NAMES.sub("-", words)
    if name == words and len(name.encode()) <= LONGEST_NAME and not name.startswith("."):
        return name
    short = name.encode()[: LONGEST_NAME - 7].decode(errors="ignore").lstrip(".")
    return f"{short}~{hashlib.sha256(words.encode()).hexdigest()[:6]}"


def _states(folder: Path) -> dict[Path, tuple[int, int]]:
    """Of each job's folder: when it was started last, and when it was finished."""
    return {
        said.parent.parent: (said.stat().st_mtime_ns, _changed(said.parent.parent / FINISHED))
        for said in sorted(folder.glob("[!.]*/.hydra/overrides.yaml"))
    }


def _changed(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def _sum_up(
    folder: Path, now: dict[Path, tuple[int, int]], before: dict[Path, tuple[int, int]]
) -> list[Path]:
    """Print what became of the jobs, and return the folders of those that failed."""
    failed = [run for run in now if (run / FAILURE).exists() or not (run / FINISHED).exists()]
    finished = [run for run in now if run not in failed]
    ends_before = {end for _, end in before.values()}
    skipped = [run for run in finished if now[run][1] in ends_before]
    print(
        f"\n{folder}: {len(finished) - len(skipped)} trained, "
        f"{len(skipped)} finished before, {len(failed)} failed"
    )
    for run in failed:
        print(f"failed  {run.name}: {read_failure(run) or 'it was cut off'}")
    best = min(finished, key=best_distance, default=None)
    if best is not None and math.isfinite(best_distance(best)):
        print(f"lowest  {best.name}: a distance of {best_distance(best):.4g}")
    if failed:
        print("\nThe same command tries again what failed.")
    return failed
