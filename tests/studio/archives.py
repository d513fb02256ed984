"""A valid archive of a collection, and changes of it."""

import io
import json
import zipfile
from typing import Any

from tests.studio.store_helpers import face, png

GOOD: dict[str, Any] = {
    "format": "anime_dcgan collection",
    "version": 1,
    "name": "group",
    "faces": [
        {"face": face(1).to_json(), "member": True, "how": None, "parents": []},
        {
            "face": face(2).to_json(),
            "member": True,
            "story": "x",
            "parents": [{"number": 1, "share": 1.0}],
        },
    ],
}


PICTURES = {"faces/00001.png": png(1), "faces/00002.png": png(2)}


def zipped(contents: Any, pictures: dict[str, bytes] = PICTURES, **more: Any) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **more) as target:
        text = contents if isinstance(contents, str | bytes) else json.dumps(contents)
        target.writestr("collection.json", text)
        for name, content in pictures.items():
            target.writestr(name, content)
    return file


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the valid contents with the value at `path` replaced, such as "faces.0.story"."""
    contents = json.loads(json.dumps(GOOD))
    *keys, last = path.split(".")
    parent = contents
    for key in keys:
        parent = parent[int(key) if key.isdigit() else key]
    parent[int(last) if last.isdigit() else last] = value
    return contents
