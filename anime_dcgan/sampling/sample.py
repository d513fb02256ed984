"""Sampling from a generator, and writing the sampled faces to files."""

import contextlib
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from anime_dcgan.model.base import Generator
from anime_dcgan.sampling import image
from anime_dcgan.sampling.latent import latents_of_seeds, noise_of_seeds, slerp
from anime_dcgan.system.errors import needs_extra

SAMPLE_BATCH = 64  # images per forward pass
BLOCK = 16  # neighbouring seeds that always share a forward pass
ENCODE_BATCH = 128
"""Faces that are sampled before all cores encode them as PNG. On two cores this is 1.12 to 1.19
times as fast as one by one; batches of 16 are 1.0 to 1.07 times as fast, because the threads of the
forward pass spin for a while after it (benchmarks/results/training.md)."""

MAX_GIF_FRAMES_PER_SECOND = 50  # viewers slow down faster animations

Pixels = UInt8[np.ndarray, "h w 3"]


@torch.inference_mode()
def sample_images(
    generator: Generator,
    latents: Float[Tensor, "n latent_dim"],
    batch_size: int = SAMPLE_BATCH,
    noise: Float[Tensor, "n noise_dim"] | None = None,
    truncation: float = 1.0,
) -> UInt8[np.ndarray, "n h w 3"]:
    """Return the images of `latents` as pixels, computed on the generator's device.

    The generator runs in evaluation mode, `batch_size` images per forward pass; its mode and the
    random state are restored, so that sampling never changes a training. The precision is float32,
    or that of the autocast context around the call.

    Parameters:
        noise: noise of a generator that takes any; None takes `Generator.fixed_noise`.
        truncation: see `Generator.truncate`.
    """
    device = next(generator.parameters()).device
    batches: list[np.ndarray] = []
    with _evaluation_mode(generator, device):
        for start in range(0, len(latents), batch_size):
            rows = range(start, min(start + batch_size, len(latents)))
            some = slice(rows.start, rows.stop)
            some_noise = generator.fixed_noise(rows) if noise is None else noise[some]
            images = _synthesise(
                generator, latents[some].to(device), some_noise.to(device), truncation
            )
            batches.append(image.to_uint8(images))
        return np.concatenate(batches)


def _synthesise(
    generator: Generator,
    latents: Float[Tensor, "n latent_dim"],
    noise: Float[Tensor, "n noise_dim"],
    truncation: float,
) -> Float[Tensor, "n 3 h w"]:
    styles = generator.styles(latents)
    if truncation != 1:
        styles = generator.truncate(styles, truncation)
    return generator.synthesise(styles, noise)


@contextlib.contextmanager
def _evaluation_mode(generator: Generator, device: torch.device) -> Iterator[None]:
    training = generator.training
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        generator.eval()
        try:
            yield
        finally:
            generator.train(training)


def faces(generator: Generator, seeds: Sequence[int], truncation: float = 1.0) -> Iterator[Pixels]:
    """Yield the face of each seed, in order.

    The same seed gives the same face bit by bit, whatever the other seeds are: it is always
    computed in the same block of `BLOCK` neighbouring seeds, at the same position.
    """
    for number, members in groupby(seeds, key=lambda seed: seed // BLOCK):
        block_seeds = range(number * BLOCK, (number + 1) * BLOCK)
        latents = latents_of_seeds(block_seeds, generator.latent_dim)
        noise = noise_of_seeds(block_seeds, generator)
        block = sample_images(generator, latents, BLOCK, noise, truncation)
        for seed in members:
            yield block[seed % BLOCK]


def film(
    generator: Generator, seeds: Sequence[int], frames_per_face: int, truncation: float = 1.0
) -> Iterator[Pixels]:
    """Yield the frames of a film from the face of each seed to the next and back to the first."""
    latents = latents_of_seeds(seeds, generator.latent_dim)
    noise = noise_of_seeds(seeds, generator)
    return film_through(generator, latents, frames_per_face, noise, truncation)


def film_through(
    generator: Generator,
    latents: Float[Tensor, "n latent_dim"],
    frames_per_face: int,
    noise: Float[Tensor, "n noise_dim"] | None = None,
    truncation: float = 1.0,
) -> Iterator[Pixels]:
    """Yield the frames of a film from each latent to the next and back to the first, by `slerp`.

    The noise is interpolated like the latents; None takes the same noise for all frames.
    """
    if noise is None:
        noise = generator.fixed_noise().expand(len(latents), -1)
    for first in range(len(latents)):
        second = (first + 1) % len(latents)
        for start in range(0, frames_per_face, SAMPLE_BATCH):
            steps = range(start, min(start + SAMPLE_BATCH, frames_per_face))
            fractions = [step / frames_per_face for step in steps]
            between = [
                torch.stack([slerp(values[first], values[second], each) for each in fractions])
                for values in (latents, noise)
            ]
            yield from sample_images(generator, between[0], SAMPLE_BATCH, between[1], truncation)


def write_folder(pictures: Iterable[Pixels], names: Iterable[str], folder: Path) -> None:
    """Write one PNG per face into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in zip(names, _encode(pictures), strict=True):
        (folder / name).write_bytes(content)


def write_zip(pictures: Iterable[Pixels], names: Iterable[str], path: Path) -> None:
    """Write one PNG per face into a zip archive."""
    write_archive(_encode(pictures), names, path)


def _encode(pictures: Iterable[Pixels]) -> Iterator[bytes]:
    """Yield each picture as PNG, in order, encoded on all cores."""
    iterator = iter(pictures)
    with ThreadPoolExecutor() as threads:
        while batch := list(islice(iterator, ENCODE_BATCH)):
            yield from threads.map(lambda pixels: image.to_png(Image.fromarray(pixels)), batch)


def write_archive(contents: Iterable[bytes], names: Iterable[str], path: Path) -> None:
    """Write files into a zip archive, stored without compression: PNGs are compressed already."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in zip(names, contents, strict=True):
            archive.writestr(name, content)


def write_film(frames: Iterable[Pixels], path: Path, frames_per_second: int) -> None:
    """Write a looping GIF or an MP4 (H.264), by the file extension of `path`."""
    if path.suffix.lower() == ".gif":
        frames_per_second = min(frames_per_second, MAX_GIF_FRAMES_PER_SECOND)
        image.write_gif((Image.fromarray(pixels) for pixels in frames), path, frames_per_second)
    else:
        _write_mp4(frames, path, frames_per_second)


def _write_mp4(frames: Iterable[Pixels], path: Path, frames_per_second: int) -> None:
    try:
        import imageio_ffmpeg
    except ImportError:
        raise needs_extra("an MP4", "video", "use out=film.gif") from None
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
