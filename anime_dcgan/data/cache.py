"""The cache of a source: every picture decoded once, into one memory-mapped file of uint8."""

import hashlib
import json
import re
from pathlib import Path

from anime_dcgan.data.cache_build import CacheBuild
from anime_dcgan.data.cache_files import FaceCache, load_cache
from anime_dcgan.data.source import Source

CACHE_VERSION = 2
"""Increased whenever the same source would give other bytes, so that caches are rebuilt."""


def open_cache(
    source: Source, image_size: int, cache_dir: Path, workers: int | None = None
) -> FaceCache:
    """Return the cache of `source` at `image_size` px below `cache_dir`; build it if needed.

    Pictures are decoded in `workers` processes (default: one per core that this process may use),
    or in this process if `workers` is 0 or 1 or there are fewer than `MIN_PICTURES_FOR_WORKERS`. A
    process builds one cache at a time; several processes may build the same one. Raises `UserError`
    if no picture can be read, or if the folder cannot be written or lacks space.
    """
    build = _plan(source, image_size, cache_dir, workers)
    cache = load_cache(build.folder, build.made_from)
    if cache is not None:
        return cache
    build.run()
    cache = load_cache(build.folder, build.made_from)
    assert cache is not None, f"{build.folder} was removed as soon as it was built"
    return cache


def check_space(source: Source, image_size: int, cache_dir: Path) -> None:
    """Raise `UserError` if the cache is missing and there is no room to build it."""
    build = _plan(source, image_size, cache_dir, None)
    if not build.folder.exists():
        build.check_space()


def _plan(source: Source, image_size: int, cache_dir: Path, workers: int | None) -> CacheBuild:
    made_from = _made_from(source, image_size)
    folder = Path(cache_dir).absolute() / _folder_name(made_from, source)
    return CacheBuild(source, image_size, folder, made_from, workers)


def _made_from(source: Source, image_size: int) -> dict[str, object]:
    """Return everything that a cache depends on, in the form in which JSON restores it."""
    made_from = {
        "cache_version": CACHE_VERSION,
        "image_size": image_size,
        "identity": source.identity(),
    }
    return json.loads(json.dumps(made_from))


def _folder_name(made_from: dict[str, object], source: Source) -> str:
    """Return the stem of the source's path, or its kind, with a hash of `made_from`."""
    digest = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()
    identity = source.identity()
    stem = Path(str(identity.get("path") or identity.get("kind", ""))).stem
    name = re.sub(r"[^\w-]+", "-", stem).strip("-")[:40]
    return f"{name or 'faces'}-{digest[:12]}"
