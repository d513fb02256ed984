"""The adversarial game as a LightningModule: alternating steps of discriminator and generator.

Everything is counted in images that the discriminator has seen as real (`images_seen`), because
Lightning's `global_step` counts the steps of every optimizer.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import cycle
from typing import Any

import lightning
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.parametrize import is_parametrized
from torch.optim import Optimizer

from anime_dcgan.game.augment import Augment
from anime_dcgan.game.loss import AdversarialLoss
from anime_dcgan.game.objective import (
    DiscriminatorCost,
    discriminator_cost,
    generator_cost,
    microbatches,
)
from anime_dcgan.game.regularizer import Regularizer, WeightClip
from anime_dcgan.model.base import Discriminator, Generator
from anime_dcgan.model.coupling import has_batch_norm
from anime_dcgan.run.runs import Weights
from anime_dcgan.sampling.image import to_float
from anime_dcgan.system import precision
from anime_dcgan.system.errors import UserError
from anime_dcgan.training import cuda_graph, ema
from anime_dcgan.training.schedule import Schedule

MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]
SAMPLE_BATCH = 64  # images that `sample` draws at a time


class GAN(lightning.LightningModule):
    """A generator and a discriminator that learn against each other.

    Parameters:
        optimizer: how to make the optimizer of "generator" and of "discriminator".
        critic_steps: discriminator steps, each on a batch of its own, per generator step.
        fakes_per_real: size of the generator's batch over that of the real batch. 2 is the
            report's scheme: half a batch of real and half of fake images for the discriminator,
            a full batch of fakes for the generator.
        ema_halflife_kimg: half-life of the generator's moving average, thousands of images.
        schedule: the factor of both optimizers' rates, by the images seen; None keeps the rates.
        clip_gradient_norm: a player's gradient, as one vector of all its weights, is shortened to
            this length before its step; None leaves it as it is.
        accumulate: parts in which each step takes its batch, so that only one of them has to fit
            into memory. The loader delivers that many batches of `data.batch_size` at once. All of
            them are one step: `critic_steps` counts steps, so that the generator, whose batch is
            larger and divided likewise, moves once in critic_steps * accumulate batches. Without
            batch normalisation a step is that of one large batch; with it each part is normalised
            on its own.
        seed: every step draws its randomness from (seed, rank, step) alone, so that a resumed
            run goes on exactly and nothing beside the training can change it.
        augment: what is done to every image before the discriminator sees it; null for nothing.
        cuda_graphs: whether steps are launched as CUDA graphs; null for where they can be.
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
        cuda_graphs: bool | None = None,
    ) -> None:
        super().__init__()
        augment = augment or Augment()
        _check_pairing(discriminator, loss, regularizer, augment, fakes_per_real)
        _check(critic_steps, fakes_per_real, ema_halflife_kimg)
        _check_steps(clip_gradient_norm, accumulate)
        self.automatic_optimization = False
        self.generator = generator.to(memory_format=torch.channels_last)
        self.discriminator = discriminator.to(memory_format=torch.channels_last)
        self.generator_ema = copy.deepcopy(self.generator).requires_grad_(False)
        self.loss = loss
        self.regularizer = regularizer
        self.augment = augment
        self.make_optimizer = optimizer
        self.critic_steps = critic_steps
        self.fakes_per_real = fakes_per_real
        self.ema_halflife_images = 1000 * ema_halflife_kimg
        self.schedule = schedule or Schedule()
        self.clip_gradient_norm = clip_gradient_norm
        self.accumulate = accumulate
        self.seed = seed
        self.cuda_graphs = cuda_graphs
        self.images_seen = 0
        self.discriminator_steps = 0
        self._recorder: cuda_graph.StepRecorder | None = None

    def configure_optimizers(self) -> list[Optimizer]:
        optimizers = [self._optimizer("generator"), self._optimizer("discriminator")]
        for group in _groups(optimizers):
            group["initial_lr"] = group["lr"]
        return optimizers

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
        unsupported_reason = cuda_graph.unsupported_reason(self.trainer)
        if self.cuda_graphs and unsupported_reason:
            raise UserError(f"gan.cuda_graphs=true: {unsupported_reason}; use gan.cuda_graphs=null")
        if self.cuda_graphs is not False and not unsupported_reason:
            self._recorder = cuda_graph.StepRecorder()

    def on_train_end(self) -> None:
        self._recorder = None

    def training_step(self, batch: UInt8[Tensor, "n h w 3"], batch_idx: int) -> dict[str, Tensor]:
        """One discriminator step, and after every `critic_steps` of them a generator step."""
        self._seed_step()
        self._set_rates()
        images = len(batch) * self.trainer.world_size
        figures = self._recorded_steps(batch) if self._recorder else self._steps(batch)
        moves_generator = self._moves_generator
        self.discriminator_steps += 1
        self.images_seen += images
        if moves_generator:
            remaining = ema.decay(
                images * self.critic_steps, self.ema_halflife_images, self.images_seen
            )
            ema.update(self.generator_ema, self.generator, remaining)
        return figures

    @property
    def _moves_generator(self) -> bool:
        """Whether the generator follows the discriminator's next step."""
        return (self.discriminator_steps + 1) % self.critic_steps == 0

    def _steps(self, batch: UInt8[Tensor, "n h w 3"]) -> dict[str, Tensor]:
        real = to_float(batch)
        figures = self.discriminator_step(real)
        if self._moves_generator:
            figures |= self.generator_step(real)
        return figures

    def _recorded_steps(self, batch: UInt8[Tensor, "n h w 3"]) -> dict[str, Tensor]:
        assert self._recorder is not None
        generator, discriminator = self._both_optimizers()
        stepping = [discriminator, generator] if self._moves_generator else [discriminator]
        penalised = type(self.regularizer.at(self.discriminator_steps))
        return self._recorder.take((len(stepping), penalised), self._steps, batch, stepping)

    def discriminator_step(self, real: Float[Tensor, "n 3 h w"]) -> dict[str, Tensor]:
        """Tell real from fake a little better; the generator stays as it is."""
        _, optimizer = self._both_optimizers()
        means: list[Means] = []
        real_logits: list[Tensor] = []
        regularizer = self.regularizer.at(self.discriminator_steps)
        with self.toggled_optimizer(optimizer):
            optimizer.zero_grad()
            latents = microbatches(self._latents(len(real)), self.accumulate)
            pairs = zip(microbatches(real, self.accumulate), latents, strict=True)
            for (weight, some_real), (_, some_latents) in pairs:
                with torch.no_grad():
                    fake = self.generator(some_latents)
                paid = discriminator_cost(
                    self.discriminator, self.loss, regularizer, self.augment, some_real, fake
                )
                self.manual_backward(weight * (paid.cost + paid.penalty))
                means.append((weight, _figures(self.loss, paid)))
                real_logits.append(paid.real_logits.detach())
            norm = self._clip_gradient(self.discriminator, "gradient_norm/discriminator")
            optimizer.step()
        self.regularizer.after_step(self.discriminator)
        figures = _over_the_batch(means) | norm
        if self.augment.reads_signs:  # else the processes need not wait for each other
            figures |= self.augment.observe(self._of_all_processes(torch.cat(real_logits)))
        return figures

    def generator_step(self, real: Float[Tensor, "n 3 h w"]) -> dict[str, Tensor]:
        """Make fakes that look a little more real; the discriminator stays as it is."""
        optimizer, _ = self._both_optimizers()
        means: list[Means] = []
        with self.toggled_optimizer(optimizer):
            optimizer.zero_grad()
            latents = self._latents(round(self.fakes_per_real * len(real)))
            pairs = zip(
                microbatches(latents, self.accumulate), cycle(microbatches(real, self.accumulate))
            )
            for (weight, some_latents), (_, some_real) in pairs:
                fake = self.generator(some_latents)
                cost = generator_cost(self.discriminator, self.loss, self.augment, some_real, fake)
                self.manual_backward(weight * cost)
                means.append((weight, {"loss/generator": cost.detach()}))
            norm = self._clip_gradient(self.generator, "gradient_norm/generator")
            optimizer.step()
        return _over_the_batch(means) | norm

    @torch.no_grad()
    def sample(
        self, latents: Float[Tensor, "n latent_dim"], weights: Weights = "ema"
    ) -> Float[Tensor, "n 3 h w"]:
        """Images in [-1, 1] of the averaged or the raw generator, in evaluation mode, float32.

        The training notices nothing of it: modes and random state are as before.
        """
        generator = self.generator_ema if weights == "ema" else self.generator
        training = generator.training
        generator.eval()
        try:
            return torch.cat(
                [generator(part.to(self.device)) for part in latents.split(SAMPLE_BATCH)]
            )
        finally:
            generator.train(training)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["images_seen"] = self.images_seen
        checkpoint["discriminator_steps"] = self.discriminator_steps

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.images_seen = checkpoint["images_seen"]
        self.discriminator_steps = checkpoint["discriminator_steps"]

    def _optimizer(self, player: str) -> Optimizer:
        """A new one for the weights of "generator" or "discriminator"."""
        try:
            return self.make_optimizer[player](getattr(self, player).parameters())
        except (TypeError, ValueError) as error:
            raise UserError(f"optimizer.{player} cannot be built: {error}") from error

    def _set_rates(self) -> None:
        """By the images seen before this step, so that nothing but them has to be resumed."""
        factor = self.schedule.factor(self.images_seen)
        for group in _groups(self.trainer.optimizers):
            group["lr"] = factor * group["initial_lr"]

    def _clip_gradient(self, player: nn.Module, name: str) -> dict[str, Tensor]:
        """Shorten it where it is too long; its length before that, under this name."""
        if self.clip_gradient_norm is None:
            return {}
        return {name: clip_grad_norm_(player.parameters(), self.clip_gradient_norm).detach()}

    def _both_optimizers(self) -> list[Any]:
        optimizers = self.optimizers()
        assert isinstance(optimizers, list)
        return optimizers

    def _of_all_processes(self, values: Float[Tensor, " n"]) -> Float[Tensor, "..."]:
        gathered = self.all_gather(values)
        assert isinstance(gathered, Tensor)
        return gathered

    def _latents(self, count: int) -> Float[Tensor, "n latent_dim"]:
        return torch.randn(count, self.generator.latent_dim, device=self.device)

    def _seed_step(self) -> None:
        key = (self.seed, self.global_rank, self.discriminator_steps)
        (seed,) = np.random.SeedSequence(key).generate_state(1, np.uint32)
        torch.manual_seed(int(seed))


def has_spectral_norm(network: nn.Module) -> bool:
    """Whether any weight of the network is divided by its spectral norm."""
    return any(is_parametrized(module, "weight") for module in network.modules())


Means = tuple[float, dict[str, Tensor]]
"""Figures that are means over a part of a batch, behind the part's share of it."""


def _over_the_batch(means: list[Means]) -> dict[str, Tensor]:
    """The same figures, of all parts together."""
    (_, names) = means[0]
    return {
        name: torch.stack([weight * figures[name] for weight, figures in means]).sum()
        for name in names
    }


def _figures(loss: AdversarialLoss, paid: DiscriminatorCost) -> dict[str, Tensor]:
    real_logits, fake_logits = paid.real_logits.detach(), paid.fake_logits.detach()
    on_real, on_fake = loss.accuracy(real_logits, fake_logits)
    return {
        "loss/discriminator": paid.cost.detach(),
        "loss/penalty": paid.penalty.detach(),
        "logit/real": real_logits.mean(),
        "logit/fake": fake_logits.mean(),
        "accuracy/real": on_real,
        "accuracy/fake": on_fake,
    }


def _groups(optimizers: Iterable[Optimizer]) -> Iterator[dict[str, Any]]:
    """The parameter groups of all of them; each has a rate of its own."""
    return (group for optimizer in optimizers for group in optimizer.param_groups)


def _check_steps(clip_gradient_norm: float | None, accumulate: int) -> None:
    if clip_gradient_norm is not None and clip_gradient_norm <= 0:
        raise UserError(
            f"gan.clip_gradient_norm={clip_gradient_norm} leaves no gradient: "
            "use gan.clip_gradient_norm=1, or null for none"
        )
    if accumulate < 1:
        raise UserError(f"gan.accumulate={accumulate} takes no batch: use gan.accumulate=1")


def _check_pairing(
    discriminator: nn.Module,
    loss: AdversarialLoss,
    regularizer: Regularizer,
    augment: Augment,
    fakes_per_real: float,
) -> None:
    """Refuse what is mathematically wrong together."""
    if not regularizer.couples_samples and has_batch_norm(discriminator):
        raise UserError(
            f"{type(regularizer).__name__} needs the gradient of each sample on its own, but this "
            "discriminator has batch normalisation, which mixes the samples: use "
            "model.discriminator.batch_norm=false (or model=dcgan, or regularizer=none)"
        )
    normalised = has_spectral_norm(discriminator)
    lipschitz = normalised and not has_batch_norm(discriminator)
    if not (loss.bounded or regularizer.bounds or lipschitz):
        raise UserError(
            f"{type(loss).__name__} rewards ever larger logits, and nothing bounds this "
            "discriminator: use regularizer=weight_clip or gradient_penalty, or "
            "model.discriminator.spectral_norm=true without batch normalisation"
        )
    if normalised and isinstance(regularizer, WeightClip):
        raise UserError(
            "regularizer=weight_clip has no effect on weights that are divided by their norm: use "
            "model.discriminator.spectral_norm=false or regularizer=none"
        )
    if loss.relativistic and fakes_per_real != 1:
        raise UserError(
            f"a relativistic loss pairs each fake image with a real one, and "
            f"gan.fakes_per_real={fakes_per_real} makes others: use gan.fakes_per_real=1"
        )
    if augment.reads_signs and not loss.knows_signs:
        raise UserError(
            "augment=ada reads off the sign of a logit how sure the discriminator is, and "
            f"{'a relativistic loss' if loss.relativistic else type(loss).__name__} knows "
            "differences of logits only: use augment=diffaugment"
        )


def _check(critic_steps: int, fakes_per_real: float, ema_halflife_kimg: float) -> None:
    if critic_steps < 1:
        raise UserError(f"gan.critic_steps={critic_steps} never trains: use gan.critic_steps=1")
    if fakes_per_real <= 0:
        raise UserError(f"gan.fakes_per_real={fakes_per_real} is not positive: use 1 or 2")
    if ema_halflife_kimg < 0:
        raise UserError(f"gan.ema_halflife_kimg={ema_halflife_kimg} is negative: use 0 or more")
