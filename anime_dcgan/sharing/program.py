"""Programs of `torch.export`, which torch alone can run: `generator.pt2`."""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

from anime_dcgan.sharing.network import SharedGenerator
from anime_dcgan.sharing.verify import Difference, Reference
from anime_dcgan.system.errors import UserError

PROGRAM = "generator.pt2"
MAX_GREY_LEVELS = {False: 1, True: 2}
"""Largest difference from the faces of `generate`, with weights of 32 and of 16 bits."""
SOURCES = ("stack_trace", "nn_module_stack", "source_fn_stack", "from_node", "torch_fn")
"""Facts about a node that name files of this machine, or make up most of a small file."""


def export_torch(network: SharedGenerator, path: Path, reference: Reference) -> Difference:
    """Write a program with a dynamic number of images; return how far its faces are off.

    Raises OSError, and `UserError` if they are not the same.
    """
    batch = torch.export.Dim("batch", min=1)
    example = network.inputs_of_seeds(range(2))
    with _quiet():
        program = torch.export.export(
            network, (), example, dynamic_shapes=network.dynamic_shapes(batch)
        )
        for node in program.graph.nodes:
            for name in SOURCES:
                node.meta.pop(name, None)
        torch.export.save(program, path)
        loaded = torch.export.load(path).module()
    found = reference.compare(network, lambda inputs: loaded(**inputs))
    allowed = MAX_GREY_LEVELS[network.is_half]
    if found.maximum > allowed:
        fix = "half=false" if network.is_half else "another epoch"
        raise UserError(
            f"format=torch draws other faces (off by {found}; {allowed} allowed): use {fix}"
        )
    return found


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what torch's exporter warns and logs about itself."""
    logger = logging.getLogger("torch.export")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.setLevel(level)
