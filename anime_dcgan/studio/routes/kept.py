"""Routes for kept faces, with their stories and families, and for collections."""

import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, File, Query, Response, UploadFile
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from anime_dcgan.explore.face import Face
from anime_dcgan.studio import pictures, schemas
from anime_dcgan.studio.context import FaceDep, Studio, StudioDep
from anime_dcgan.studio.store import export_collection, import_collection

router = APIRouter(tags=["kept"], responses=schemas.problems(400, 404, 409, 503))

KeptId = schemas.Id
CollectionId = schemas.Id


@router.get("/api/kept")
def kept_faces(
    studio: StudioDep,
    favourite: bool | None = None,
    collection: CollectionId | None = None,
    text: Annotated[str, Query(max_length=500)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 200,
    before: KeptId | None = None,
) -> schemas.KeptFaces:
    """List kept faces, newest first; `text` searches their stories and run names."""
    page = studio.store.browse(favourite, collection, text, limit, before)
    kept = [schemas.KeptModel.of(one) for one in page.kept]
    return schemas.KeptFaces(kept=kept, more=page.has_more)


@router.post("/api/kept")
async def keep(studio: StudioDep, body: schemas.KeepRequest) -> schemas.KeptModel:
    """Keep a face and its parents, or update a face that is already kept."""
    face = body.face.to_face()
    given = [(parent.face.to_face(), parent.share) for parent in body.parents or ()]

    def work() -> schemas.KeptModel:
        parents = [(parent, _thumb(studio, parent), share) for parent, share in given]
        kept = studio.store.keep(
            face,
            _thumb(studio, face),
            body.story,
            body.favourite,
            body.how,
            None if body.parents is None else parents,
        )
        return schemas.KeptModel.of(kept)

    return await studio.render(work)


@router.get(
    "/api/kept/find",
    response_model=schemas.KeptModel,
    responses={204: {"description": "the face is not kept"}},
)
def find(studio: StudioDep, face: FaceDep) -> schemas.KeptModel | Response:
    """Return the kept face equal to the given one, or 204 if it is not kept."""
    kept = studio.store.find(face)
    return Response(status_code=204) if kept is None else schemas.KeptModel.of(kept)


@router.get("/api/kept/{kept_id}")
def kept_face(studio: StudioDep, kept_id: KeptId) -> schemas.KeptModel:
    """Return a kept face by its id."""
    return schemas.KeptModel.of(studio.store.get(kept_id))


@router.patch("/api/kept/{kept_id}")
def change(studio: StudioDep, kept_id: KeptId, body: schemas.ChangeRequest) -> schemas.KeptModel:
    """Change the story or the favourite mark of a kept face."""
    return schemas.KeptModel.of(studio.store.change(kept_id, body.story, body.favourite))


@router.delete("/api/kept/{kept_id}", status_code=204)
def remove(studio: StudioDep, kept_id: KeptId) -> None:
    """Remove a kept face; it stays in the family trees of its descendants."""
    studio.store.remove(kept_id)


@router.get("/api/kept/{kept_id}/thumb.png", response_class=Response)
def thumb(studio: StudioDep, kept_id: KeptId) -> Response:
    """Return the stored picture of a kept face, which does not need its checkpoint."""
    headers = {"cache-control": "private, no-cache"}
    return Response(studio.store.thumb(kept_id), media_type="image/png", headers=headers)


@router.get("/api/kept/{kept_id}/family")
def family(studio: StudioDep, kept_id: KeptId) -> schemas.FamilyModel:
    """Return the ancestors and descendants of a kept face."""
    found = studio.store.family(kept_id)
    return schemas.FamilyModel(
        nodes=[schemas.KeptModel.of(node) for node in found.nodes],
        edges=list(found.edges),
        whole=found.is_complete,
    )


@router.get("/api/collections")
def collections(studio: StudioDep) -> schemas.Collections:
    """List all collections by name."""
    found = studio.store.collections()
    return schemas.Collections(collections=[schemas.CollectionModel.of(one) for one in found])


@router.post("/api/collections", status_code=201)
def create_collection(studio: StudioDep, body: schemas.CollectionName) -> schemas.CollectionModel:
    """Create an empty collection."""
    return schemas.CollectionModel.of(studio.store.create_collection(body.name))


@router.post("/api/collections/import", status_code=201)
async def import_archive(
    studio: StudioDep, file: Annotated[UploadFile, File(description="exported collection")]
) -> schemas.ImportedModel:
    """Import an exported collection as a new one, completely or not at all."""
    result = await run_in_threadpool(import_collection, studio.store, file.file)
    return schemas.ImportedModel(
        collection=schemas.CollectionModel.of(result.collection),
        added=result.added,
        known=result.existing,
    )


@router.patch("/api/collections/{collection_id}")
def rename(
    studio: StudioDep, collection_id: CollectionId, body: schemas.CollectionName
) -> schemas.CollectionModel:
    """Rename a collection."""
    return schemas.CollectionModel.of(studio.store.rename_collection(collection_id, body.name))


@router.delete("/api/collections/{collection_id}", status_code=204)
def delete_collection(studio: StudioDep, collection_id: CollectionId) -> None:
    """Delete a collection; its faces stay kept."""
    studio.store.delete_collection(collection_id)


@router.put("/api/collections/{collection_id}/faces/{kept_id}", status_code=204)
def add_to_collection(studio: StudioDep, collection_id: CollectionId, kept_id: KeptId) -> None:
    """Add a kept face to a collection."""
    studio.store.add_to_collection(collection_id, kept_id)


@router.delete("/api/collections/{collection_id}/faces/{kept_id}", status_code=204)
def remove_from_collection(studio: StudioDep, collection_id: CollectionId, kept_id: KeptId) -> None:
    """Remove a face from a collection; it stays kept."""
    studio.store.remove_from_collection(collection_id, kept_id)


@router.get("/api/collections/{collection_id}/export", response_class=FileResponse)
def export(studio: StudioDep, collection_id: CollectionId) -> FileResponse:
    """Download a zip of the collection's faces, stories, families and pictures."""
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
    """Return the stored picture of a kept face, or render a new face."""
    kept = studio.store.find(face)
    if kept is not None:
        return studio.store.thumb(kept.id)
    return pictures.portrait(studio.renderer.render([face])[0], face, "")
