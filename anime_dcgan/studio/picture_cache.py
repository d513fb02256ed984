"""Pictures on disk that are expensive to draw again, such as those in the list of runs."""

import hashlib
from pathlib import Path

from anime_dcgan.system.errors import RefusedFileError
from anime_dcgan.system.files import atomic_write
from anime_dcgan.system.reader import modified, read_bytes

MAX_PICTURES = 1000


class PictureCache:
    """A folder of PNG files; the oldest are deleted when there are too many.

    A disk that is full or read-only makes it forgetful, and nothing else.
    """

    def __init__(self, folder: Path, max_pictures: int = MAX_PICTURES) -> None:
        self._folder = folder
        self._max_pictures = max_pictures

    def get(self, key: str) -> bytes | None:
        try:
            return read_bytes(self._path(key))
        except (FileNotFoundError, RefusedFileError):
            return None

    def put(self, key: str, picture: bytes) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._path(key)) as partial:
                partial.write_bytes(picture)
            pictures = sorted(self._folder.glob("*.png"), key=modified)
            for path in pictures[: max(0, len(pictures) - self._max_pictures)]:
                path.unlink(missing_ok=True)
        except OSError:
            pass

    def _path(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.png"
