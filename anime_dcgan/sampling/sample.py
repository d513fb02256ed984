"""Faces from a generator: the same seed is the same face, whatever is drawn beside it."""

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from anime_dcgan.model.base import Generator
from anime_dcgan.sampling import image
from anime_dcgan.sampling.latent import latents_of_seeds, slerp
from anime_dcgan.system.errors import UserError

BLOCK = 16  # seeds that are always drawn together
PACKED_TOGETHER = 128
"""Faces that are drawn before all cores pack them: 1.12 to 1.19 times as fast as one by one on two
cores, and 16 at a time 1.0 to 1.07 times, as drawing's own threads are awake for a while after it
(benchmarks/results/training.md)."""

GIF_FRAMES_PER_SECOND = 50  # the fastest that viewers keep to

Pixels = UInt8[np.ndarray, "h w 3"]


@torch.inference_mode()
def faces(generator: Generator, seeds: Sequence[int]) -> Iterator[Pixels]:
    """The faces of the seeds, in order, uint8.

    A seed is always drawn in the same block of `BLOCK` neighbouring seeds and at the same place
    in it, so that the arithmetic, and with it every last bit, does not depend on what is asked.
    """
    block_number, block = -1, None
    for seed in seeds:
        if block is None or seed // BLOCK != block_number:
            block_number = seed // BLOCK
            members = range(block_number * BLOCK, (block_number + 1) * BLOCK)
            block = image.to_uint8(generator(latents_of_seeds(members, generator.latent_dim)))
        yield block[seed % BLOCK]


def film(generator: Generator, seeds: Sequence[int], frames_per_face: int) -> Iterator[Pixels]:
    """Frames that lead from face to face and back to the first."""
    return film_through(generator, latents_of_seeds(seeds, generator.latent_dim), frames_per_face)


@torch.inference_mode()
def film_through(
    generator: Generator, corners: Float[Tensor, "n latent_dim"], frames_per_face: int
) -> Iterator[Pixels]:
    """The same for any latents, by spherical interpolation."""
    for start, end in zip(corners, corners.roll(-1, dims=0), strict=True):
        steps = [slerp(start, end, step / frames_per_face) for step in range(frames_per_face)]
        yield from image.to_uint8(generator(torch.stack(steps)))


def write_folder(pictures: Iterable[Pixels], names: Iterable[str], folder: Path) -> None:
    """One PNG a face."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in zip(names, _packed(pictures), strict=True):
        (folder / name).write_bytes(content)


def write_zip(pictures: Iterable[Pixels], names: Iterable[str], path: Path) -> None:
    """One PNG a face, all in one archive (stored: PNGs are compressed already)."""
    write_archive(_packed(pictures), names, path)


def _packed(pictures: Iterable[Pixels]) -> Iterator[bytes]:
    """Each as a PNG, in order, by all cores."""
    iterator = iter(pictures)
    with ThreadPoolExecutor() as threads:
        while together := list(islice(iterator, PACKED_TOGETHER)):
            yield from threads.map(lambda pixels: image.to_png(Image.fromarray(pixels)), together)


def write_archive(contents: Iterable[bytes], names: Iterable[str], path: Path) -> None:
    """Files under their names, stored as they are."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in zip(names, contents, strict=True):
            archive.writestr(name, content)


def write_film(frames: Iterable[Pixels], path: Path, frames_per_second: int) -> None:
    """An endless GIF, or an MP4 (H.264), by the ending of `path`."""
    if path.suffix.lower() == ".gif":
        rate = min(frames_per_second, GIF_FRAMES_PER_SECOND)
        image.write_gif((Image.fromarray(pixels) for pixels in frames), path, rate)
    else:
        _write_mp4(frames, path, frames_per_second)


def _write_mp4(frames: Iterable[Pixels], path: Path, frames_per_second: int) -> None:
    try:
        import imageio_ffmpeg
    except ImportError:
        raise UserError(
            'an MP4 needs a package more: pip install "anime_dcgan[video]"; or use out=film.gif'
        ) from None
    iterator = iter(frames)
    first = next(iterator)
    size = (first.shape[1], first.shape[0])
    writer = imageio_ffmpeg.write_frames(str(path), size, fps=frames_per_second, quality=8)
    writer.send(None)
    try:
        for frame in (first, *iterator):
            writer.send(np.ascontiguousarray(frame))
    finally:
        writer.close()
