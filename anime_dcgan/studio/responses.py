"""Pictures as responses, which browsers keep until their generator changes."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from anime_dcgan.explore.face import Face
from anime_dcgan.studio.context import Studio

BINARY = {"schema": {"type": "string", "format": "binary"}}
HEADERS = {
    "X-Digest": {"description": "hash of the generator's weights", "schema": {"type": "string"}},
    "X-Epoch": {"description": "its epoch as a number", "schema": {"type": "string"}},
}
PNG = {
    200: {"content": {"image/png": BINARY}, "headers": HEADERS},
    304: {"description": "not modified"},
}


class Png(Response):
    media_type = "image/png"


async def face_picture(
    studio: Studio, request: Request, face: Face, render: Callable[[Face], Awaitable[bytes]]
) -> Response:
    """Return the picture, or 304 if the browser has it and its generator is the same.

    The headers name the generator that drew it, so that the page can keep this very face.
    """
    resolved = await run_in_threadpool(studio.resolve, face)
    names: dict[str, str] = {}
    if resolved.digest is not None:
        names = {"x-digest": resolved.digest, "x-epoch": resolved.epoch}

    async def draw() -> bytes:
        await studio.prepare([resolved])
        return await render(resolved)

    return await cached_picture(request, str(resolved.digest), draw, names)


async def cached_picture(
    request: Request,
    state: str,
    render: Callable[[], Awaitable[bytes]],
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the picture, or 304 if the browser has it and `state` has not changed."""
    key = f"{request.url.query} {state}"
    tag = f'"{hashlib.sha256(key.encode()).hexdigest()[:20]}"'
    cached = {"etag": tag, "cache-control": "private, no-cache", **(headers or {})}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=cached)
    return Png(await render(), headers=cached)
