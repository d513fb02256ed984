"""How good the faces are, measured as the training goes on; the best checkpoint is kept."""

import contextlib
import json
import time
from pathlib import Path
from typing import Any

from lightning import Trainer

from anime_dcgan.metric.base import Metric
from anime_dcgan.metric.evaluator import Evaluator, Pixels, TooFewFaces, Values
from anime_dcgan.sampling.sample import sample_images
from anime_dcgan.system.console import log
from anime_dcgan.system.files import write_json, write_or_warn
from anime_dcgan.training.callbacks.checkpointer import Checkpointer
from anime_dcgan.training.callbacks.periodic import Periodic, callbacks_of, epoch_now
from anime_dcgan.training.gan import GAN

Row = dict[str, Any]


class Quality(Periodic):
    """Measures the averaged generator, logs the values, and saves `best.ckpt` when it got better.

    Parameters:
        metric: its headline distance is to become small.
        file: all values so far, as JSON.
        neighbours: picture, made at the end, of the faces that come closest to training faces.
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
        self.metric = metric
        self.file = Path(file)
        self.neighbours = Path(neighbours)
        self.count = count
        self.reference = reference
        self.training = training
        self.rows: list[Row] = []
        self._measured_at = -1
        self._hours_before: float | None = None  # up to the checkpoint that the run goes on from
        self._started: float | None = None
        self._evaluator: Evaluator | None = None
        self._faces: Pixels | None = None  # those measured last

    def headline(self, row: Row) -> float:
        """The distance of a row that is to become small."""
        return row["values"][self.metric.headline]

    @property
    def hours(self) -> float | None:
        """Of training since the run began, without pauses and without what `leave_out` was told.

        None where the run goes on from a checkpoint that does not know.
        """
        if self._hours_before is None or self._started is None:
            return self._hours_before
        return self._hours_before + (time.monotonic() - self._started) / 3600

    def leave_out(self, seconds: float) -> None:
        """Count these not as training: measuring is none."""
        if self._started is not None:
            self._started += seconds

    def state_dict(self) -> dict[str, Any]:
        return {"hours": self.hours}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._hours_before = state_dict["hours"]

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        self._started = time.monotonic()
        if pl_module.images_seen == 0:
            self._hours_before = 0.0
        if not trainer.is_global_zero:
            return
        on_mps = pl_module.device.type == "mps"  # which has neither float64 nor eigenvalues
        faces = trainer.datamodule.faces  # pyright: ignore[reportAttributeAccessIssue]
        try:
            self._evaluator = Evaluator(
                *(self.metric, faces, self.count, self.reference, self.training),
                device="cpu" if on_mps else pl_module.device,
            )
        except TooFewFaces as error:
            log(f"the faces are not measured: {error}")
        else:
            self.rows = self._rows_before(pl_module.images_seen, self._evaluator)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        if trainer.should_stop:  # the budget is used up
            self.act(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: GAN) -> None:
        super().on_train_epoch_end(trainer, pl_module)
        if trainer.current_epoch + 1 == trainer.max_epochs:
            self.act(trainer, pl_module)

    def act(self, trainer: Trainer, module: GAN) -> None:
        if module.images_seen == self._measured_at:
            return
        self._measured_at = module.images_seen
        better = False
        if self._evaluator is not None:
            row = self._measure(self._evaluator, trainer, module)
            better = all(self.headline(row) < self.headline(before) for before in self.rows)
            self.rows.append(row)
            self._write(self._evaluator)
            self._log(trainer, row, self._evaluator.references.floor)
        if trainer.strategy.broadcast(better):
            for checkpointer in callbacks_of(trainer, Checkpointer):
                checkpointer.save_best(trainer, module)

    def on_train_end(self, trainer: Trainer, pl_module: GAN) -> None:
        if self._evaluator is not None and self._faces is not None:
            sheet = self._evaluator.neighbour_sheet(self._faces)
            write_or_warn(lambda: sheet.save(self.neighbours), self.neighbours)

    def _measure(self, evaluator: Evaluator, trainer: Trainer, module: GAN) -> Row:
        start, hours = time.monotonic(), self.hours
        latents = evaluator.latents(module.generator.latent_dim)
        with trainer.precision_plugin.forward_context():
            pixels = sample_images(module.generator_ema, latents)
        values = evaluator.measure(pixels)
        self._faces = pixels
        seconds = time.monotonic() - start
        self.leave_out(seconds)
        return {
            "images": module.images_seen,
            "epoch": epoch_now(trainer),
            "weights": "ema",
            "values": values,
            "hours": None if hours is None else round(hours, 4),
            "seconds": round(seconds, 2),
        }

    def _write(self, evaluator: Evaluator) -> None:
        floor = evaluator.references.floor
        content = {"metric": self._settings(evaluator), "floor": floor, "rows": self.rows}
        write_or_warn(lambda: write_json(self.file, content), self.file, "training goes on")

    def _settings(self, evaluator: Evaluator) -> dict[str, Any]:
        return {**evaluator.settings, "headline": self.metric.headline}

    def _rows_before(self, images: int, evaluator: Evaluator) -> list[Row]:
        """What this run measured up to here, where it goes on from a checkpoint.

        What it measured in another way is not comparable, and is kept in a file of its own.
        """
        try:
            content = json.loads(self.file.read_text(encoding="utf-8"))
            if content["metric"] == self._settings(evaluator):
                return [row for row in content["rows"] if row["images"] <= images]
            kept = self.file.with_stem(f"{self.file.stem}-until-{images}")
            self.file.replace(kept)
            log(f"measured otherwise than before: the values so far are kept in {kept}")
        except OSError:
            pass  # nothing was measured, or it cannot be read
        except (ValueError, KeyError, TypeError):
            kept = self.file.with_stem(f"{self.file.stem}-damaged")
            with contextlib.suppress(OSError):
                self.file.replace(kept)
                log(f"{self.file} is damaged and kept as {kept}: measuring begins anew")
        return []

    def _log(self, trainer: Trainer, row: Row, floor: Values) -> None:
        scalars = {f"quality/{name}": value for name, value in row["values"].items()}
        scalars |= {f"quality_floor/{name}": value for name, value in floor.items()}
        for logger in trainer.loggers:
            logger.log_metrics(scalars, step=row["images"])
