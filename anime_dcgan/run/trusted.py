"""Build objects from the configuration of a checkpoint or a run, which may be untrusted.

Unlike Hydra's `instantiate`, `build` only ever calls classes of one given package of ours.
"""

import importlib
from typing import Any

from anime_dcgan.system.errors import UserError, first_line


def build(settings: Any, package: str, base: type, origin: object) -> Any:
    """Build the object of class `_target_`, which must be in `package` and derive from `base`.

    Raises `UserError`, which names `origin`, for any other target and for nested values other than
    lists of text.
    """
    try:
        arguments = dict(settings)
        target = str(arguments.pop("_target_"))
        module_name, _, class_name = target.rpartition(".")
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"{origin} does not name the class of its {base.__name__.lower()}"
        ) from None
    plain = all(map(_is_plain, arguments.values()))
    if not f"{module_name}.".startswith(f"{package}.") or not plain:
        raise UserError(
            f"{origin} is refused: {target!r} is not a class of {package} with plain values"
        )
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError):
        raise UserError(f"{origin} names {target}, which this version does not have") from None
    if not (isinstance(found, type) and issubclass(found, base)):
        raise UserError(f"{origin} is refused: {target} is not a {base.__name__.lower()}")
    try:
        return found(**arguments)
    except UserError as error:
        raise UserError(f"{origin}: {error}") from None
    except Exception as error:  # whatever values of other types make it raise
        reason = first_line(error)
        raise UserError(f"{origin}: {target} cannot be built: {reason}") from None


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(each, str) for each in value)
    return isinstance(value, int | float | bool | str | None)
