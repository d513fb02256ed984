"""`python -m anime_dcgan.search`: search for the settings with the lowest distance.

The overrides are those of `train`, some of them ranges. Each trial is a run below the search's
folder, where Optuna keeps its journal, so that the same command resumes a stopped search.
"""

import importlib.util
import math
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra import compose
from hydra.errors import HydraException
from omegaconf import DictConfig

from anime_dcgan.cli.checks import integer
from anime_dcgan.cli.command import INTERRUPTED, check_run_name, command, fail, print_error
from anime_dcgan.cli.hydra_errors import explain_hydra_error
from anime_dcgan.cli.new_run import new_run
from anime_dcgan.cli.overrides import (
    INFO_FLAGS,
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
    training_overrides,
)
from anime_dcgan.cli.search_space import Space, make_space, split_ranges, to_overrides
from anime_dcgan.cli.signatures import check_settings
from anime_dcgan.system.console import log, table_console
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.files import write_json
from anime_dcgan.training.job import (
    exclusive,
    last_checkpoint,
    record_failure,
    train_in,
    write_report_or_log,
)

if TYPE_CHECKING:
    from optuna import Study, Trial


def search(config: DictConfig, argv: list[str], space: Space, fixed: list[str]) -> None:
    """Train trial after trial, and print a table of the results.

    Parameters:
        argv: all arguments of the command line.
        space: the ranges among them.
        fixed: the overrides that are the same in every trial.
    """
    _check(config, space)
    folder = Path(config.run_dir)
    study = _open_study(folder, config, argv)
    for trial in _trials(study, space, config):
        _run_trial(study, trial, folder, fixed)
    _print_table(study, folder, fixed)


def _check(config: DictConfig, space: Space) -> None:
    if not space:
        raise UserError(
            "there is nothing to search: add a range, for example loss=bce,hinge or "
            "'optimizer.lr=tag(log,interval(1e-5,1e-3))'"
        )
    if config.metric is None:
        raise UserError("metric=none measures no distance to minimise: use metric=swd, fd or fid")
    if config.trainer.devices != 1:
        raise UserError(
            f"trainer.devices={config.trainer.devices} must be 1, because a trial is one process: "
            "use trainer.devices=1"
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


def _trials(study: "Study", space: Space, config: DictConfig) -> Iterator["Trial"]:
    """Yield the interrupted trials, then new ones, up to `config.trials` in all.

    The sampler is seeded for each trial, so that a resumed search proposes the same parameters.
    """
    from optuna import Trial
    from optuna.samplers import TPESampler
    from optuna.trial import TrialState

    for interrupted in study.get_trials(states=[TrialState.RUNNING]):
        if interrupted.params.keys() == space.keys():
            yield Trial(study, interrupted._trial_id)
        else:
            study.tell(interrupted.number, state=TrialState.FAIL)
    while (number := len(study.get_trials(deepcopy=False))) < config.trials:
        seed = random.Random(f"{config.seed}, {number}").getrandbits(32)
        study.sampler = TPESampler(seed=seed)
        yield study.ask(space)


def _run_trial(study: "Study", trial: "Trial", folder: Path, fixed: list[str]) -> None:
    from optuna.trial import TrialState

    from anime_dcgan.training.callbacks.prune import Prune, Pruned
    from anime_dcgan.training.fit import Interrupted

    run_dir = folder / f"trial={trial.number:04d}"
    params = to_overrides(trial.params)
    log(f"{run_dir}: {' '.join(params)}")
    try:
        distance = _train(run_dir, [*training_overrides(fixed), *params], Prune(_reporter(trial)))
    except Pruned:
        write_report_or_log(run_dir)
        log(f"{run_dir} is worse than the median: pruned")
        study.tell(trial, state=TrialState.PRUNED)
    except Interrupted:
        others = [argument for argument in sys.argv[1:] if not argument.startswith("run=")]
        resume = command_line([*others, run_override(folder)], "search")
        print(f"\nstopped, and saved in {run_dir}\n\nResume: {resume}")
        raise SystemExit(INTERRUPTED) from None
    except Exception as error:
        print_error(f"{run_dir.name}: {record_failure(run_dir, error)}")
        study.tell(trial, state=TrialState.FAIL)
    else:
        study.tell(trial, distance)


def _train(run_dir: Path, overrides: list[str], prune: Any) -> float:
    folder = [f"run_dir={quote_value(str(run_dir))}", f"run={quote_value(run_dir.name)}"]
    config = compose("train", [*overrides, *folder])
    check_settings(config)
    argv = [*overrides, run_override(run_dir)]
    with exclusive(run_dir):
        distance = train_in(run_dir, config, argv, last_checkpoint(run_dir), [prune])
    if math.isinf(distance):
        raise UserError("no distance was measured: the reason is logged above")
    return distance


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
    table_console().print(table)
    if best is None:
        raise UserError(f"no trial was completed: see {folder}/*/failure.json for the reasons")
    argv = [*training_overrides(fixed), *to_overrides(best.params)]
    print(f"\nbest   {folder / f'trial={best.number:04d}'}\nTrain: {command_line(argv)}")


def _format_param(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Run the console script; without `run=...`, resume the last search of the same command."""
    argv = sys.argv[1:]
    info_only = INFO_FLAGS & set(argv)
    check_run_name(argv)
    if is_sweep(argv):
        fail("a search cannot be a sweep: use ranges instead of -m or sweep=...")
    if importlib.util.find_spec("optuna") is None and not info_only:
        fail('the search needs another package: pip install -e ".[optuna]"')
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
        sys.argv.append(f"run={last}")

    @command("search", trials=integer(1, example=20))
    def run(config: DictConfig) -> None:
        search(config, argv, space, fixed)

    with new_run():
        run()


if __name__ == "__main__":
    main()
