"""Routes for saved faces, with their stories and families, and for collections."""

import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, File, Query, Response, UploadFile
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from anime_dcgan.explore.face import Face
from anime_dcgan.studio import pictures, saved_schemas, schemas
from anime_dcgan.studio.context import FaceDep, Studio, StudioDep
from anime_dcgan.studio.responses import BINARY, PNG, Png
from anime_dcgan.studio.store import export_collection, import_collection
from anime_dcgan.system import scratch
from anime_dcgan.system.errors import UserError

router = APIRouter(tags=["saved"], responses=schemas.problems(400, 404, 409, 503))

SavedId = saved_schemas.Id
CollectionId = saved_schemas.Id


@router.get("/api/saved")
def list_saved(
    studio: StudioDep,
    favourite: Annotated[bool | None, Query(description="only favourites, or only others")] = None,
    collection: Annotated[CollectionId | None, Query(description="id of a collection")] = None,
    text: Annotated[str, Query(max_length=500, description="part of a name, story or run")] = "",
    limit: Annotated[int, Query(ge=1, le=500, description="faces on a page")] = 200,
    before: Annotated[
        SavedId | None, Query(description="id of the last face of the page before")
    ] = None,
) -> saved_schemas.SavedFaces:
    """List saved faces, newest first; `text` searches their names, stories and runs."""
    page = studio.store.browse(favourite, collection, text, limit, before)
    saved = [studio.saved_model(face) for face in page.faces]
    return saved_schemas.SavedFaces(saved=saved, more=page.has_more)


@router.post("/api/saved")
async def save_face(studio: StudioDep, body: saved_schemas.SaveRequest) -> saved_schemas.SavedModel:
    """Save a face and its parents, or update a face that is already saved.

    The names "best" and "last" are replaced by the number of the epoch, and the generator is stored
    with its first face, so that the face stays the same when the run continues or is deleted.
    """
    given = [(parent.face.to_face(), parent.share) for parent in body.parents or ()]

    def work() -> saved_schemas.SavedModel:
        face = studio.resolve(body.face.to_face())
        parents = [
            (resolved, _thumb(studio, resolved), share)
            for resolved, share in ((studio.resolve(parent), share) for parent, share in given)
        ]
        if studio.store.unsaved is None:
            for one in (face, *(parent for parent, _, _ in parents)):
                studio.keep_generator(one)
        saved = studio.store.save(
            face,
            _thumb(studio, face),
            body.story,
            body.favourite,
            body.how,
            None if body.parents is None else parents,
            body.name,
            hide_parents=not body.show_parents,
        )
        return studio.saved_model(saved)

    return await studio.render(work, always=True)


@router.get(
    "/api/saved/find",
    response_model=saved_schemas.SavedModel,
    responses={204: {"description": "the face is not saved"}},
)
def find_saved(studio: StudioDep, face: FaceDep) -> saved_schemas.SavedModel | Response:
    """Return the saved face equal to the given one, or 204 if it is not saved."""
    saved = studio.store.find(_resolve(studio, face))
    return Response(status_code=204) if saved is None else studio.saved_model(saved)


@router.get("/api/saved/{saved_id}")
def get_saved(studio: StudioDep, saved_id: SavedId) -> saved_schemas.SavedModel:
    """Return a saved face by its id."""
    return studio.saved_model(studio.store.get(saved_id))


@router.patch("/api/saved/{saved_id}")
def change_saved(
    studio: StudioDep, saved_id: SavedId, body: saved_schemas.ChangeRequest
) -> saved_schemas.SavedModel:
    """Change the name, the story or the favourite mark of a saved face."""
    return studio.saved_model(studio.store.change(saved_id, body.story, body.favourite, body.name))


@router.delete("/api/saved/{saved_id}", status_code=204)
def remove_saved(studio: StudioDep, saved_id: SavedId) -> None:
    """Remove a saved face; it stays in the family trees of its descendants."""
    studio.store.remove(saved_id)


@router.post("/api/saved/forget")
def forget_saved(studio: StudioDep, body: saved_schemas.ForgetRequest) -> saved_schemas.Counted:
    """Remove saved faces so that they can be restored for at least a minute."""
    return saved_schemas.Counted(count=studio.store.forget(body.ids))


@router.post("/api/saved/restore")
def restore_saved(studio: StudioDep, body: saved_schemas.ForgetRequest) -> saved_schemas.Counted:
    """Bring back forgotten faces with their stories, families and collections."""
    return saved_schemas.Counted(count=studio.store.restore(body.ids))


@router.get("/api/saved/{saved_id}/thumb.png", response_class=Png, responses={200: PNG[200]})
def get_saved_picture(studio: StudioDep, saved_id: SavedId) -> Response:
    """Return the stored picture of a saved face, which does not need its checkpoint."""
    headers = {"cache-control": "private, no-cache"}
    return Png(studio.store.thumb(saved_id), headers=headers)


@router.get("/api/saved/{saved_id}/family")
def get_family(studio: StudioDep, saved_id: SavedId) -> saved_schemas.FamilyModel:
    """Return the ancestors and descendants of a saved face."""
    found = studio.store.family(saved_id)
    return saved_schemas.FamilyModel(
        nodes=[studio.saved_model(node) for node in found.nodes],
        edges=list(found.edges),
        complete=found.is_complete,
    )


@router.get("/api/collections")
def list_collections(studio: StudioDep) -> saved_schemas.Collections:
    """List all collections by name."""
    found = studio.store.collections()
    return saved_schemas.Collections(
        collections=[saved_schemas.CollectionModel.of(one) for one in found]
    )


@router.post("/api/collections", status_code=201)
def create_collection(
    studio: StudioDep, body: saved_schemas.CollectionName
) -> saved_schemas.CollectionModel:
    """Create an empty collection."""
    return saved_schemas.CollectionModel.of(studio.store.create_collection(body.name))


@router.post("/api/collections/import", status_code=201)
async def import_collection_archive(
    studio: StudioDep, file: Annotated[UploadFile, File(description="exported collection")]
) -> saved_schemas.ImportedModel:
    """Import an exported collection as a new one, completely or not at all.

    Its faces are drawn by the generators that it contains, or by runs that have the very same
    weights; never by another run of the same name.
    """
    result = await studio.read_upload(
        lambda: import_collection(studio.store, file.file, studio.kept.adopt)
    )
    return saved_schemas.ImportedModel(
        collection=saved_schemas.CollectionModel.of(result.collection),
        added=result.added,
        existing=result.existing,
    )


@router.patch("/api/collections/{collection_id}")
def rename_collection(
    studio: StudioDep, collection_id: CollectionId, body: saved_schemas.CollectionName
) -> saved_schemas.CollectionModel:
    """Rename a collection."""
    return saved_schemas.CollectionModel.of(
        studio.store.rename_collection(collection_id, body.name)
    )


@router.delete("/api/collections/{collection_id}", status_code=204)
def delete_collection(studio: StudioDep, collection_id: CollectionId) -> None:
    """Delete a collection; its faces stay saved."""
    studio.store.delete_collection(collection_id)


@router.put("/api/collections/{collection_id}/faces/{saved_id}", status_code=204)
def add_to_collection(studio: StudioDep, collection_id: CollectionId, saved_id: SavedId) -> None:
    """Add a saved face to a collection."""
    studio.store.add_to_collection(collection_id, saved_id)


@router.delete("/api/collections/{collection_id}/faces/{saved_id}", status_code=204)
def remove_from_collection(
    studio: StudioDep, collection_id: CollectionId, saved_id: SavedId
) -> None:
    """Remove a face from a collection; it stays saved."""
    studio.store.remove_from_collection(collection_id, saved_id)


@router.get(
    "/api/collections/{collection_id}/export",
    response_class=FileResponse,
    responses={200: {"content": {"application/zip": BINARY}}},
)
def export_collection_archive(
    studio: StudioDep,
    collection_id: CollectionId,
    generators: Annotated[bool, Query(description="include the generators of the faces")] = False,
) -> FileResponse:
    """Download a zip of the collection's faces, stories, families and pictures.

    With `generators` it contains their generators, so that others can draw and change the faces.
    """
    folder = tempfile.TemporaryDirectory(prefix=scratch.temporary_prefix("anime_studio"))
    path = Path(folder.name) / "collection.zip"
    try:
        export_collection(
            studio.store, collection_id, path, studio.kept.find if generators else lambda _: None
        )
    except BaseException:
        folder.cleanup()
        raise
    return FileResponse(
        path, filename=f"collection-{collection_id}.zip", background=BackgroundTask(folder.cleanup)
    )


def _thumb(studio: Studio, face: Face) -> bytes:
    """Return the stored picture of a saved face, or render a new face."""
    stored = studio.store.picture(face)
    if stored is not None:
        return stored
    return pictures.portrait(studio.renderer.render([face])[0], face, "")


def _resolve(studio: Studio, face: Face) -> Face:
    """Return the face with the digest of its generator, if there is one."""
    try:
        return studio.renderer.resolve(face)
    except UserError:
        return face
