"""What the studio remembers: kept faces, their stories and families, collections, names.

One SQLite file. Neither HTTP nor torch: pictures come in as PNG. `Store` is the way in;
`export_collection` and `import_collection` carry a collection from one studio to another.
"""

from anime_dcgan.studio.store.exchange import export_collection, import_collection
from anime_dcgan.studio.store.records import (
    Collection,
    Edge,
    Family,
    Imported,
    Kept,
    Page,
    Parent,
    Taken,
)
from anime_dcgan.studio.store.store import Store

__all__ = [
    "Collection",
    "Edge",
    "Family",
    "Imported",
    "Kept",
    "Page",
    "Parent",
    "Store",
    "Taken",
    "export_collection",
    "import_collection",
]
