"""`python -m anime_dcgan.search`: look for the settings that come closest to the real faces.

The overrides are those of `train`, some of them ranges. Each trial is a run below the search's
folder, where Optuna keeps its journal, so that the same command goes on where it was stopped.
"""

import importlib.util
import json
import math
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra import compose
from hydra.errors import HydraException
from omegaconf import DictConfig

from anime_dcgan.cli.command import (
    INTERRUPTED,
    check_run_name,
    check_settings,
    check_whole_number,
    command,
    fail,
    print_error,
)
from anime_dcgan.cli.hydra_errors import refusal
from anime_dcgan.cli.overrides import (
    OUTPUTS,
    SEARCH,
    SHOWS_ONLY,
    command_line,
    find_last_search,
    is_named,
    is_same,
    is_sweep,
    own_overrides,
    place,
    quoted,
)
from anime_dcgan.cli.search_space import Space, make_space, split, to_overrides
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.files import write_json
from anime_dcgan.training.job import last_checkpoint, record_failure, train_in, write_report_or_log

if TYPE_CHECKING:
    from optuna import Study, Trial


def search(config: DictConfig, words: list[str], space: Space, fixed: list[str]) -> None:
    """Train trial after trial, and print what they came to.

    Parameters:
        words: the whole command line.
        space, fixed: its ranges, and the overrides that are the same in each trial.
    """
    _check(config, space)
    folder = Path(config.run_dir)
    study = _open_study(folder, config, words)
    for trial in _trials(study, space, config):
        _run_trial(study, trial, folder, fixed)
    _print_table(study, folder, fixed)


def _check(config: DictConfig, space: Space) -> None:
    if not space:
        raise UserError(
            "nothing is searched: give a range, for example loss=bce,hinge or "
            "'optimizer.lr=tag(log,interval(1e-5,1e-3))'"
        )
    if config.metric is None:
        raise UserError("metric=none measures nothing to search by: use metric=swd, fd or fid")
    if config.trainer.devices != 1:
        raise UserError(
            f"trainer.devices={config.trainer.devices}: a trial is one process, "
            "use trainer.devices=1"
        )
    check_whole_number(config, "trials")


def _open_study(folder: Path, config: DictConfig, words: list[str]) -> "Study":
    """The study whose journal lies in the folder, or a new one."""
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    said = folder / SEARCH
    if said.exists() and not is_same(json.loads(said.read_text()), words):
        raise UserError(f"{folder} is a search by other overrides: name another run=...")
    write_json(said, own_overrides(words))
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
    """Those that were cut off, then new ones, as many as are missing.

    The sampler is seeded anew for each, so that a search that was stopped proposes the same.
    """
    from optuna import Trial
    from optuna.samplers import TPESampler
    from optuna.trial import TrialState

    for cut_off in study.get_trials(states=[TrialState.RUNNING]):
        if cut_off.params.keys() == space.keys():
            yield Trial(study, cut_off._trial_id)
        else:
            study.tell(cut_off.number, state=TrialState.FAIL)
    while (number := len(study.get_trials(deepcopy=False))) < config.trials:
        seed = random.Random(f"{config.seed}, {number}").getrandbits(32)
        study.sampler = TPESampler(seed=seed)
        yield study.ask(space)


def _run_trial(study: "Study", trial: "Trial", folder: Path, fixed: list[str]) -> None:
    from optuna.trial import TrialState

    from anime_dcgan.training.callbacks.prune import Prune, Pruned
    from anime_dcgan.training.fit import Interrupted

    run_dir = folder / f"trial={trial.number:04d}"
    chosen = to_overrides(trial.params)
    log(f"{run_dir}: {' '.join(chosen)}")
    try:
        distance = _train(trial, run_dir, [*own_overrides(fixed), *chosen], Prune(_report(trial)))
    except Pruned:
        write_report_or_log(run_dir)
        log(f"{run_dir} is worse than the median: pruned")
        study.tell(trial, state=TrialState.PRUNED)
    except Interrupted:
        words = [word for word in sys.argv[1:] if not word.startswith("run=")]
        again = command_line([*words, place(folder)], "search")
        print(f"\nstopped, and saved in {run_dir}\n\nGo on: {again}")
        raise SystemExit(INTERRUPTED) from None
    except Exception as error:
        print_error(f"{run_dir.name}: {record_failure(run_dir, error)}")
        study.tell(trial, state=TrialState.FAIL)
    else:
        study.tell(trial, distance)


def _train(trial: "Trial", run_dir: Path, words: list[str], prune: Any) -> float:
    where = [f"run_dir={quoted(str(run_dir))}", f"run={quoted(run_dir.name)}"]
    config = compose("train", [*words, *where])
    check_settings(config)
    run_dir.mkdir(exist_ok=True)
    distance = train_in(
        run_dir, config, [*words, place(run_dir)], last_checkpoint(run_dir), [prune]
    )
    if math.isinf(distance):
        raise UserError(
            "nothing was measured, so there is nothing to search by; above it is said why"
        )
    return distance


def _report(trial: "Trial") -> Any:
    """What `Prune` calls; measurements of an earlier start are known already."""
    known = set(trial.study.trials[trial.number].intermediate_values)

    def report(number: int, distance: float) -> bool:
        if number in known:
            return False
        trial.report(distance, number)
        return trial.should_prune()

    return report


def _print_table(study: "Study", folder: Path, fixed: list[str]) -> None:
    from optuna.trial import TrialState
    from rich.console import Console
    from rich.table import Table

    trials = study.get_trials()
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    best = min(complete, key=lambda trial: trial.value or 0.0, default=None)
    names = sorted({name for trial in trials for name in trial.params})
    table = Table(title=f"{folder}: the lowest distance is marked")
    for name in ("trial", "ended", "distance", *names):
        table.add_column(name, justify="right")
    for trial in trials:
        distance = "" if trial.value is None else f"{trial.value:.4g}"
        chosen = (_said(trial.params.get(name, "")) for name in names)
        mark = "bold green" if trial is best else None
        cells = (str(trial.number), trial.state.name.lower(), distance, *chosen)
        table.add_row(*cells, style=mark)
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    if best is None:
        raise UserError(f"no trial came to its end: {folder}/*/failure.json has the reasons")
    words = [*own_overrides(fixed), *to_overrides(best.params)]
    print(f"\nbest   {folder / f'trial={best.number:04d}'}\nTrain: {command_line(words)}")


def _said(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    """The console script. A search without a name goes on with the last one of the same command."""
    words = sys.argv[1:]
    shows_only = SHOWS_ONLY & set(words)
    check_run_name(words)
    if is_sweep(words):
        fail("a search is no sweep: give ranges instead of -m or sweep=")
    if importlib.util.find_spec("optuna") is None and not shows_only:
        fail('searching needs a package more: pip install -e ".[optuna]"')
    try:
        fixed, ranges = split(words)
        space = {} if shows_only else make_space(ranges)
    except HydraException as error:
        fail(refusal(error))
    except UserError as error:
        fail(str(error))
    sys.argv[1:] = fixed
    if not is_named(words) and not shows_only and (last := find_last_search(words)):
        log(f"going on with the search {OUTPUTS / last}; run=... with another name starts anew")
        sys.argv.append(f"run={last}")

    @command("search")
    def run(config: DictConfig) -> None:
        search(config, words, space, fixed)

    run()


if __name__ == "__main__":
    main()
