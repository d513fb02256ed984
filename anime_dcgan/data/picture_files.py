"""Picture files in folders and archives: recognised by extension, limited in size."""

from pathlib import Path, PurePosixPath

from PIL import Image, UnidentifiedImageError

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


def is_picture(name: str) -> bool:
    """Return True if a relative path has a picture's extension and no part of it is junk."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.suffix.lower() in EXTENSIONS and not any(map(is_junk, path.parts))


def is_junk(part: str) -> bool:
    """Return True for hidden names (also AppleDouble's `._name`) and for system folders."""
    return part in JUNK_FOLDERS or (part.startswith(".") and part not in (".", ".."))


def no_pictures(path: Path) -> UserError:
    return UserError(
        f"data.path={path} holds no pictures: their file extensions must be among\n"
        + " ".join(sorted(EXTENSIONS))
    )


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
