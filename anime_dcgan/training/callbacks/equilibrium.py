"""How far the pair is from an equilibrium, and the verdict on the training."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from lightning import Callback, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor

from anime_dcgan.data.faces import Faces
from anime_dcgan.data.rows import read_rows
from anime_dcgan.game.duality import DualityGap, duality_gap
from anime_dcgan.game.step import Game
from anime_dcgan.metric.verdict import Observation, Rules, judge_training
from anime_dcgan.sampling.image import to_float
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.files import read_list, write_json, write_or_warn
from anime_dcgan.training.callbacks.periodic import callbacks_of
from anime_dcgan.training.callbacks.quality import Quality, Row
from anime_dcgan.training.gan import GAN


class Equilibrium(Callback):
    """After each measurement of the quality: takes the duality gap, and judges the course so far.

    Parameters:
        file: the verdict with its reasons, and the figures that it is founded on, as JSON.
        stop: whether the training ends when an equilibrium is reached.
        steps: for which a copy of each player answers the other.
        count: hold-out images on which the value of the game is taken.
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
                raise UserError(f"equilibrium.{name}={value} is too small: use 1 or more")
        self.file = Path(file)
        self.stop = stop
        self.steps = steps
        self.count = count
        self.rules = rules or Rules()
        self.history: list[Row] = []
        self.verdict = judge_training([], self.rules)

    @property
    def summary(self) -> str:
        """The verdict in few words, with the distance that it was last founded on."""
        since = self.verdict.since
        place = f" since epoch {since.epoch:g}" if since else ""
        return f"distance {self.history[-1]['distance']:.4g}, {self.verdict.name}{place}"

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        qualities = callbacks_of(trainer, Quality)
        measured = {row["images"] for quality in qualities for row in quality.rows}
        known = read_list(self.file, "history")  # up to here, where a run goes on
        self.history = [row for row in known if row["images"] in measured]
        self._judge()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._look(trainer, pl_module)
        if self.stop:
            reached = self.verdict.name == "equilibrium"
            if trainer.strategy.reduce_boolean_decision(reached, all=False):
                trainer.should_stop = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: GAN) -> None:
        self._look(trainer, pl_module)

    def _look(self, trainer: Trainer, module: GAN) -> None:
        """Act once on each new measurement; only the first process has any."""
        seen = self.history[-1]["images"] if self.history else 0
        for quality in callbacks_of(trainer, Quality):
            if quality.rows and seen < quality.rows[-1]["images"] == module.images_seen:
                self._act(trainer, module, quality)

    def _act(self, trainer: Trainer, module: GAN, quality: Quality) -> None:
        row = quality.rows[-1]
        start = time.monotonic()
        gap = self._gap(trainer, module)
        seconds = time.monotonic() - start
        quality.leave_out(seconds)
        self.history.append(
            {
                "images": row["images"],
                "epoch": row["epoch"],
                "distance": quality.headline(row),
                "diversity": row["values"]["diversity"],
                "gap": gap.total,
                "gap_discriminator": gap.discriminator,
                "gap_generator": gap.generator,
                "accuracy_real": _figure(trainer, "accuracy/real"),
                "accuracy_fake": _figure(trainer, "accuracy/fake"),
                "seconds": round(seconds, 2),
            }
        )
        before = self.verdict.name
        self._judge()
        self._write()
        self._log(trainer, changed=before != self.verdict.name or len(self.history) == 1)

    def _judge(self) -> None:
        self.verdict = judge_training([Observation.of_row(row) for row in self.history], self.rules)

    def _gap(self, trainer: Trainer, module: GAN) -> DualityGap:
        faces: Faces = trainer.datamodule.faces  # pyright: ignore[reportAttributeAccessIssue]
        random = np.random.default_rng((module.seed, module.images_seen))
        answering, judged = _unseen_rows(faces, random)
        size = trainer.train_dataloader.batch_size  # pyright: ignore[reportOptionalMemberAccess]

        def real(rows: np.ndarray, count: int) -> Float[Tensor, "n 3 h w"]:
            chosen = np.sort(random.choice(rows, count, len(rows) < count))
            pixels = read_rows(faces.images, chosen)
            return to_float(torch.from_numpy(pixels).to(module.device))

        def latents(count: int) -> Float[Tensor, "n latent_dim"]:
            return torch.randn(count, module.generator.latent_dim, device=module.device)

        devices = [module.device] if module.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(int(random.integers(2**32)))
            batches = [real(answering, size) for _ in range(self.steps)]
            game = _game(trainer, module)
            judged_on = real(judged, self.count)
            return duality_gap(game, batches, latents, judged_on, module.discriminator_steps)

    def _write(self) -> None:
        since = self.verdict.since
        content = {
            "verdict": self.verdict.name,
            "reasons": self.verdict.reasons,
            "epoch": since and since.epoch,
            "images": since and since.images,
            "history": self.history,
        }
        write_or_warn(lambda: write_json(self.file, content), self.file, "training goes on")

    def _log(self, trainer: Trainer, changed: bool) -> None:
        row = self.history[-1]
        names = ("gap", "gap_discriminator", "gap_generator")
        scalars = {f"equilibrium/{name}": row[name] for name in names}
        scalars["equilibrium/reached"] = float(self.verdict.name == "equilibrium")
        for logger in trainer.loggers:
            logger.log_metrics(scalars, step=row["images"])
            if changed and isinstance(logger, TensorBoardLogger):
                text = f"{self.verdict.name}: {'; '.join(self.verdict.reasons)}"
                logger.experiment.add_text("verdict", text, row["images"])


def _game(trainer: Trainer, module: GAN) -> Game:
    """Return the game of the training with torch's own optimizers, for copies to play."""
    generator_optimizer, discriminator_optimizer = trainer.optimizers
    return dataclasses.replace(
        module.game(),
        generator_optimizer=generator_optimizer,
        discriminator_optimizer=discriminator_optimizer,
        precision=trainer.precision_plugin.forward_context,
        backward=Tensor.backward,
    )


def _unseen_rows(faces: Faces, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Hold-out rows to answer with and others to judge on; training rows where none is held out."""
    rows = faces.holdout_rows if len(faces.holdout_rows) > 1 else faces.train_rows
    shuffled = random.permutation(rows)
    return shuffled[: len(rows) // 2], shuffled[len(rows) // 2 :]


def _figure(trainer: Trainer, name: str) -> float | None:
    value = trainer.callback_metrics.get(name)
    return None if value is None else round(value.item(), 4)
