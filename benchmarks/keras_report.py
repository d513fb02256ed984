"""The report's program in Keras, which `python -m benchmarks.training against=keras` runs.

    python benchmarks/keras_report.py FOLDER float32|mixed_bfloat16 IMAGES

Written from the report's description: the pair that `model=dcgan` rebuilds, half-batches of 32
real and 32 fake faces through `train_on_batch`, then 64 latents through both networks with the
discriminator frozen; binary cross-entropy, Adam (2e-4, beta1 0.5). All pictures are decoded before
timing starts. It needs tensorflow and Pillow only, and prints real images/s.
"""

import sys
import time
from pathlib import Path

import keras  # pyright: ignore[reportMissingImports]
import numpy as np
from keras import layers  # pyright: ignore[reportMissingImports]
from PIL import Image

LATENT_DIM, BATCH, WARM_UP_STEPS = 100, 64, 5


def make_generator() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((LATENT_DIM,)),
            layers.Dense(16 * 16 * 256),
            layers.LeakyReLU(0.2),
            layers.Reshape((16, 16, 256)),
            layers.Conv2DTranspose(128, 4, strides=2, padding="same"),
            layers.LeakyReLU(0.2),
            layers.Conv2DTranspose(128, 4, strides=2, padding="same"),
            layers.LeakyReLU(0.2),
            layers.Conv2D(3, 7, padding="same", activation="tanh", dtype="float32"),
        ]
    )


def make_discriminator() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((64, 64, 3)),
            layers.Conv2D(64, 3, padding="same"),
            layers.LeakyReLU(0.2),
            layers.Conv2D(64, 3, strides=2, padding="same"),
            layers.LeakyReLU(0.2),
            layers.Conv2D(64, 3, strides=2, padding="same"),
            layers.LeakyReLU(0.2),
            layers.Flatten(),
            layers.Dropout(0.4),
            layers.Dropout(0.4),
            layers.Dense(1, activation="sigmoid", dtype="float32"),
        ]
    )


def main() -> None:
    folder, policy, images = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    keras.mixed_precision.set_global_policy(policy)
    faces = np.stack([np.asarray(Image.open(path)) for path in sorted(folder.rglob("*.jpg"))])
    faces = faces.astype(np.float32) / 127.5 - 1
    generator, discriminator = make_generator(), make_discriminator()
    both = keras.Sequential([generator, discriminator])
    for model, metrics in ((discriminator, ["accuracy"]), (both, None)):
        optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5)
        model.compile(optimizer, loss="binary_crossentropy", metrics=metrics)
    half, rng, steps = BATCH // 2, np.random.default_rng(0), 0
    start = time.perf_counter()
    while steps < WARM_UP_STEPS or (steps - WARM_UP_STEPS) * half < images:
        real = faces[rng.integers(0, len(faces), half)]
        fake = generator.predict(latents(rng, half), verbose=0)
        discriminator.trainable = True  # read when a step is first traced
        discriminator.train_on_batch(real, np.ones((half, 1)))
        discriminator.train_on_batch(fake, np.zeros((half, 1)))
        discriminator.trainable = False
        both.train_on_batch(latents(rng, BATCH), np.ones((BATCH, 1)))
        steps += 1
        if steps == WARM_UP_STEPS:
            start = time.perf_counter()
    print((steps - WARM_UP_STEPS) * half / (time.perf_counter() - start))


def latents(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.standard_normal((count, LATENT_DIM), dtype=np.float32)


if __name__ == "__main__":
    main()
