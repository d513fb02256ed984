"""Measuring sample quality during training, and keeping the best checkpoint."""

import time
from functools import partial
from pathlib import Path
from typing import Any

from lightning import Trainer

from anime_dcgan.metric.base import Metric
from anime_dcgan.metric.evaluator import Evaluator, Pixels, TooFewFaces, Values
from anime_dcgan.sampling.sample import sample_images
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.files import write_atomically, write_json
from anime_dcgan.system.reader import has_numbers, read_json
from anime_dcgan.training.callbacks import callbacks_of
from anime_dcgan.training.callbacks.checkpointer import Checkpointer
from anime_dcgan.training.callbacks.clock import TrainingClock
from anime_dcgan.training.callbacks.periodic import Periodic
from anime_dcgan.training.callbacks.scalars import log_scalars
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.length import epoch_now
from anime_dcgan.training.outputs import Outputs, outputs_of

Row = dict[str, Any]


class Quality(Periodic):
    """Measure the averaged generator, log the values, and save `best.ckpt` on improvement.

    Parameters:
        metric: provides the headline distance, by which the best checkpoint is chosen.
        file: JSON file of all values so far.
        neighbours: picture, written at the end, of the samples closest to training faces.
        every_kimg, every_epochs: as in `Periodic`.
        count, reference, training: as in `Evaluator`.
    """

    def __init__(
        self,
        metric: Metric,
        file: str,
        neighbours: str,
        every_kimg: float | None = 20.0,
        every_epochs: int | None = None,
        count: int = 2000,
        reference: str = "train",
        training: int = 10_000,
    ) -> None:
        super().__init__(every_epochs, every_kimg)
        if training < 2:  # distances are relative to those between training faces
            raise UserError(
                f"callbacks.quality.training={training} must be at least 2: "
                "use callbacks.quality.training=10000, or fewer to measure faster"
            )
        self.metric = metric
        self.file = Path(file)
        self.neighbours = Path(neighbours)
        self.count = count
        self.reference = reference
        self.training = training
        self.rows: list[Row] = []
        self._measured_at = -1
        self._evaluator: Evaluator | None = None
        self._faces: Pixels | None = None  # of the latest measurement

    def headline(self, row: Row) -> float:
        """Return the headline distance of a row; lower is better."""
        return row["values"][self.metric.headline]

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        if not trainer.is_global_zero:
            return
        on_mps = pl_module.device.type == "mps"  # MPS lacks float64 and eigenvalues
        faces = trainer.datamodule.faces  # pyright: ignore[reportAttributeAccessIssue]
        try:
            self._evaluator = Evaluator(
                *(self.metric, faces, self.count, self.reference, self.training),
                device="cpu" if on_mps else pl_module.device,
            )
        except TooFewFaces as error:
            log(f"sample quality is not measured: {error}")
        else:
            self.rows = self._read_rows(pl_module.images_seen, self._evaluator, outputs_of(trainer))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        if trainer.should_stop:  # the budget is spent
            self.act(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: GAN) -> None:
        super().on_train_epoch_end(trainer, pl_module)
        if epoch_now(trainer) == trainer.max_epochs:
            self.act(trainer, pl_module)

    def act(self, trainer: Trainer, module: GAN) -> None:
        if module.images_seen == self._measured_at:
            return
        self._measured_at = module.images_seen
        improved = False
        if self._evaluator is not None:
            if not self.rows or self.rows[-1]["images"] < module.images_seen:
                self._add_row(self._evaluator, trainer, module)
            *before, row = self.rows
            improved = all(self.headline(row) < self.headline(other) for other in before)
        if trainer.strategy.broadcast(improved):
            for checkpointer in callbacks_of(trainer, Checkpointer):
                checkpointer.request_best()

    def _add_row(self, evaluator: Evaluator, trainer: Trainer, module: GAN) -> None:
        row = self._measure(evaluator, trainer, module)
        self.rows.append(row)
        self._write(evaluator, outputs_of(trainer))
        self._log(trainer, row, evaluator.references.floor)

    def on_train_end(self, trainer: Trainer, pl_module: GAN) -> None:
        if self._evaluator is None or not self.rows:
            return
        if self._faces is None:  # killed between the last measurement and the end
            self._faces = self._draw(self._evaluator, trainer, pl_module)
        sheet = self._evaluator.neighbour_sheet(self._faces)
        write = partial(write_atomically, self.neighbours, sheet.save)
        outputs_of(trainer).rewrite(self.neighbours, write, consequence="")

    def _measure(self, evaluator: Evaluator, trainer: Trainer, module: GAN) -> Row:
        (clock,) = callbacks_of(trainer, TrainingClock)
        start, hours = time.monotonic(), clock.hours
        self._faces = self._draw(evaluator, trainer, module)
        values = evaluator.measure(self._faces)
        seconds = time.monotonic() - start
        clock.exclude(seconds)
        return {
            "images": module.images_seen,
            "epoch": epoch_now(trainer),
            "weights": "ema",
            "values": values,
            "hours": round(hours, 4),
            "seconds": round(seconds, 2),
        }

    def _draw(self, evaluator: Evaluator, trainer: Trainer, module: GAN) -> Pixels:
        latents = evaluator.latents(module.generator.latent_dim)
        with trainer.precision_plugin.forward_context():
            return sample_images(module.generator_ema, latents)

    def _write(self, evaluator: Evaluator, outputs: Outputs) -> None:
        floor = evaluator.references.floor
        content = {"metric": self._settings(evaluator), "floor": floor, "rows": self.rows}
        outputs.rewrite(self.file, lambda: write_json(self.file, content))

    def _settings(self, evaluator: Evaluator) -> dict[str, Any]:
        return {**evaluator.settings, "headline": self.metric.headline}

    def _read_rows(self, images: int, evaluator: Evaluator, outputs: Outputs) -> list[Row]:
        """Return the rows that this run measured up to `images`, to resume from them.

        Rows measured with other settings are not comparable; their file is renamed and kept.
        """
        try:
            content = read_json(self.file)
            if content["metric"] == self._settings(evaluator):
                rows = map(self._check_row, content["rows"])
                return [row for row in rows if row["images"] <= images]
            kept = self.file.with_stem(f"{self.file.stem}-until-{images}")
            if outputs.attempt(kept, lambda: self.file.replace(kept)):
                log(f"the metric settings have changed: earlier values are kept in {kept}")
        except FileNotFoundError:
            pass  # nothing measured yet
        except (ValueError, KeyError, TypeError, AttributeError):
            kept = self.file.with_stem(f"{self.file.stem}-damaged")
            if outputs.attempt(kept, lambda: self.file.replace(kept)):
                log(f"{self.file} is damaged and was renamed to {kept}; measuring starts over")
        return []

    def _check_row(self, row: Row) -> Row:
        """Return a row of the file. Raises ValueError if it is damaged."""
        if not has_numbers(row, ["images"]) or not has_numbers(row["values"], row["values"]):
            raise ValueError("a row lacks numbers")
        self.headline(row)
        return row

    def _log(self, trainer: Trainer, row: Row, floor: Values) -> None:
        scalars = {f"quality/{name}": value for name, value in row["values"].items()}
        scalars |= {f"quality_floor/{name}": value for name, value in floor.items()}
        log_scalars(trainer, scalars, row["images"])
