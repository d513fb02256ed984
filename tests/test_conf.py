"""Tests of conf/: every file composes, its objects can be built, and trained."""

import functools
import inspect
import itertools
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig, OmegaConf

from anime_dcgan.cli.command import instantiate
from anime_dcgan.cli.signatures import check_settings
from anime_dcgan.metric import extractor
from anime_dcgan.model import features
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.paths import CONF_DIR
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.trainer import Trainer
from tests.conftest import Train, compose_train
from tests.features import random_features

GROUPS = {
    folder.relative_to(CONF_DIR).as_posix(): folder
    for folder in CONF_DIR.rglob("*")
    if folder.is_dir() and folder.name != "hydra"
}
OPTIONS = [
    (group, path.stem)
    for group, folder in sorted(GROUPS.items())
    for path in sorted(folder.glob("*.yaml"))
    if path.stem != "base"
]
COMMANDS = (
    *("blind", "compare", "evaluate", "export", "generate", "prepare", "publish", "report"),
    "studio",
)
PREPARE = {"crop": r"anime_dcgan\.cleaning\.crop\."}
"""Groups of the command `prepare`, with the modules of their targets."""
LIBRARIES = {
    "trainer": r"(anime_dcgan\.training\.trainer|lightning\.pytorch\.profilers)\.",
    "optimizer": r"(torch\.optim|pytorch_optimizer)\.",
}
"""Groups whose targets are in a library; those of other groups are in the module of that name."""


class WithoutWeights(extractor.Extractor):
    """A stand-in for the networks that need pretrained weights."""

    def __init__(self, weights: str | None = None, resize: int = 0) -> None:
        super().__init__()


def targets(config: object) -> list[str]:
    if isinstance(config, dict):
        own = [config["_target_"]] if "_target_" in config else []
        return own + [target for value in config.values() for target in targets(value)]
    return []


def choice(group: str, option: str) -> list[str]:
    """Return the overrides that choose an option on top of `train`."""
    chosen = f"{'+' * (group in PREPARE)}{group}={option}"
    is_of_pair = group == "model/discriminator" and option != "projected"
    return [f"model={option}", chosen] if is_of_pair else [chosen]


def test_every_group_is_found():
    assert {group for group, _ in OPTIONS} == {
        *("data", "model", "model/discriminator", "loss", "regularizer", "optimizer", "schedule"),
        *("generator_regularizer", "augment", "ramps", "growing"),
        *("trainer", "logger", "experiment", "metric", "crop", "callbacks", "sweep"),
    }
    assert len(OPTIONS) >= 20


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_composes_and_builds(group: str, option: str, tmp_path: Path, monkeypatch):
    if option in ("wandb", "mlflow"):
        pytest.importorskip(option)
    (tmp_path / "faces").mkdir()
    picture = tmp_path / "faces" / "a.ppm"
    picture.write_bytes(b"P6 2 2 255\n" + bytes(12))
    model = ["model=stylegan2", "model.width=8"] if group == "growing" else []
    config = compose_train(*choice(group, option), *model, f"run_dir={tmp_path}", "max_kimg=1")
    if config.data.source.get("path", 0) is None:
        config.data.path = str(tmp_path / "faces")
    if config.data.source.get("manifest", 0) is None:
        config.data.manifest = str(tmp_path / "manifest.csv")
        (tmp_path / "manifest.csv").write_text(
            f"source,name,verdict,split\n{tmp_path / 'faces'},a.ppm,keep,train\n"
        )
    for name in ("MobileNetV2", "EfficientNetLite0", "Inception"):
        monkeypatch.setattr(extractor, name, WithoutWeights)
    monkeypatch.setitem(features.NETWORKS, "efficientnet_lite0", random_features)
    check_settings(config)
    assert isinstance(instantiate(config.gan), GAN)
    instantiate(config.datamodule)
    for node in [*(config.callbacks or {}).values(), *(config.logger or {}).values()]:
        instantiate(node)
    if config.trainer.accelerator != "gpu":
        instantiate(config.trainer, **{"precision": "32-true"})


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_a_group_and_the_module_it_configures_share_a_name(group: str, option: str):
    if group in ("experiment", "sweep"):
        pytest.skip("it sets several groups")
    config = compose_train(*choice(group, option), "run_dir=x")
    container: Any = OmegaConf.to_container(config)
    top, *path = group.split("/")
    named = targets(functools.reduce(dict.__getitem__, path, container[top]))
    expected = (LIBRARIES | PREPARE).get(group, rf"anime_dcgan\.(\w+\.)?{top}\.")
    assert all(re.match(expected, target) for target in named)


@pytest.mark.parametrize(
    ("group", "option"), [pair for pair in OPTIONS if pair[0] in ("experiment", "sweep")]
)
def test_experiments_and_sweeps_set_groups_at_the_top_level(group: str, option: str):
    """Without `@package _global_`, the file would be composed below its own name, to no effect."""
    assert group not in compose_train(*choice(group, option), "run_dir=x")


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONF_DIR / "sweep").glob("*")))
def test_every_job_of_a_sweep_can_be_built(name: str):
    recipe: Any = OmegaConf.to_container(OmegaConf.load(CONF_DIR / "sweep" / f"{name}.yaml"))
    assert recipe["hydra"]["mode"] == "MULTIRUN"
    params = recipe["hydra"]["sweeper"]["params"]
    values = [[f"{key}={value}" for value in params[key].split(",")] for key in params]
    for overrides in itertools.product(*values):
        config = compose_train(*overrides, "run_dir=x")
        check_settings(config)
        assert isinstance(instantiate(config.gan), GAN)


@pytest.mark.parametrize("name", [path.stem for path in CONF_DIR.glob("*.yaml")])
def test_every_primary_config_composes(name: str):
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        assert isinstance(compose(name), DictConfig)


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_that_write_no_run_folder_share_their_hydra_settings(name: str):
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        hydra = compose(name, return_hydra_config=True).hydra
    assert (hydra.job.name, hydra.run.dir, hydra.output_subdir) == (name, ".", None)
    assert hydra.job_logging == hydra.hydra_logging
    assert hydra.job.chdir is False


def options(group: str) -> list[str]:
    return [option for name, option in OPTIONS if name == group]


PAIRINGS = [
    *((f"loss={loss}",) for loss in options("loss")),
    *((f"regularizer={regularizer}",) for regularizer in options("regularizer")),
    *((f"optimizer={optimizer}",) for optimizer in options("optimizer")),
    *((f"loss={loss}", "optimizer=sgd") for loss in ("wgan", "wgan_gp")),
    *((f"loss={loss}", "loss.relativistic=true") for loss in ("hinge", "lsgan")),
    ("loss=wgan", "regularizer=none", "model.discriminator.spectral_norm=true"),
    ("loss=hinge", "model.discriminator.spectral_norm=true"),
]
REFUSALS = {
    "radford": (
        re.compile(r"loss=wgan_gp|relativistic$|gradient_penalty|r1|loss=wgan .*spectral"),
        "batch_norm=false|without batch normalisation",
    ),
    "r3gan": (re.compile("spectral_norm=true"), "spectral_norm"),
    "biggan": (re.compile(r"weight_clip|loss=wgan(?!_gp| regularizer)"), "spectral_norm=false"),
    "stylegan2": (
        re.compile(r"weight_clip|loss=wgan(?!_gp| regularizer)|spectral_norm=true"),
        "spectral_norm|which this discriminator scales",
    ),
}
"""Of each model: the pairings that are refused, and the message."""


@pytest.mark.parametrize("model", options("model"))
@pytest.mark.parametrize("overrides", PAIRINGS, ids=" ".join)
def test_every_pairing_trains_or_is_refused_with_the_reason(
    train: Train, overrides: tuple[str, ...], model: str
):
    small = ("max_kimg=0.016", "gan.critic_steps=1", "callbacks=none")
    refused, message = REFUSALS.get(model, (re.compile("$^"), ""))
    if refused.search(" ".join(overrides)):
        with pytest.raises((UserError, ConfigCompositionException), match=message):
            train(*overrides, *small, model=model)
    else:
        assert train(*overrides, *small, model=model).images_seen == 16


def test_one_override_selects_wgan_as_in_the_paper():
    config = compose_train("loss=wgan", "run_dir=x")
    assert config.loss._target_ == "anime_dcgan.game.loss.WGAN"
    assert config.regularizer == {
        "_target_": "anime_dcgan.game.regularizer.WeightClip",
        "limit": 0.01,
        "interval": 1,
    }
    assert config.gan.critic_steps == 5
    for player in ("generator", "discriminator"):
        assert config.optimizer[player]._target_ == "torch.optim.RMSprop"
        assert config.optimizer[player].lr == 5e-5


def test_one_override_selects_wgan_gp_as_in_the_paper():
    config = compose_train("loss=wgan_gp", "run_dir=x")
    assert config.loss._target_ == "anime_dcgan.game.loss.WGAN"
    assert config.regularizer._target_ == "anime_dcgan.game.regularizer.GradientPenalty"
    assert config.regularizer.weight == 10
    assert config.gan.critic_steps == 5
    assert config.optimizer.generator._target_ == "torch.optim.Adam"
    assert (config.optimizer.generator.lr, config.optimizer.generator.betas) == (1e-4, [0, 0.9])


def test_ttur_has_only_one_learning_rate_per_player():
    config = compose_train("optimizer=adam_ttur", "run_dir=x")
    assert (config.optimizer.generator.lr, config.optimizer.discriminator.lr) == (1e-4, 4e-4)
    assert config.optimizer.generator.betas == config.optimizer.discriminator.betas == [0, 0.9]
    with pytest.raises(ConfigCompositionException, match="optimizer.lr"):
        compose_train("optimizer=adam_ttur", "optimizer.lr=1e-3", "run_dir=x")


def test_a_missing_library_is_named_with_the_extra_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch_optimizer", None)
    with pytest.raises(UserError, match=r'AdaBelief .* pip install -e "\.\[optimizers\]"'):
        check_settings(compose_train("optimizer=adabelief", "run_dir=x"))


def test_every_setting_of_lightnings_trainer_can_be_overridden():
    ours = {"logger", "callbacks", "plugins", "default_root_dir", "enable_progress_bar"}
    settings = inspect.signature(Trainer).parameters.keys() - ours
    assert settings | {"_target_"} == compose_train("run_dir=x").trainer.keys()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.gradient_clip_val=0.5", "use gan.clip_gradient_norm=0.5"),
        ("trainer.accumulate_grad_batches=4", "use gan.accumulate=4"),
    ],
)
def test_trainer_settings_for_one_optimizer_are_refused_with_the_alternative(
    train: Train, override: str, message: str
):
    with pytest.raises(UserError, match=message):
        train(override)


def test_every_part_of_wgan_can_be_overridden():
    config = compose_train(
        "loss=wgan", "optimizer=adam", "regularizer=none", "gan.critic_steps=2", "run_dir=x"
    )
    assert config.optimizer.generator._target_ == "torch.optim.Adam"
    assert config.regularizer._target_ == "anime_dcgan.game.regularizer.Regularizer"
    assert config.gan.critic_steps == 2


def test_a_loss_sets_its_other_groups_within_an_experiment():
    config = compose_train("experiment=original", "loss=wgan", "run_dir=x")
    assert config.optimizer.generator._target_ == "torch.optim.RMSprop"


@pytest.mark.parametrize("loss", options("loss"))
@pytest.mark.parametrize("experiment", options("experiment"))
def test_every_experiment_takes_another_loss(experiment: str, loss: str, monkeypatch):
    """It is built, or refused for how the loss and the networks go together."""
    monkeypatch.setitem(features.NETWORKS, "efficientnet_lite0", random_features)
    config = compose_train(f"experiment={experiment}", f"loss={loss}", "max_kimg=1", "run_dir=x")
    check_settings(config)
    try:
        assert isinstance(instantiate(config.gan), GAN)
    except UserError as error:
        assert re.search(
            "spectral_norm=false|each of its heads|scales when it|fakes_per_real=1|has no weight",
            str(error),
        )


def test_original_has_all_constants_of_the_report():
    config = compose_train("experiment=original", "run_dir=x")
    assert config.model.generator._target_ == "anime_dcgan.model.dcgan.Generator"
    assert config.model.latent_dim == 100
    assert config.loss._target_ == "anime_dcgan.game.loss.BCE"
    assert config.optimizer.generator._target_ == "torch.optim.Adam"
    assert (config.optimizer.generator.lr, config.optimizer.generator.betas) == (2e-4, [0.5, 0.999])
    assert config.data.batch_size * config.gan.fakes_per_real == 64
    assert config.trainer.max_epochs == 150


def test_players_settings_can_be_set_together_or_separately():
    config = compose_train("optimizer.discriminator.lr=4e-4", "optimizer.lr=1e-4", "run_dir=x")
    assert config.optimizer.discriminator.lr == 4e-4
    assert config.optimizer.generator.lr == 1e-4


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.batch_size=many", "data.batch_size=many must be an integer"),
        ("data.batch_size=1.5", "data.batch_size=1.5 must be an integer"),
        ("model.latent_dim=null", "model.latent_dim=null must be an integer"),
        ("model.generator.width=true", "model.generator.width=true must be an integer"),
        ("max_kimg=often", "max_kimg=often must be a number or null"),
        ("schedule.warmup_kimg=a", "schedule.warmup_kimg=a must be a number"),
        ("gan.accumulate=1.5", "gan.accumulate=1.5 must be an integer"),
        ("data.holdout=a", "data.holdout=a must be a number or null"),
        ("optimizer.lr=abc", "optimizer.lr=abc must be a number"),
        ("optimizer.lr=[]", "optimizer.lr=[] must be a number"),
        ("optimizer.betas=0.5", "optimizer.betas=0.5 must be [a number, a number]"),
        (
            "optimizer.betas=[a,0.9]",
            "optimizer.betas=[a,0.9] must be [a number, a number]",
        ),
        ("optimizer.betas=[0.9]", "optimizer.betas=[0.9] must be [a number, a number]"),
        (
            "optimizer.discriminator.lr=null",
            "optimizer.discriminator.lr=null must be a number",
        ),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_the_right_type(override: str, message: str):
    with pytest.raises(UserError) as caught:
        check_settings(compose_train(override, "run_dir=x"))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("optimizer.lr=-1", "Invalid learning rate: -1"),
        ("optimizer.betas=[0.0,1.5]", "Invalid beta parameter at index 1: 1.5"),
    ],
)
def test_invalid_optimizer_settings_are_reported_with_the_player(override: str, reason: str):
    gan = instantiate(compose_train(override, "run_dir=x").gan)
    with pytest.raises(UserError, match=f"^optimizer.generator cannot be built: {reason}"):
        gan.configure_optimizers()


def test_a_setting_that_an_option_lacks_is_named_with_the_override_that_removes_it():
    unknown = "model.discriminator.batch_norm"
    arguments = ("experiment=best_small", "model=dcgan", "run_dir=x")
    with pytest.raises(
        UserError, match=f"^{unknown} is not a setting of .*: remove it with ~{unknown}"
    ):
        check_settings(compose_train(*arguments))
    check_settings(compose_train(*arguments, f"~{unknown}"))


def test_values_of_the_right_type_are_accepted(small: Callable[..., DictConfig]):
    check_settings(small("max_kimg=3", "data.holdout=0", "callbacks.checkpointer.keep=2"))


def test_an_unknown_class_is_named():
    with pytest.raises(UserError, match="anime_dcgan.game.loss.Nope"):
        check_settings(compose_train("loss._target_=anime_dcgan.game.loss.Nope", "run_dir=x"))
