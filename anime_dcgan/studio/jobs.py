"""Background jobs: a queue that runs one at a time, with progress and cancellation."""

import contextlib
import secrets
import shutil
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from anime_dcgan.explore.face import Face
from anime_dcgan.explore.projection import Variables
from anime_dcgan.system import scratch
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError, first_line

JobState = Literal["waiting", "running", "done", "failed", "cancelled"]
JobKind = Literal["film", "zip", "projection"]
FINAL_STATES: tuple[JobState, ...] = ("done", "failed", "cancelled")

SCRATCH_KIND = "studio"
MAX_UNFINISHED = 16
MAX_FINISHED = 32
"""Finished jobs that are kept with their files."""


class JobQueueFullError(Exception):
    """The job queue has reached its limit."""


class JobCancelledError(Exception):
    """The job was cancelled while it ran."""


@dataclass(frozen=True)
class Found:
    """A face that a projection has found, and its distance from the picture."""

    face: Face
    distance: float


@dataclass(eq=False)
class Job:
    """A background job; only the job thread writes to it, except for `cancelled`."""

    id: str
    kind: JobKind
    work: Callable[["Job"], None]
    folder: Path
    state: JobState = "waiting"
    progress: float = 0.0
    detail: str = ""
    error: str | None = None
    found: dict[Variables, Found | None] = field(default_factory=dict)
    file: Path | None = None
    target: bytes | None = None
    started: float | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)

    def report_progress(self, done: int, total: int) -> None:
        """Record the progress; raise `JobCancelledError` if the job has been cancelled."""
        if self.cancelled.is_set():
            raise JobCancelledError
        self.progress = done / total

    @property
    def face(self) -> Face | None:
        """The nearest face that a projection has found so far."""
        found = [each for each in self.found.values() if each is not None]
        return min(found, key=lambda each: each.distance).face if found else None

    @property
    def seconds_left(self) -> float | None:
        """The remaining time, extrapolated from the progress so far; None if unknown."""
        if self.state != "running" or self.started is None or self.progress <= 0:
            return None
        return (time.monotonic() - self.started) * (1 - self.progress) / self.progress


class JobQueue:
    """A queue of jobs and the thread that runs them.

    While the studio runs, the files of its jobs are in a separate subfolder of `parent`.
    """

    def __init__(self, parent: Path) -> None:
        scratch.remove_abandoned(parent, SCRATCH_KIND)
        self.folder = parent / scratch.owned_name(SCRATCH_KIND)
        self._jobs: dict[str, Job] = {}
        self._is_closed = False
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._thread = threading.Thread(target=self._run_all, name="jobs", daemon=True)
        self._thread.start()

    def submit(
        self,
        kind: JobKind,
        work: Callable[[Job], None],
        target: bytes | None = None,
        variables: Sequence[Variables] = (),
    ) -> Job:
        """Enqueue a job; raise `JobQueueFullError` if too many are unfinished."""
        with self._lock:
            unfinished = [job for job in self._jobs.values() if job.state not in FINAL_STATES]
            if len(unfinished) >= MAX_UNFINISHED:
                raise JobQueueFullError
            self._delete_oldest()
            id = secrets.token_hex(8)
            job = Job(id, kind, work, self.folder / id, target=target)
            job.found = dict.fromkeys(variables)
            self._jobs[id] = job
            self._changed.notify()
        return job

    def get(self, id: str) -> Job | None:
        return self._jobs.get(id)

    def cancel(self, job: Job) -> None:
        """Cancel a job, or delete it with its file if it has finished."""
        job.cancelled.set()
        with self._lock:
            if job.state == "waiting":
                job.state = "cancelled"
            elif job.state in FINAL_STATES:
                self._delete(job)

    def close(self) -> None:
        """Cancel all jobs and delete their files."""
        with self._lock:
            self._is_closed = True
            for job in self._jobs.values():
                job.cancelled.set()
            self._changed.notify()
        self._thread.join(timeout=10)
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # not empty while other studios have jobs
            self.folder.parent.rmdir()

    def _delete_oldest(self) -> None:
        finished = [job for job in self._jobs.values() if job.state in FINAL_STATES]
        for job in finished[: max(0, len(finished) - MAX_FINISHED + 1)]:
            self._delete(job)

    def _delete(self, job: Job) -> None:
        self._jobs.pop(job.id, None)
        shutil.rmtree(job.folder, ignore_errors=True)

    def _run_all(self) -> None:
        while (job := self._start_next()) is not None:
            job.state = self._run(job)

    def _start_next(self) -> Job | None:
        """Return the oldest waiting job once there is one; None when the queue is closed."""
        with self._changed:
            while not self._is_closed:
                for job in self._jobs.values():
                    if job.state == "waiting":
                        job.state, job.started = "running", time.monotonic()
                        return job
                self._changed.wait()
        return None

    def _run(self, job: Job) -> JobState:
        try:
            job.folder.mkdir(parents=True, exist_ok=True)
            job.work(job)
        except JobCancelledError:
            shutil.rmtree(job.folder, ignore_errors=True)
            return "cancelled"
        except Exception as error:  # a failed job must not stop the queue
            if not isinstance(error, UserError | OSError):
                log(traceback.format_exc())
            job.error = first_line(error)
            shutil.rmtree(job.folder, ignore_errors=True)
            return "failed"
        job.progress = 1.0
        return "done"
