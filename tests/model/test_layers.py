"""Layers that torch lacks."""

import pytest
import torch
from torch.nn.functional import batch_norm

from anime_dcgan.model.layers import ConditionalBatchNorm


@pytest.mark.parametrize("affine", [True, False])
def test_conditional_normalisation_is_torchs_with_an_affine_map_of_each_image(affine: bool):
    torch.manual_seed(0)
    layer = ConditionalBatchNorm(3, 2, affine)
    if affine:
        torch.nn.init.uniform_(layer.weight, 0.5, 2)
        torch.nn.init.uniform_(layer.bias)
    maps, condition = torch.randn(5, 3, 4, 4) * 2 + 1, torch.randn(5, 2)
    plain = batch_norm(maps, None, None, layer.weight, layer.bias, training=True)
    expected = torch.stack(
        [
            each * (1 + layer.gain.weight @ own)[:, None, None]
            + (layer.shift.weight @ own)[:, None, None]
            for each, own in zip(plain, condition, strict=True)
        ]
    )
    torch.testing.assert_close(layer(maps, condition), expected)
    torch.testing.assert_close(layer(maps, torch.zeros(5, 2)), plain)
