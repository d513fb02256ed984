"""Background jobs: films, zip archives and projections, with progress and cancellation."""

import io
import json
import os
import subprocess
import sys
import threading
import weakref
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image

from anime_dcgan.explore import projection
from anime_dcgan.studio.app import Settings, create_app
from anime_dcgan.studio.jobs import (
    MAX_FINISHED,
    MAX_UNFINISHED,
    SCRATCH_KIND,
    Job,
    JobQueue,
    JobQueueFullError,
)
from anime_dcgan.system import scratch
from tests.checkpoints import make_checkpoint, make_style_checkpoint
from tests.studio.conftest import CHANGE
from tests.waiting import wait_until

FACE = {"run": "a", "epoch": "10", "seed": 5}
FACES = [FACE, {**FACE, "seed": 6}, {**FACE, "moves": {"sefa.0": 2}}]


def finished(client: TestClient, job: dict[str, Any]) -> dict[str, Any]:
    """Return the job once it has ended."""

    def ended() -> dict[str, Any] | None:
        current = client.get(f"/api/jobs/{job['id']}").json()
        return None if current["state"] in ("waiting", "running") else current

    return wait_until(ended)


def submitted(client: TestClient, kind: str, **body: Any) -> dict[str, Any]:
    answer = client.post(f"/api/jobs/{kind}", json=body)
    assert answer.status_code == 202, answer.text
    return finished(client, answer.json())


@pytest.mark.parametrize("extension", ["gif", "mp4"])
def test_a_film_has_the_requested_format_and_length(client: TestClient, extension: str):
    job = submitted(client, "film", faces=FACES, frames_per_face=5, format=extension, scale=2)
    assert job["state"] == "done" and job["progress"] == 1, job["error"]
    content = client.get(job["file"]).content
    if extension == "mp4":
        assert content[4:8] == b"ftyp"
    else:
        film = Image.open(io.BytesIO(content))
        assert (film.n_frames, film.size) == (15, (32, 32))  # type: ignore[attr-defined]


def test_a_zip_contains_every_face_with_its_metadata(client: TestClient):
    job = submitted(client, "zip", run="a", epoch="10", seed=30, count=40, truncation=0.7)
    archive = zipfile.ZipFile(io.BytesIO(client.get(job["file"]).content))
    names = archive.namelist()
    assert names[39].startswith("00039-a-epoch10-seed69-")  # and a digest of the truncation
    picture = Image.open(archive.open(names[3]))
    assert json.loads(picture.info["anime_dcgan"])["seed"] == 33
    alone = client.get("/api/face.png", params={**FACE, "seed": 33, "truncation": 0.7}).content
    np.testing.assert_array_equal(picture, Image.open(io.BytesIO(alone)))
    listed = submitted(client, "zip", faces=FACES)
    assert len(zipfile.ZipFile(io.BytesIO(client.get(listed["file"]).content)).namelist()) == 3


def test_a_projection_reports_progress_and_finds_the_face(client: TestClient):
    face = client.get("/api/face.png", params={**FACE, "scale": 4}).content
    answer = client.post(
        "/api/jobs/projection",
        files={"file": ("me.png", face, "image/png")},
        data={"run": "a", "epoch": "10", "steps": "60"},
    )
    assert answer.status_code == 202, answer.text
    target = client.get(f"/api/jobs/{answer.json()['id']}/target.png").content
    assert Image.open(io.BytesIO(target)).size == (16, 16)
    job = finished(client, answer.json())
    assert job["state"] == "done" and job["face"]["latent"], job["error"]
    assert float(job["detail"].split()[-1]) < 0.15
    params = {key: value for key, value in job["face"].items() if value is not None and value != {}}
    assert client.get("/api/face.png", params=params).status_code == 200


def test_projections_onto_latents_and_styles_are_compared(tmp_path: Path):
    make_style_checkpoint(tmp_path / "styles/checkpoints/epoch=0001.ckpt")
    make_checkpoint(tmp_path / "a/checkpoints/epoch=0010.ckpt")
    app = create_app(Settings(tmp_path, tmp_path / "studio"))
    kinds = ["latent", "style", "layers"]
    with TestClient(app, base_url="http://127.0.0.1", headers=CHANGE) as client:
        picture = client.get("/api/face.png", params={**FACE, "scale": 2}).content

        def project(**data: Any) -> Any:
            file = {"file": ("me.png", picture, "image/png")}
            return client.post("/api/jobs/projection", files=file, data={"steps": "40", **data})

        job = finished(client, project(run="styles", epoch="1", variables=kinds).json())
        assert job["state"] == "done", job["error"]
        assert [each["variables"] for each in job["found"]] == kinds
        distances = [each["distance"] for each in job["found"]]
        nearest = job["found"][distances.index(min(distances))]
        assert job["face"] == nearest["face"] and len(set(distances)) == 3
        target = client.get(f"/api/jobs/{job['id']}/target.png").content
        for each in job["found"]:
            link = {"run": "styles", "epoch": "1", "latent": each["face"]["latent"]}
            drawn = pixels(client.get("/api/face.png", params=link).content)
            error = torch.from_numpy(drawn - pixels(target)).movedim(2, 0)[None] / 127.5
            measured = projection.multiscale_distance(error, torch.zeros(3, 16, 16))
            assert float(measured[0]) == pytest.approx(each["distance"], abs=0.01)
        (style,) = project(run="styles", epoch="1").json()["found"]
        assert style["variables"] == "style"
        refused = project(run="a", epoch="10", variables="layers")
        assert refused.status_code == 400 and "model=stylegan2" in refused.json()["detail"]
        assert project(run="a", epoch="10", variables="pixels").status_code == 422


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), np.float32)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 100])
def test_an_invalid_picture_is_rejected(client: TestClient, content: bytes):
    answer = client.post(
        "/api/jobs/projection",
        files={"file": ("me.png", content)},
        data={"run": "a", "epoch": "10"},
    )
    assert answer.status_code in (400, 422) and answer.json()["detail"]


def test_invalid_jobs_are_rejected_on_submission(client: TestClient):
    def refused(kind: str, **body: Any) -> int:
        return client.post(f"/api/jobs/{kind}", json=body).status_code

    assert refused("film", faces=FACES * 20, frames_per_face=24) == 400
    assert refused("film", faces=FACES[:1]) == 422
    assert refused("film", faces=[FACE, {**FACE, "epoch": "1"}]) == 400
    assert refused("zip", count=10) == 400
    assert refused("zip", run="none", epoch="1") == 404
    assert refused("zip", run="a", epoch="1", count=10_001) == 422
    assert client.get("/api/jobs/none").status_code == 404
    assert client.get("/api/jobs/none/file").status_code == 404


def test_a_cancelled_job_stops_and_leaves_no_file(client: TestClient):
    answer = client.post("/api/jobs/zip", json={"run": "a", "epoch": "10", "count": 10_000})
    job = answer.json()
    wait_until(lambda: client.get(f"/api/jobs/{job['id']}").json()["progress"] > 0)
    assert client.delete(f"/api/jobs/{job['id']}").status_code == 204
    assert finished(client, client.get(f"/api/jobs/{job['id']}").json())["state"] == "cancelled"
    assert client.get(f"/api/jobs/{job['id']}/file").status_code == 404


@pytest.fixture
def jobs(tmp_path: Path):
    made = JobQueue(tmp_path / "jobs")
    yield made
    made.close()
    assert not (tmp_path / "jobs").exists()


def wait(job: Job, *states: str) -> None:
    wait_until(lambda: job.state in states, seconds=20)


def test_jobs_run_one_at_a_time_and_the_queue_is_bounded(jobs: JobQueue):
    go = threading.Event()

    def wait_for_it(job: Job) -> None:
        go.wait()

    first = jobs.submit("zip", wait_for_it)
    others = [jobs.submit("zip", lambda job: None) for _ in range(MAX_UNFINISHED - 1)]
    wait(first, "running")
    with pytest.raises(JobQueueFullError):
        jobs.submit("zip", lambda job: None)
    jobs.cancel(others[0])
    assert others[0].state == "cancelled" and others[1].state == "waiting"
    go.set()
    for job in others[1:]:
        wait(job, "done")


def test_a_cancelled_job_leaves_the_queue(jobs: JobQueue):
    class Work:
        def __call__(self, job: Job) -> None: ...

    go = threading.Event()

    def wait_for_it(job: Job) -> None:
        go.wait()

    running = jobs.submit("zip", wait_for_it)
    wait(running, "running")
    abandoned: list[weakref.ref[Work]] = []

    def abandon(work: Work) -> None:
        abandoned.append(weakref.ref(work))
        jobs.cancel(jobs.submit("zip", work))

    for _ in range(MAX_UNFINISHED + MAX_FINISHED):
        abandon(Work())
    assert sum(work() is not None for work in abandoned) <= MAX_FINISHED
    go.set()
    wait(running, "done")


def test_a_failed_job_reports_one_line_and_the_next_job_runs(
    jobs: JobQueue, capsys: pytest.CaptureFixture[str]
):
    def fail(job: Job) -> None:
        (job.folder / "half").write_text("made")
        raise RuntimeError("no luck\nat all")

    failed = jobs.submit("zip", fail)
    wait(failed, "failed")
    assert failed.error == "no luck" and not failed.folder.exists()
    assert "Traceback" in capsys.readouterr().err
    wait(jobs.submit("zip", lambda job: None), "done")


def test_the_oldest_finished_jobs_are_deleted(jobs: JobQueue):
    def write(job: Job) -> None:
        job.file = job.folder / "a"
        job.file.write_text("a")

    made = []
    for _ in range(MAX_FINISHED + 5):
        made.append(jobs.submit("zip", write))
        wait(made[-1], "done")
    assert len(list(jobs.folder.iterdir())) <= MAX_FINISHED
    assert jobs.get(made[0].id) is None and jobs.get(made[-1].id) is made[-1]


def test_files_of_killed_studios_are_deleted_and_those_of_running_ones_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    folders = []
    for pid in (killed.pid, os.getppid()):
        with monkeypatch.context() as context:
            context.setattr(os, "getpid", lambda pid=pid: pid)
            folders.append(tmp_path / scratch.owned_name(SCRATCH_KIND))
        (folders[-1] / "job").mkdir(parents=True)
    jobs = JobQueue(tmp_path)
    jobs.close()
    assert [folder.exists() for folder in folders] == [False, True]
