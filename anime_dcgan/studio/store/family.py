"""The family tree of saved faces, inside a transaction. Every change keeps it free of cycles."""

import json
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, delete, insert, select, text

from anime_dcgan.studio.store import schema
from anime_dcgan.studio.store.queries import id_list, load_faces
from anime_dcgan.studio.store.records import Edge, Family
from anime_dcgan.system.errors import NotFoundError

MAX_RELATIVES = 500
"""Relatives that a family shows in either direction; the nearest ones are included."""

PARENTS = schema.parents

# Breadth first: SQLite processes the rows of a recursion in insertion order. UNION visits each id
# once, so the query would terminate even on a cycle.
DESCENDANTS = text("""
    WITH RECURSIVE line(id) AS (
        SELECT value FROM json_each(:ids) UNION
        SELECT child FROM parents JOIN line ON parent = line.id
    ) SELECT id FROM line LIMIT :max_count
""")
ANCESTORS = text("""
    WITH RECURSIVE line(id) AS (
        SELECT value FROM json_each(:ids) UNION
        SELECT parent FROM parents JOIN line ON child = line.id
    ) SELECT id FROM line LIMIT :max_count
""")
# A hidden face is kept for its visible descendants and deleted after the last of them. Those that
# were forgotten a moment ago count as visible: they may be restored.
DELETE_UNREFERENCED = text("""
    DELETE FROM saved WHERE hidden AND forgotten IS NULL AND id NOT IN (
        WITH RECURSIVE line(id) AS (
            SELECT parent FROM parents JOIN saved ON child = saved.id
            WHERE NOT hidden OR forgotten IS NOT NULL UNION
            SELECT parent FROM parents JOIN line ON child = line.id
        ) SELECT id FROM line
    )
""")


def replace_parents(connection: Connection, child: int, parents: Mapping[int, float]) -> bool:
    """Replace the parents of a face by these ids with their shares.

    The face itself and its descendants are skipped, so that no cycle can form. If that leaves none
    of the given parents, nothing changes and the result is False.
    """
    below = descendants(connection, [child]) if parents else set()
    allowed = {parent: share for parent, share in parents.items() if parent not in below}
    if parents and not allowed:
        return False
    connection.execute(delete(PARENTS).where(PARENTS.c.child == child))
    edges = [
        {"child": child, "parent": parent, "position": position, "share": share}
        for position, (parent, share) in enumerate(allowed.items())
    ]
    if edges:
        connection.execute(insert(PARENTS), edges)
    return True


def descendants(connection: Connection, ids: Iterable[int], max_count: int = -1) -> set[int]:
    """Return the ids and those of their nearest descendants, `max_count` in all (-1: no limit)."""
    params = {"ids": json.dumps(list(ids)), "max_count": max_count}
    return set(connection.scalars(DESCENDANTS, params))


def ancestors(connection: Connection, ids: Iterable[int], max_count: int = -1) -> set[int]:
    """Return the ids and those of their nearest ancestors, `max_count` in all (-1: no limit)."""
    params = {"ids": json.dumps(list(ids)), "max_count": max_count}
    return set(connection.scalars(ANCESTORS, params))


def has_parents(connection: Connection, id: int) -> bool:
    """Return True if a face has at least one parent."""
    return connection.scalar(select(PARENTS.c.share).where(PARENTS.c.child == id)) is not None


def load_family(connection: Connection, id: int) -> Family:
    """Return the family of a face, hidden or not; raise `NotFoundError` if it is missing."""
    limit = MAX_RELATIVES + 1
    above, below = ancestors(connection, [id], limit), descendants(connection, [id], limit)
    query = select(schema.saved).where(schema.saved.c.id.in_(id_list(above | below)))
    nodes = load_faces(connection, query.order_by(schema.saved.c.id))
    if not nodes:
        raise NotFoundError(f"there is no saved face {id}")
    ids = {node.id for node in nodes}
    edges = [
        Edge(node.id, parent.id, parent.share, node.how)
        for node in nodes
        for parent in node.parents
        if parent.id in ids
    ]
    return Family(tuple(nodes), tuple(edges), is_complete=max(len(above), len(below)) < limit)


def delete_unreferenced(connection: Connection) -> None:
    """Delete the hidden faces that have no visible descendants."""
    if connection.scalar(select(schema.saved.c.id).where(schema.saved.c.hidden).limit(1)):
        connection.execute(DELETE_UNREFERENCED)  # scans all edges
