"""What keeps other pages and other machines out: hosts, origins, a token, sizes.

A page on loopback is within reach of every web page that its user visits: a form may post to it,
and a name that is bound to 127.0.0.1 may even read from it. So the name by which the studio is
called is checked, the origin of each request, and a header that no foreign form can send.
"""

import hmac
from collections.abc import MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
READING = ("GET", "HEAD")
LARGEST_BODY = 256 * 1024
LARGEST_UPLOAD = 10 * 1024**2
UPLOADS = ("/api/jobs/projection",)
LARGEST_COLLECTION = 128 * 1024**2
COLLECTIONS = ("/api/collections/import",)
COOKIE = "anime_studio"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
ALWAYS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class SecurityMiddleware:
    """Refuses what does not come from the studio's own page, or from a script that has the token.

    Parameters:
        hosts: names under which the studio may be called, without port; None for any, which a
            token must then make good.
        token: that every request must bring, as a cookie or as `Authorization: Bearer ...`.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None, token: str | None) -> None:
        assert hosts is not None or token is not None, "open to all names, and no token"
        self.app = app
        self.hosts = hosts
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        refusal = self._refuse(scope)
        if refusal is not None:
            await refusal(scope, receive, _with_headers(send))
            return
        limited = _Limited(receive, _limit_of(scope["path"]))
        try:
            await self.app(scope, limited, _with_headers(send))
        except _TooLarge as error:
            await _refusal(413, str(error))(scope, receive, _with_headers(send))

    def _refuse(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.hosts is not None and _without_port(host) not in self.hosts:
            return _refusal(421, "the studio is not called by this name")
        if _is_foreign(headers, host):
            return _refusal(403, "another page may not ask the studio")
        if scope["method"] not in READING and headers.get("x-studio") != "1":
            return _refusal(403, "a change needs the header X-Studio: 1")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > _limit_of(scope["path"]):
            return _refusal(413, _TooLarge.said(_limit_of(scope["path"])))
        return self._refuse_without_token(scope, headers)

    def _refuse_without_token(self, scope: Scope, headers: Headers) -> Response | None:
        if self.token is None:
            return None
        if scope["path"] == "/" and scope["method"] == "GET":
            given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
            if self._is_token(given):
                answer = RedirectResponse("/", 303)
                answer.set_cookie(COOKIE, given, httponly=True, samesite="strict")
                return answer
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(bearer.strip()):
            return None
        if self._is_token(_cookie(headers)):
            return None
        return _refusal(401, "open the studio by the address that it printed, with its token")

    def _is_token(self, given: str) -> bool:
        assert self.token is not None
        return hmac.compare_digest(given.encode(), self.token.encode())


def _is_foreign(headers: Headers, host: str) -> bool:
    """Whether a browser says that another page asks. Scripts say nothing."""
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != host:
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


def _limit_of(path: str) -> int:
    if path in UPLOADS:
        return LARGEST_UPLOAD + LARGEST_BODY  # what multipart wraps around it
    return LARGEST_COLLECTION if path in COLLECTIONS else LARGEST_BODY


class _TooLarge(Exception):
    @staticmethod
    def said(limit: int) -> str:
        return f"this is more than the {limit // 1024:,} kB that the studio takes in here"


class _Limited:
    """`receive`, which ends a request that brings more than it promised."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive, self._limit, self._seen = receive, limit, 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > self._limit:
            raise _TooLarge(_TooLarge.said(self._limit))
        return message


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in ALWAYS.items():
                headers[name] = value
        await send(message)

    return sending


def _refusal(status: int, reason: str) -> Response:
    return JSONResponse({"detail": reason}, status)
