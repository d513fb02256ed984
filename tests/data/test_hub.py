"""A small hub on loopback: complete, interrupted, invalid and cached downloads."""

import hashlib
import io
import json
import pickle
import re
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

from anime_dcgan.data import hub_download, hub_repository
from anime_dcgan.data.cache import open_cache
from anime_dcgan.data.hub import HubFaces
from anime_dcgan.data.source import Pictures, Source
from anime_dcgan.system.errors import UserError
from tests.conftest import compose_train
from tests.data.loopback_hub import (
    COLOURS,
    COMMIT,
    REPO,
    LoopbackHub,
    breaks_after,
    png,
    send,
    unavailable,
)

pytest.importorskip("huggingface_hub")


@pytest.fixture
def loopback() -> LoopbackHub:
    return LoopbackHub()


@pytest.fixture
def address(loopback: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the hub, which is reached without a proxy."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            loopback.answer(self, unquote(urlsplit(self.path).path), "")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            loopback.answer(self, unquote(urlsplit(self.path).path), body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 50_000)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_TOKEN", "hf_not_to_be_sent")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
    from huggingface_hub.utils import close_session

    close_session()


Open = Callable[..., HubFaces]


@pytest.fixture
def faces(address: str, tmp_path: Path) -> Open:
    """A function that opens the data set like another run, with some parameters changed."""

    def open_faces(**changes: str | None) -> HubFaces:
        settings = {
            "revision": COMMIT,
            "cache_dir": str(tmp_path / "downloaded"),
            "endpoint": address,
        }
        return HubFaces(**{"repo": REPO, **settings, **changes})  # pyright: ignore[reportArgumentType]

    return open_faces


def downloaded(tmp_path: Path, pattern: str) -> list[Path]:
    return sorted((tmp_path / "downloaded").rglob(pattern))


def pixel(faces: HubFaces, index: int) -> tuple[float, ...]:
    return tuple(np.asarray(faces.read(index, 4)).mean(axis=(0, 1)))


def test_the_archive_is_downloaded_on_first_use(
    faces: Open, loopback: LoopbackHub, tmp_path: Path, capfd
) -> None:
    source = faces()
    assert loopback.requests == 0
    assert isinstance(source, Source)
    assert isinstance(source, Pictures)
    assert len(source) == 3  # each is in two folders of the archive
    assert [source.name(index) for index in range(3)] == [f"images/{name}.png" for name in "abc"]
    assert [pixel(source, index) for index in range(3)] == list(COLOURS.values())
    assert source.picture(2).size == (8, 8)
    assert source.bytes(2) == len(png(COLOURS["c"]))
    assert loopback.downloads == [None]
    assert loopback.tokens == []
    (archive,) = downloaded(tmp_path, "*.zip")
    assert archive.read_bytes() == loopback.files["data.zip"]
    assert not downloaded(tmp_path, "*.incomplete")
    printed = capfd.readouterr().err.splitlines()
    assert printed[0].startswith(f"downloading data.zip of {REPO} once, ")
    assert (
        "licence unclear: its card states cc0-1.0, but drawings belong to their artists"
        in printed[1]
    )


def test_the_size_is_printed_in_megabytes(
    faces: Open, loopback: LoopbackHub, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    monkeypatch.setattr(
        hub_repository.Repository, "download", lambda *_: pytest.fail("too much to fetch")
    )
    monkeypatch.setattr(
        hub_download.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10**9})
    )
    loopback.licence = None
    entry = loopback.entry("data.zip")
    entry["lfs"] = {"oid": "a" * 64, "size": 462_126_466, "pointerSize": 130}
    loopback.entry = lambda path: entry
    with pytest.raises(pytest.fail.Exception):
        len(faces(file="data.zip"))
    printed = capfd.readouterr().err
    assert f"downloading data.zip of {REPO} once, 462 MB, into " in printed
    assert "licence unclear: its card states none, but" in printed


def test_lack_of_space_is_reported_before_the_download(
    faces: Open, loopback: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        hub_download.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000})
    )
    with pytest.raises(UserError, match=r"1,000 bytes free, .* data\.fetch_dir="):
        len(faces())
    assert loopback.downloads == []


def test_a_broken_connection_is_resumed_at_once(faces: Open, loopback: LoopbackHub) -> None:
    loopback.faults = [breaks_after(100_000)]
    assert len(faces()) == 3
    assert loopback.downloads == [None, "bytes=100000-"]


def test_a_later_run_resumes_the_download(
    faces: Open, loopback: LoopbackHub, tmp_path: Path, capfd
) -> None:
    loopback.faults = [breaks_after(200_000), unavailable]
    with pytest.raises(UserError, match="run the command again to resume"):
        len(faces())
    (partial,) = downloaded(tmp_path, "*.incomplete")
    assert partial.read_bytes() == loopback.files["data.zip"][:200_000]
    assert not downloaded(tmp_path, "*.zip")
    capfd.readouterr()
    assert len(faces()) == 3
    assert loopback.downloads == [None, "bytes=200000-", "bytes=200000-"]
    assert not downloaded(tmp_path, "*.incomplete")
    printed = capfd.readouterr().err
    assert f"resuming data.zip of {REPO} at 200,000 bytes of " in printed
    assert "licence" not in printed


def test_a_server_without_ranges_restarts_the_download(faces: Open, loopback: LoopbackHub) -> None:
    loopback.faults = [breaks_after(200_000), breaks_after(10**9)]
    assert len(faces()) == 3
    assert loopback.downloads == [None, "bytes=200000-"]


@pytest.mark.parametrize("length", ["shorter", "equal", "longer"])
def test_a_wrong_checksum_is_reported_and_the_file_removed(
    faces: Open, loopback: LoopbackHub, tmp_path: Path, length: str
) -> None:
    right = loopback.files["data.zip"]
    wrong = {"shorter": right[:-9], "equal": right[:-9] + bytes(9), "longer": right + b"x"}[length]
    loopback.checksums = {"data.zip": hashlib.sha256(right).hexdigest()}
    loopback.faults = [lambda request, data: send(request, 200, sizes(wrong), wrong)]
    expected = "does not have the SHA-256" if length == "equal" else "should be of size"
    with pytest.raises(UserError, match=expected):
        len(faces())
    assert not downloaded(tmp_path, "*.zip")
    if length == "equal":
        assert not downloaded(tmp_path, "*.incomplete")
    if length != "shorter":
        assert len(faces()) == 3
        assert loopback.downloads == [None, None]


def sizes(data: bytes) -> dict[str, str]:
    return {"Content-Length": str(len(data))}


def test_a_downloaded_archive_needs_no_network(faces: Open, loopback: LoopbackHub) -> None:
    before = faces().identity()
    requested = loopback.requests
    assert faces().identity() == before
    nowhere = faces(endpoint="http://127.0.0.1:9")
    assert pixel(nowhere, 1) == COLOURS["b"]
    assert loopback.requests == requested


def test_a_branch_stays_as_downloaded(faces: Open, loopback: LoopbackHub) -> None:
    identity = faces(revision="main", file=None).identity()
    assert identity == {**faces().identity(), "revision": COMMIT}
    loopback.files["data.zip"] = b"something else"
    assert faces(revision="main").identity() == identity


def test_a_damaged_archive_is_downloaded_again(
    faces: Open, loopback: LoopbackHub, tmp_path: Path
) -> None:
    len(faces())
    (archive,) = downloaded(tmp_path, "*.zip")
    archive.write_bytes(archive.read_bytes()[:1000])
    assert pixel(faces(), 0) == COLOURS["a"]
    assert loopback.downloads == [None, None]


def test_the_identity_depends_on_content_not_location(
    faces: Open, loopback: LoopbackHub, tmp_path: Path
) -> None:
    identity = faces().identity()
    digest = hashlib.sha256(loopback.files["data.zip"]).hexdigest()
    assert identity["sha256"] == digest
    assert (identity["repo"], identity["revision"]) == (REPO, COMMIT)
    assert str(tmp_path) not in json.dumps(identity)
    assert faces(cache_dir=str(tmp_path / "elsewhere")).identity() == identity


def test_workers_read_the_downloaded_archive(faces: Open, loopback: LoopbackHub) -> None:
    pickled = pickle.dumps(faces())
    requested = loopback.requests
    assert loopback.downloads == [None]
    reading = "import pickle, sys; print(pickle.load(sys.stdin.buffer).read(1, 1).getpixel((0, 0)))"
    read = subprocess.run(
        [sys.executable, "-W", "error", "-c", reading], input=pickled, capture_output=True
    )
    assert read.stdout.decode().strip() == str(COLOURS["b"]), read.stderr.decode()
    assert loopback.requests == requested


def test_concurrent_processes_download_once(
    faces: Open, loopback: LoopbackHub, address: str, tmp_path: Path
) -> None:
    counting = (
        "from anime_dcgan.data.hub import HubFaces;"
        f"print(len(HubFaces({REPO!r}, {COMMIT!r}, cache_dir={str(tmp_path / 'downloaded')!r})))"
    )
    environment = {"HF_ENDPOINT": address, "NO_PROXY": "127.0.0.1", "TQDM_POSITION": "-1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", counting],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    results = [process.communicate(timeout=60) for process in processes]
    assert [out.strip() for out, _ in results] == [b"3", b"3"], results
    assert loopback.downloads == [None]
    assert b"data.zip: 100%" in b"".join(err for _, err in results)


def test_downloaded_faces_are_decoded_into_a_cache(faces: Open, tmp_path: Path) -> None:
    cache = open_cache(faces(), 4, tmp_path / "decoded")
    assert [tuple(image[0, 0]) for image in cache.images] == list(COLOURS.values())


def test_the_only_archive_is_found_without_its_name(faces: Open, loopback: LoopbackHub) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        member = tarfile.TarInfo("a.png")
        member.size = len(png(COLOURS["a"]))
        archive.addfile(member, io.BytesIO(png(COLOURS["a"])))
    loopback.files = {"README.md": b"a card", "faces.tar.gz": stream.getvalue()}
    source = faces(file=None)
    assert source.identity()["file"] == "faces.tar.gz"
    assert pixel(source, 0) == COLOURS["a"]


@pytest.mark.parametrize(
    ("files", "file", "message"),
    [
        (["a.zip", "b.tar"], None, "several archives: use data.file= one of a.zip, b.tar"),
        (["train.parquet"], None, f"at data.revision={COMMIT} has no archive in its top folder"),
        (["a.zip"], "c.zip", "has no data.file=c.zip that can be read"),
        (["a.parquet"], "a.parquet", "has no data.file=a.parquet that can be read"),
        (["a.zip"], None, f"a.zip of {REPO} is a broken archive"),
    ],
)
def test_unusable_archives_are_reported(
    faces: Open, loopback: LoopbackHub, files: list[str], file: str | None, message: str
) -> None:
    loopback.files = {name: b"not an archive" for name in files}
    with pytest.raises(UserError) as caught:
        len(faces(file=file))
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"repo": "painters/nothing"},
            "data.repo=painters/nothing is not a public data set on http",
        ),
        ({"repo": "a name"}, "data.repo=a name is not a valid name: use owner/name"),
        ({"revision": "v9"}, f"data.revision=v9 is not a commit, tag or branch of {REPO}: use "),
        ({"endpoint": "http://127.0.0.1:9"}, f"{REPO} cannot be fetched from http://127.0.0.1:9 ("),
    ],
)
def test_unreachable_data_sets_are_reported(
    faces: Open, changes: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as caught:
        len(faces(**changes))
    assert str(caught.value).startswith(message)
    assert len(str(caught.value).splitlines()) <= 2
    assert not downloaded(tmp_path, "*.json")


def test_offline_mode_is_reported(faces: Open, loopback: LoopbackHub, monkeypatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="cannot be fetched"):
        len(faces())
    assert loopback.requests == 0


@pytest.mark.parametrize("package", ["huggingface_hub", "httpx2"])
def test_a_missing_package_is_named(
    faces: Open, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError) as caught:
        len(faces())
    assert str(caught.value) == ('data=anime_faces needs another package: pip install -e ".[hub]"')


def test_the_configuration_pins_a_commit() -> None:
    source = compose_train("data=anime_faces", "run_dir=x").data.source
    assert source._target_ == "anime_dcgan.data.hub.HubFaces"
    assert (source.repo, source.file) == ("huggan/anime-faces", "data.zip")
    assert re.fullmatch("[0-9a-f]{40}", source.revision)
