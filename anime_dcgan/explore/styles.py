"""The style space of a generator: how many layers take a style, and styles as flat values."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from anime_dcgan.model.base import Generator
from anime_dcgan.sampling.layers import check_layers
from anime_dcgan.sampling.mixing import replace_layers
from anime_dcgan.system.errors import UserError

GROUPS = ("coarse", "middle", "fine")


@dataclass(frozen=True)
class StyleSpace:
    """The shape of a generator's styles.

    Attributes:
        layers: number of layers that take a style, from coarse to fine.
        dim: dimension of a style.
        embedding_dim: number of its last values that are the embedding of a label; 0 if the images
            have no labels, or if a mapping network computes the styles from the label too.
        has_mapping: True if styles are computed from the latent by a mapping network, which gives
            every layer the same one. Otherwise they are the latent itself, or its chunks.
    """

    layers: int
    dim: int
    has_mapping: bool
    embedding_dim: int = 0

    @classmethod
    @torch.inference_mode()
    def of(cls, generator: Generator) -> "StyleSpace":
        """Return the style space of a generator in evaluation mode."""
        latent = torch.ones(1, generator.latent_dim)
        styles = generator.styles(latent)
        values, _ = generator.without_embedding(styles)
        has_mapping = not torch.equal(values.flatten(1), latent)
        embedding_dim = 0 if has_mapping else generator.embedding_dim
        return cls(styles.shape[1], styles.shape[2], has_mapping, embedding_dim)

    @property
    def value_dim(self) -> int:
        """Dimension of a style without the embedding of a label."""
        return self.dim - self.embedding_dim

    def split(
        self, styles: Float[Tensor, "n layers dim"]
    ) -> tuple[Float[Tensor, "n layers _"], Float[Tensor, "n layers _"]]:
        """Split styles into their values and the embedding of a label."""
        values, embedding = styles.tensor_split([self.value_dim], dim=-1)
        return values, embedding

    def groups(self) -> dict[str, range]:
        """Return the coarse, middle and fine layers: a third each, without empty groups."""
        bounds = [-(-self.layers * third // 3) for third in range(4)]
        ranges = {name: range(bounds[n], bounds[n + 1]) for n, name in enumerate(GROUPS)}
        return {name: layers for name, layers in ranges.items() if layers}

    def shift(
        self, step: Float[Tensor, " d"], layers: range | None = None
    ) -> Float[Tensor, "_ dim"]:
        """Return what a step along a direction adds to styles, in these layers or in all.

        That of the embedding of a label is 0. Raises `UserError` for layers that do not exist.
        """
        shift = step.unflatten(0, (-1, self.value_dim))
        if layers is not None:
            check_layers("moves", layers, self.layers)
            whole = shift.expand(self.layers, -1)
            shift = replace_layers(torch.zeros_like(whole)[None], layers, whole[None])[0]
        return pad(shift, (0, self.embedding_dim))

    def flatten(self, styles: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n values"]:
        """Return styles as rows: one style each if that of every layer is the same."""
        if self.has_mapping and torch.equal(styles, styles[:, :1].expand_as(styles)):
            return styles[:, 0]
        return styles.flatten(1)

    def unflatten(self, values: Float[Tensor, "n values"]) -> Float[Tensor, "n layers dim"]:
        """Return the styles of `flatten`; raise `UserError` for any other number of values."""
        count = values.shape[1]
        if count == self.layers * self.dim:
            return values.unflatten(1, (self.layers, self.dim))
        if self.has_mapping and count == self.dim:
            return values.unsqueeze(1).expand(-1, self.layers, -1)
        accepted = f"{self.dim} or " if self.has_mapping else ""
        raise UserError(
            f"this face has a latent of {count} values, but its generator takes "
            f"{accepted}{self.layers * self.dim}: it belongs to another run"
        )
