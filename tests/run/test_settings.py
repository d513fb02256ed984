"""Settings: what decides a training, and what tells two of them apart."""

import pytest

from anime_dcgan.run.settings import check_same, distinguishing
from anime_dcgan.system.errors import UserError


def test_how_the_same_steps_are_computed_decides_nothing():
    before = {"optimizer": {"lr": 1e-4}, "gan": {"optimizer": {"generator": {"lr": 1e-4}}}}
    now = {
        "optimizer": {"lr": 1e-4, "generator": {"fused": True}},
        "gan": {"optimizer": {"generator": {"lr": 1e-4, "fused": True}}},
    }
    check_same(before, now)
    assert distinguishing({"optimizer": {"fused": True}}) == {}
    with pytest.raises(UserError, match=r"optimizer\.lr=0\.0001, not"):
        check_same(before, now | {"optimizer": {"lr": 2e-4}})


def test_a_run_that_is_older_than_a_setting_goes_on_with_what_it_had():
    before = {"model": {"discriminator": {"width": 64}}}
    now = {"model": {"discriminator": {"width": 64, "minibatch_std": 0}}}
    check_same(before, now)
    with pytest.raises(UserError, match=r"minibatch_std=0, not 4"):
        check_same(before, {"model": {"discriminator": {"width": 64, "minibatch_std": 4}}})
