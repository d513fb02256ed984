"""Files that a training may fail to write: none of them ever ends it.

The first failure is logged in a line, the file is tried again at its next turn, and what is
missing in the end is listed by `Incomplete`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from anime_dcgan.system.console import log
from anime_dcgan.system.errors import RefusedFileError, UserError, reason_of

if TYPE_CHECKING:
    from lightning import Trainer

TRY_AGAIN = "training continues and will try again"


class Incomplete(UserError):
    """Everything is trained and saved, but files are missing or have gaps."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(
            "the training is saved, but these files are missing or have gaps: "
            f"{', '.join(missing)}. Free some space there, or give yourself access; logger=none "
            "writes no logs"
        )
        self.missing = list(missing)


class Outputs:
    """The files that a training failed to write."""

    def __init__(self) -> None:
        self._failures: dict[Path, dict[Path, str]] = {}
        self._logged: set[Path] = set()

    def attempt(
        self,
        path: Path,
        write: Callable[[], object],
        series: Path | None = None,
        consequence: str = TRY_AGAIN,
    ) -> bool:
        """Call `write`; record, and log the first time, that `path` could not be written.

        A later success does not close the gap in a file that grows: see `rewrite`.

        Parameters:
            series: folder whose files are reported together.
            consequence: follows the reason in the logged line.

        Returns:
            False if `path` could not be written.
        """
        try:
            write()
        except (OSError, RefusedFileError) as error:
            self.add(path, error, series, consequence)
            return False
        return True

    def rewrite(
        self,
        path: Path,
        write: Callable[[], object],
        series: Path | None = None,
        consequence: str = TRY_AGAIN,
    ) -> bool:
        """Call `write`, which replaces the whole file, as `attempt` does; success ends a gap."""
        written = self.attempt(path, write, series, consequence)
        if written:
            self.remove(path, series)
        return written

    def add(
        self,
        path: Path,
        error: BaseException,
        series: Path | None = None,
        consequence: str = TRY_AGAIN,
    ) -> None:
        """Record a failure; log it if it is the first one of the file or series."""
        key, reason = series or path, reason_of(error)
        self._failures.setdefault(key, {})[path] = reason
        if key not in self._logged:
            line = f"{path} cannot be written ({reason})"
            log(f"{line}; {consequence}" if consequence else line)
        self._logged.add(key)

    def remove(self, path: Path, series: Path | None = None) -> None:
        """Forget a failure, after the file was written in full."""
        self._failures.get(series or path, {}).pop(path, None)

    def failure(self, path: Path, series: Path | None = None) -> str | None:
        """Return why a file is missing or has a gap; None if it is complete."""
        return self._failures.get(series or path, {}).get(path)

    @property
    def missing(self) -> list[str]:
        """The files and series with gaps, each with the reason."""
        return [_describe(key, reasons) for key, reasons in self._failures.items() if reasons]


def outputs_of(trainer: "Trainer") -> Outputs:
    """Return the record of a trainer of this package."""
    return trainer.outputs  # pyright: ignore[reportAttributeAccessIssue]


def _describe(key: Path, reasons: dict[Path, str]) -> str:
    *_, (path, reason) = reasons.items()
    return (
        f"{path} ({reason})" if len(reasons) == 1 else f"{len(reasons)} files in {key} ({reason})"
    )
