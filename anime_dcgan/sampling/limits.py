"""Limits of pictures and films, checked before the first face is drawn."""

from anime_dcgan.sampling import image
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.memory import check_memory

MAX_PICTURE_PIXELS = 178_956_970
"""Pixels of a picture above which Pillow refuses to open it; browsers stop near there, too."""
MAX_FILM_FRAMES = 100_000  # more than an hour
COPIES = 3
"""Copies of a grid that exist while it is made: the faces, the sheet, and Pillow's."""


def check_grid(setting: str, count: int, side: int, columns: int | None, scale: int) -> None:
    """Raise `UserError` for a grid that few programs can open or that does not fit into memory.

    Parameters:
        setting: name of the setting that is the number of faces.
    """
    width, height = image.grid_size(count, side, columns, scale)
    if width * height > MAX_PICTURE_PIXELS:
        cell = (scale * side + image.GRID_PADDING) ** 2
        fits = max(1, int(0.98 * MAX_PICTURE_PIXELS / cell))
        smaller = f"{setting}={fits}" if count > fits else "a smaller scale= or columns="
        raise UserError(
            f"{setting}={count} makes a picture of {width:,} x {height:,} px, which is more than "
            f"programs open ({MAX_PICTURE_PIXELS:,} px): use {smaller}"
        )
    check_memory(COPIES * 3 * width * height, f"{setting}={count}", f"use a smaller {setting}=...")


def check_film(count: int, frames_per_face: int, side: int, is_gif: bool) -> None:
    """Raise `UserError` for a film of too many frames."""
    frames = count * frames_per_face
    if frames > MAX_FILM_FRAMES:
        raise UserError(
            f"n={count} with frames_per_face={frames_per_face} makes a film of {frames:,} frames, "
            f"above {MAX_FILM_FRAMES:,}: use fewer frames_per_face=... or n=..."
        )
    if is_gif:  # all frames are in memory
        fix = "use a smaller n=..., or out=film.mp4"
        check_memory(frames * side**2, f"a GIF of {frames:,} frames", fix)
