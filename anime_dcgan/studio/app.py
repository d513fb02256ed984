"""The ASGI application: components, routes, middleware and error responses."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

import anime_dcgan
from anime_dcgan.explore.kept import KeptGenerators
from anime_dcgan.explore.renderer import Renderer
from anime_dcgan.page.render import THEME
from anime_dcgan.studio import openapi, schemas
from anime_dcgan.studio.context import Studio
from anime_dcgan.studio.jobs import JobQueue, JobQueueFullError
from anime_dcgan.studio.library import Library
from anime_dcgan.studio.measurements import Measurements, MeasurementsFullError
from anime_dcgan.studio.picture_cache import PictureCache
from anime_dcgan.studio.problems import describe_validation
from anime_dcgan.studio.render_queue import RenderQueue, RenderQueueFullError
from anime_dcgan.studio.routes import directions, faces, jobs, mixing, runs, saved
from anime_dcgan.studio.security import LOOPBACK, SecurityMiddleware
from anime_dcgan.studio.sliders import Sliders
from anime_dcgan.studio.store import NameTakenError, Store
from anime_dcgan.studio.visitors import VisitorGoneError, VisitorMiddleware
from anime_dcgan.system.errors import NotFoundError, UserError

STATIC = Path(__file__).parent / "static"
PHRASES = {404: "there is nothing at this address", 405: "this address has no such method"}
"""Sentences instead of the bare names of HTTP's statuses."""
CLIENT_CLOSED_REQUEST = 499  # nobody reads this status, which nginx writes to its logs
STATUSES: dict[type[Exception], int] = {NotFoundError: 404, NameTakenError: 409, UserError: 400}
"""HTTP status of each user error; the first matching class applies."""


@dataclass(frozen=True)
class Settings:
    """Paths and access control of a studio.

    Attributes:
        outputs: folder of all runs.
        folder: folder of the database and of the files of jobs.
        only: name of the only run to show; None shows all.
        hosts, token, public: as in `SecurityMiddleware`.
        unsaved: why nothing can be saved in this studio, or None; `folder` is a temporary one then.
    """

    outputs: Path
    folder: Path
    only: str | None = None
    hosts: frozenset[str] | None = LOOPBACK
    token: str | None = None
    public: str | None = None
    unsaved: str | None = None


def create_app(settings: Settings) -> FastAPI:
    """Create the ASGI application; this opens the database and migrates it if needed."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    render_queue = RenderQueue()
    kept = KeptGenerators(settings.folder / "generators")
    renderer = Renderer(settings.outputs, kept=kept)
    measurements = Measurements(settings.folder / "cache", lambda: render_queue.has_work)
    studio = Studio(
        renderer=renderer,
        kept=kept,
        library=Library(settings.outputs, settings.only, settings.folder / "cache" / "runs.json"),
        store=Store(settings.folder / "studio.sqlite", settings.unsaved),
        render_queue=render_queue,
        jobs=JobQueue(settings.folder / "jobs"),
        previews=PictureCache(settings.folder / "cache" / "previews"),
        measurements=measurements,
        sliders=Sliders(measurements, renderer.fast_walls),
    )

    kept.remove_unused(studio.store.digests())

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        studio.measurements.close()
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
        generate_unique_id_function=openapi.operation_id,
        separate_input_output_schemas=False,
        responses=schemas.problems(401, 403, 413, 421, 422),
    )
    app.state.studio = studio
    app.openapi = lambda: openapi.document(app)
    for routes in (runs, faces, mixing, directions, jobs, saved):
        app.include_router(routes.router)
    _add_error_handlers(app)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})

    @app.get("/theme.css", include_in_schema=False)
    def theme() -> FileResponse:
        return FileResponse(THEME, headers={"cache-control": "no-cache"})

    app.add_middleware(VisitorMiddleware)
    app.add_middleware(
        SecurityMiddleware, hosts=settings.hosts, token=settings.token, public=settings.public
    )
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
        return problem(422, describe_validation(error.errors()))

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> JSONResponse:
        is_phrase = error.detail == HTTPStatus(error.status_code).phrase
        detail = PHRASES.get(error.status_code, error.detail) if is_phrase else error.detail
        return JSONResponse({"detail": detail}, error.status_code, error.headers)

    @app.exception_handler(RenderQueueFullError)
    async def render_queue_full(_: Request, error: RenderQueueFullError) -> JSONResponse:
        return problem(503, "too many faces are waiting to be rendered: try again later", 2)

    @app.exception_handler(MeasurementsFullError)
    async def measurements_full(_: Request, error: MeasurementsFullError) -> JSONResponse:
        return problem(503, "too many generators are being measured: try again later", 10)

    @app.exception_handler(VisitorGoneError)
    async def visitor_gone(_: Request, error: VisitorGoneError) -> Response:
        return Response(status_code=CLIENT_CLOSED_REQUEST)

    @app.exception_handler(Exception)
    async def bug(_: Request, error: Exception) -> JSONResponse:
        return problem(500, f"the studio failed ({type(error).__name__}): its terminal shows why")

    @app.exception_handler(JobQueueFullError)
    async def job_queue_full(_: Request, error: JobQueueFullError) -> JSONResponse:
        return problem(429, "too many jobs are waiting: try again when some have finished", 10)
