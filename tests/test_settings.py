"""Settings: what decides a training, and what tells two of them apart."""

import pytest

from anime_dcgan.errors import UserError
from anime_dcgan.settings import check_same, telling


def test_how_the_same_steps_are_computed_decides_nothing():
    before = {"optimizer": {"lr": 1e-4}, "gan": {"optimizer": {"generator": {"lr": 1e-4}}}}
    now = {
        "optimizer": {"lr": 1e-4, "generator": {"fused": True}},
        "gan": {"optimizer": {"generator": {"lr": 1e-4, "fused": True}}},
    }
    check_same(before, now)
    assert telling({"optimizer": {"fused": True}}) == {}
    with pytest.raises(UserError, match=r"optimizer\.lr=0\.0001, not"):
        check_same(before, now | {"optimizer": {"lr": 2e-4}})
