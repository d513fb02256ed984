"""The studio's database: saved faces with their stories and families, collections, direction names.

It is one SQLite file, and knows neither HTTP nor torch: pictures arrive as PNG. `Store` is the
entry point; `export_collection` and `import_collection` move a collection between studios.
"""

from anime_dcgan.studio.store.import_export import export_collection, import_collection
from anime_dcgan.studio.store.records import (
    Collection,
    Edge,
    Family,
    ImportResult,
    NameTakenError,
    Page,
    Parent,
    SavedFace,
)
from anime_dcgan.studio.store.store import Store

__all__ = [
    "Collection",
    "Edge",
    "Family",
    "ImportResult",
    "NameTakenError",
    "Page",
    "Parent",
    "SavedFace",
    "Store",
    "export_collection",
    "import_collection",
]
