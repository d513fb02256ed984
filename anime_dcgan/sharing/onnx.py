"""ONNX files of a generator, which onnxruntime draws with."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from anime_dcgan.sharing.network import SharedGenerator
from anime_dcgan.sharing.verify import Difference, Draw, Reference
from anime_dcgan.system.console import quiet
from anime_dcgan.system.errors import UserError, describe, needs_extra

OPSET = 20
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
MAX_BATCH = 4096  # images
MIN_ROUNDED = 1024  # values of a weight that is stored in fewer bits; smaller ones stay as they are

Storage = Literal["float32", "float16", "int8"]


def has_packages() -> bool:
    """Return True if all packages that write ONNX files are installed."""
    return all(map(importlib.util.find_spec, PACKAGES))


def check_packages(subject: str) -> None:
    """Raise `UserError` if a package that writes ONNX files is missing."""
    if not has_packages():
        raise needs_extra(subject, "export")


def export_onnx(network: SharedGenerator, path: Path, reference: Reference) -> Difference:
    """Write an ONNX file with a dynamic number of images; return how far its faces are off.

    All inputs and outputs are float32, and all computations too. Where the network has weights of
    16 bits, so has the file; they are widened when it is loaded.

    Raises OSError, and `UserError` if the faces are not the same.
    """
    model = convert(SharedGenerator(reference.generator), "use format=torch")
    content = store(model, "float16" if network.is_half else "float32")
    found = reference.compare(network, drawing(content))
    found.check("onnx", network.is_half)
    path.write_bytes(content.SerializeToString())
    return found


def convert(network: SharedGenerator, fix: str) -> Any:
    """Return the ONNX model of a network, in float32, with a dynamic number of images.

    Raises `UserError`, which ends in `fix`, if torch cannot write it.
    """
    import onnx.checker

    batch = torch.export.Dim("n", min=1, max=MAX_BATCH)
    example = network.inputs_of_seeds(range(2))
    with quiet("torch.onnx"):
        try:
            program = torch.onnx.export(
                network,
                kwargs=example,
                input_names=list(example),
                output_names=["images"],
                dynamic_shapes=network.dynamic_shapes(batch),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise UserError(
                f"this generator cannot be written as ONNX ({describe(error)}): {fix}"
            ) from error
    assert program is not None
    model = program.model_proto
    onnx.checker.check_model(model)
    return model


def store(model: Any, storage: Storage) -> Any:
    """Return a copy of a model whose large weights are stored in another type.

    They are widened to float32 when the file is loaded: "float16" halves it, and "int8", with a
    scale for each channel, quarters it.
    """
    import onnx.checker
    import onnx.numpy_helper

    stored = onnx.ModelProto()
    stored.CopyFrom(model)
    if storage == "float32":
        return stored
    initializers, nodes = [], []
    for weight in stored.graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < MIN_ROUNDED or values.ndim < 2:
            initializers.append(weight)
            continue
        small, widen = (_halve if storage == "float16" else _quantise)(weight.name, values)
        initializers += small
        nodes.append(widen)
    nodes += stored.graph.node
    del stored.graph.initializer[:], stored.graph.node[:]
    stored.graph.initializer.extend(initializers)
    stored.graph.node.extend(nodes)
    onnx.checker.check_model(stored)
    return stored


def _halve(name: str, values: np.ndarray) -> tuple[list[Any], Any]:
    from onnx import TensorProto, helper, numpy_helper

    half = numpy_helper.from_array(values.astype(np.float16), f"{name}_float16")
    return [half], helper.make_node("Cast", [half.name], [name], to=TensorProto.FLOAT)


def _quantise(name: str, values: np.ndarray) -> tuple[list[Any], Any]:
    """Store a weight as symmetric int8, with a scale for each index of its longest axis."""
    from onnx import helper, numpy_helper

    axis = int(np.argmax(values.shape))
    others = tuple(other for other in range(values.ndim) if other != axis)
    scales = np.maximum(np.abs(values).max(others), 1e-12).astype(np.float32) / 127
    broadcast = np.expand_dims(scales, others)
    rounded = np.clip(np.rint(values / broadcast), -127, 127).astype(np.int8)
    small = numpy_helper.from_array(rounded, f"{name}_int8")
    scale = numpy_helper.from_array(scales, f"{name}_scale")
    node = helper.make_node("DequantizeLinear", [small.name, scale.name], [name], axis=axis)
    return [small, scale], node


def drawing(model: Any) -> Draw:
    """Return a function that draws images in [0, 1] with onnxruntime, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = torch.get_num_threads()
    content = model.SerializeToString()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def draw(inputs: Mapping[str, Tensor]) -> Float[Tensor, "n 3 h w"]:
        given = {name: tensor.numpy() for name, tensor in inputs.items()}
        return torch.from_numpy(session.run(["images"], given)[0])

    return draw
