"""ONNX files of a generator, checked against torch by onnxruntime."""

import importlib.util
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from anime_dcgan.sampling.image import to_uint8
from anime_dcgan.sharing.network import SharedGenerator
from anime_dcgan.sharing.verify import Difference
from anime_dcgan.system.errors import UserError, describe, needs_extra

OPSET = 20
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
CHECKED_FACES = 64
CHECKED_BATCH = 16
MAX_BATCH = 4096  # images
MIN_ROUNDED = 1024  # values of a weight that is stored in fewer bits; smaller ones stay as they are
TOLERANCES = {"float32": 1, "float16": 2, "int8": 64}
"""Largest difference of any pixel of the checked faces from torch's, in grey levels of 255."""

Storage = Literal["float32", "float16", "int8"]


def has_packages() -> bool:
    """Return True if all packages that write ONNX files are installed."""
    return all(map(importlib.util.find_spec, PACKAGES))


def check_packages(subject: str) -> None:
    """Raise `UserError` if a package that writes ONNX files is missing."""
    if not has_packages():
        raise needs_extra(subject, "export")


def export_onnx(network: SharedGenerator, path: Path, storage: Storage = "float32") -> Difference:
    """Write an ONNX file, and return how far its faces are from torch's.

    All inputs and outputs are float32, and all computations too. The number of images is dynamic.

    Parameters:
        storage: type in which large weights are stored. They are widened to float32 when the file
            is loaded: "float16" halves the file, and "int8", with a scale for each channel,
            quarters it.

    Raises `UserError` if a face differs by more than the tolerance, and OSError.
    """
    content = store(convert(network), storage)
    found = difference(network, content)
    if found.maximum > TOLERANCES[storage]:
        raise UserError(
            f"the {storage} faces differ from torch's by {found}, more than the tolerance of "
            f"{TOLERANCES[storage]}: export as float32, or use another epoch"
        )
    path.write_bytes(content.SerializeToString())
    return found


def convert(network: SharedGenerator) -> Any:
    """Return the ONNX model of a network, in float32, with a dynamic number of images."""
    import onnx.checker

    batch = torch.export.Dim("n", min=1, max=MAX_BATCH)
    example = network.inputs_of_seeds(range(2))
    with _quiet():
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
                f"this generator cannot be written as ONNX ({describe(error)}): use another format"
            ) from error
    assert program is not None
    model = program.model_proto
    onnx.checker.check_model(model)
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what torch's exporter warns and logs about itself."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.setLevel(level)


def store(model: Any, storage: Storage) -> Any:
    """Return a copy of a model whose large weights are stored in another type."""
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


def difference(network: SharedGenerator, model: Any, faces: int = CHECKED_FACES) -> Difference:
    """Draw the faces of the first seeds with torch and with onnxruntime, and compare them."""
    session = open_session(model)
    differences = []
    for first in range(0, faces, CHECKED_BATCH):
        inputs = network.inputs_of_seeds(range(first, min(first + CHECKED_BATCH, faces)))
        with torch.no_grad():
            expected = _pixels(network(**inputs))
        drawn = draw(session, inputs)
        differences.append(np.abs(drawn.astype(int) - expected.astype(int)))
    pixels = np.concatenate(differences)
    return Difference(int(pixels.max()), float(pixels.mean()))


def open_session(model: Any) -> Any:
    """Return a session of onnxruntime, on the CPU, for a model."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = torch.get_num_threads()
    content = model.SerializeToString()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def draw(session: Any, inputs: Mapping[str, Tensor]) -> UInt8[np.ndarray, "n h w 3"]:
    """Return the faces of these inputs as pixels."""
    given = {name: tensor.numpy() for name, tensor in inputs.items()}
    return _pixels(torch.from_numpy(session.run(["images"], given)[0]))


def _pixels(images: Float[Tensor, "n 3 h w"]) -> UInt8[np.ndarray, "n h w 3"]:
    """Return images in [0, 1] as pixels."""
    return to_uint8(2 * images - 1)
