"""What is kept: faces with their stories and families, and collections."""

import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, File, Query, Response, UploadFile
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from anime_dcgan.explore.face import Face
from anime_dcgan.studio import pictures, schemas
from anime_dcgan.studio.context import QueryFace, Studio, StudioHere
from anime_dcgan.studio.store import export_collection, import_collection

router = APIRouter(tags=["kept"], responses=schemas.problems(400, 404, 409, 503))

KeptId = schemas.Number
CollectionId = schemas.Number


@router.get("/api/kept")
def kept_faces(
    studio: StudioHere,
    favourite: bool | None = None,
    collection: CollectionId | None = None,
    text: Annotated[str, Query(max_length=500)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 200,
    before: KeptId | None = None,
) -> schemas.KeptFaces:
    """Those kept last first; `text` is looked for in stories and names of runs."""
    page = studio.store.browse(favourite, collection, text, limit, before)
    kept = [schemas.KeptModel.of(one) for one in page.kept]
    return schemas.KeptFaces(kept=kept, more=page.more)


@router.post("/api/kept")
async def keep(studio: StudioHere, wanted: schemas.KeepRequest) -> schemas.KeptModel:
    """Keep a face, or change what is kept of it. Its parents are kept too."""
    face = wanted.face.to_face()
    given = [(one.face.to_face(), one.share) for one in wanted.parents or ()]

    def work() -> schemas.KeptModel:
        parents = [(one, _thumb(studio, one), share) for one, share in given]
        kept = studio.store.keep(
            face,
            _thumb(studio, face),
            wanted.story,
            wanted.favourite,
            wanted.how,
            None if wanted.parents is None else parents,
        )
        return schemas.KeptModel.of(kept)

    return await studio.draw(work)


@router.get(
    "/api/kept/find",
    response_model=schemas.KeptModel,
    responses={204: {"description": "it is not kept"}},
)
def find(studio: StudioHere, face: QueryFace) -> schemas.KeptModel | Response:
    """What is kept of a face; nothing (204) where it is not kept, which is no error."""
    kept = studio.store.find(face)
    return Response(status_code=204) if kept is None else schemas.KeptModel.of(kept)


@router.get("/api/kept/{kept_id}")
def kept_face(studio: StudioHere, kept_id: KeptId) -> schemas.KeptModel:
    """One of them."""
    return schemas.KeptModel.of(studio.store.get(kept_id))


@router.patch("/api/kept/{kept_id}")
def change(studio: StudioHere, kept_id: KeptId, wanted: schemas.ChangeRequest) -> schemas.KeptModel:
    """Its story, and whether it is a favourite."""
    return schemas.KeptModel.of(studio.store.change(kept_id, wanted.story, wanted.favourite))


@router.delete("/api/kept/{kept_id}", status_code=204)
def remove(studio: StudioHere, kept_id: KeptId) -> None:
    """Forget it; as an ancestor it stays in the trees of its children."""
    studio.store.remove(kept_id)


@router.get("/api/kept/{kept_id}/thumb.png", response_class=Response)
def thumb(studio: StudioHere, kept_id: KeptId) -> Response:
    """The picture that it was kept with, also when its checkpoint is gone."""
    headers = {"cache-control": "private, no-cache"}
    return Response(studio.store.thumb(kept_id), media_type="image/png", headers=headers)


@router.get("/api/kept/{kept_id}/family")
def family(studio: StudioHere, kept_id: KeptId) -> schemas.FamilyModel:
    """Ancestors and descendants."""
    found = studio.store.family(kept_id)
    return schemas.FamilyModel(
        nodes=[schemas.KeptModel.of(node) for node in found.nodes],
        edges=list(found.edges),
        whole=found.whole,
    )


@router.get("/api/collections")
def collections(studio: StudioHere) -> schemas.Collections:
    """All of them, by name."""
    found = studio.store.collections()
    return schemas.Collections(collections=[schemas.CollectionModel.of(one) for one in found])


@router.post("/api/collections", status_code=201)
def new_collection(studio: StudioHere, wanted: schemas.NewName) -> schemas.CollectionModel:
    """An empty collection."""
    return schemas.CollectionModel.of(studio.store.create_collection(wanted.name))


@router.post("/api/collections/import", status_code=201)
async def take_in(
    studio: StudioHere, file: Annotated[UploadFile, File(description="an exported collection")]
) -> schemas.ImportedModel:
    """A new collection of an exported one, all of it or nothing."""
    found = await run_in_threadpool(import_collection, studio.store, file.file)
    return schemas.ImportedModel(
        collection=schemas.CollectionModel.of(found.collection),
        added=found.added,
        known=found.known,
    )


@router.patch("/api/collections/{collection_id}")
def rename(
    studio: StudioHere, collection_id: CollectionId, wanted: schemas.NewName
) -> schemas.CollectionModel:
    """Another name."""
    return schemas.CollectionModel.of(studio.store.rename_collection(collection_id, wanted.name))


@router.delete("/api/collections/{collection_id}", status_code=204)
def dissolve(studio: StudioHere, collection_id: CollectionId) -> None:
    """Dissolve it; its faces stay kept."""
    studio.store.delete_collection(collection_id)


@router.put("/api/collections/{collection_id}/faces/{kept_id}", status_code=204)
def put_into(studio: StudioHere, collection_id: CollectionId, kept_id: KeptId) -> None:
    """Put a kept face into it."""
    studio.store.add_to_collection(collection_id, kept_id)


@router.delete("/api/collections/{collection_id}/faces/{kept_id}", status_code=204)
def take_out(studio: StudioHere, collection_id: CollectionId, kept_id: KeptId) -> None:
    """Take a face out of it; it stays kept."""
    studio.store.take_from_collection(collection_id, kept_id)


@router.get("/api/collections/{collection_id}/export", response_class=FileResponse)
def export(studio: StudioHere, collection_id: CollectionId) -> FileResponse:
    """One file with its faces, stories, families and pictures."""
    folder = tempfile.TemporaryDirectory(prefix="anime-studio-")
    path = Path(folder.name) / "collection.zip"
    try:
        export_collection(studio.store, collection_id, path)
    except BaseException:
        folder.cleanup()
        raise
    return FileResponse(
        path, filename=f"collection-{collection_id}.zip", background=BackgroundTask(folder.cleanup)
    )


def _thumb(studio: Studio, face: Face) -> bytes:
    """The picture of a face; one that is kept has it already."""
    kept = studio.store.find(face)
    if kept is not None:
        return studio.store.thumb(kept.id)
    return pictures.portrait(studio.renderer.draw([face])[0], face, "")
