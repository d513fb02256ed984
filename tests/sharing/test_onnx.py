from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anime_dcgan.sharing import onnx
from anime_dcgan.sharing.network import SharedGenerator
from anime_dcgan.system.errors import UserError
from tests.sharing.generators import LABELS, small_generator

pytestmark = pytest.mark.skipif(
    not onnx.has_packages(), reason='no ONNX: pip install -e ".[export]"'
)


@pytest.fixture(scope="module")
def network() -> SharedGenerator:
    generator = small_generator("radford", LABELS)
    return SharedGenerator(generator, with_shift=True)


@pytest.fixture(scope="module")
def model(network: SharedGenerator) -> Any:
    return onnx.convert(network)


def test_every_storage_draws_the_faces_of_torch(network: SharedGenerator, model: Any):
    sizes: list[int] = []
    tolerances: dict[onnx.Storage, int] = {"float32": 1, "float16": 2, "int8": 20}
    for storage, tolerance in tolerances.items():
        stored = onnx.store(model, storage)
        assert onnx.difference(network, stored).maximum <= tolerance
        sizes.append(len(stored.SerializeToString()))
    assert sizes == sorted(sizes, reverse=True)


def test_the_file_takes_named_inputs_of_any_number_of_images(network: SharedGenerator, model: Any):
    assert [each.name for each in model.graph.input] == list(network.input_names)
    assert model.opset_import[0].version == onnx.OPSET
    session = onnx.open_session(model)
    few, many = (onnx.draw(session, network.inputs_of_seeds(range(count), 0.5)) for count in (1, 9))
    assert np.abs(few.astype(int) - many[:1]).max() <= 1
    assert many.std() > 1


def test_a_file_that_draws_other_faces_is_refused(
    tmp_path: Path, network: SharedGenerator, model: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(onnx, "convert", lambda _: model)
    monkeypatch.setitem(onnx.TOLERANCES, "int8", -1)
    with pytest.raises(UserError, match="int8 faces differ from torch's"):
        onnx.export_onnx(network, tmp_path / "a.onnx", "int8")
    assert not list(tmp_path.iterdir())
    found = onnx.export_onnx(network, tmp_path / "a.onnx")
    assert found.maximum <= 1 and (tmp_path / "a.onnx").stat().st_size > 1000
