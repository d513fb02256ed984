"""Picture files in folders and archives: recognised by their first bytes, limited in size."""

import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from PIL import Image, UnidentifiedImageError

from anime_dcgan.data.decoding import FORMATS
from anime_dcgan.data.source import Unreadable
from anime_dcgan.system.errors import UserError, describe, reason_of

MAX_FILE_BYTES = 256 * 1024**2
"""Larger files and members are rejected: no picture of `MAX_PIXELS` needs more bytes."""

EXTENSIONS = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp"),
        *(".dib", ".tif", ".tiff", ".avif", ".jp2", ".j2k", ".jpx", ".pbm", ".pgm", ".ppm"),
        *(".pnm", ".pfm", ".tga", ".ico", ".pcx", ".sgi", ".rgb", ".rgba", ".bw", ".qoi"),
        *(".dds", ".psd"),
    )
)

JUNK_FOLDERS = frozenset(
    {"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"}
)


HEAD_BYTES = 1024
"""First bytes of a file that show whether it is a picture."""

DISTINCTIVE = frozenset(
    ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF", "JPEG2000", "ICO", "QOI", "DDS", "PSD")
)
"""Formats whose first bytes no other file has; of the rest the header is read."""

ARCHIVE_EXTENSIONS = frozenset(
    (".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".7z", ".rar", ".zst")
)
MAX_KINDS = 5


class Selection:
    """Selects the pictures among files, and counts all others by file extension."""

    def __init__(self) -> None:
        self.passed_over: Counter[str] = Counter()
        self.archives: list[str] = []

    def admits(self, name: str, read_head: Callable[[], bytes]) -> bool:
        """Return True if a file is a picture; hidden files and junk are not counted.

        A picture's extension is believed, and a file that is none is unreadable later. Any other
        file is a picture if it begins like one. `read_head` returns its first `HEAD_BYTES`.
        """
        path = PurePosixPath(name.replace("\\", "/"))
        if any(map(is_junk, path.parts)):
            return False
        extension = path.suffix.lower()
        if extension in EXTENSIONS or _begins_like_a_picture(read_head):
            return True
        self.passed_over[extension or "without an extension"] += 1
        if extension in ARCHIVE_EXTENSIONS:
            self.archives.append(name)
        return False


def _begins_like_a_picture(read_head: Callable[[], bytes]) -> bool:
    try:
        head = read_head()
        formats = [each for each in FORMATS if _accepts(each, head)]
        if not formats or not DISTINCTIVE.isdisjoint(formats):
            return bool(formats)
        with Image.open(io.BytesIO(head), formats=formats):
            return True
    except Exception:  # a damaged file or archive can raise almost anything
        return False


def _accepts(picture_format: str, head: bytes) -> bool:
    """Return True if Pillow would try this format on a file that begins with `head`."""
    Image.init()
    accept = Image.OPEN[picture_format][1] if picture_format in Image.OPEN else None
    return accept is not None and bool(accept(head[:16]))


def describe_passed_over(counts: Counter[str]) -> str:
    """Return how many files of which kinds are not pictures.

    >>> describe_passed_over(Counter({"without an extension": 75, ".heic": 3}))
    '78 other files passed over: 75 without an extension, 3 .heic'
    """
    kinds = [f"{number:,} {kind}" for kind, number in counts.most_common(MAX_KINDS)]
    rest = counts.total() - sum(number for _, number in counts.most_common(MAX_KINDS))
    kinds += [f"{rest:,} of other kinds"] if rest else []
    files = "file" if counts.total() == 1 else "files"
    return f"{counts.total():,} other {files} passed over: {', '.join(kinds)}"


def is_junk(part: str) -> bool:
    """Return True for hidden names (also AppleDouble's `._name`) and for system folders."""
    return part in JUNK_FOLDERS or (part.startswith(".") and part not in (".", ".."))


def no_pictures(path: Path, selection: Selection) -> UserError:
    """Return the error about a folder or archive without pictures, with the cause and the cure."""
    found = f"data.path={path} holds no pictures"
    if selection.archives:
        first = selection.archives[0]
        use = f"use data.path={path / first}" if path.is_dir() else "use the folder"
        return UserError(f"{found}, but archives such as {first}: unpack them, or {use}")
    if selection.passed_over:
        others = describe_passed_over(selection.passed_over)
        return UserError(f"{found}; {others}: convert them to JPEG or PNG")
    return UserError(f"{found}: use a folder or an archive of pictures")


def check_size(size: int) -> None:
    """Raise `Unreadable` above `MAX_FILE_BYTES`."""
    if size > MAX_FILE_BYTES:
        limit = MAX_FILE_BYTES // 1024**2
        raise Unreadable(f"{size:,} bytes exceed the limit of {limit} MiB")


def describe_error(error: Exception) -> str:
    """Describe an error of the file system, an archive or Pillow in one line."""
    if isinstance(error, UnidentifiedImageError):
        return "not a picture in a known format"
    if isinstance(error, OSError | Warning | Image.DecompressionBombError):
        return reason_of(error)
    return describe(error)
