"""`python -m anime_dcgan.report`: one HTML page that shows how good a run is and how it got there.

It reads the files of the run only: torch is never loaded.
"""

from pathlib import Path

from omegaconf import DictConfig

from anime_dcgan.cli.checks import RUN, extension, file_path, integer, optional
from anime_dcgan.cli.command import command
from anime_dcgan.run.runs import find_run
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError

MAX_GRIDS = 12


@command(
    "report",
    run=RUN,
    outputs=file_path("outputs"),
    grids=integer(1, MAX_GRIDS, example=6),
    out=optional(extension(".html", ".htm", example="report.html")),
)
def report(config: DictConfig) -> None:
    """Write the page of a run."""
    run = find_run(str(config.run), Path(config.outputs))
    if not (run / "checkpoints").is_dir():
        raise UserError(
            f"run={config.run} is an exported generator, without a record of its training: use the "
            "run itself, or read the README.md of the folder"
        )
    out = run / "report.html" if config.out is None else Path(config.out)
    from anime_dcgan.page.report import write_report

    for note in write_report(run, out, config.grids):
        log(f"note: {note}")
    log(f"the report of {run} is {out}: open it in a browser")


main = report

if __name__ == "__main__":
    main()
