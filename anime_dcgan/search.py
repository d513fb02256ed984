"""`python -m anime_dcgan.search`: search for the settings with the lowest distance.

The overrides are those of `train`, some of them ranges. Each trial is a run below the search's
folder, where Optuna keeps its journal, so that the same command resumes a stopped search. Started
several times at once, it shares the trials.
"""

import importlib.util
import math
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from hydra.errors import HydraException
from omegaconf import DictConfig

from anime_dcgan.cli.checks import integer
from anime_dcgan.cli.command import (
    INTERRUPTED,
    check_run_name,
    command,
    config_dir_options,
    fail,
    normalise_arguments,
    print_error,
)
from anime_dcgan.cli.groups import suggest
from anime_dcgan.cli.home import expand_home
from anime_dcgan.cli.hydra_errors import compose_explained, explain_hydra_error
from anime_dcgan.cli.new_run import new_run
from anime_dcgan.cli.overrides import (
    OUTPUTS,
    SEARCH_FILE,
    command_line,
    find_last_search,
    is_same_training,
    is_sweep,
    names_run,
    quote_value,
    read_overrides,
    run_override,
    shows_info,
    split_options,
    training_overrides,
)
from anime_dcgan.cli.search_space import (
    Space,
    extreme_params,
    make_space,
    split_ranges,
    to_overrides,
)
from anime_dcgan.data.pool import cores
from anime_dcgan.run.outcome import best_distance
from anime_dcgan.system.console import log, show
from anime_dcgan.system.errors import UserError, needs_extra
from anime_dcgan.system.files import wait_for_lock, write_json
from anime_dcgan.system.table import print_table
from anime_dcgan.training.job import (
    LOCK,
    FolderInUseError,
    exclusive,
    last_checkpoint,
    record_failure,
    train_in,
    write_report_or_log,
    writing_to,
)
from anime_dcgan.training.outputs import Incomplete
from anime_dcgan.training.schema import CHECKS, check_training
from anime_dcgan.training.workers import is_worker, run_workers

if TYPE_CHECKING:
    from optuna import Study, Trial

SEARCH_CHECKS = {
    **CHECKS,
    "jobs": integer(1),
    "trials": integer(1, example=20),
    "pruner.startup": integer(0, example=5),
    "pruner.warmup": integer(0, example=2),
}


def search(config: DictConfig, argv: list[str], space: Space, fixed: list[str]) -> None:
    """Train trial after trial, and print a table of the results.

    Parameters:
        argv: all arguments of the command line.
        space: the ranges among them.
        fixed: the overrides that are the same in every trial.
    """
    _check(config, space)
    _check_values(space, fixed)
    folder = Path(config.run_dir)
    with writing_to(folder), wait_for_lock(folder / LOCK):
        study = _open_study(folder, config, argv)
    missing: list[str] = []
    if config.jobs > 1 and not is_worker():
        failed = _run_workers(folder, config, argv)
    else:
        failed, trials = 0, Trials(study, space, folder, config)
        missing = _train_trials(study, trials, folder, argv, fixed)
    if not is_worker():
        _print_table(study, folder, fixed)
    if missing:
        raise Incomplete(missing)
    if failed:
        raise UserError(
            f"{failed} of {config.jobs} workers ended with an error, which is printed above: "
            "run the same command again to resume their trials"
        )


def _run_workers(folder: Path, config: DictConfig, argv: list[str]) -> int:
    """Train with `config.jobs` processes of this command; return how many ended with an error."""
    command = [sys.executable, "-m", "anime_dcgan.search", *_named(argv, folder)]
    statuses, is_stopped = run_workers(command, min(config.jobs, config.trials))
    if is_stopped:
        _stop(folder, argv)
    return sum(status != 0 for status in statuses)


def _train_trials(
    study: "Study", trials: "Trials", folder: Path, argv: list[str], fixed: list[str]
) -> list[str]:
    """Train the remaining trials; return the files that could not be written."""
    from anime_dcgan.training.fit import Interrupted

    missing: list[str] = []
    while True:
        with trials.next() as trial:
            if trial is None:
                return missing
            try:
                missing += _run_trial(study, trial, folder, fixed)
            except Interrupted:
                _stop(folder, argv)


def _named(argv: list[str], folder: Path) -> list[str]:
    """Return the arguments with the name of the search's folder."""
    options, others = split_options(argv)
    named = [argument for argument in others if not names_run([argument])]
    return [*options, *named, run_override(folder)]


def _stop(folder: Path, argv: list[str]) -> NoReturn:
    """Print how to resume a search that a signal stopped, and exit."""
    if not is_worker():
        resume = command_line(_named(argv, folder), "search")
        show(f"\nstopped, and saved in {folder}\n\nResume: {resume}")
    raise SystemExit(INTERRUPTED) from None


def _check(config: DictConfig, space: Space) -> None:
    if not space:
        raise UserError(
            "there is nothing to search: add a range, for example loss=bce,hinge or "
            "'optimizer.lr=tag(log,interval(1e-5,1e-3))'"
        )
    if config.metric is None:
        raise UserError(f"metric=none measures no distance to minimise: use {suggest('metric')}")
    if config.trainer.devices != 1:
        raise UserError(
            f"trainer.devices={config.trainer.devices} must be 1, because a trial is one process: "
            "use trainer.devices=1"
        )
    if config.jobs > cores():
        raise UserError(
            f"jobs={config.jobs} exceeds the {cores()} cores of this machine: use jobs={cores()}"
        )


def _check_values(space: Space, fixed: list[str]) -> None:
    """Raise `UserError` for a value that no trial can be trained with."""
    for params in extreme_params(space):
        check_training(
            compose_explained("train", [*training_overrides(fixed), *to_overrides(params)])
        )


def _open_study(folder: Path, config: DictConfig, argv: list[str]) -> "Study":
    """Return the study whose journal is in the folder, or a new one."""
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    file = folder / SEARCH_FILE
    if file.exists() and not is_same_training(read_overrides(file), argv):
        raise UserError(f"{folder} is a search with other overrides: use another run=...")
    write_json(file, training_overrides(argv))
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    journal = str(folder / "journal.log")
    backend = JournalFileBackend(journal, JournalFileOpenLock(journal))
    return optuna.create_study(
        study_name="search",
        storage=optuna.storages.JournalStorage(backend),
        pruner=optuna.pruners.MedianPruner(config.pruner.startup, config.pruner.warmup),
        load_if_exists=True,
    )


class Trials:
    """The trials of a study, which several commands may share.

    The folder of a trial is locked while a command trains it, so that a running trial whose folder
    is not locked was interrupted.
    """

    def __init__(self, study: "Study", space: Space, folder: Path, config: DictConfig) -> None:
        self._study, self._space, self._folder, self._config = study, space, folder, config
        self._shared: set[int] = set()

    @contextmanager
    def next(self) -> Iterator["Trial | None"]:
        """Lock and yield an interrupted trial, or a new one; None after `config.trials` in all."""
        with ExitStack() as stack:
            with wait_for_lock(self._folder / LOCK):
                trial = self._resume(stack) or self._ask(stack)
            yield trial

    def _resume(self, stack: ExitStack) -> "Trial | None":
        from optuna import Trial
        from optuna.trial import TrialState

        for trial in self._study.get_trials(states=[TrialState.RUNNING]):
            run_dir = _run_dir(self._folder, trial.number)
            try:
                stack.enter_context(exclusive(run_dir))
            except FolderInUseError:
                if trial.number not in self._shared and not is_worker():
                    log(f"{run_dir} is trained by another command, which shares this search")
                    self._shared.add(trial.number)
                continue
            if trial.params.keys() == self._space.keys():
                log(f"{run_dir} was interrupted: resuming it")
                return Trial(self._study, trial._trial_id)
            self._study.tell(trial.number, state=TrialState.FAIL)
        return None

    def _ask(self, stack: ExitStack) -> "Trial | None":
        """Return a new trial, if any is left.

        The sampler is seeded for each trial, so that a resumed search proposes the same parameters.
        """
        from optuna.samplers import TPESampler

        number = len(self._study.get_trials(deepcopy=False))
        if number >= self._config.trials:
            return None
        seed = random.Random(f"{self._config.seed}, {number}").getrandbits(32)
        self._study.sampler = TPESampler(seed=seed)
        trial = self._study.ask(self._space)
        stack.enter_context(exclusive(_run_dir(self._folder, trial.number)))
        return trial


def _run_dir(folder: Path, number: int) -> Path:
    return folder / f"trial={number:04d}"


def _run_trial(study: "Study", trial: "Trial", folder: Path, fixed: list[str]) -> Sequence[str]:
    """Train a trial, record its outcome, and return the files that could not be written."""
    from optuna.trial import TrialState

    from anime_dcgan.training.callbacks.prune import Prune, Pruned
    from anime_dcgan.training.fit import Interrupted

    run_dir = _run_dir(folder, trial.number)
    params = to_overrides(trial.params)
    log(f"{run_dir}: {' '.join(params)}")
    missing: Sequence[str] = ()
    try:
        distance, missing = _train(
            run_dir, [*training_overrides(fixed), *params], Prune(_reporter(trial))
        )
    except Pruned as end:
        missing = [*end.missing, *write_report_or_log(run_dir)]
        log(f"{run_dir} is worse than the median: pruned")
        study.tell(trial, state=TrialState.PRUNED)
    except Interrupted:
        log(f"{run_dir} is stopped, and saved")
        raise
    except Exception as error:
        print_error(f"{run_dir.name}: {record_failure(run_dir, error)}")
        study.tell(trial, state=TrialState.FAIL)
    else:
        study.tell(trial, distance)
    return missing


def _train(run_dir: Path, overrides: list[str], prune: Any) -> tuple[float, Sequence[str]]:
    """Return the lowest distance, and the files that could not be written."""
    from anime_dcgan.training.fit import Unfinished

    folder = [f"run_dir={quote_value(str(run_dir))}", f"run={quote_value(run_dir.name)}"]
    config = compose_explained("train", [*overrides, *folder])
    expand_home(config)
    check_training(config)
    argv = [*config_dir_options(), *overrides, run_override(run_dir)]
    missing: Sequence[str] = ()
    try:
        distance = train_in(run_dir, config, argv, last_checkpoint(run_dir), [prune])
    except (Incomplete, Unfinished) as end:  # all trials may have the same trainer.max_time
        log(f"{run_dir} {end}")
        distance, missing = best_distance(run_dir), end.missing
    if math.isinf(distance):
        raise UserError("no distance was measured: the reason is logged above")
    return distance, missing


def _reporter(trial: "Trial") -> Any:
    """Return the function with which `Prune` reports a distance and asks whether to stop.

    Measurements that were reported before the trial was resumed are skipped.
    """
    reported = set(trial.study.trials[trial.number].intermediate_values)

    def report(number: int, distance: float) -> bool:
        if number in reported:
            return False
        trial.report(distance, number)
        return trial.should_prune()

    return report


def _print_table(study: "Study", folder: Path, fixed: list[str]) -> None:
    from optuna.trial import TrialState
    from rich.table import Table

    trials = study.get_trials()
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    best = min(complete, key=lambda trial: trial.value or 0.0, default=None)
    names = sorted({name for trial in trials for name in trial.params})
    table = Table(title=f"{folder}: the lowest distance is highlighted")
    for name in ("trial", "state", "distance", *names):
        table.add_column(name, justify="right")
    for trial in trials:
        distance = "" if trial.value is None else f"{trial.value:.4g}"
        params = (_format_param(trial.params.get(name, "")) for name in names)
        style = "bold green" if trial is best else None
        table.add_row(str(trial.number), trial.state.name.lower(), distance, *params, style=style)
    print_table(table)
    running = sum(trial.state == TrialState.RUNNING for trial in trials)
    if running:
        show(f"still trained by other commands: {running}")
    if best is None and running:
        return
    if best is None:
        raise UserError(f"no trial was completed: see {folder}/*/failure.json for the reasons")
    argv = [*config_dir_options(), *training_overrides(fixed), *to_overrides(best.params)]
    show(f"\nbest   {_run_dir(folder, best.number)}\nTrain: {command_line(argv)}")


def _format_param(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Run the console script; without `run=...`, resume the last search of the same command."""
    normalise_arguments()
    argv = sys.argv[1:]
    info_only = shows_info(argv)
    check_run_name(argv)
    if is_sweep(argv):
        fail("a search cannot be a sweep: use ranges instead of -m or sweep=...")
    if importlib.util.find_spec("optuna") is None and not info_only:
        fail(str(needs_extra("the search", "optuna")))
    try:
        fixed, ranges = split_ranges(argv)
        space = {} if info_only else make_space(ranges)
    except HydraException as error:
        fail(explain_hydra_error(error))
    except UserError as error:
        fail(str(error))
    sys.argv[1:] = fixed
    if not names_run(argv) and not info_only and (last := find_last_search(argv)):
        log(f"resuming the search {OUTPUTS / last}; run=... with another name starts a new one")
        sys.argv.append(f"run={quote_value(last)}")

    @command("search", **SEARCH_CHECKS)
    def run(config: DictConfig) -> None:
        search(config, argv, space, fixed)

    with new_run():
        run()


if __name__ == "__main__":
    main()
