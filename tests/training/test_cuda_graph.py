"""Tests of CUDA graphs: when steps are recorded and, on a GPU, that the results are the same."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch
from lightning import Trainer

from anime_dcgan.system.errors import UserError
from anime_dcgan.training import cuda_graph
from anime_dcgan.training.gan import GAN
from tests.conftest import Train

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


def make_trainer(
    device: str = "cuda", world_size: int = 1, scaler: object = None, fused: bool | None = True
) -> Trainer:
    """Return a mock with the attributes that `unsupported_reason` inspects."""
    return Mock(
        Trainer,
        strategy=SimpleNamespace(root_device=torch.device(device)),
        world_size=world_size,
        precision_plugin=SimpleNamespace(scaler=scaler),
        precision="16-mixed",
        optimizers=[SimpleNamespace(param_groups=[{"lr": 1.0, "fused": fused}])],
    )


def unsupported_reason(**settings) -> str | None:
    return cuda_graph.unsupported_reason(make_trainer(**settings))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"device": "cpu"}, "does not run on a CUDA GPU"),
        ({"world_size": 2}, "several processes"),
        ({"scaler": object()}, "trainer.precision=16-mixed"),
        ({"fused": None}, "its optimizer"),
    ],
)
def test_unsupported_settings_are_reported_with_the_reason(settings, reason):
    assert unsupported_reason() is None
    assert reason in (unsupported_reason(**settings) or "")


def test_nothing_is_recorded_while_anomalies_are_detected():
    with pytest.warns(UserWarning), torch.autograd.detect_anomaly(check_nan=False):
        assert "detect_anomaly" in (unsupported_reason() or "")


def test_graphs_without_a_gpu_are_refused_with_the_fix(train: Train):
    with pytest.raises(UserError, match=r"not run on a CUDA GPU; use gan\.cuda_graphs=null"):
        train("gan.cuda_graphs=true")


GPU = (
    "trainer.accelerator=gpu",
    "max_kimg=0.16",
    "trainer.max_epochs=-1",
    "callbacks.quality=null",
)


MINIBATCH_STD = ("model.discriminator.batch_norm=false", "model.discriminator.minibatch_std=4")


def assert_close_weights(one: GAN, other: GAN) -> None:
    """Compare with a tolerance for the order of sums, which twenty steps of Adam amplify."""
    torch.testing.assert_close(one.state_dict(), other.state_dict(), rtol=1e-2, atol=1e-4)
    assert one.trainer.global_step == other.trainer.global_step


@needs_gpu
@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("dcgan", ["loss=bce"]),
        ("radford", ["loss=bce"]),
        ("biggan", ["loss=hinge", "generator_regularizer=orthogonal"]),
        ("radford", ["loss=relativistic", *MINIBATCH_STD]),
        ("dcgan", ["loss=hinge", "optimizer=sgd", "model.discriminator.spectral_norm=true"]),
        (
            "dcgan",
            ["loss=lsgan", "gan.clip_gradient_norm=1", "gan.accumulate=2", "data.batch_size=4"],
        ),
        ("dcgan", ["loss=wgan", "optimizer=adam", "gan.critic_steps=3"]),
        ("dcgan", ["loss=wgan_gp", "gan.critic_steps=2"]),
        ("dcgan", ["loss=relativistic", "optimizer=adam_r3gan"]),
        ("dcgan", ["loss=bce", "regularizer=r1", "regularizer.interval=2", "augment=diffaugment"]),
        ("dcgan", ["loss=bce", "augment=ada", "augment.initial=0.5", "augment.adjust_kimg=1"]),
        ("dcgan", ["loss=bce", "augment=flip", "optimizer=adamw", "schedule=cosine"]),
        ("dcgan", ["loss=bce", "gan.fakes_per_real=2", "trainer.precision=bf16-mixed"]),
    ],
)
def test_graphs_give_the_results_of_eager_steps(train: Train, model: str, settings: list[str]):
    graphs, eager = (
        train(*GPU, *settings, f"gan.cuda_graphs={graphs}", run=graphs, model=model)
        for graphs in ("true", "false")
    )
    assert_close_weights(graphs, eager)


@needs_gpu
def test_runs_resume_from_checkpoints_with_and_without_graphs(train: Train, tmp_path):
    whole = train(*GPU, run="whole")
    for run, graphs in (("a", "true"), ("b", "false")):
        other = {"true": "false", "false": "true"}[graphs]
        train(*GPU, f"gan.cuda_graphs={graphs}", "max_kimg=0.08", run=run)
        last = tmp_path / run / "checkpoints" / "last.ckpt"
        ended = train(*GPU, f"gan.cuda_graphs={other}", run=run, ckpt_path=last)
        assert_close_weights(ended, whole)


@needs_gpu
def test_a_step_that_waits_for_the_gpu_cannot_be_recorded(train: Train, monkeypatch):
    step = GAN.generator_step

    def waiting(self, *batch):
        metrics = step(self, *batch)
        metrics["loss/generator"].item()
        return metrics

    monkeypatch.setattr(GAN, "generator_step", waiting)
    with pytest.raises(UserError, match=r"cannot be recorded .*use gan\.cuda_graphs=false"):
        train(*GPU)
