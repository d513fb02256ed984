"""Between and beside faces, and the directions in which they change."""

from typing import Annotated

from fastapi import APIRouter, Query

from anime_dcgan.explore import mixing
from anime_dcgan.explore.directions import MOST, Method
from anime_dcgan.explore.renderer import face_of_latent
from anime_dcgan.run.runs import Weights
from anime_dcgan.studio import schemas
from anime_dcgan.studio.context import StudioHere, one_generator, to_faces

router = APIRouter(tags=["mixing"], responses=schemas.problems(400, 404, 503))


@router.post("/api/mix")
async def mix(studio: StudioHere, wanted: schemas.MixRequest) -> schemas.Faces:
    """In-between faces, from each parent to the next, ends included."""
    parents = to_faces(wanted.parents)
    one_generator(parents)
    way = await studio.draw(lambda: mixing.between(studio.renderer.latents(parents), wanted.steps))
    faces = [face_of_latent(parents[0], latent) for latent in way]
    for number, parent in enumerate(parents):  # the ends are themselves, with seed and moves
        faces[number * wanted.steps] = parent
    return schemas.Faces.of(faces)


@router.post("/api/blend")
async def blend(studio: StudioHere, wanted: schemas.BlendRequest) -> schemas.OneFace:
    """One face that has its shares of several."""
    parents = to_faces(wanted.parents)
    one_generator(parents)
    latent = await studio.draw(
        lambda: mixing.blend(studio.renderer.latents(parents), wanted.shares)
    )
    return schemas.OneFace(face=schemas.face_model(face_of_latent(parents[0], latent)))


@router.post("/api/breed")
async def breed(studio: StudioHere, wanted: schemas.BreedRequest) -> schemas.Faces:
    """Children of one or more faces."""
    parents = to_faces(wanted.parents)
    one_generator(parents)
    children = await studio.draw(
        lambda: mixing.breed(
            studio.renderer.latents(parents), wanted.children, wanted.variation, wanted.seed
        )
    )
    return schemas.Faces.of([face_of_latent(parents[0], latent) for latent in children])


@router.get("/api/directions")
async def directions(
    studio: StudioHere,
    run: schemas.RunName,
    epoch: schemas.Epoch,
    weights: Weights = "ema",
    method: Method = "sefa",
    count: Annotated[int, Query(ge=1, le=MOST)] = 10,
) -> schemas.Directions:
    """The directions of a generator, the strongest first, under the names they were given."""
    found = await studio.draw(
        lambda: studio.renderer.model(run, epoch, weights).directions(method)[:count]
    )
    names = studio.store.direction_names(run, epoch, weights)
    return schemas.Directions(
        directions=[
            schemas.DirectionModel(
                id=one.id, strength=min(1.0, max(0.0, one.strength)), name=names.get(one.id)
            )
            for one in found
        ]
    )


@router.put("/api/directions/name", status_code=204)
def name_direction(studio: StudioHere, wanted: schemas.NameRequest) -> None:
    """Name a direction of a generator, or take its name away."""
    studio.renderer.checkpoint(wanted.run, wanted.epoch)
    studio.store.name_direction(wanted.run, wanted.epoch, wanted.weights, wanted.id, wanted.name)
