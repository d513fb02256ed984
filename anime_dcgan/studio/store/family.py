"""Parents and children: a graph without circles, which outlives the forgetting of a face."""

from collections.abc import Sequence

from sqlalchemy import delete, exists, literal, select
from sqlalchemy.orm import Session

from anime_dcgan.studio.store.records import Edge, Kept
from anime_dcgan.studio.store.schema import FaceRow, MemberRow, ParentRow

MOST = 500  # relatives in one direction; nearer ones first


def adopt(session: Session, child: FaceRow, parents: Sequence[tuple[FaceRow, float]]) -> None:
    """Write down its parents, unless one of them is the child itself or descends from it."""
    below = {child.id, *_walk(session, child.id, down=True)}
    if any(parent.id in below for parent, _ in parents):
        return
    known: set[int] = set()
    for position, (parent, share) in enumerate(parents):
        if parent.id not in known:
            known.add(parent.id)
            session.add(
                ParentRow(child_id=child.id, parent_id=parent.id, position=position, share=share)
            )


def relatives(session: Session, kept_id: int) -> set[int]:
    """Itself, its ancestors and its descendants."""
    return {
        kept_id,
        *_walk(session, kept_id, down=False),
        *_walk(session, kept_id, down=True),
    }


def edges(nodes: list[Kept]) -> list[Edge]:
    """Between these."""
    known = {node.id for node in nodes}
    return [
        Edge(node.id, parent.id, parent.share, node.how)
        for node in nodes
        for parent in node.parents
        if parent.id in known
    ]


def remove(session: Session, row: FaceRow) -> None:
    """A face without children goes, and hidden ancestors that only it had; others are hidden."""
    waiting = [row]
    while waiting:
        face = waiting.pop()
        if session.scalar(select(exists().where(ParentRow.parent_id == face.id))):
            face.hidden, face.favourite, face.story = True, False, ""
            session.execute(delete(MemberRow).where(MemberRow.face_id == face.id))
            continue
        hidden = (
            select(FaceRow)
            .join(ParentRow, ParentRow.parent_id == FaceRow.id)
            .where(ParentRow.child_id == face.id, FaceRow.hidden)
        )
        waiting += session.scalars(hidden).all()
        session.execute(delete(FaceRow).where(FaceRow.id == face.id))


def _walk(session: Session, start: int, down: bool) -> list[int]:
    """Ids of all below or above a face, by a recursive query that sees each once."""
    here, there = (
        (ParentRow.parent_id, ParentRow.child_id)
        if down
        else (ParentRow.child_id, ParentRow.parent_id)
    )
    found = select(literal(start).label("id")).cte("found", recursive=True)
    found = found.union(select(there).where(here == found.c.id))
    return list(session.scalars(select(found.c.id).where(found.c.id != start).limit(MOST)))
