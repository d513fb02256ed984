"""`python -m anime_dcgan.report`: one HTML page that shows how good a run is and how it came about.

It needs the files of the run only: torch is never loaded.
"""

from pathlib import Path

from omegaconf import DictConfig

from anime_dcgan.cli.command import command
from anime_dcgan.run.runs import find_run
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError

MOST_GRIDS = 12


@command("report")
def report(config: DictConfig) -> None:
    _check(config)
    run = find_run(str(config.run), Path(config.outputs))
    out = run / "report.html" if config.out is None else Path(str(config.out))
    from anime_dcgan.page.write import write_report

    for note in write_report(run, out, config.grids):
        log(f"note: {note}")
    log(f"the report of {run} is {out}: open it in a browser")


def _check(config: DictConfig) -> None:
    from anime_dcgan.page.render import check_page

    grids = config.grids
    if isinstance(grids, bool) or not isinstance(grids, int) or not 1 <= grids <= MOST_GRIDS:
        raise UserError(f"grids={grids} is no whole number from 1 to {MOST_GRIDS}: use grids=6")
    check_page(config.out)


main = report

if __name__ == "__main__":
    main()
