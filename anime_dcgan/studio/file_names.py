"""Names of downloaded files: the run, the epoch, and the seed or a digest of the face."""

import hashlib
import re
from collections.abc import Sequence

from anime_dcgan.explore.face import Face

MAX_RUN_LENGTH = 80  # characters; file systems allow 255 bytes for the whole name


def face_name(face: Face) -> str:
    """Return the file name of a face without an extension.

    >>> face_name(Face("sweep/a", "70", seed=5))
    'sweep-a-epoch70-seed5'
    """
    is_plain = face.is_seed_only and face.weights == "ema" and face.label is None
    digest = "" if is_plain else f"-{hashlib.sha256(face.to_query().encode()).hexdigest()[:8]}"
    seed = "" if face.seed is None else f"-seed{face.seed}"
    return f"{_run_name(face)}{seed}{digest}"


def film_name(faces: Sequence[Face]) -> str:
    """Return the name of the file of several faces of one generator.

    >>> film_name([Face("a", "70", seed=5), Face("a", "70", seed=6)])
    'a-epoch70-2-faces'
    """
    return f"{_run_name(faces[0])}-{len(faces)}-faces"


def _run_name(face: Face) -> str:
    run = re.sub(r"[^A-Za-z0-9._-]+", "_", face.run.replace("/", "-"))
    return f"{run[-MAX_RUN_LENGTH:].lstrip('.-')}-epoch{face.epoch}"
