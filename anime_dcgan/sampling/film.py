"""Films that interpolate between faces."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from anime_dcgan.model.base import Generator
from anime_dcgan.sampling import image
from anime_dcgan.sampling.latent import latents_of_seeds, noise_of_seeds, slerp
from anime_dcgan.sampling.sample import (
    SAMPLE_BATCH,
    Pixels,
    sample_images,
    sample_styles,
    styles_of,
)
from anime_dcgan.sampling.standing import between_statistics
from anime_dcgan.system.errors import needs_extra

MAX_GIF_FRAMES_PER_SECOND = 50  # viewers slow down faster animations

Step = tuple[int, int, float]
"""Two faces by index, and the fraction of the way from one to the other."""


def film(
    generator: Generator,
    seeds: Sequence[int],
    frames_per_face: int,
    truncation: float = 1.0,
    in_style_space: bool = False,
) -> Iterator[Pixels]:
    """Yield the frames of a film from the face of each seed to the next and back to the first.

    Parameters:
        in_style_space: interpolate the styles on straight lines instead of the latents on great
            circles.
    """
    latents = latents_of_seeds(seeds, generator.latent_dim)
    noise = noise_of_seeds(seeds, generator)
    labels = generator.labels_of_seeds(seeds)
    if not in_style_space:
        yield from film_through(generator, latents, frames_per_face, noise, truncation, labels)
        return
    styles = styles_of(generator, latents, truncation, labels=labels).cpu()
    yield from film_through_styles([generator] * len(styles), styles, frames_per_face, noise)


def film_through_styles(
    generators: Sequence[Generator],
    styles: Float[Tensor, "n style_layers style_dim"],
    frames_per_face: int,
    noise: Float[Tensor, "n noise_dim"],
    interpolate: Callable[[Tensor, list[Step]], Tensor] | None = None,
) -> Iterator[Pixels]:
    """Yield the frames of a film from each of these styles to the next.

    Parameters:
        generators: one for each of the styles. They are the same one, except that the statistics of
            batch normalisation may fit different truncations; these are interpolated as well.
        interpolate: returns the styles of these steps; None takes `on_straight_lines`.
    """
    interpolate = interpolate or on_straight_lines
    for steps in _frames_between(len(styles), frames_per_face):
        frames, noises = interpolate(styles, steps), on_great_circles(noise, steps)
        start, end = (generators[face] for face in steps[0][:2])
        if start is end:
            yield from sample_styles(start, frames, noise=noises)
            continue
        for row, (_, _, fraction) in enumerate(steps):
            between = between_statistics(start, end, fraction)
            yield from sample_styles(between, frames[[row]], 1, noises[[row]])


def film_through(
    generator: Generator,
    latents: Float[Tensor, "n latent_dim"],
    frames_per_face: int,
    noise: Float[Tensor, "n noise_dim"] | None = None,
    truncation: float = 1.0,
    labels: Float[Tensor, "n classes"] | None = None,
) -> Iterator[Pixels]:
    """Yield the frames of a film from each latent to the next and back to the first, by `slerp`.

    The noise is interpolated like the latents, and labels on straight lines. None takes the same
    noise, or the same label, for all frames.
    """
    if noise is None:
        noise = generator.fixed_noise().expand(len(latents), -1)
    if labels is None and (fixed := generator.fixed_labels()) is not None:
        labels = fixed.expand(len(latents), -1)
    for steps in _frames_between(len(latents), frames_per_face):
        yield from sample_images(
            generator,
            on_great_circles(latents, steps),
            noise=on_great_circles(noise, steps),
            truncation=truncation,
            labels=None if labels is None else on_straight_lines(labels, steps),
        )


def _frames_between(count: int, frames_per_face: int) -> Iterator[list[Step]]:
    """Yield the frames of a closed film through `count` faces, in batches."""
    for first in range(count):
        for start in range(0, frames_per_face, SAMPLE_BATCH):
            numbers = range(start, min(start + SAMPLE_BATCH, frames_per_face))
            yield [(first, (first + 1) % count, number / frames_per_face) for number in numbers]


def on_great_circles(values: Float[Tensor, "n d"], steps: list[Step]) -> Float[Tensor, "m d"]:
    """Return the values of these steps, by `slerp`."""
    return torch.stack([slerp(values[a], values[b], fraction) for a, b, fraction in steps])


def on_straight_lines(values: Float[Tensor, "n ..."], steps: list[Step]) -> Float[Tensor, "m ..."]:
    """Return the values of these steps, by linear interpolation."""
    return torch.stack([torch.lerp(values[a], values[b], fraction) for a, b, fraction in steps])


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
