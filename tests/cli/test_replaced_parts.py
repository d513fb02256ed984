"""Settings of an experiment for a part that the command line replaces by another one."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from anime_dcgan.cli.signatures import check_settings, leave_out_settings
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.paths import CONF_DIR
from tests.conftest import compose_train


@pytest.mark.parametrize(
    ("overrides", "left_out"),
    [
        (
            ("experiment=best_small", "model=dcgan"),
            {"model.discriminator.batch_norm": "Discriminator"},
        ),
        (("experiment=projected", "augment=flip"), {"augment.cutout": "Flip"}),
        (("experiment=r3gan", "schedule=constant"), {"schedule.final": "Schedule"}),
        (("experiment=stylegan2", "regularizer=none"), {"regularizer.weight": "Regularizer"}),
        (("experiment=projected", "augment=diffaugment"), {}),
        (("experiment=projected",), {}),
        (("model=dcgan", "+model.discriminator.batch_norm=false"), {}),
    ],
)
def test_settings_of_an_experiment_for_a_replaced_part_are_left_out(
    overrides: tuple[str, ...], left_out: dict[str, str]
):
    config = compose_train(*overrides, "run_dir=x")
    assert leave_out_settings(config, list(overrides)) == left_out
    for setting in left_out:
        assert OmegaConf.select(config, setting) is None
    if "experiment" in overrides[0]:
        check_settings(config)


@pytest.mark.parametrize(
    "setting", ["model.discriminator.batch_norm=true", "model.discriminator={batch_norm: true}"]
)
def test_a_setting_of_a_replaced_part_that_the_command_line_names_is_refused(setting: str):
    overrides = ("experiment=best_small", "model=biggan", setting)
    config = compose_train(*overrides, "run_dir=x")
    assert not leave_out_settings(config, list(overrides))
    with pytest.raises(UserError, match="batch_norm is not a setting of Discriminator"):
        check_settings(config)


def test_an_experiment_with_a_mistake_is_not_mended(tmp_path: Path):
    """Unknown settings of parts that the command line does not replace are refused."""
    (tmp_path / "experiment").mkdir()
    own = "# @package _global_\ndefaults: [best_small]\nregularizer: {typo: 1}\n"
    (tmp_path / "experiment" / "own.yaml").write_text(own)
    overrides = ["experiment=own", "model=biggan", "run_dir=x"]
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        config = compose("train", [*overrides, f"hydra.searchpath=[{tmp_path}]"])
    assert leave_out_settings(config, overrides) == {
        "model.discriminator.batch_norm": "Discriminator"
    }
    with pytest.raises(UserError, match="^regularizer.typo is not a setting of R1R2"):
        check_settings(config)
