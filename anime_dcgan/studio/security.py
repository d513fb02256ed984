"""Protection from other sites and machines: Host, Origin, token and body size checks.

Any web page that the user visits can reach a server on loopback: a form can post to it, and a
domain that resolves to 127.0.0.1 (DNS rebinding) can even read from it. The middleware therefore
checks the Host header, the origin of each request, and a header that no cross-site form can send.
"""

import hmac
from collections.abc import Mapping, MutableMapping, Set
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
SAFE_METHODS = ("GET", "HEAD")
MAX_BODY_BYTES = 256 * 1024
MAX_UPLOAD_BYTES = 10 * 1024**2
UPLOAD_PATHS = ("/api/jobs/projection",)
MAX_COLLECTION_BYTES = 128 * 1024**2
COLLECTION_PATHS = ("/api/collections/import",)
COOKIE = "anime_studio"
PUBLIC_PATHS = ("/static/", "/theme.css")
"""Files of the page itself, which hold nothing of the user; the page for the token needs them."""
TOKEN_PAGE = Path(__file__).parent / "static" / "token.html"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
SECURITY_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class SecurityMiddleware:
    """Rejects requests that come neither from the studio's own page nor from an authorised script.

    Parameters:
        hosts: accepted names in the Host header, without port; None accepts any and needs a token.
        token: required in every request, as a cookie or as `Authorization: Bearer ...`.
        public: address under which a proxy shows the studio; its pages are the studio's own.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: frozenset[str] | None,
        token: str | None,
        public: str | None = None,
    ) -> None:
        assert hosts is not None or token is not None, "a studio without host names needs a token"
        self.app = app
        self.token = token
        self.public = urlsplit(public or "")
        name = self.public.hostname
        self.hosts = hosts if hosts is None or name is None else hosts | {name}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        rejection = self._reject(scope)
        if rejection is not None:
            await rejection(scope, receive, _with_headers(send))
            return
        limited = _LimitedReceive(receive, _max_bytes(scope["path"]))
        try:
            await self.app(scope, limited, _with_headers(send))
        except _BodyTooLargeError as error:
            await _problem(413, str(error))(scope, receive, _with_headers(send))

    def _reject(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.hosts is not None and _without_port(host) not in self.hosts:
            return _problem(
                421,
                "the Host header is not a name of this studio: behind a proxy, start it with "
                "public=... and the address that the proxy shows",
            )
        if _is_cross_site(headers, {host, self.public.netloc}):
            return _problem(403, "requests from other sites are not allowed")
        if scope["method"] not in SAFE_METHODS and headers.get("x-studio") != "1":
            return _problem(403, "requests that change something need the header X-Studio: 1")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > _max_bytes(scope["path"]):
            return _problem(413, str(_BodyTooLargeError(_max_bytes(scope["path"]))))
        return self._reject_without_token(scope, headers)

    def _reject_without_token(self, scope: Scope, headers: Headers) -> Response | None:
        if self.token is None or scope["path"].startswith(PUBLIC_PATHS):
            return None
        if scope["path"] == "/" and scope["method"] == "GET":
            candidate = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
            if self._is_token(candidate):
                answer = RedirectResponse("/", 303)
                # Lax: a link on another site opens the studio; other requests lack the cookie.
                is_secure = self.public.scheme == "https"
                answer.set_cookie(
                    COOKIE, candidate, httponly=True, samesite="lax", secure=is_secure
                )
                return answer
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(bearer.strip()):
            return None
        if self._is_token(_cookie(headers)):
            return None
        if headers.get("sec-fetch-mode") == "navigate" or scope["path"] == "/":
            return HTMLResponse(TOKEN_PAGE.read_text(encoding="utf-8"), 401)
        return _problem(
            401,
            "open the studio by the address that it printed, which contains the token",
            {"www-authenticate": "Bearer"},
        )

    def _is_token(self, candidate: str) -> bool:
        assert self.token is not None
        return hmac.compare_digest(candidate.encode(), self.token.encode())


def _is_cross_site(headers: Headers, own: Set[str]) -> bool:
    """Return True if the browser headers show another site; scripts send no such headers."""
    origin = headers.get("origin")
    if origin is not None and (urlsplit(origin).netloc or origin) not in own:
        return True
    site, mode = headers.get("sec-fetch-site"), headers.get("sec-fetch-mode")
    return site in ("cross-site", "same-site") and mode != "navigate"


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()


def _cookie(headers: Headers) -> str:
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[COOKIE].value if COOKIE in cookies else ""


def _max_bytes(path: str) -> int:
    if path in UPLOAD_PATHS:
        return MAX_UPLOAD_BYTES + MAX_BODY_BYTES  # room for the multipart envelope
    return MAX_COLLECTION_BYTES if path in COLLECTION_PATHS else MAX_BODY_BYTES


class _BodyTooLargeError(Exception):
    def __init__(self, limit: int) -> None:
        super().__init__(f"the request body exceeds the limit of {limit // 1024:,} kB")


class _LimitedReceive:
    """Wraps `receive` and aborts a request whose body exceeds the limit."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive, self._limit, self._received = receive, limit, 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > self._limit:
            raise _BodyTooLargeError(self._limit)
        return message


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers[name] = value
        await send(message)

    return send_with_headers


def _problem(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"detail": reason}, status, headers)
