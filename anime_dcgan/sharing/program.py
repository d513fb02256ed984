"""Programs of `torch.export`, which torch alone can run: `generator.pt2`."""

from pathlib import Path

import torch

from anime_dcgan.sharing.network import SharedGenerator
from anime_dcgan.sharing.verify import Difference, Reference
from anime_dcgan.system.console import quiet

PROGRAM = "generator.pt2"
SOURCES = ("stack_trace", "nn_module_stack", "source_fn_stack", "from_node", "torch_fn")
"""Facts about a node that name files of this machine, or make up most of a small file."""


def export_torch(network: SharedGenerator, path: Path, reference: Reference) -> Difference:
    """Write a program with a dynamic number of images; return how far its faces are off.

    Raises OSError, and `UserError` if they are not the same.
    """
    batch = torch.export.Dim("batch", min=1)
    example = network.inputs_of_seeds(range(2))
    with quiet("torch.export"):
        program = torch.export.export(
            network, (), example, dynamic_shapes=network.dynamic_shapes(batch)
        )
        for node in program.graph.nodes:
            for name in SOURCES:
                node.meta.pop(name, None)
        torch.export.save(program, path)
        loaded = torch.export.load(path).module()
    found = reference.compare(network, lambda inputs: loaded(**inputs))
    found.check("torch", network.is_half)
    return found
