"""Lightning's trainer, with the number of CPU threads as one more setting."""

import inspect
from collections.abc import Sequence
from typing import Any

import lightning

from anime_dcgan.training.callbacks.threads import Threads


class Trainer(lightning.Trainer):
    """`lightning.Trainer` that also chooses the number of CPU threads.

    Parameters:
        threads: number of threads of each process; "auto" chooses the fastest (`Threads`).
        settings: as in `lightning.Trainer`.
    """

    def __init__(
        self,
        *,
        threads: int | str = "auto",
        callbacks: Sequence[lightning.Callback] = (),
        **settings: Any,
    ) -> None:
        # first, so that the time of a step does not include that of other callbacks
        super().__init__(callbacks=[Threads(threads), *callbacks], **settings)


def _signature() -> inspect.Signature:
    """Return Lightning's signature with `threads`: settings are checked against it."""
    own = inspect.signature(Trainer.__init__).parameters["threads"]
    parameters = inspect.signature(lightning.Trainer).parameters.values()
    return inspect.Signature([*parameters, own])


Trainer.__signature__ = _signature()  # type: ignore[attr-defined]
