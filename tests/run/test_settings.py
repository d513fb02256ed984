"""Settings that must not change on resume, and settings that distinguish runs."""

import pytest

from anime_dcgan.run.settings import check_resumable, check_same_faces, distinguishing
from anime_dcgan.system.errors import UserError


def test_execution_only_settings_may_change():
    before = {"optimizer": {"lr": 1e-4}, "gan": {"optimizer": {"generator": {"lr": 1e-4}}}}
    now = {
        "optimizer": {"lr": 1e-4, "generator": {"fused": True}},
        "gan": {"optimizer": {"generator": {"lr": 1e-4, "fused": True}}},
    }
    check_resumable(before, now)
    assert distinguishing({"optimizer": {"fused": True}}) == {}
    with pytest.raises(UserError, match=r"optimizer\.lr=0\.0001, not"):
        check_resumable(before, now | {"optimizer": {"lr": 2e-4}})


def test_a_setting_that_only_one_of_two_configurations_has_differs():
    before = {"model": {"discriminator": {"width": 64}}}
    check_resumable(before, {"model": {"discriminator": {"width": 64, "minibatch_std": None}}})
    with pytest.raises(UserError, match=r"minibatch_std=unset, not 4"):
        check_resumable(before, {"model": {"discriminator": {"width": 64, "minibatch_std": 4}}})


def test_a_run_from_before_a_setting_resumes_with_the_value_that_trains_as_before():
    before = {"gan": {"discriminator": {"pixels": 32}}}
    new = {"gan": {"discriminator": {"pixels": 32, "pixel_weight": 1.0}}}
    check_resumable(before, new)
    new["gan"]["discriminator"]["pixel_weight"] = 0.5
    with pytest.raises(UserError, match=r"pixel_weight=unset, not 0\.5"):
        check_resumable(before, new)


def test_other_labels_are_other_data():
    plain = {"training": {"count": 4000, "pixels": "a", "order": "b"}}
    labelled = {"training": {**plain["training"], "labels": "c"}}
    check_same_faces(labelled, labelled)
    for saved, current in ((plain, labelled), (labelled, plain)):
        with pytest.raises(UserError, match="the same 4,000 training faces with other labels"):
            check_same_faces(saved, current)
    with pytest.raises(UserError, match=r"data\.labels=hair, not eyes"):
        check_resumable({"data": {"labels": "hair"}}, {"data": {"labels": "eyes"}})
    players = [{"model": {"labels": names, "generator": {"labels": names}}} for names in "ab"]
    check_resumable(*players)  # the faces name their classes
    assert distinguishing(players[0]) == {}
    with pytest.raises(UserError, match=r"data\.balance=unset, not classes"):
        check_resumable({"data": {}}, {"data": {"balance": "classes"}})
