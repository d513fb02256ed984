"""Sampling from a generator, and writing the sampled faces to files."""

import contextlib
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from anime_dcgan.model.base import Generator
from anime_dcgan.sampling import image
from anime_dcgan.sampling.latent import latents_of_seeds, noise_of_seeds
from anime_dcgan.system.memory import scaled_batch

SAMPLE_BATCH = 64  # images of 64 px per forward pass
BLOCK = 16  # neighbouring seeds that always share a forward pass
ENCODE_BATCH = 128
"""Faces that are sampled before all cores encode them as PNG. On two cores this is 1.12 to 1.19
times as fast as one by one; batches of 16 are 1.0 to 1.07 times as fast, because the threads of the
forward pass spin for a while after it (benchmarks/results/training.md)."""

Pixels = UInt8[np.ndarray, "h w 3"]


def sample_images(
    generator: Generator,
    latents: Float[Tensor, "n latent_dim"],
    batch_size: int | None = None,
    noise: Float[Tensor, "n noise_dim"] | None = None,
    truncation: float = 1.0,
    labels: Float[Tensor, "n classes"] | None = None,
) -> UInt8[np.ndarray, "n h w 3"]:
    """Return the images of `latents` as pixels, computed on the generator's device.

    The generator runs in evaluation mode; its mode and the random state are restored, so that
    sampling never changes a training. The precision is float32, or that of the autocast context
    around the call.

    Parameters:
        batch_size: images per forward pass; None takes as much memory as 64 images of 64 px.
        noise: noise of a generator that takes any; None takes `Generator.fixed_noise`.
        truncation: see `Generator.truncate`.
        labels: labels of a generator that takes any; None takes `Generator.fixed_labels`.
    """
    styles = styles_of(generator, latents, truncation, labels)
    return sample_styles(generator, styles, batch_size, noise)


@torch.inference_mode()
def styles_of(
    generator: Generator,
    latents: Float[Tensor, "n latent_dim"],
    truncation: float = 1.0,
    labels: Float[Tensor, "n classes"] | None = None,
) -> Float[Tensor, "n style_layers style_dim"]:
    """Return the styles of `latents`, on the generator's device; see `sample_images`."""
    device = next(generator.parameters()).device
    if labels is None:
        labels = generator.fixed_labels(range(len(latents)))
    with _evaluation_mode(generator, device):
        styles = torch.cat(
            [
                generator.styles(
                    latents[first : first + SAMPLE_BATCH].to(device),
                    None if labels is None else labels[first : first + SAMPLE_BATCH].to(device),
                )
                for first in range(0, len(latents), SAMPLE_BATCH)
            ]
        )
        return styles if truncation == 1 else generator.truncate(styles, truncation, labels)


@torch.inference_mode()
def sample_styles(
    generator: Generator,
    styles: Float[Tensor, "n style_layers style_dim"],
    batch_size: int | None = None,
    noise: Float[Tensor, "n noise_dim"] | None = None,
) -> UInt8[np.ndarray, "n h w 3"]:
    """Return the images of `styles` as pixels; see `sample_images`."""
    device = next(generator.parameters()).device
    if batch_size is None:
        batch_size = scaled_batch(SAMPLE_BATCH, image_side(generator))
    pixels: np.ndarray | None = None
    with _evaluation_mode(generator, device):
        for first in range(0, len(styles), batch_size):
            rows = range(first, min(first + batch_size, len(styles)))
            some = slice(rows.start, rows.stop)
            some_noise = generator.fixed_noise(rows) if noise is None else noise[some]
            images = generator.synthesise(styles[some].to(device), some_noise.to(device))
            if pixels is None:
                pixels = np.empty((len(styles), *images.shape[2:], 3), np.uint8)
            pixels[some] = image.to_uint8(images)
    assert pixels is not None
    return pixels


def image_side(generator: Generator) -> int:
    """Return the height and width of a generator's images, px, by drawing one."""
    if generator not in _sides:
        weight = next(generator.parameters())
        latents = torch.zeros(1, generator.latent_dim, dtype=weight.dtype)
        _sides[generator] = sample_images(generator, latents, batch_size=1).shape[1]
    return _sides[generator]


_sides: WeakKeyDictionary[Generator, int] = WeakKeyDictionary()


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
        labels = generator.labels_of_seeds(block_seeds)
        block = sample_images(generator, latents, BLOCK, noise, truncation, labels)
        for seed in members:
            yield block[seed % BLOCK]


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
