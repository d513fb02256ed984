"""Stopped scans, full disks and missing permissions."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from anime_dcgan.cleaning import scan
from anime_dcgan.system import files
from tests.prepare.pile import (
    SOURCE,
    Call,
    error_line,
    raise_disk_full,
    raise_forbidden,
    rows_of,
    run_python,
)
from tests.waiting import wait_until

SLOW_SCAN = """
import time
from anime_dcgan.cleaning import outliers
from anime_dcgan.cleaning import scan
from anime_dcgan.system import files

scan.CHUNK = 8
outliers.features = lambda faces: outliers._shape(outliers.luminance(faces))
measure_pictures = scan.measure_pictures

def slow(pictures, finder, model, indices):
    if indices.start >= 32:
        time.sleep(60)
    return measure_pictures(pictures, finder, model, indices)

scan.measure_pictures = slow  # also in the workers, which import this file

if __name__ == "__main__":
    from anime_dcgan.prepare import main
    main()
"""

STOPPED = (SOURCE, "holdout=0.2")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The indices of the pictures that this process measures, in chunks of 8."""
    numbers: list[int] = []
    measure_pictures = scan.measure_pictures

    def noted(pictures: Any, finder: Any, model: Any, indices: range) -> scan.ScanChunk:
        numbers.extend(indices)
        return measure_pictures(pictures, finder, model, indices)

    monkeypatch.setattr(scan, "CHUNK", 8)
    monkeypatch.setattr(scan, "measure_pictures", noted)
    return numbers


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_stopped_and_killed_scans_resume_to_the_same_manifest(
    call: Call, pile: Path, tmp_path: Path, measured: list[int], number: int
):
    (tmp_path / "slow.py").write_text(SLOW_SCAN)
    out, complete = tmp_path / "stopped", pile / "complete"
    process = run_python(
        *(str(tmp_path / "slow.py"), *STOPPED, f"out={out}", "workers=2"), cwd=pile
    )
    wait_until(lambda: len(list(out.glob("scan/*/chunk-*"))) >= 4, process=process)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # like a terminal, which interrupts the workers as well
    else:
        process.kill()
    _, err = process.communicate(timeout=20)  # returns once the workers have exited, too
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert err.splitlines()[-1] == "stopped"
        assert "Traceback" not in err
    assert not (out / "manifest.csv").exists()
    call("prepare", *STOPPED, f"out={out}", "workers=1", cwd=pile)
    assert measured == list(range(32, 68))
    if not complete.exists():
        call("prepare", *STOPPED, "out=complete", "workers=1", cwd=pile)
        assert measured[36:] == list(range(68))
    assert contents(out) == contents(complete)


def contents(out: Path) -> dict[str, bytes]:
    """Return the contents of the manifest and of all chunks by path; all of them are complete."""
    files = [out / "manifest.csv", *out.glob("scan/*/chunk-*/*")]
    assert len(files) == 1 + 9 * 4
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def test_a_full_disk_during_the_scan_is_reported_and_the_scan_resumes(
    call: Call, pile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    settings = (SOURCE, f"out={tmp_path / 'out'}", "workers=1")
    with monkeypatch.context() as context:
        context.setattr("anime_dcgan.cleaning.scan.np.save", raise_disk_full)
        line = error_line(call("prepare", *settings, cwd=pile, status=2))
    assert "No space left on device" in line and "out=..." in line
    call("prepare", *settings, cwd=pile)
    assert len(rows_of(tmp_path / "out")) == 68


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_at_the_end_leaves_the_previous_manifest(
    call: Call, pile: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
):
    before = (prepared / "manifest.csv").read_bytes()
    temporary = files._partial_name

    def on_a_full_disk(path: Path) -> Path:
        name = temporary(path)
        if path.name == "manifest.csv":
            name.symlink_to("/dev/full")
        return name

    monkeypatch.setattr(files, "_partial_name", on_a_full_disk)
    settings = (SOURCE, f"out={prepared}", "thresholds.outlier=null")
    line = error_line(call("prepare", *settings, cwd=pile, status=2))
    assert line.startswith(f"out={prepared} cannot be used (No space left on device)")
    assert (prepared / "manifest.csv").read_bytes() == before


@pytest.mark.parametrize("function", ["mkdir", "is_file", "exists"])
def test_a_folder_without_permissions_is_reported(
    call: Call, pile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
):
    before = getattr(Path, function)

    def shut(path: Path, *argv: object, **settings: object) -> object:
        return (raise_forbidden if "shut" in path.parts else before)(path, *argv, **settings)

    monkeypatch.setattr(Path, function, shut)
    result = call("prepare", SOURCE, f"out={tmp_path / 'shut'}", cwd=pile, status=2)
    assert "Permission denied" in error_line(result)
    assert "out=" in result.stderr


def test_a_folder_that_cannot_be_listed_is_named(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "in/shut").mkdir(parents=True)
    listed = os.scandir

    def shut(path: Path) -> object:
        return raise_forbidden() if path.name == "shut" else listed(path)

    monkeypatch.setattr("os.scandir", shut)
    line = error_line(call("prepare", "source=in", cwd=tmp_path, status=2))
    shut_folder = tmp_path / "in/shut"
    assert line == f"{shut_folder} cannot be listed (Permission denied): make it readable\n"
