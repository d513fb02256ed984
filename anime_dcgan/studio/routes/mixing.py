"""Routes that mix faces, and list style layers."""

import asyncio
import contextlib

import torch
from fastapi import APIRouter

from anime_dcgan.explore.face import Face, is_label
from anime_dcgan.explore.parts import vary
from anime_dcgan.sampling.layers import format_layers
from anime_dcgan.studio import schemas
from anime_dcgan.studio.context import GeneratorDep, StudioDep, same_generator, to_layers
from anime_dcgan.studio.measurements import MeasurementsFullError
from anime_dcgan.studio.visitors import unless_gone
from anime_dcgan.system.errors import NotFoundError

router = APIRouter(tags=["mixing"], responses=schemas.problems(400, 404, 503))


@router.post("/api/mix")
async def mix_faces(studio: StudioDep, body: schemas.MixRequest) -> schemas.Faces:
    """Interpolate from each parent to the next, including both ends."""
    parents = await same_generator(studio, body.parents)
    layers = to_layers(body.layers)
    faces = await studio.render(
        lambda: studio.renderer.parents(parents, layers).interpolate(body.steps)
    )
    ends = parents if layers is None else parents[:1]
    for index, parent in enumerate(ends):  # parents retain their seed and moves
        faces[index * body.steps] = parent
    return schemas.Faces.of(faces)


@router.post("/api/blend")
async def blend_faces(studio: StudioDep, body: schemas.BlendRequest) -> schemas.FaceResponse:
    """Blend several faces into one by their weights."""
    parents = await same_generator(studio, body.parents)
    layers = to_layers(body.layers)
    face = await studio.render(lambda: studio.renderer.parents(parents, layers).blend(body.shares))
    return schemas.FaceResponse(face=schemas.face_model(face))


@router.post("/api/breed")
async def breed_faces(studio: StudioDep, body: schemas.BreedRequest) -> schemas.Faces:
    """Breed children of one or more faces."""
    parents = await same_generator(studio, body.parents)
    layers = to_layers(body.layers)
    children = await studio.render(
        lambda: studio.renderer.parents(parents, layers).breed(
            body.children, body.variation, body.seed
        )
    )
    return schemas.Faces.of(children)


@router.get("/api/generator")
def get_generator(studio: StudioDep, generator: GeneratorDep) -> schemas.GeneratorModel:
    """Return a generator with the digest of its weights, and the number of its epoch.

    It is that of the run, or the one that was kept with a saved face. If both are gone, it is
    returned as it was requested, and nothing can be drawn with it.
    """
    face = Face(*generator, seed=0)
    with contextlib.suppress(NotFoundError):
        face = studio.renderer.resolve(face)
    drawable = studio.renderer.can_draw(face.generator)
    return schemas.GeneratorModel(**face.generator._asdict(), drawable=drawable)


@router.get("/api/styles")
async def get_styles(studio: StudioDep, generator: GeneratorDep) -> schemas.Styles:
    """Return the labels and style layers of a generator; only several layers can be mixed."""
    model = await studio.render(lambda: studio.renderer.model(*generator))
    space = await studio.render(lambda: model.space)
    return schemas.Styles(
        layers=space.layers,
        mapping=space.has_mapping,
        groups={name: format_layers(layers) for name, layers in space.groups().items()},
        labels=[label for label in model.generator.labels if is_label(label)],
    )


@router.get("/api/parts")
async def get_parts(studio: StudioDep, generator: GeneratorDep) -> schemas.PartsModel:
    """Return whether the studio can tell a generator's colours from its shapes.

    If it cannot yet, it begins to find out in the background, once for each generator.
    """
    model = await studio.render(lambda: studio.renderer.model(*generator))
    try:
        found = await studio.render(lambda: studio.colours(model))
    except MeasurementsFullError:  # it begins at a later call
        return schemas.PartsModel(ready=False, progress=0.0)
    if found is None or found.done():
        return schemas.PartsModel(ready=True, progress=1.0)
    return schemas.PartsModel(ready=False, progress=studio.colours_progress(model))


@router.post("/api/variations")
async def vary_face(studio: StudioDep, body: schemas.VariationsRequest) -> schemas.Variations:
    """Return a face with the colours of other faces, or with a part of their shape and details.

    Waits until the studio can tell the two apart. Face i depends on the face, the part and the
    donor, which is the face of seed + i.
    """
    (face,) = await same_generator(studio, [body.face])
    model = await studio.render(lambda: studio.renderer.model(*face.generator))
    found = await studio.render(lambda: studio.colours(model))
    colours = None
    if found is not None:
        colours = torch.from_numpy(await unless_gone(asyncio.wrap_future(found)))
    seeds = range(body.seed, body.seed + body.count)
    varied = await studio.render(lambda: vary(model, colours, face, body.part, seeds))
    return schemas.Variations.of(varied)
