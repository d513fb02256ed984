"""Measurement of the duality gap during training, and the verdict on the training."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from lightning import Callback, Trainer
from torch import Tensor

from anime_dcgan.data.faces import Faces
from anime_dcgan.data.rows import read_rows
from anime_dcgan.game.duality import DualityGap, duality_gap
from anime_dcgan.game.step import Labels
from anime_dcgan.metric.verdict import Observation, Rules, judge_training
from anime_dcgan.sampling.image import to_float
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.files import write_json
from anime_dcgan.system.reader import read_list
from anime_dcgan.training.callbacks import callbacks_of
from anime_dcgan.training.callbacks.clock import TrainingClock
from anime_dcgan.training.callbacks.quality import Quality, Row
from anime_dcgan.training.callbacks.scalars import log_scalars
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.logger import write_events
from anime_dcgan.training.outputs import Outputs, outputs_of


class Equilibrium(Callback):
    """Measure the approximate duality gap after each quality measurement; update the verdict.

    A verdict on networks that grow begins with their final size: a plateau at a smaller size does
    not mean that the training has ended.

    Parameters:
        file: JSON file of the verdict, its reasons and the measurements that support it.
        stop: end the training when an equilibrium is reached.
        steps: training steps of each player's copy against the other player; more steps give a
            larger gap, so that gaps of different steps are not comparable.
        count: hold-out images on which the value of the game is computed.
        rules: thresholds of the verdict; None uses the defaults.
    """

    def __init__(
        self,
        file: str,
        stop: bool = False,
        steps: int = 6,
        count: int = 256,
        rules: Rules | None = None,
    ) -> None:
        for name, value in (("steps", steps), ("count", count)):
            if value < 1:
                raise UserError(
                    f"equilibrium.{name}={value} must be at least 1: use equilibrium.{name}=1"
                )
        self.file = Path(file)
        self.stop = stop
        self.steps = steps
        self.count = count
        self.rules = rules or Rules()
        self.history: list[Row] = []
        self._first_images = 0  # of the measurements that the verdict is about
        self.verdict = judge_training([], self.rules)

    @property
    def ends_training(self) -> bool:
        """True if an equilibrium is reached at which the training is to end."""
        return self.stop and self.verdict.name == "equilibrium"

    @property
    def summary(self) -> str:
        """The latest distance and the verdict, in one line."""
        since = self.verdict.since
        start = f" since epoch {since.epoch:g}" if since else ""
        return f"distance {self.history[-1]['distance']:.4g}, {self.verdict.name}{start}"

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        qualities = callbacks_of(trainer, Quality)
        measured = {row["images"] for quality in qualities for row in quality.rows}
        numbers = [field.name for field in dataclasses.fields(Observation)]
        history = read_list(self.file, "history", numbers)  # of a resumed run
        self.history = [row for row in history if row["images"] in measured]
        self._first_images = 0 if pl_module.growing is None else pl_module.growing.images
        self._update_verdict()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._handle_measurement(trainer, pl_module)
        if self.stop and trainer.strategy.reduce_boolean_decision(self.ends_training, all=False):
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: GAN) -> None:
        self._handle_measurement(trainer, pl_module)

    def _handle_measurement(self, trainer: Trainer, module: GAN) -> None:
        """Act once on each new measurement; only the first process has measurements."""
        handled = self.history[-1]["images"] if self.history else 0
        for quality in callbacks_of(trainer, Quality):
            if quality.rows and handled < quality.rows[-1]["images"] == module.images_seen:
                self._measure(trainer, module, quality)

    def _measure(self, trainer: Trainer, module: GAN, quality: Quality) -> None:
        row = quality.rows[-1]
        start = time.monotonic()
        gap = self._gap(trainer, module)
        seconds = time.monotonic() - start
        for clock in callbacks_of(trainer, TrainingClock):
            clock.exclude(seconds)
        self.history.append(
            {
                "images": row["images"],
                "epoch": row["epoch"],
                "distance": quality.headline(row),
                "diversity": row["values"]["diversity"],
                "gap": gap.total,
                "gap_discriminator": gap.discriminator,
                "gap_generator": gap.generator,
                "accuracy_real": _rounded_metric(trainer, "accuracy/real"),
                "accuracy_fake": _rounded_metric(trainer, "accuracy/fake"),
                "seconds": round(seconds, 2),
            }
        )
        before = self.verdict.name
        self._update_verdict()
        self._write(outputs_of(trainer))
        self._log(trainer, changed=before != self.verdict.name or len(self.history) == 1)

    def _update_verdict(self) -> None:
        rows = (row for row in self.history if row["images"] >= self._first_images)
        self.verdict = judge_training([Observation.from_row(row) for row in rows], self.rules)

    def _gap(self, trainer: Trainer, module: GAN) -> DualityGap:
        faces: Faces = trainer.datamodule.faces  # pyright: ignore[reportAttributeAccessIssue]
        random = np.random.default_rng((module.seed, module.images_seen))
        response_rows, value_rows = _unseen_rows(faces, random)
        size = trainer.train_dataloader.batch_size  # pyright: ignore[reportOptionalMemberAccess]

        def real(rows: np.ndarray, count: int) -> tuple[Float[Tensor, "n 3 h w"], Labels]:
            chosen = random.choice(rows, count, len(rows) < count)
            pixels = torch.from_numpy(read_rows(faces.images, chosen)).to(module.device)
            classes = None if faces.labels is None else torch.from_numpy(faces.labels[chosen])
            return module.at_present_size(to_float(pixels)), module.labels_of(classes)

        def latents(count: int) -> Float[Tensor, "n latent_dim"]:
            return torch.randn(count, module.generator.latent_dim, device=module.device)

        devices = [module.device] if module.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(int(random.integers(2**32)))
            batches = [real(response_rows, size) for _ in range(self.steps)]
            game = module.plain_game(trainer)
            evaluated, labels = real(value_rows, self.count)
            return duality_gap(
                game,
                [images for images, _ in batches],
                latents,
                evaluated,
                module.discriminator_steps,
                [labels for _, labels in batches],
                labels,
            )

    def _write(self, outputs: Outputs) -> None:
        since = self.verdict.since
        content = {
            "verdict": self.verdict.name,
            "reasons": self.verdict.reasons,
            "epoch": since and since.epoch,
            "images": since and since.images,
            "history": self.history,
        }
        outputs.rewrite(self.file, lambda: write_json(self.file, content))

    def _log(self, trainer: Trainer, changed: bool) -> None:
        row = self.history[-1]
        names = ("gap", "gap_discriminator", "gap_generator")
        scalars = {f"equilibrium/{name}": row[name] for name in names}
        scalars["equilibrium/reached"] = float(self.verdict.name == "equilibrium")
        log_scalars(trainer, scalars, row["images"])
        if changed:
            text = f"{self.verdict.name}: {'; '.join(self.verdict.reasons)}"
            write_events(trainer, lambda writer: writer.add_text("verdict", text, row["images"]))


def _unseen_rows(faces: Faces, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return disjoint rows, to train the copies on and to evaluate them on.

    Both come from the hold-out split, or from the training split if nothing is held out.
    """
    rows = faces.holdout_rows if len(faces.holdout_rows) > 1 else faces.train_rows
    shuffled = random.permutation(rows)
    return shuffled[: len(rows) // 2], shuffled[len(rows) // 2 :]


def _rounded_metric(trainer: Trainer, name: str) -> float | None:
    value = trainer.callback_metrics.get(name)
    return None if value is None else round(value.item(), 4)
