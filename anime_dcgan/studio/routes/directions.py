"""Routes for the directions of a generator, which are the sliders of the page."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool

from anime_dcgan.explore.directions import MAX_DIRECTIONS, Direction, Method, method_of
from anime_dcgan.explore.face import GeneratorId
from anime_dcgan.explore.given_names import GivenName, inherit, with_given_name
from anime_dcgan.explore.model import Model
from anime_dcgan.sampling.layers import check_layers
from anime_dcgan.studio import direction_schemas, schemas
from anime_dcgan.studio.context import GeneratorDep, Studio, StudioDep, to_layers
from anime_dcgan.studio.store.records import DirectionName
from anime_dcgan.system.errors import NotFoundError

router = APIRouter(tags=["directions"], responses=schemas.problems(400, 404, 503))


@router.get("/api/directions")
async def list_directions(
    studio: StudioDep,
    generator: GeneratorDep,
    method: Annotated[Method, Query(description="how directions are found")] = "sefa",
    count: Annotated[int, Query(ge=1, le=MAX_DIRECTIONS, description="number of directions")] = 10,
    layers: Annotated[
        schemas.Layers | None, Query(description="name what these style layers change alone")
    ] = None,
) -> direction_schemas.Directions:
    """List the directions of a generator, strongest first, with what each changes in the faces.

    What they change is measured in the background: until `progress` is 1, some names are only
    numbers. A name that a user gave has precedence, also that of another epoch or of the run that
    this one began from, where the directions are similar.
    """
    model = await studio.render(lambda: studio.renderer.model(*generator))
    known = await studio.sliders.directions(model, method)
    moved = to_layers(layers)
    if moved is not None:
        space = await studio.render(lambda: model.space)
        check_layers("layers", moved, space.layers)
    return await run_in_threadpool(_named, studio, model, generator.run, known, count, moved)


def _named(
    studio: Studio,
    model: Model,
    run: str,
    known: list[Direction],
    count: int,
    layers: range | None,
) -> direction_schemas.Directions:
    """Return the first of the known directions with the names that users gave, or measured ones."""
    found = known[:count]
    measured = studio.sliders.names(model, known, count, layers)
    own = {name.direction: name for name in _unpack(studio.store.direction_names(model.digest))}
    inherited = inherit(_names_of_relatives(studio, model, run), found)
    models = []
    for direction, name in zip(found, measured.names, strict=True):
        given = own.get(direction.id, inherited.get(direction.id))
        if given is None or not given.text:
            source = "measured" if name.opposite is not None else "none"
        else:
            name = with_given_name(name, given, direction)
            source = "user" if direction.id in own else "inherited"
        models.append(direction_schemas.DirectionModel.of(direction, name, source))
    return direction_schemas.Directions(directions=models, progress=measured.progress)


@router.put("/api/directions/name", status_code=204)
async def name_direction(studio: StudioDep, body: direction_schemas.NameRequest) -> None:
    """Name a direction of a generator; null gives it its measured name again.

    Later epochs and runs begun from this one inherit the name.
    """
    generator = GeneratorId(body.run, body.epoch, body.weights, body.digest)
    model = await studio.render(lambda: studio.renderer.model(*generator))
    direction = _find(await studio.sliders.directions(model, method_of(body.id)), body.id)
    given = GivenName(body.id, body.name or "", body.sign * direction.vector)
    stored = DirectionName(given.direction, given.text, given.pack())
    await run_in_threadpool(studio.store.name_direction, model.digest, body.run, stored)


def _find(found: list[Direction], id: str) -> Direction:
    for direction in found:
        if direction.id == id:
            return direction
    raise NotFoundError(f"this generator has no direction {id}")


def _names_of_relatives(studio: Studio, model: Model, run: str) -> list[GivenName]:
    """Return names given in other epochs of this run, and of the runs that it began from."""
    runs = {run, *studio.library.origins(run)}
    return _unpack(studio.store.direction_names_of(runs, without=model.digest))


def _unpack(stored: list[DirectionName]) -> list[GivenName]:
    return [GivenName.unpack(one.direction, one.text, one.vector) for one in stored]
