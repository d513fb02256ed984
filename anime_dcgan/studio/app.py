"""The ASGI application: components, routes, middleware and error responses."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

import anime_dcgan
from anime_dcgan.explore.kept import KeptGenerators
from anime_dcgan.explore.renderer import Renderer
from anime_dcgan.page.render import THEME
from anime_dcgan.studio import schemas
from anime_dcgan.studio.context import Studio
from anime_dcgan.studio.jobs import JobQueue, JobQueueFullError
from anime_dcgan.studio.library import Library
from anime_dcgan.studio.render_queue import RenderQueue, RenderQueueFullError
from anime_dcgan.studio.routes import faces, jobs, mixing, runs, saved
from anime_dcgan.studio.security import LOOPBACK, SecurityMiddleware
from anime_dcgan.studio.store import NameTakenError, Store
from anime_dcgan.system.errors import NotFoundError, UserError

STATIC = Path(__file__).parent / "static"
STATUSES: dict[type[Exception], int] = {NotFoundError: 404, NameTakenError: 409, UserError: 400}
"""HTTP status of each user error; the first matching class applies."""


@dataclass(frozen=True)
class Settings:
    """Paths and access control of a studio.

    Attributes:
        outputs: folder of all runs.
        folder: folder of the database and of the files of jobs.
        only: name of the only run to show; None shows all.
        hosts, token: as in `SecurityMiddleware`.
        unsaved: why nothing can be saved in this studio, or None; `folder` is a temporary one then.
    """

    outputs: Path
    folder: Path
    only: str | None = None
    hosts: frozenset[str] | None = LOOPBACK
    token: str | None = None
    unsaved: str | None = None


def create_app(settings: Settings) -> FastAPI:
    """Create the ASGI application; this opens the database and migrates it if needed."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    kept = KeptGenerators(settings.folder / "generators")
    studio = Studio(
        renderer=Renderer(settings.outputs, kept=kept),
        kept=kept,
        library=Library(settings.outputs, settings.only),
        store=Store(settings.folder / "studio.sqlite", settings.unsaved),
        render_queue=RenderQueue(),
        jobs=JobQueue(settings.folder / "jobs"),
    )

    kept.remove_unused(studio.store.digests())

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        studio.render_queue.close()
        studio.jobs.close()
        studio.store.close()

    app = FastAPI(
        title="anime_dcgan studio",
        version=anime_dcgan.__version__,
        description="Render, mix and save the faces of your own runs. "
        "Requests that change something need the header `X-Studio: 1`.",
        docs_url=None,  # both pages load scripts from other hosts
        redoc_url=None,
        lifespan=lifespan,
        responses=schemas.problems(401, 403, 413, 421, 422),
    )
    app.state.studio = studio
    for router in (runs.router, faces.router, mixing.router, jobs.router, saved.router):
        app.include_router(router)
    _add_error_handlers(app)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})

    @app.get("/theme.css", include_in_schema=False)
    def theme() -> FileResponse:
        return FileResponse(THEME, headers={"cache-control": "no-cache"})

    app.add_middleware(SecurityMiddleware, hosts=settings.hosts, token=settings.token)
    return app


def _add_error_handlers(app: FastAPI) -> None:
    """Answer every error with one sentence under `detail`."""

    def problem(status: int, detail: str, retry_after: int | None = None) -> JSONResponse:
        headers = None if retry_after is None else {"retry-after": str(retry_after)}
        return JSONResponse({"detail": detail}, status, headers)

    async def user_error(_: Request, error: Exception) -> JSONResponse:
        status = next(status for kind, status in STATUSES.items() if isinstance(error, kind))
        return problem(status, str(error))

    for kind in STATUSES:
        app.add_exception_handler(kind, user_error)

    @app.exception_handler(RequestValidationError)
    async def invalid_request(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        field = ".".join(str(key) for key in first["loc"][1:])
        return problem(422, f"{field or 'the request'}: {first['msg']}")

    @app.exception_handler(RenderQueueFullError)
    async def render_queue_full(_: Request, error: RenderQueueFullError) -> JSONResponse:
        return problem(503, "too many faces are waiting to be rendered: try again later", 2)

    @app.exception_handler(Exception)
    async def bug(_: Request, error: Exception) -> JSONResponse:
        return problem(500, f"the studio failed ({type(error).__name__}): its terminal shows why")

    @app.exception_handler(JobQueueFullError)
    async def job_queue_full(_: Request, error: JobQueueFullError) -> JSONResponse:
        return problem(429, "too many jobs are waiting: try again when some have finished", 10)
