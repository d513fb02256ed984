"""An exported generator: `generator.json` and `generator.safetensors` in a folder.

It is read like a checkpoint with a single set of weights, and as safely: the description is plain
JSON, the weights are numbers, and both must agree.
"""

import struct
from pathlib import Path
from typing import Any

from anime_dcgan.system.errors import NotFoundError, RefusedFileError, first_line
from anime_dcgan.system.memory import check_memory
from anime_dcgan.system.reader import (
    check_plain,
    has_numbers,
    is_regular,
    open_regular,
    read_bytes,
    read_json,
    refuse_damage,
)

DESCRIPTION = "generator.json"
WEIGHTS = "generator.safetensors"
FORMAT = "anime_dcgan generator"
VERSION = 1
MAX_DESCRIPTION_BYTES = 1024**2
MAX_HEADER_BYTES = 1024**2
MAX_WEIGHTS_BYTES = 2 * 1024**3
COUNTS = {"images_seen": "images", "epochs_done": "epoch"}
"""Keys of a checkpoint, and those of the description."""


def is_exported(folder: Path) -> bool:
    """Return True if a folder has the description of an exported generator."""
    return is_regular(folder / DESCRIPTION)


def read_description(folder: Path) -> dict[str, Any]:
    """Return the content of generator.json.

    Raises `FileNotFoundError`, and `RefusedFileError` for anything that this package never writes.
    """
    path = folder / DESCRIPTION
    content = read_json(path, MAX_DESCRIPTION_BYTES, allow_nan=False)
    with refuse_damage(path):
        check_plain(content)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise RefusedFileError(path, "it does not describe an exported generator")
    if content.get("version") != VERSION:
        version = str(content.get("version"))
        reason = f"its version is {version:.20}, and this program reads {VERSION}"
        raise RefusedFileError(path, f"{reason}: use a newer anime_dcgan")
    if not isinstance(content.get("config"), dict) or not has_numbers(content, COUNTS.values()):
        raise RefusedFileError(path, "it lacks config, images or epoch")
    return content


def read_exported(path: Path) -> dict[str, Any]:
    """Return the weights at `path` and their description in the form of a checkpoint.

    Raises `NotFoundError` for a missing file, and `UserError` for one that is damaged or unsafe.
    """
    try:
        description = read_description(path.parent)
        state = _read_weights(path)
    except FileNotFoundError as error:
        raise NotFoundError(f"{error.filename} does not exist: export the run again") from None
    config = description["config"]
    contents = {
        "state_dict": {f"generator_ema.{name}": _widen(each) for name, each in state.items()},
        "config": config,
        **{key: description[name] for key, name in COUNTS.items()},
        "faces": description.get("fingerprint"),
    }
    _check_digest(path, description, state)
    return contents


def _widen(tensor: Any) -> Any:
    """Return weights of 16 bits in 32."""
    return tensor.float() if tensor.is_floating_point() and tensor.element_size() == 2 else tensor


def _read_weights(path: Path) -> dict[str, Any]:
    import safetensors.torch

    size = _check_header(path)
    check_memory(2 * size, str(path), "use a smaller generator, or free some memory")
    try:
        return safetensors.torch.load(read_bytes(path, MAX_WEIGHTS_BYTES))
    except (safetensors.SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise RefusedFileError(path, f"it is damaged ({first_line(error)})") from None


def _check_header(path: Path) -> int:
    """Return the size of a file in bytes; refuse one whose header would fill the memory."""
    with refuse_damage(path), open_regular(path) as file:
        start = file.read(8)
        size = file.seek(0, 2)
    if len(start) < 8:
        raise RefusedFileError(path, "it is damaged (it ends before its header)")
    if struct.unpack("<Q", start)[0] > MAX_HEADER_BYTES:
        raise RefusedFileError(path, "it is damaged (its header is too long)")
    return size


def _check_digest(path: Path, description: dict[str, Any], state: dict[str, Any]) -> None:
    """Raise `RefusedFileError` unless the weights are those that the description names."""
    from anime_dcgan.run.digest import digest_of

    model = description["config"].get("model")
    settings = model.get("generator") if isinstance(model, dict) else None
    if digest_of(settings, state) != description.get("digest"):
        raise RefusedFileError(
            path, f"it does not have the digest in {DESCRIPTION}: export or download it again"
        )
