"""The time that a run has been trained for."""

import time
from typing import Any

from lightning import Callback, Trainer

from anime_dcgan.training.gan import GAN


class TrainingClock(Callback):
    """Measures the hours of training since the run began, over all resumes.

    Pauses between resumes, and time that other callbacks exclude, do not count.
    """

    def __init__(self) -> None:
        self._before = 0.0  # hours up to the checkpoint that was resumed
        self._started: float | None = None

    @property
    def hours(self) -> float:
        """Hours of training since the run began."""
        if self._started is None:
            return self._before
        return self._before + (time.monotonic() - self._started) / 3600

    def exclude(self, seconds: float) -> None:
        """Subtract the last `seconds` from the training time."""
        if self._started is not None:
            self._started += seconds

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        self._started = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        return {"hours": self.hours}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        hours = state_dict["hours"]
        if not isinstance(hours, int | float):
            raise ValueError(f"hours={hours!r:.40} is not a number")
        self._before = float(hours)
