"""Duality gap of a run's checkpoints, and the variation between two measurements of it.

    python -m benchmarks.duality_gap RUN STEPS[,STEPS ...] EPOCH [EPOCH ...]

RUN is the folder of a run, STEPS the number of steps of the copies, EPOCH a number, `best` or
`last`. The gap is measured as during training, but twice per checkpoint, on different hold-out
faces and latents. The longer the copies train, the nearer they come to best responses: several
STEPS show how much of the gap fewer steps miss.
"""

import itertools
import sys
from pathlib import Path

import numpy as np
import torch
from omegaconf import OmegaConf

from anime_dcgan.cli.command import instantiate
from anime_dcgan.game.duality import DualityGap, duality_gap
from anime_dcgan.game.step import Game
from anime_dcgan.metric.evaluation import open_data
from anime_dcgan.run import checkpoint
from anime_dcgan.run.runs import find_checkpoint
from anime_dcgan.sampling.image import to_float
from anime_dcgan.system import precision
from anime_dcgan.training.gan import GAN

EVALUATED = 256  # hold-out faces on which the value of the game is computed


def load(path: Path) -> Game:
    """Return the players of a checkpoint with their optimizers and the rules of the training."""
    contents = checkpoint.read(path)
    module: GAN = instantiate(OmegaConf.create(contents["config"]).gan)
    module.load_state_dict(contents["state_dict"])
    generator_optimizer, discriminator_optimizer = module.configure_optimizers()
    states = contents["optimizer_states"]
    generator_optimizer.load_state_dict(states[0])
    discriminator_optimizer.load_state_dict(states[1])
    fast = precision.choose("cpu")[0] == precision.FAST
    return Game(
        generator=module.generator,
        discriminator=module.discriminator,
        generator_optimizer=generator_optimizer,
        discriminator_optimizer=discriminator_optimizer,
        loss=module.loss,
        regularizer=module.regularizer,
        augment=module.augment,
        fakes_per_real=module.fakes_per_real,
        accumulate=module.accumulate,
        clip_gradient_norm=module.clip_gradient_norm,
        precision=lambda: precision.autocast(fast),
    )


def measure(game: Game, path: Path, steps: int, seed: int) -> DualityGap:
    """Return the gap on hold-out faces that are chosen by the seed."""
    contents = checkpoint.read(path)
    config = contents["config"]
    own = OmegaConf.create(
        {"path": None, "fetch_dir": None, "fetch": False, "cache_dir": "outputs/cache"}
    )
    faces = open_data(config, path, own)
    random = np.random.default_rng(seed)
    rows = random.permutation(faces.holdout_rows)
    train_rows, evaluation_rows = np.array_split(rows, 2)

    def real(rows: np.ndarray, count: int) -> torch.Tensor:
        chosen = random.choice(rows, count, len(rows) < count)
        return to_float(torch.from_numpy(faces.images[chosen]))

    torch.manual_seed(seed)
    latent_dim = config["model"]["generator"]["latent_dim"]
    batches = [real(train_rows, config["data"]["batch_size"]) for _ in range(steps)]
    return duality_gap(
        game,
        batches,
        lambda n: torch.randn(n, latent_dim),
        real(evaluation_rows, EVALUATED),
        contents["discriminator_steps"],
    )


def main() -> None:
    run, all_steps, *epochs = sys.argv[1:]
    print("epoch steps    total   discriminator   generator, each measured twice")
    for epoch, steps in itertools.product(epochs, all_steps.split(",")):
        path = find_checkpoint(Path(run), epoch)
        game = load(path)
        for seed in (0, 1):
            gap = measure(game, path, int(steps), seed)
            values = f"{gap.total:8.3f} {gap.discriminator:15.3f} {gap.generator:11.3f}"
            print(f"{epoch:>5} {steps:>5} {values}", flush=True)


if __name__ == "__main__":
    main()
