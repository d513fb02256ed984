"""The adversarial game as a LightningModule: alternating steps of discriminator and generator.

Progress is counted in images that the discriminator has seen as real (`images_seen`), because
Lightning's `global_step` counts the steps of every optimizer.
"""

import copy
import functools
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import lightning
import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn
from torch.optim import Optimizer

from anime_dcgan.data.batches import LabelledFaces
from anime_dcgan.game.augment import Augment
from anime_dcgan.game.compatibility import check_compatibility, check_generator
from anime_dcgan.game.generator_regularizer import GeneratorRegularizer
from anime_dcgan.game.loss import AdversarialLoss
from anime_dcgan.game.regularizer import Regularizer
from anime_dcgan.game.step import Game, Labels, Metrics
from anime_dcgan.model.base import Discriminator, Generator
from anime_dcgan.model.freezing import freeze_layers
from anime_dcgan.model.labels import one_hot
from anime_dcgan.model.recompute import set_recompute
from anime_dcgan.run.origin import Origin, parse_origin
from anime_dcgan.sampling.image import to_float
from anime_dcgan.system import precision
from anime_dcgan.system.errors import UserError, first_line
from anime_dcgan.training import cuda_graph, ema
from anime_dcgan.training.growing import Growing, growths
from anime_dcgan.training.ramps import Ramps, apply_ramps
from anime_dcgan.training.schedule import Schedule
from anime_dcgan.training.strategy import PlayerStrategy

PLAYERS = ("generator", "discriminator")
MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]


class GAN(lightning.LightningModule):
    """A generator and a discriminator trained against each other.

    Parameters:
        optimizer: factories of the optimizers of "generator" and "discriminator".
        critic_steps: discriminator steps, each on its own batch, per generator step.
        fakes_per_real: size of the generator's batch over that of the real batch. 2 is the scheme
            of the report: half a batch of real and half a batch of fake images for the
            discriminator, a full batch of fakes for the generator.
        ema_halflife_kimg: half-life of the generator's moving average, in thousands of images.
        schedule: multiplier of both learning rates by images seen; None keeps them constant.
        clip_gradient_norm: max gradient norm per player; None disables clipping.
        accumulate: microbatches per step, so that only one of them has to fit into memory. The
            loader delivers `accumulate` batches of `data.batch_size` at once, and they make one
            step: the generator is updated every critic_steps * accumulate batches. Without batch
            normalisation the step equals that of one large batch; with it, each microbatch is
            normalised on its own.
        seed: each step derives its randomness from (seed, rank, step) alone, so that a resumed run
            continues exactly and nothing outside the training can change it.
        augment: applied to all images that the discriminator sees; None disables it.
        generator_regularizer: penalty in the generator's cost; None disables it.
        ramps: settings that change with the images seen; None keeps them constant.
        growing: size of the images by images seen; None trains at the final size only.
        freeze: layers of the discriminator, from the image on, that keep their weights.
        cuda_graphs: True launches steps as CUDA graphs, None does so where that is supported.
        recompute: True keeps fewer activations, and computes the others again in backward passes:
            the same weights with less memory, in more time (model/recompute.py).
    """

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        loss: AdversarialLoss,
        regularizer: Regularizer,
        optimizer: Mapping[str, MakeOptimizer],
        critic_steps: int = 1,
        fakes_per_real: float = 1.0,
        ema_halflife_kimg: float = 10.0,
        schedule: Schedule | None = None,
        clip_gradient_norm: float | None = None,
        accumulate: int = 1,
        seed: int = 0,
        augment: Augment | None = None,
        generator_regularizer: GeneratorRegularizer | None = None,
        ramps: Ramps | None = None,
        growing: Growing | None = None,
        freeze: int = 0,
        cuda_graphs: bool | None = None,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        augment = augment or Augment()
        generator_regularizer = generator_regularizer or GeneratorRegularizer()
        check_generator(generator, generator_regularizer)
        check_compatibility(discriminator, loss, regularizer, augment, fakes_per_real)
        _check_settings(critic_steps, fakes_per_real, ema_halflife_kimg)
        _check_step_settings(clip_gradient_norm, accumulate)
        self.automatic_optimization = False
        self.generator = generator.to(memory_format=torch.channels_last)
        self.discriminator = discriminator.to(memory_format=torch.channels_last)
        freeze_layers(self.discriminator, freeze)
        self.generator_ema = copy.deepcopy(self.generator).requires_grad_(False)
        self.loss = loss
        self.regularizer = regularizer
        self.generator_regularizer = generator_regularizer
        self.augment = augment
        self.growing = growing
        self.growths = growths(self.generator, self.discriminator) if growing else []
        self.make_optimizer = optimizer
        self.critic_steps = critic_steps
        self.fakes_per_real = fakes_per_real
        self.ema_halflife_kimg = ema_halflife_kimg
        self.schedule = schedule or Schedule()
        self.ramps = ramps or Ramps()
        self.ramps.check(regularizer, augment)
        self.ramped: dict[str, float] = {}  # values of the latest step
        self.clip_gradient_norm = clip_gradient_norm
        self.accumulate = accumulate
        self.seed = seed
        self.cuda_graphs = cuda_graphs
        self.origin: Origin | None = None
        self.recompute = recompute
        for network in (self.generator, self.discriminator):
            set_recompute(network, recompute)
        self.images_seen = 0
        self.discriminator_steps = 0
        self._take_step = cuda_graph.take_eagerly

    def training_step(
        self, batch: UInt8[Tensor, "n h w 3"] | LabelledFaces, batch_idx: int
    ) -> Metrics:
        """Take a discriminator step, and after every `critic_steps` of them a generator step."""
        inputs = batch if isinstance(batch, LabelledFaces) else (batch,)
        self._seed_step()
        self.follow_schedules(self.trainer.optimizers)
        self.grow()
        updates_generator = self._updates_generator
        metrics = self._take_step(
            self._kind_of_step(), self._steps, inputs, self._next_optimizers()
        )
        images = len(inputs[0]) * self.trainer.world_size
        self.discriminator_steps += 1
        self.images_seen += images
        if updates_generator:
            halflife = 1000 * self.ramped.get("ema_halflife_kimg", self.ema_halflife_kimg)
            decay = ema.decay(images * self.critic_steps, halflife, self._generator_images)
            ema.update(self.generator_ema, self.generator, decay)
        return metrics

    def _steps(
        self, images: UInt8[Tensor, "n h w 3"], classes: Int64[Tensor, " n"] | None = None
    ) -> Metrics:
        real = self.at_present_size(to_float(images))
        labels = self.labels_of(classes)
        metrics = self.discriminator_step(real, labels)
        if self._updates_generator:
            metrics |= self.generator_step(real, labels)
        return metrics

    def at_present_size(self, real: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 _ _"]:
        """Return real images as the players see them at this stage of growing."""
        return self.growths[0].fade_real(real) if self.growths else real

    def labels_of(self, classes: Int64[Tensor, " n"] | None) -> Labels:
        """Return the labels of these classes, on the device of the players; None without any."""
        if classes is None:
            return None
        return one_hot(classes.to(self.device), len(self.generator.labels))

    def discriminator_step(self, real: Float[Tensor, "n 3 h w"], labels: Labels = None) -> Metrics:
        """Update the discriminator once; the generator stays as it is."""
        metrics, real_logits = self.game().discriminator_step(
            real, self._draw_latents, self.discriminator_steps, labels
        )
        if self.augment.uses_logit_signs:  # otherwise the processes need not wait for each other
            metrics |= self.augment.observe(self._gather_from_all_processes(real_logits))
        return metrics

    def generator_step(self, real: Float[Tensor, "n 3 h w"], labels: Labels = None) -> Metrics:
        """Update the generator once; the discriminator stays as it is."""
        return self.game().generator_step(real, self._draw_latents, self.generator_steps, labels)

    def game(self) -> Game:
        """Return the players, Lightning's optimizers, and the rules of this training."""
        strategy = self.trainer.strategy
        return self._game(
            *self._both_optimizers(),
            backward=self._backward,
            average=strategy.average if isinstance(strategy, PlayerStrategy) else None,
        )

    def _backward(self, cost: Float[Tensor, ""]) -> None:
        """Compute gradients without autocast, which would lower the precision of penalties'."""
        with torch.autocast(self.device.type, enabled=False):
            self.manual_backward(cost)

    def plain_game(self, trainer: lightning.Trainer) -> Game:
        """Return the game with torch's own optimizers, for copies to play; also before training.

        Scheduled settings have the values of the next step, wherever the training was resumed.
        """
        optimizers = trainer.optimizers or self.configure_optimizers()
        self.follow_schedules(optimizers)
        return self._game(*optimizers, precision=trainer.precision_plugin.forward_context)

    def _game(self, generator_optimizer: Any, discriminator_optimizer: Any, **how: Any) -> Game:
        return Game(
            self.generator,
            self.discriminator,
            generator_optimizer,
            discriminator_optimizer,
            self.loss,
            self.regularizer,
            self.augment,
            self.fakes_per_real,
            self.accumulate,
            self.clip_gradient_norm,
            generator_regularizer=self.generator_regularizer,
            **how,
        )

    @property
    def generator_steps(self) -> int:
        """Number of generator steps before the next discriminator step."""
        return self.discriminator_steps // self.critic_steps

    @property
    def _updates_generator(self) -> bool:
        """True if a generator step follows the next discriminator step."""
        return (self.discriminator_steps + 1) % self.critic_steps == 0

    @property
    def _generator_images(self) -> int:
        """Number of real images that this generator was trained on, in all runs."""
        return self.images_seen + (0 if self.origin is None else self.origin.generator_images)

    def configure_optimizers(self) -> list[Optimizer]:
        optimizers = [self._optimizer(player) for player in PLAYERS]
        self.ramps.check_optimizers(optimizers)
        for group in _groups(optimizers):
            group["initial_lr"] = group["lr"]
        return optimizers

    def follow_schedules(self, optimizers: Sequence[Optimizer]) -> None:
        """Set learning rates and ramps by the images seen so far, the only state of a schedule."""
        factor = self.schedule.factor(self.images_seen)
        for group in _groups(optimizers):
            group["lr"] = factor * group["initial_lr"]
        self.ramped = self.ramps.values(self.images_seen)
        apply_ramps(self.ramped, optimizers, self.regularizer, self.augment, self.device)

    def grow(self) -> None:
        """Set the size of the images by the images seen so far."""
        if self.growing is not None:
            for growth in (*self.growths, *growths(self.generator_ema)):
                growth.set(*self.growing.stage(self.images_seen))

    def setup(self, stage: str) -> None:
        data = getattr(self.trainer, "datamodule", None)
        if self.generator.labels and data is not None:
            for generator in (self.generator, self.generator_ema):
                generator.label_frequencies.copy_(torch.from_numpy(data.label_frequencies()))

    def on_fit_start(self) -> None:
        if self.dtype != torch.float32:
            raise UserError(
                f"trainer.precision={self.trainer.precision} leaves no float32 weights to train: "
                "use trainer.precision=bf16-mixed or 32-true"
            )
        scaled = precision.scales_gradients(self.trainer.precision_plugin)
        if scaled and self.clip_gradient_norm is not None:
            raise UserError(
                f"gan.clip_gradient_norm={self.clip_gradient_norm} would clip the scaled gradients "
                f"of trainer.precision={self.trainer.precision}: use trainer.precision=bf16-mixed"
            )

    def on_train_start(self) -> None:
        self.grow()
        self._take_step = cuda_graph.step_taker(
            self.trainer, self.cuda_graphs, self.ramps.spans, self.recompute
        )

    def on_train_end(self) -> None:
        self._take_step = cuda_graph.take_eagerly

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["images_seen"] = self.images_seen
        checkpoint["discriminator_steps"] = self.discriminator_steps
        checkpoint["origin"] = None if self.origin is None else self.origin.as_plain()
        checkpoint["pretrained"] = self.discriminator.pretrained

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.images_seen = checkpoint["images_seen"]
        self.discriminator_steps = checkpoint["discriminator_steps"]
        origin = checkpoint.get("origin")
        self.origin = None if origin is None else parse_origin(origin)

    def _optimizer(self, player: str) -> Optimizer:
        """Create the optimizer of the "generator" or the "discriminator"."""
        network: nn.Module = getattr(self, player)
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        try:
            return self.make_optimizer[player](trained)
        except Exception as error:  # of any optimizer of any library
            raise UserError(self.refuse_optimizer(player, "be built", error)) from error

    def refuse_optimizer(self, player: str, action: str, error: Exception) -> str:
        """Return why an optimizer cannot be used, and the setting that changes it."""
        make, reason = self.make_optimizer[player], first_line(error).rstrip(".")
        settings = make.keywords if isinstance(make, functools.partial) else {}
        flags = [name for name, value in settings.items() if value is True]
        named = [flag for flag in flags if flag in reason]
        fix = f"use optimizer.{player}.{flags[-1]}=false" if flags else "use optimizer=adam"
        if action == "be built" and not named:
            return f"optimizer.{player} cannot be built: {reason}"
        return f"optimizer.{player} cannot {action}: {reason}; {fix}"

    def _both_optimizers(self) -> list[Any]:
        optimizers = self.optimizers()
        assert isinstance(optimizers, list)
        return optimizers

    def _gather_from_all_processes(self, values: Float[Tensor, " n"]) -> Float[Tensor, "..."]:
        gathered = self.all_gather(values)
        assert isinstance(gathered, Tensor)
        return gathered

    def _kind_of_step(self) -> Hashable:
        """Return a key that is the same for steps that run the same kernels."""
        return (
            self._updates_generator,
            type(self.regularizer.at(self.discriminator_steps)),
            type(self.generator_regularizer.at(self.generator_steps)),
            *((growth.size, growth.is_fading) for growth in self.growths),
        )

    def _next_optimizers(self) -> list[Any]:
        """Return the optimizers of the next step, in the order in which they step."""
        generator, discriminator = self._both_optimizers()
        return [discriminator, generator] if self._updates_generator else [discriminator]

    def _draw_latents(self, count: int) -> Float[Tensor, "n latent_dim"]:
        return torch.randn(count, self.generator.latent_dim, device=self.device)

    def _seed_step(self) -> None:
        key = (self.seed, self.global_rank, self.discriminator_steps)
        (seed,) = np.random.SeedSequence(key).generate_state(1, np.uint32)
        torch.manual_seed(int(seed))


def _groups(optimizers: Iterable[Optimizer]) -> Iterator[dict[str, Any]]:
    """Yield the parameter groups of all optimizers; each has its own learning rate."""
    return (group for optimizer in optimizers for group in optimizer.param_groups)


def _check_step_settings(clip_gradient_norm: float | None, accumulate: int) -> None:
    if clip_gradient_norm is not None and clip_gradient_norm <= 0:
        raise UserError(
            f"gan.clip_gradient_norm={clip_gradient_norm} must be positive: "
            "use gan.clip_gradient_norm=1, or null to disable clipping"
        )
    if accumulate < 1:
        raise UserError(
            f"gan.accumulate={accumulate} is not a number of batches: use gan.accumulate=1"
        )


def _check_settings(critic_steps: int, fakes_per_real: float, ema_halflife_kimg: float) -> None:
    if critic_steps < 1:
        raise UserError(
            f"gan.critic_steps={critic_steps} must be at least 1: use gan.critic_steps=1"
        )
    if fakes_per_real <= 0:
        raise UserError(f"gan.fakes_per_real={fakes_per_real} must be positive: use 1 or 2")
    if ema_halflife_kimg < 0:
        raise UserError(f"gan.ema_halflife_kimg={ema_halflife_kimg} is negative: use 0 or more")
