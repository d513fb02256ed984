"""The application: parts, routes, guard, and what is said when something cannot be done."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

import anime_dcgan
from anime_dcgan.explore.renderer import Renderer
from anime_dcgan.studio import schemas
from anime_dcgan.studio.context import Studio
from anime_dcgan.studio.jobs import JobQueue, TooManyJobs
from anime_dcgan.studio.library import Library
from anime_dcgan.studio.render_queue import Busy, RenderQueue
from anime_dcgan.studio.routes import faces, jobs, kept, mixing, runs
from anime_dcgan.studio.security import LOOPBACK, SecurityMiddleware
from anime_dcgan.studio.store import Store, Taken
from anime_dcgan.system.errors import NotFoundError, UserError

STATIC = Path(__file__).parent / "static"
STATUSES: dict[type[Exception], int] = {NotFoundError: 404, Taken: 409, UserError: 400}
"""Of what a user can mend; the first kind that fits."""


@dataclass(frozen=True)
class Settings:
    """Where the runs lie, where the studio keeps its own things, and who may come in."""

    outputs: Path
    folder: Path
    only: str | None = None
    hosts: frozenset[str] | None = LOOPBACK
    token: str | None = None


def create_app(settings: Settings) -> FastAPI:
    """The studio as an ASGI application. Its database is opened, and migrated, here."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    studio = Studio(
        renderer=Renderer(settings.outputs),
        library=Library(settings.outputs, settings.only),
        store=Store(settings.folder / "studio.sqlite"),
        gate=RenderQueue(),
        jobs=JobQueue(settings.folder / "jobs"),
    )

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        studio.gate.close()
        studio.jobs.close()
        studio.store.close()

    app = FastAPI(
        title="anime_dcgan studio",
        version=anime_dcgan.__version__,
        description="Draw, mix and keep the faces of your own runs. "
        "Requests that change something need the header `X-Studio: 1`.",
        docs_url=None,  # both load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        responses=schemas.problems(401, 403, 413, 421, 422),
    )
    app.state.studio = studio
    for router in (runs.router, faces.router, mixing.router, jobs.router, kept.router):
        app.include_router(router)
    _say_what_is_wrong(app)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})

    app.add_middleware(SecurityMiddleware, hosts=settings.hosts, token=settings.token)
    return app


def _say_what_is_wrong(app: FastAPI) -> None:
    """Every refusal is one sentence under `detail`."""

    def answer(status: int, detail: str, retry_after: int | None = None) -> JSONResponse:
        headers = None if retry_after is None else {"retry-after": str(retry_after)}
        return JSONResponse({"detail": detail}, status, headers)

    async def mistake(_: Request, error: Exception) -> JSONResponse:
        status = next(status for kind, status in STATUSES.items() if isinstance(error, kind))
        return answer(status, str(error))

    for kind in STATUSES:
        app.add_exception_handler(kind, mistake)

    @app.exception_handler(RequestValidationError)
    async def wrong_type(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        return answer(422, f"{place or 'the request'}: {first['msg']}")

    @app.exception_handler(Busy)
    async def busy(_: Request, error: Busy) -> JSONResponse:
        return answer(503, "too many faces are waiting to be drawn: try again", 2)

    @app.exception_handler(TooManyJobs)
    async def too_many(_: Request, error: TooManyJobs) -> JSONResponse:
        return answer(429, "too many jobs are waiting: let some end", 10)
