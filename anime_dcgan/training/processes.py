"""Processes that train together: meeting at the start, and reporting an error once."""

import os
import socket
import sys
import threading
import time
from datetime import timedelta
from typing import Any

import torch
from lightning.fabric.plugins import ClusterEnvironment
from torch.distributed import Store  # pyright: ignore[reportPrivateImportUsage]

from anime_dcgan.cli.command import user_message
from anime_dcgan.system.console import printable
from anime_dcgan.system.errors import ReportedError, UserError, describe, first_line

PATIENCE_SECONDS = 20.0
"""Time after which a process says what it waits for."""

FAILURE = "failure"
"""Key of the first error in the store."""


def join(environment: ClusterEnvironment, minutes: float) -> Store:
    """Wait for all processes, and return the store that they share.

    The first process of each machine says what it waits for. Raises `UserError` after some minutes.
    """
    rank, count = environment.global_rank(), environment.world_size()
    host, port = environment.main_address, environment.main_port
    os.environ |= {"MASTER_ADDR": host, "MASTER_PORT": str(port)}
    speaks = environment.local_rank() == 0
    text = f"process {rank} waits at {host}:{port} until all {count} processes are there"
    notice = f"{text}, at most {minutes:g} minutes (trainer.join_minutes)"
    timer = threading.Timer(PATIENCE_SECONDS, _print, [notice] if speaks else [])
    timer.daemon = True
    timer.start()
    try:
        if rank != 0:
            _connect(host, port, 60 * minutes)
        limit = timedelta(minutes=minutes)
        meet: Any = torch.distributed.rendezvous  # pyright: ignore[reportPrivateImportUsage]
        store, _, _ = next(meet("env://", rank, count, timeout=limit))
    except (OSError, torch.distributed.DistError) as error:
        reason = UserError(
            f"after {minutes:g} minutes at {host}:{port}, process {rank} is not together with all "
            f"{count} processes ({first_line(error):.80}):\n"
            "start the same command on each machine, with MASTER_ADDR, MASTER_PORT and its own "
            "NODE_RANK, or use trainer.num_nodes=1"
        )
        if speaks and rank != 0:
            _print(f"error: {reason}")
        raise reason from None
    finally:
        timer.cancel()
    return store


def _connect(host: str, port: int, seconds: float) -> None:
    """Wait until the first process listens, as torch would with pages of messages.

    Raises OSError.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            with socket.create_connection((host, port), timeout=seconds):
                return
        except OSError:
            if time.monotonic() > end:
                raise
        time.sleep(0.1)


def _print(*messages: str) -> None:
    """Print to standard error, from any process."""
    for message in messages:
        print(printable(message), file=sys.stderr, flush=True)


def report_once(error: Exception, store: Store, rank: int) -> UserError | None:
    """Return the error to raise instead of a process's own, of which the first one is reported.

    The processes that fail later have mostly lost their connection to the first one. None leaves
    the error as it is.
    """
    own = _explain(error, rank)
    first = _first_failure(store, own)
    if first != own:
        return ReportedError(first)
    if user_message(error) is None and not _is_lost_connection(error):
        return None  # a bug, which keeps its traceback
    if rank == 0:
        return UserError(own)
    _print(f"error: {own}")
    return ReportedError(own)


def _explain(error: Exception, rank: int) -> str:
    if _is_lost_connection(error):
        return (
            f"process {rank} lost the connection to another one, which was killed or ran out of "
            "memory: resume with ckpt_path=last"
        )
    message = user_message(error) or describe(error)
    return message if rank == 0 else f"process {rank}: {message}"


def _first_failure(store: Store, own: str) -> str:
    """Return the error of the process that failed first."""
    try:
        return store.compare_set(FAILURE, "", own).decode()
    except RuntimeError:  # the first process, which has the store, is gone
        return "the first process ended"


def _is_lost_connection(error: Exception) -> bool:
    is_of_backend = isinstance(error, torch.distributed.DistError) or "gloo" in str(error)
    return isinstance(error, RuntimeError) and is_of_backend
