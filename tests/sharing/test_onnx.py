from pathlib import Path
from typing import Any

import pytest

from anime_dcgan.model.base import Generator
from anime_dcgan.sharing import onnx, verify
from anime_dcgan.sharing.network import SharedGenerator
from anime_dcgan.sharing.verify import Reference
from anime_dcgan.system.errors import UserError
from tests.sharing.generators import LABELS, small_generator

pytestmark = pytest.mark.skipif(
    not onnx.has_packages(), reason='no ONNX: pip install -e ".[export]"'
)


@pytest.fixture(scope="module")
def generator() -> Generator:
    return small_generator("radford", LABELS)


@pytest.fixture(scope="module")
def network(generator: Generator) -> SharedGenerator:
    return SharedGenerator(generator, with_shift=True)


@pytest.fixture(scope="module")
def model(network: SharedGenerator) -> Any:
    return onnx.convert(network, "use format=torch")


def test_every_storage_draws_the_faces_of_generate(
    generator: Generator, network: SharedGenerator, model: Any
):
    sizes: list[int] = []
    reference = Reference(generator)
    tolerances: dict[onnx.Storage, int] = {"float32": 1, "float16": 2, "int8": 20}
    for storage, tolerance in tolerances.items():
        stored = onnx.store(model, storage)
        assert reference.compare(network, onnx.drawing(stored)).maximum <= tolerance
        sizes.append(len(stored.SerializeToString()))
    assert sizes == sorted(sizes, reverse=True)


def test_the_file_takes_named_inputs_of_any_number_of_images(network: SharedGenerator, model: Any):
    assert [each.name for each in model.graph.input] == list(network.input_names)
    assert model.opset_import[0].version == onnx.OPSET
    draw = onnx.drawing(model)
    few, many = (draw(network.inputs_of_seeds(range(count), 0.5)) for count in (1, 9))
    assert (few - many[:1]).abs().max() < 1 / 255
    assert many.std() > 1 / 255


def test_the_file_has_the_bits_of_the_network(
    tmp_path: Path, generator: Generator, model: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(onnx, "convert", lambda *_: model)
    reference = Reference(generator)
    for half in (True, False):
        network = SharedGenerator(generator, half, with_shift=True)
        found = onnx.export_onnx(network, tmp_path / f"{half}.onnx", reference)
        assert found.maximum <= verify.MAX_GREY_LEVELS[half]
    sizes = {path.stem: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes["True"] < sizes["False"]
    monkeypatch.setattr(verify, "MAX_GREY_LEVELS", {True: -1, False: -1})
    for half, fix in ((True, "half=false"), (False, "another epoch=...")):
        network = SharedGenerator(generator, half, with_shift=True)
        with pytest.raises(UserError, match=f"format=onnx draws other faces .*: use {fix}"):
            onnx.export_onnx(network, tmp_path / "other.onnx", reference)
    assert not (tmp_path / "other.onnx").exists()
