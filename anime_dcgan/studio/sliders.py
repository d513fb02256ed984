"""Directions of generators and their measured names, found in the background and kept on disk."""

import asyncio
import contextlib
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
import torch

from anime_dcgan.explore import directions, naming
from anime_dcgan.explore.directions import Direction, Method
from anime_dcgan.explore.model import Model
from anime_dcgan.explore.naming import Name
from anime_dcgan.explore.pixel_measures import MEASURES
from anime_dcgan.sampling.layers import format_layers
from anime_dcgan.studio.measurements import Measurements, MeasurementsFullError
from anime_dcgan.studio.visitors import unless_gone

VERSION = 1  # of the files; other directions, measures or steps need a new one
PER_FILE = 10  # directions whose effects are measured together
MAX_KNOWN = 64  # lists of directions in memory, of 130 kB at 512 values per style


@dataclass(frozen=True)
class MeasuredNames:
    """Names of the strongest directions, as far as they are measured.

    Attributes:
        names: a measured or a provisional name for each direction.
        progress: fraction that is measured; 1 if the names are final.
    """

    names: list[Name]
    progress: float


class Sliders:
    """Finds directions and names them.

    Parameters:
        fast: draw faces in bf16.
    """

    def __init__(self, measurements: Measurements, fast: bool) -> None:
        self._measurements = measurements
        self._fast = fast

    async def directions(self, model: Model, method: Method) -> list[Direction]:
        """Return all directions of a method, strongest first, without using the drawing thread.

        Raises `MeasurementsFullError`, and `VisitorGoneError` if the visitor leaves before they
        are found.
        """
        known, key = model.known_directions, (model.digest, method)
        found = known.get(key)
        if found is None:
            computed = self._measurements.get(
                f"directions-{VERSION}-{method}-{model.digest}",
                lambda report: _to_array(model.directions(method)),
                lambda stored: stored.ndim == 2 and stored.shape[1] > 1,
            )
            found = _from_array(method, await unless_gone(asyncio.wrap_future(computed)))
            known[key] = found
            for oldest in list(known)[:-MAX_KNOWN]:
                known.pop(oldest, None)
        return found

    def names(
        self, model: Model, found: Sequence[Direction], count: int, layers: range | None
    ) -> MeasuredNames:
        """Return the names of the first directions, whose measuring begins unless it has.

        While too many others are waiting, it begins at a later call.

        They are measured in groups that do not depend on `count`: a request for fewer directions
        finds them measured, with the same names.

        Parameters:
            found: all directions of a method.
            layers: the style layers that move; None for all.
        """
        count = min(count, len(found))
        groups = [found[first : first + PER_FILE] for first in range(0, count, PER_FILE)]
        measured: list[torch.Tensor] = []
        progress = 0.0
        for number, group in enumerate(groups):
            name = _file_of_effects(model, group, layers)
            result = self._effects(model, name, group, layers)
            if result is None or not result.done():
                progress += self._measurements.progress(name)
            elif len(measured) == number:
                measured.append(torch.from_numpy(result.result()))
                progress += 1
        names = naming.name_directions(torch.cat(measured))[:count] if measured else []
        rest = [Name(f"direction {number + 1}") for number in range(len(names), count)]
        is_whole = not rest
        return MeasuredNames(
            [*names, *rest], 1.0 if is_whole else min(0.99, progress / len(groups))
        )

    def _effects(
        self, model: Model, name: str, group: Sequence[Direction], layers: range | None
    ) -> "Future[np.ndarray] | None":
        generator, shape = model.generator, (len(group), 2, len(MEASURES))
        with contextlib.suppress(MeasurementsFullError):
            return self._measurements.get(
                name,
                lambda report: naming.measure_effects(
                    generator, group, report, self._fast, layers
                ).numpy(),
                lambda stored: stored.shape == shape,
            )
        return None


def _file_of_effects(model: Model, group: Sequence[Direction], layers: range | None) -> str:
    which = "all" if layers is None else format_layers(layers)
    return f"effects-{VERSION}-{model.digest}-{group[0].id}-{len(group)}-{which}"


def _to_array(found: list[Direction]) -> np.ndarray:
    return np.stack([[one.strength, *one.vector.tolist()] for one in found]).astype(np.float32)


def _from_array(method: directions.Method, stored: np.ndarray) -> list[Direction]:
    rows = torch.from_numpy(stored.astype(np.float32))
    return [
        Direction(f"{method}.{number}", row[1:], float(row[0])) for number, row in enumerate(rows)
    ]
