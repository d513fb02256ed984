"""Check of the pickled part of a checkpoint before torch loads it.

`torch.load(weights_only=True)` runs no code, but a few bytes can make it allocate gigabytes, read
beyond a tensor's storage, or fail in many ways. Here the archive must be as torch writes it, and
its pickle is read once with stand-ins for tensors, in memory bounded by its own size.
"""

import io
import pickle
import pickletools
import zipfile
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

from anime_dcgan.system.errors import RefusedFileError, describe
from anime_dcgan.system.reader import open_regular

MAX_PICKLE_BYTES = 32 * 1024**2
MAX_MEMBERS = 100_000
MAX_OPCODES = 1_000_000
"""Some 5,000 for the dcgan; each takes at most about 100 bytes of memory."""

OPCODES = frozenset(
    [
        *("PROTO", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE", "BINUNICODE", "BINFLOAT"),
        *("BININT", "BININT1", "BININT2", "LONG1", "EMPTY_LIST", "APPEND", "APPENDS"),
        *("EMPTY_DICT", "SETITEM", "SETITEMS", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2"),
        *("TUPLE3", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET", "GLOBAL", "REDUCE"),
        *("BUILD", "BINPERSID"),
    ]
)
"""Opcodes with which torch writes plain values, tensors and ordered dictionaries."""

ITEM_BYTES = {
    **{"DoubleStorage": 8, "LongStorage": 8, "FloatStorage": 4, "IntStorage": 4},
    **{"HalfStorage": 2, "BFloat16Storage": 2, "ShortStorage": 2},
    **{"CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1},
}


class TensorStandIn:
    """A tensor whose size and storage have been checked."""

    __slots__ = ()


class _Ordered(dict[Any, Any]):
    """An ordered dictionary; torch stores a `_metadata` attribute with that of a module."""

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict) or list(state) != ["_metadata"]:
            raise ValueError("an ordered dictionary has unknown attributes")


def check_archive(path: Path) -> dict[Any, Any]:
    """Return the content of a checkpoint with stand-ins for its tensors.

    Raises `FileNotFoundError`, and `RefusedFileError` for anything that torch does not write.
    """
    with open_regular(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                content = _check_members(archive)
        except (zipfile.BadZipFile, NotImplementedError) as error:
            raise RefusedFileError(path, f"it is not a checkpoint ({describe(error)})") from None
        except Exception as error:  # whatever a hostile pickle makes the unpickler raise
            raise RefusedFileError(
                path,
                "it is damaged, or it holds more than tensors and plain values and could run code "
                f"({describe(error)})",
            ) from None
    if not isinstance(content, dict):
        raise RefusedFileError(path, "it is not a checkpoint of anime_dcgan")
    return content


def _check_members(archive: zipfile.ZipFile) -> Any:
    members = {member.filename: member for member in archive.infolist()}
    pickles = [name for name in members if name.endswith("/data.pkl")]
    if len(pickles) != 1 or len(members) != len(archive.infolist()) or len(members) > MAX_MEMBERS:
        raise ValueError("its members are not those of a checkpoint")
    folder = pickles[0].removesuffix("data.pkl")
    for name, member in members.items():
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise ValueError("it has compressed members")
        if not name.startswith(folder):
            raise ValueError(f"it has the member {name!r:.40}")
    if min(member.header_offset for member in members.values()) != 0:
        raise ValueError("it does not begin with its first member")
    if members[pickles[0]].file_size > MAX_PICKLE_BYTES:
        raise ValueError(f"its pickle is larger than {MAX_PICKLE_BYTES / 1e6:.0f} MB")
    sizes = {
        name.removeprefix(f"{folder}data/"): member.file_size
        for name, member in members.items()
        if name.startswith(f"{folder}data/")
    }
    with archive.open(pickles[0]) as stream:
        content = stream.read()
    return _read_with_stand_ins(content, sizes)


def _read_with_stand_ins(content: bytes, sizes: dict[str, int]) -> Any:
    for count, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        if opcode.name not in OPCODES:
            raise pickle.UnpicklingError(f"it has the opcode {opcode.name}")
        index = argument if opcode.name == "LONG_BINPUT" else 0  # of an array that it makes
        if max(count, index or 0) > MAX_OPCODES:
            raise pickle.UnpicklingError(f"it has more than {MAX_OPCODES:,} opcodes")
    return _StandInUnpickler(io.BytesIO(content), sizes).load()


class _StandInUnpickler(pickle.Unpickler):
    """Calls only the three functions below."""

    def __init__(self, file: io.BytesIO, sizes: dict[str, int]) -> None:
        super().__init__(file)
        self._sizes = sizes

    def find_class(self, module: str, name: str) -> Any:
        known: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): _ordered,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch._utils", "_rebuild_parameter"): _parameter,
        }
        if (module, name) in known:
            return known[module, name]
        if module == "torch" and name in ITEM_BYTES:
            return name
        raise pickle.UnpicklingError(f"it refers to {module}.{name}")

    def persistent_load(self, pid: Any) -> tuple[int, int]:
        """Return the number and the size in bytes of the elements of a storage."""
        kind, storage, key, _, count = pid
        item = ITEM_BYTES[storage]
        if kind != "storage" or type(count) is not int or self._sizes[key] != count * item:
            raise ValueError("a tensor's storage has another size than its file")
        return count, item


def _ordered() -> _Ordered:
    return _Ordered()


def _tensor(
    storage: tuple[int, int],
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    requires_grad: bool,
    hooks: _Ordered,
) -> TensorStandIn:
    count, _ = storage
    numbers = (offset, *size, *stride)
    if any(type(number) is not int or number < 0 for number in numbers) or len(size) != len(stride):
        raise ValueError("a tensor has no valid size")
    if hooks or type(requires_grad) is not bool:
        raise ValueError("a tensor has hooks")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if prod(size) and (last >= count or prod(size) > count):
        raise ValueError("its weights are larger than their storage")
    return TensorStandIn()


def _parameter(data: TensorStandIn, requires_grad: bool, hooks: _Ordered) -> TensorStandIn:
    if not isinstance(data, TensorStandIn) or hooks or type(requires_grad) is not bool:
        raise ValueError("a parameter is not a tensor")
    return data
