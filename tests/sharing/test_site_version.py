"""The version of a site: browsers keep files of the same version, and never ask for them again."""

import re
from pathlib import Path
from typing import Any

import pytest

from anime_dcgan.sharing import onnx
from anime_dcgan.sharing.network import SharedGenerator
from anime_dcgan.sharing.runtime import BUILDS
from anime_dcgan.sharing.site import Weights, write_site
from anime_dcgan.sharing.site_texts import Texts
from anime_dcgan.sharing.verify import Difference
from tests.sharing.generators import small_generator

pytestmark = pytest.mark.skipif(
    not onnx.has_packages(), reason='no ONNX: pip install -e ".[export]"'
)


def version_of(folder: Path, title: str = "Faces", **settings: Any) -> str:
    """Write a site, and return the version that all of its files name."""
    runtime = folder.with_name("runtime")
    runtime.mkdir(exist_ok=True)
    for build in BUILDS.values():
        (runtime / build.script).write_text("let a=1;export{a as b};")
        (runtime / build.wasm).write_bytes(b"wasm")
    folder.mkdir()
    generator = small_generator("radford")
    network = SharedGenerator(generator, with_shift=True)
    weights = Weights(b"onnx", "float16", Difference(0, 0.0))
    texts = Texts(title, "They do not exist.", "pictures", [])
    write_site(folder, generator, network, weights, runtime, texts, **settings)
    (version,) = re.findall(r'VERSION = "(.+)"', (folder / "sw.js").read_text())
    assert f'"version": "{version}"' in (folder / "data.js").read_text()
    assert f'"data.js?{version}"' in (folder / "index.html").read_text()
    return version


def test_a_site_with_any_other_content_has_another_version(tmp_path: Path):
    version = version_of(tmp_path / "site")
    assert version_of(tmp_path / "same") == version
    others = {
        version_of(tmp_path / "title", title="Others"),
        version_of(tmp_path / "sliders", sliders=3),
        version_of(tmp_path / "directions", method="pca"),
    }
    assert len(others) == 3 and version not in others
