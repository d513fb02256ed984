"""Signals that end a training after it is saved."""

import signal

IMPATIENT = (signal.SIGINT, signal.SIGTERM)
"""Signals of which a second one ends the process at once."""
OTHERS = ("SIGHUP", "SIGUSR1")
"""Signals of a closed terminal, which sends several, and Slurm's warning; Windows has neither."""


def caught_signals() -> list[int]:
    """Return the signals to catch: SIGHUP stays ignored where it is, as below `nohup`."""
    others = [getattr(signal, name) for name in OTHERS if hasattr(signal, name)]
    return [*IMPATIENT, *(each for each in others if signal.getsignal(each) != signal.SIG_IGN)]
