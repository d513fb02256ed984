"""Requests from other sites and machines are rejected."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from anime_dcgan.studio import security
from anime_dcgan.studio.app import Settings, create_app
from tests.studio.conftest import CHANGE

TOKEN = "a-token-that-nobody-guesses"
NAME = {"name": "mine"}


@pytest.fixture
def open_client(outputs: Path, tmp_path: Path) -> Iterator[TestClient]:
    """A client of a studio open to the network under any host name, with a token."""
    app = create_app(Settings(outputs, tmp_path / "studio", hosts=None, token=TOKEN))
    with TestClient(app, base_url="http://studio.example:8765", follow_redirects=False) as client:
        yield client


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost", "LOCALHOST:1", "[::1]:8765"])
def test_loopback_host_names_are_accepted(client: TestClient, host: str):
    assert client.get("/api/state", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "", "127.0.0.1.evil.example"]
)
def test_other_host_names_are_rejected(client: TestClient, host: str):
    assert client.get("/api/state", headers={"host": host}).status_code == 421


def test_requests_from_other_sites_are_rejected(client: TestClient):
    evil = {"origin": "http://evil.example"}
    assert client.post("/api/collections", json=NAME, headers=evil).status_code == 403
    assert client.get("/api/runs", headers=evil).status_code == 403
    assert client.get("/api/runs", headers={"origin": "null"}).status_code == 403
    assert client.get("/api/face.png", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    own = {"origin": "http://127.0.0.1", "sec-fetch-site": "same-origin"}
    assert client.post("/api/collections", json=NAME, headers=own).status_code == 201
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/", headers=link).status_code == 200


def test_changes_need_the_studio_header(outputs: Path, tmp_path: Path):
    app = create_app(Settings(outputs, tmp_path / "studio"))
    with TestClient(app, base_url="http://localhost") as plain:
        assert plain.post("/api/collections", json=NAME).status_code == 403
        assert plain.post("/api/collections", json=NAME, headers=CHANGE).status_code == 201


def test_the_token_in_the_url_sets_a_cookie(open_client: TestClient):
    page = open_client.get("/")
    assert page.status_code == 401 and 'name="token"' in page.text
    assert open_client.get("/static/token.js").status_code == 200
    refused = open_client.get("/api/runs")
    assert refused.status_code == 401 and refused.headers["www-authenticate"] == "Bearer"
    assert open_client.get("/?token=wrong").status_code == 401
    answer = open_client.get(f"/?token={TOKEN}")
    assert answer.status_code == 303 and answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie
    assert open_client.get("/api/runs").status_code == 200


def test_scripts_can_send_the_token_in_a_header(open_client: TestClient):
    def status(authorization: str) -> int:
        return open_client.get("/api/runs", headers={"authorization": authorization}).status_code

    assert status(f"Bearer {TOKEN}") == 200
    assert {status(f"Bearer {TOKEN}x"), status("Bearer"), status(f"Basic {TOKEN}")} == {401}


def test_a_proxy_may_show_the_studio_under_another_name(outputs: Path, tmp_path: Path):
    settings = Settings(
        outputs, tmp_path / "studio", token=TOKEN, public="https://studio.example:8443"
    )
    headers = {**CHANGE, "authorization": f"Bearer {TOKEN}", "origin": settings.public or ""}
    with TestClient(create_app(settings), base_url="http://127.0.0.1", headers=headers) as client:
        for host in ("studio.example:8443", "127.0.0.1:8765"):  # the proxy may keep the name
            answer = client.post("/api/collections", json={"name": host}, headers={"host": host})
            assert answer.status_code == 201
        assert client.get("/", headers={"host": "evil.example"}).status_code == 421
        evil = {"origin": "https://evil.example"}
        assert client.get("/api/runs", headers=evil).status_code == 403


def test_accepting_any_host_requires_a_token(outputs: Path, tmp_path: Path):
    with pytest.raises(AssertionError):
        security.SecurityMiddleware(lambda *_: None, hosts=None, token=None)  # type: ignore[arg-type]


def test_large_bodies_are_rejected_before_they_are_read(client: TestClient):
    body = b"x" * (security.MAX_BODY_BYTES + 1)
    assert client.post("/api/saved", content=body).status_code == 413
    pieces = (b"x" * 65_536 for _ in range(10))  # without a Content-Length
    assert client.post("/api/saved", content=pieces).status_code in (400, 413)
    negative = {"content-length": "-5"}
    assert client.post("/api/saved", content=b"{}", headers=negative).status_code == 413


def test_every_response_has_security_headers(client: TestClient):
    for path in ("/", "/api/runs", "/api/none", "/static/none.js", "/openapi.json"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2f..%2fapp.py", "//etc/passwd"],
)
def test_paths_outside_the_static_folder_are_not_found(client: TestClient, path: str):
    assert client.get(path).status_code == 404
