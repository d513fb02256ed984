"""Settings that must not change on resume, and settings that distinguish runs."""

import pytest

from anime_dcgan.run.settings import check_same, distinguishing
from anime_dcgan.system.errors import UserError


def test_settings_of_execution_only_may_change():
    before = {"optimizer": {"lr": 1e-4}, "gan": {"optimizer": {"generator": {"lr": 1e-4}}}}
    now = {
        "optimizer": {"lr": 1e-4, "generator": {"fused": True}},
        "gan": {"optimizer": {"generator": {"lr": 1e-4, "fused": True}}},
    }
    check_same(before, now)
    assert distinguishing({"optimizer": {"fused": True}}) == {}
    with pytest.raises(UserError, match=r"optimizer\.lr=0\.0001, not"):
        check_same(before, now | {"optimizer": {"lr": 2e-4}})


def test_a_setting_that_only_one_of_them_has_differs():
    before = {"model": {"discriminator": {"width": 64}}}
    check_same(before, {"model": {"discriminator": {"width": 64, "minibatch_std": None}}})
    with pytest.raises(UserError, match=r"minibatch_std=unset, not 4"):
        check_same(before, {"model": {"discriminator": {"width": 64, "minibatch_std": 4}}})
