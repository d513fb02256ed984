"""The position of a checkpoint in the training, from which Lightning's loops resume exactly."""

import sys
from typing import Any

from lightning import Callback, Trainer
from lightning.pytorch.callbacks import Timer

from anime_dcgan.training.callbacks import callbacks_of
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.length import batches_per_epoch


class Position(Callback):
    """Write one state of Lightning's loops per number of batches, whatever led there.

    Lightning's own counters depend on the hook in which a checkpoint is saved and on earlier
    resumes: a run that resumes at the last batch of an epoch never starts to count the next one,
    and a checkpoint within that repeats its batches. Every checkpoint here is one of a batch; at
    the last batch of an epoch, the end of the epoch is still to come, and is repeated on resuming.
    """

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: GAN, checkpoint: dict[str, Any]
    ) -> None:
        batches = trainer.fit_loop.epoch_loop.total_batch_idx + 1
        per_epoch = int(trainer.num_training_batches)
        checkpoint["batches"] = {"total": batches, "per_epoch": per_epoch}
        _set_position(checkpoint, batches, per_epoch)
        for timer in callbacks_of(trainer, Timer):  # trainer.max_time is that of one command
            checkpoint["callbacks"].pop(timer.state_key, None)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: GAN, checkpoint: dict[str, Any]
    ) -> None:
        """Replace the state of the loops, so that nothing else in the checkpoint determines it.

        If the number of batches per epoch has changed, resume at the same fraction of an epoch.
        """
        batches, before = checkpoint["batches"]["total"], checkpoint["batches"]["per_epoch"]
        per_epoch = batches_per_epoch(trainer)
        if per_epoch != before:
            batches = max(1, round(batches * per_epoch / before))
        checkpoint["loops"] = {"fit_loop": trainer.fit_loop.state_dict()}
        _set_position(checkpoint, batches, per_epoch)


def _set_position(checkpoint: dict[str, Any], total: int, per_epoch: int) -> None:
    """Set the state of the loops to that after `total` batches, within the last one's epoch."""
    epoch = (total - 1) // per_epoch
    batch = total - epoch * per_epoch
    is_last = batch == per_epoch
    loops = checkpoint["loops"]["fit_loop"]
    loops["epoch_loop.state_dict"]["_batches_that_stepped"] = total
    loops["epoch_loop.batch_progress"] |= {
        "total": _progress(total, total),
        "current": _progress(batch, batch),
        "is_last_batch": is_last,
    }
    steps = {"ready": checkpoint["global_step"], "completed": checkpoint["global_step"]}
    loops["epoch_loop.manual_optimization.optim_step_progress"] |= {
        "total": steps,
        "current": steps,
    }
    loops["epoch_progress"] |= {
        "total": _progress(epoch + 1, epoch),
        "current": _progress(epoch + 1, epoch),
    }
    delivered = sys.maxsize if is_last else batch  # all of them, with trainer.limit_train_batches
    loops["state_dict"]["combined_loader"] = [{"epoch": epoch, "batches": delivered}]
    checkpoint["epoch"] = epoch


def _progress(started: int, done: int) -> dict[str, int]:
    return {"ready": started, "started": started, "processed": done, "completed": done}
