"""Who descends from whom, within a transaction. There are no cycles, and none can be made."""

import json
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, delete, insert, select, text

from anime_dcgan.studio.store import schema
from anime_dcgan.studio.store.reading import among, loaded
from anime_dcgan.studio.store.records import Edge, Family
from anime_dcgan.system.errors import NotFoundError

MOST_RELATIVES = 500
"""In either direction; the nearest are kept."""

PARENTS = schema.parents

# Breadth first: SQLite takes the rows of a recursion in the order in which they came. UNION takes
# each once, so that this would end also in a cycle.
DESCENDANTS = text("""
    WITH RECURSIVE line(id) AS (
        SELECT value FROM json_each(:ids) UNION
        SELECT child FROM parents JOIN line ON parent = line.id
    ) SELECT id FROM line LIMIT :most
""")
ANCESTORS = text("""
    WITH RECURSIVE line(id) AS (
        SELECT value FROM json_each(:ids) UNION
        SELECT parent FROM parents JOIN line ON child = line.id
    ) SELECT id FROM line LIMIT :most
""")
# Who is hidden stands there for those that descend from it; after the last of them it goes too.
FORGOTTEN = text("""
    DELETE FROM kept WHERE hidden AND id NOT IN (
        WITH RECURSIVE line(id) AS (
            SELECT parent FROM parents JOIN kept ON child = kept.id WHERE NOT hidden UNION
            SELECT parent FROM parents JOIN line ON child = line.id
        ) SELECT id FROM line
    )
""")


def link(connection: Connection, child: int, parents: Mapping[int, float]) -> bool:
    """Give it these parents, by their shares, in place of those it has.

    Nothing descends from itself: whoever descends from it, and itself, is left out. Returns False
    where nobody remains of those given; nothing is changed then.
    """
    below = descendants(connection, [child]) if parents else set()
    possible = {parent: share for parent, share in parents.items() if parent not in below}
    if parents and not possible:
        return False
    connection.execute(delete(PARENTS).where(PARENTS.c.child == child))
    edges = [
        {"child": child, "parent": parent, "place": place, "share": share}
        for place, (parent, share) in enumerate(possible.items())
    ]
    if edges:
        connection.execute(insert(PARENTS), edges)
    return True


def descendants(connection: Connection, ids: Iterable[int], most: int = -1) -> set[int]:
    """These and all that descend from them; the nearest `most`, or all."""
    return set(connection.scalars(DESCENDANTS, {"ids": json.dumps(list(ids)), "most": most}))


def ancestors(connection: Connection, ids: Iterable[int], most: int = -1) -> set[int]:
    """As `descendants`."""
    return set(connection.scalars(ANCESTORS, {"ids": json.dumps(list(ids)), "most": most}))


def has_parents(connection: Connection, id: int) -> bool:
    return connection.scalar(select(PARENTS.c.share).where(PARENTS.c.child == id)) is not None


def relatives(connection: Connection, id: int) -> Family:
    """`NotFoundError` if there is no such face, hidden or not."""
    near = MOST_RELATIVES + 1
    above, below = ancestors(connection, [id], near), descendants(connection, [id], near)
    query = select(schema.kept).where(schema.kept.c.id.in_(among(above | below)))
    nodes = loaded(connection, query.order_by(schema.kept.c.id))
    if not nodes:
        raise NotFoundError(f"there is no kept face {id}")
    here = {node.id for node in nodes}
    edges = [
        Edge(node.id, parent.id, parent.share, node.how)
        for node in nodes
        for parent in node.parents
        if parent.id in here
    ]
    return Family(tuple(nodes), tuple(edges), whole=max(len(above), len(below)) < near)


def forget_the_forgotten(connection: Connection) -> None:
    """Delete who is hidden and nobody's ancestor any more."""
    if connection.scalar(select(schema.kept.c.id).where(schema.kept.c.hidden).limit(1)):
        connection.execute(FORGOTTEN)  # goes through all edges
