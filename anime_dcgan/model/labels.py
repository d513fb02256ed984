"""Class labels as inputs of the generator and the discriminator.

Labels are rows of shape (n, classes): one-hot for a class, zeros for an unknown label, and weights
that sum to 1 for a mixture of classes.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

EMBEDDING_DIM = 32


def one_hot(labels: Int64[Tensor, " n"], classes: int) -> Float[Tensor, "n classes"]:
    """Return the rows of these class indices; that of another index, such as -1, is zero."""
    return (labels.unsqueeze(1) == torch.arange(classes, device=labels.device)).float()


class LabelEmbedding(nn.Module):
    """Map each class to a vector, initially standard normal, and an unknown label to 0."""

    def __init__(self, classes: int, dim: int = EMBEDDING_DIM) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, dim))

    def forward(self, labels: Float[Tensor, "n classes"]) -> Float[Tensor, "n dim"]:
        return labels @ self.weight


class LabelledDiscriminator(nn.Module):
    """A discriminator that is given labels with every batch of images.

    A batch may consist of several ones of the same labels, such as real and fake images.
    """

    def __init__(self, discriminator: nn.Module, labels: Float[Tensor, "n classes"]) -> None:
        super().__init__()
        self.discriminator = discriminator
        self.labels = labels

    def forward(self, images: Float[Tensor, "m ..."]) -> Float[Tensor, " m *heads"]:
        repeated = self.labels.repeat(len(images) // len(self.labels), 1)
        return self.discriminator(images, repeated)


def with_labels(discriminator: nn.Module, labels: Float[Tensor, "n classes"] | None) -> nn.Module:
    """Return a discriminator of images with these labels; itself if there are none."""
    return discriminator if labels is None else LabelledDiscriminator(discriminator, labels)
