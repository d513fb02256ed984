"""What the benchmarks count."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from anime_dcgan.command import instantiate
from benchmarks.training import bare_step, compose_config, useful_operations


@pytest.mark.parametrize("fakes_per_real", [1.0, 2.0])
def test_the_useful_operations_are_those_that_torch_counts(fakes_per_real):
    config = compose_config(
        ["model=radford", "model.width=8", f"gan.fakes_per_real={fakes_per_real}"]
    )
    module = instantiate(config.gan)
    with FlopCounterMode(display=False) as counted:
        bare_step(module, module.configure_optimizers(), torch.zeros(4, 3, 64, 64))
    assert useful_operations(config) == pytest.approx(counted.get_total_flops() / 4, rel=1e-9)
