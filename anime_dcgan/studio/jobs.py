"""Long work: one job at a time, with progress; others wait, and any can be cancelled."""

import contextlib
import secrets
import shutil
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import Literal

from anime_dcgan.explore.face import Face
from anime_dcgan.system import scratch
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError, first_line

State = Literal["waiting", "running", "done", "failed", "cancelled"]
Kind = Literal["film", "zip", "projection"]
OVER: tuple[State, ...] = ("done", "failed", "cancelled")

OWN = "studio"
MOST_WAITING = 16
KEPT = 32  # jobs that are over, with their files


class TooManyJobs(Exception):
    """More jobs wait than the studio takes in."""


class Cancelled(Exception):
    """Somebody does not want it any more."""


@dataclass(eq=False)
class Job:
    """A piece of long work; its thread alone writes to it, but for `cancelled`."""

    id: str
    kind: Kind
    work: Callable[["Job"], None]
    folder: Path
    state: State = "waiting"
    progress: float = 0.0
    detail: str = ""
    error: str | None = None
    face: Face | None = None
    file: Path | None = None
    target: bytes | None = None
    started: float | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)

    def at(self, done: int, total: int) -> None:
        """Tell how far it is; raises `Cancelled` where nobody wants it any more."""
        if self.cancelled.is_set():
            raise Cancelled
        self.progress = done / total

    @property
    def seconds_left(self) -> float | None:
        """By the speed so far."""
        if self.state != "running" or self.started is None or self.progress <= 0:
            return None
        return (time.monotonic() - self.started) * (1 - self.progress) / self.progress


class JobQueue:
    """The queue of jobs and the thread that does them.

    Their files lie in a folder of this studio's own below `place` while it runs.
    """

    def __init__(self, place: Path) -> None:
        scratch.remove_abandoned(place, OWN)  # of studios that were killed
        for nameless in set(place.glob("*")) - set(place.glob(f"{OWN}-*")):
            scratch.remove(nameless)  # of earlier versions, which did not tell whose it was
        self.folder = place / scratch.owned_name(OWN)
        self._jobs: dict[str, Job] = {}
        self._queue: Queue[Job | None] = Queue()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._do_all, name="jobs", daemon=True)
        self._thread.start()

    def submit(self, kind: Kind, work: Callable[[Job], None], target: bytes | None = None) -> Job:
        """Take in a job; raises `TooManyJobs`."""
        with self._lock:
            waiting = [job for job in self._jobs.values() if job.state not in OVER]
            if len(waiting) >= MOST_WAITING:
                raise TooManyJobs
            self._forget_old()
            name = secrets.token_hex(8)
            job = Job(name, kind, work, self.folder / name, target=target)
            self._jobs[name] = job
        self._queue.put(job)
        return job

    def get(self, name: str) -> Job | None:
        return self._jobs.get(name)

    def cancel(self, job: Job) -> None:
        """End it where it is; one that is over is forgotten with its file."""
        job.cancelled.set()
        with self._lock:
            if job.state == "waiting":
                job.state = "cancelled"
            elif job.state in OVER:
                self._forget(job)

    def close(self) -> None:
        for job in list(self._jobs.values()):
            job.cancelled.set()
        self._queue.put(None)
        self._thread.join(timeout=10)
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # where other studios have theirs
            self.folder.parent.rmdir()

    def _forget_old(self) -> None:
        over = [job for job in self._jobs.values() if job.state in OVER]
        for job in over[: max(0, len(over) - KEPT + 1)]:
            self._forget(job)

    def _forget(self, job: Job) -> None:
        self._jobs.pop(job.id, None)
        shutil.rmtree(job.folder, ignore_errors=True)

    def _do_all(self) -> None:
        while (job := self._queue.get()) is not None:
            with self._lock:
                if job.state == "cancelled":
                    continue
                job.state, job.started = "running", time.monotonic()
            job.state = self._do(job)

    def _do(self, job: Job) -> State:
        try:
            job.folder.mkdir(parents=True, exist_ok=True)
            job.work(job)
        except Cancelled:
            shutil.rmtree(job.folder, ignore_errors=True)
            return "cancelled"
        except Exception as error:  # a job's failure is the job's: the studio goes on
            if not isinstance(error, UserError | OSError):
                log(traceback.format_exc())
            job.error = first_line(error)
            shutil.rmtree(job.folder, ignore_errors=True)
            return "failed"
        job.progress = 1.0
        return "done"
