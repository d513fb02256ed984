"""What people keep: faces, stories, families, collections, names. SQLite, through SQLAlchemy."""

from anime_dcgan.studio.store.records import Collection, Edge, Family, Kept, NewFace, Parent
from anime_dcgan.studio.store.store import NotKept, Store

__all__ = ["Collection", "Edge", "Family", "Kept", "NewFace", "NotKept", "Parent", "Store"]
