"""Base classes of the generators and discriminators."""

import copy
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from anime_dcgan.model.labels import EMBEDDING_DIM, LabelEmbedding, one_hot
from anime_dcgan.system.errors import UserError

NOISE_SEED = 0x40000000  # of noise and labels for images that have no seed
LABEL_STREAM = 1  # mixed into the seeds of labels, which are independent of latents
NAMED_LABELS = 8  # in a message


class Generator(nn.Module):
    """Map latents of shape (n, latent_dim) to images of shape (n, 3, h, w).

    Real images lie in [-1, 1]. So do the images of a generator that ends with a tanh; those of
    others may exceed it, and are clipped when they become pixels (`sampling.image.to_uint8`).

    The images are computed from styles, one for each layer that takes one, and the styles are
    computed from the latents. A plain generator defines `synthesise` alone: its only style is the
    latent. A generator with a style space defines `styles` too.

    If it was trained on labelled images, a label (see `model.labels`) is a part of the styles: that
    of a plain generator consists of the latent and the embedding of the label. Without a label the
    images are those of `default_label`.

    Attributes:
        latent_dim: dimension of the latents, which are standard normal.
        labels: names of the classes; empty if the images have no labels.
        label_frequencies: fraction of the training images of each class, of shape (classes,); those
            without a label are the rest up to 1.
        default_label: label of images that are given none, of shape (classes,); None is unknown.
        noise_dim: number of standard normal values that vary the details of an image; 0 if the
            image depends on the latent alone. Otherwise `forward` and `synthesise` take noise of
            shape (n, noise_dim); without it they draw noise in training, and use that of
            `fixed_noise` for all images in evaluation mode.
        standing_statistics: True if truncated latents need statistics of batch normalisation of
            their own, as `sampling.standing` computes them.
    """

    latent_dim: int
    noise_dim: int = 0
    standing_statistics: bool = False
    label_frequencies: Tensor
    default_label: Float[Tensor, " classes"] | None = None

    def __init__(self, latent_dim: int, labels: Sequence[str] = ()) -> None:
        super().__init__()
        if latent_dim < 1:
            raise UserError(
                f"model.latent_dim={latent_dim} gives every face the same latent: use 1 or more"
            )
        self.latent_dim = latent_dim
        self.labels = tuple(labels)
        self.embed = LabelEmbedding(len(self.labels)) if self.labels else None
        if self.labels:
            uniform = torch.full((len(self.labels),), 1 / len(self.labels))
            self.register_buffer("label_frequencies", uniform)

    @property
    def embedding_dim(self) -> int:
        """Dimension of the embedding of a label; 0 without labels."""
        return EMBEDDING_DIM if self.labels else 0

    def forward(
        self,
        latents: Float[Tensor, "n latent_dim"],
        noise: Float[Tensor, "n noise_dim"] | None = None,
        labels: Float[Tensor, "n classes"] | None = None,
    ) -> Float[Tensor, "n 3 h w"]:
        """Return the images of these latents."""
        return self.synthesise(self.styles(latents, labels), noise)

    def styles(
        self,
        latents: Float[Tensor, "n latent_dim"],
        labels: Float[Tensor, "n classes"] | None = None,
    ) -> Float[Tensor, "n style_layers style_dim"]:
        """Return the styles of an image from coarse to fine layers."""
        return self.with_embedding(latents, labels).unsqueeze(1)

    def synthesise(
        self,
        styles: Float[Tensor, "n style_layers style_dim"],
        noise: Float[Tensor, "n noise_dim"] | None = None,
    ) -> Float[Tensor, "n 3 h w"]:
        """Return the images of these styles."""
        raise NotImplementedError

    def with_embedding(
        self,
        values: Float[Tensor, "n ... d"],
        labels: Float[Tensor, "n classes"] | None,
    ) -> Float[Tensor, "n ... _"]:
        """Concatenate values of each image with the embedding of its label."""
        if self.embed is None:
            return values
        if labels is None:
            labels = self._default_labels(values)
        embedding = self.embed(labels)
        if values.ndim == 3:
            embedding = embedding.unsqueeze(1).expand(-1, values.shape[1], -1)
        return torch.cat([values, embedding], dim=-1)

    def _default_labels(self, values: Float[Tensor, "n ..."]) -> Float[Tensor, "n classes"]:
        if self.default_label is None:
            return values.new_zeros(len(values), len(self.labels))
        return self.default_label.to(values).expand(len(values), -1)

    def of_label(self, name: str) -> "Generator":
        """Return this generator with a default label; both share their weights.

        Raises `UserError` if the generator does not know the label.
        """
        if not self.labels:
            raise UserError(
                f"label={name} needs labels, and this run was trained without: train with "
                "data.labels=folders, for instance"
            )
        if name not in self.labels:
            known = ", ".join(self.labels[:NAMED_LABELS])
            more = ", ..." if len(self.labels) > NAMED_LABELS else ""
            raise UserError(f"label={name} is not a label of this run: use one of {known}{more}")
        own = copy.copy(self)
        own.default_label = torch.eye(len(self.labels))[self.labels.index(name)]
        return own

    def labels_of_seeds(self, seeds: Iterable[int]) -> Float[Tensor, "n classes"] | None:
        """Return a label for each seed, always the same, as frequent as in the training.

        Where a default label is set, it is that one; None for a generator without labels.
        """
        if not self.labels:
            return None
        if self.default_label is not None:
            return self.default_label.expand(len(list(seeds)), -1)
        return self._draw_labels(seeds, self.label_frequencies.cpu())

    def fixed_labels(self, rows: Iterable[int] = (0,)) -> Float[Tensor, "n classes"] | None:
        """Return labels for images that have no seed; each row is always the same.

        Unknown labels are among them, as frequent as in the training.
        """
        if not self.labels or self.default_label is not None:
            return self.labels_of_seeds(rows)
        return self.frequent_labels(rows)

    def frequent_labels(self, rows: Iterable[int]) -> Float[Tensor, "n classes"]:
        """Return labels as frequent as in the training, unknown ones among them.

        Each row is always the same, whatever the default label is.
        """
        seeds = [NOISE_SEED + row for row in rows]
        frequencies = self.label_frequencies.cpu()
        unknown = (1 - frequencies.sum(0, keepdim=True)).clamp_min(0)
        return self._draw_labels(seeds, torch.cat([frequencies, unknown]))

    def _draw_labels(
        self, seeds: Iterable[int], weights: Float[Tensor, " _"]
    ) -> Float[Tensor, "n classes"]:
        """Draw a class for each seed; the label is unknown for an index beyond the classes."""
        randoms = (_label_random(seed) for seed in seeds)
        drawn = [torch.multinomial(weights, 1, generator=random) for random in randoms]
        return one_hot(torch.cat(drawn), len(self.labels))

    def truncate(
        self,
        styles: Float[Tensor, "n style_layers style_dim"],
        truncation: float,
        labels: Float[Tensor, "n classes"] | None = None,
    ) -> Float[Tensor, "n style_layers style_dim"]:
        """Move styles towards their mean: 1 leaves them as they are, 0 gives the mean.

        Images become more typical and less varied (the truncation trick, arXiv 1809.11096, section
        3.1, and arXiv 1812.04948, section 2). The mean of latents is 0. A label stays as it is.

        Parameters:
            labels: labels from which the styles were computed; None if they are not known.
        """
        values, embedding = self.without_embedding(styles)
        return torch.cat([truncation * values, embedding], dim=-1)

    def cut(
        self, styles: Float[Tensor, "n style_layers style_dim"]
    ) -> Float[Tensor, "n style_layers style_dim"]:
        """Return the styles that a truncation below 1 moves towards their mean.

        They are the styles themselves, unless truncation cuts off the tails of their distribution.
        """
        return styles

    def without_embedding(
        self, styles: Float[Tensor, "n _ _"]
    ) -> tuple[Float[Tensor, "n _ _"], Float[Tensor, "n _ _"]]:
        """Split what `with_embedding` concatenated."""
        values, embedding = styles.tensor_split([styles.shape[-1] - self.embedding_dim], dim=-1)
        return values, embedding

    def fixed_noise(self, rows: Sequence[int] = (0,)) -> Float[Tensor, "n noise_dim"]:
        """Return noise for images that have no seed; each row is always the same."""
        seeds = (NOISE_SEED + row for row in rows)
        noise = [
            torch.randn(self.noise_dim, generator=torch.Generator().manual_seed(seed))
            for seed in seeds
        ]
        return torch.stack(noise)


def _label_random(seed: int) -> torch.Generator:
    """Return the random numbers of the label of a seed; torch uses 32 bits of a seed."""
    (mixed,) = np.random.SeedSequence((LABEL_STREAM, seed)).generate_state(1, np.uint32)
    return torch.Generator().manual_seed(int(mixed))


class Discriminator(nn.Module):
    """Map images of shape (n, 3, h, w) in [-1, 1] to raw logits of shape (n,) or (n, heads).

    A higher logit means "more real". A discriminator with several heads is a sum of games: each
    head has its own cost, and the players minimise their sum. Where an image needs one logit, it is
    the mean over the heads.

    If it is trained on labelled images, it is a projection discriminator (Miyato & Koyama 2018,
    arXiv 1802.05637, equation 3): the logit of an image is a function of its features, plus their
    product with a vector of its class.

    Attributes:
        has_heads: True if the logits have an axis of heads.
        pretrained: SHA-256 of the weights of each network that it looks through, by name; these
            weights are not a part of its state.
    """

    has_heads: bool = False

    @property
    def pretrained(self) -> dict[str, str]:
        return {}

    def layers_from_image(self) -> Sequence[Sequence[nn.Module]]:
        """Return the layers that a training can keep, the nearest to the image first.

        Each consists of one or several modules, with all weights of that layer. The layers that
        compute the logit from the last maps are not among them.
        """
        return ()

    label_vectors: nn.Linear | None
    """Map labels to vectors of the dimension of the features; None without labels."""

    def forward(
        self, images: Float[Tensor, "n 3 h w"], labels: Float[Tensor, "n classes"] | None = None
    ) -> Float[Tensor, " n *heads"]:
        """Return raw logits; without labels they are those of unknown ones."""
        raise NotImplementedError

    def add_label_logits(
        self,
        logits: Float[Tensor, " n"],
        features: Float[Tensor, "n d"],
        labels: Float[Tensor, "n classes"] | None,
    ) -> Float[Tensor, " n"]:
        """Add the products of the features with the vectors of their labels."""
        return add_label_logits(logits, features, labels, self.label_vectors)


class FixedFirst(Discriminator):
    """A discriminator that begins with layers that are not trained."""

    def encode(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Return what the trained layers receive of each image."""
        raise NotImplementedError

    def judge(
        self, encoded: Float[Tensor, "n d"], labels: Float[Tensor, "n classes"] | None = None
    ) -> Float[Tensor, " n *heads"]:
        """Return the raw logits of encoded images, which are those of the images."""
        raise NotImplementedError


class TrainedPart(nn.Module):
    """The trained layers of a `FixedFirst` discriminator, which map encoded images to logits."""

    def __init__(self, discriminator: FixedFirst) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(
        self, encoded: Float[Tensor, "n d"], labels: Float[Tensor, "n classes"] | None = None
    ) -> Float[Tensor, " n *heads"]:
        return self.discriminator.judge(encoded, labels)


def add_label_logits(
    logits: Float[Tensor, " n"],
    features: Float[Tensor, "n d"],
    labels: Float[Tensor, "n classes"] | None,
    label_vectors: nn.Linear | None,
) -> Float[Tensor, " n"]:
    """Add the products of the features with the vectors of their labels, if there are any."""
    if label_vectors is None or labels is None:
        return logits
    return logits + (features.float() * label_vectors(labels).float()).sum(1)


def check_width(player: str, width: int) -> None:
    """Raise `UserError` if a network of that width has no channels."""
    if width < 1:
        raise UserError(f"model.{player}.width={width} leaves no channels: use 1 or more")
