"""A generator as one function of plain tensors, which `torch.export` and ONNX can describe.

What the sampling computes around a generator is a part of it: truncation, the mean style of each
label, standing statistics. Spectral normalisation is applied once and for all.
"""

import copy
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrize import is_parametrized

from anime_dcgan.explore.styles import StyleSpace
from anime_dcgan.model.base import Generator
from anime_dcgan.sampling.latent import latents_of_seeds, noise_of_seeds
from anime_dcgan.sampling.standing import with_standing_statistics

STEPS = 10
"""Standing statistics are computed for truncations of 0, 0.1... and interpolated between them."""
ALMOST_ONE = 1 - 1e-6
"""Truncation whose statistics those near 1 approach: at 1 itself latents are not cut."""
STATISTICS = ("running_mean", "running_var")


class SharedGenerator(nn.Module):
    """Map latents, and what else a generator takes, to images in [0, 1].

    The weights are copies. Parameters of `forward` that do not apply to a generator are left out:
    see `input_names`.

    Parameters:
        half: True stores the weights in 16 bits; they are widened to 32 before they are used.
        with_shift: True adds the input `shift`.
    """

    means: Tensor
    """Styles at a truncation of 0: a row for each class, and the last one for unknown labels."""

    def __init__(self, generator: Generator, half: bool = False, with_shift: bool = False) -> None:
        super().__init__()
        self.with_shift = with_shift
        self.space = StyleSpace.of(generator)
        plain = copy.deepcopy(generator).cpu().float().eval().requires_grad_(False)
        plain.default_label = None
        _fix_parametrized_weights(plain)
        tables, means = _standing_tables(plain), _means(plain)
        self.is_half = half
        self.generator = plain.half() if half else plain
        self.register_buffer("means", means)
        self._tables: dict[str, str] = {}
        for name, table in tables.items():
            self._tables[f"generator.{name}"] = key = f"standing_{name.replace('.', '_')}"
            self.register_buffer(key, table)
        self.eval()

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs of `forward`, in order."""
        labels = ["labels"] if self.generator.labels else []
        noise = ["noise"] if self.generator.noise_dim else []
        shift = ["shift"] if self.with_shift else []
        return ("latents", "truncation", *labels, *noise, *shift)

    @property
    def shift_dim(self) -> int:
        """Dimension of the vectors of directions, see `explore.directions`."""
        return self.space.value_dim * (1 if self.space.has_mapping else self.space.layers)

    def forward(
        self,
        latents: Float[Tensor, "n latent_dim"],
        truncation: Float[Tensor, ""],
        labels: Float[Tensor, "n classes"] | None = None,
        noise: Float[Tensor, "n noise_dim"] | None = None,
        shift: Float[Tensor, "n shift_dim"] | None = None,
    ) -> Float[Tensor, "n 3 h w"]:
        """Return the images of these latents.

        Parameters:
            truncation: 0 to 1, see `Generator.truncate`.
            labels: rows as in `model.labels`, if the generator has labels.
            noise: standard normal values, if the generator takes any.
            shift: added to the truncated styles, such as a sum of steps along directions.
        """
        moved = None if shift is None else self._shift(shift)
        arguments = (latents, truncation, self._mean(labels), labels, noise, moved)
        network = _Truncated(self.generator)
        images = torch.func.functional_call(network, self._state(truncation), arguments)
        return ((images + 1) / 2).clamp(0, 1)

    def _shift(self, shift: Float[Tensor, "n shift_dim"]) -> Float[Tensor, "n _ dim"]:
        """Return what is added to the styles; the embedding of a label stays as it is."""
        return pad(shift.unflatten(1, (-1, self.space.value_dim)), (0, self.space.embedding_dim))

    def _state(self, truncation: Float[Tensor, ""]) -> dict[str, Tensor]:
        """Return the weights in 32 bits, with the statistics that fit a truncation."""
        state = {
            f"generator.{name}": tensor.float() if tensor.dtype == torch.half else tensor
            for name, tensor in self.generator.state_dict(keep_vars=True).items()
        }
        for name, key in self._tables.items():
            state[name] = _look_up(self.get_buffer(key), truncation)
        return state

    def _mean(self, labels: Float[Tensor, "n classes"] | None) -> Float[Tensor, "_ layers dim"]:
        if labels is None:
            return self.means
        unknown = 1 - labels.sum(1, keepdim=True)
        weights = torch.cat([labels, unknown], dim=1)
        return (weights @ self.means.flatten(1)).unflatten(1, self.means.shape[1:])

    def inputs_of_seeds(self, seeds: Sequence[int], truncation: float = 1.0) -> dict[str, Tensor]:
        """Return the inputs that draw the faces of these seeds, by name."""
        inputs = {
            "latents": latents_of_seeds(seeds, self.generator.latent_dim),
            "truncation": torch.tensor(truncation),
            "labels": self.generator.labels_of_seeds(seeds),
            "noise": noise_of_seeds(seeds, self.generator) if self.generator.noise_dim else None,
            "shift": torch.zeros(len(seeds), self.shift_dim) if self.with_shift else None,
        }
        return {name: value for name, value in inputs.items() if value is not None}

    def dynamic_shapes(self, batch: object) -> dict[str, object]:
        """Return the axes that vary, as `torch.export` takes them."""
        return {name: {} if name == "truncation" else {0: batch} for name in self.input_names}


class _Truncated(nn.Module):
    """A generator with truncation, of which `functional_call` replaces the weights."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(
        self,
        latents: Float[Tensor, "n latent_dim"],
        truncation: Float[Tensor, ""],
        mean: Float[Tensor, "_ layers dim"],
        labels: Float[Tensor, "n classes"] | None,
        noise: Float[Tensor, "n noise_dim"] | None,
        shift: Float[Tensor, "n _ dim"] | None,
    ) -> Float[Tensor, "n 3 h w"]:
        styles = self.generator.styles(latents, labels)
        cut = self.generator.cut(styles)
        truncated = mean + truncation * (cut - mean)
        styles = torch.where(truncation < 1, truncated, styles)
        return self.generator.synthesise(styles if shift is None else styles + shift, noise)


def _fix_parametrized_weights(network: nn.Module) -> None:
    """Replace weights that are computed at each use by their values in evaluation mode.

    Torch's `remove_parametrizations` changes a class that copies of a network share.
    """
    for module in list(network.modules()):
        if is_parametrized(module):
            names = list(module.get_submodule("parametrizations").named_children())
            values = {name: getattr(module, name).detach() for name, _ in names}
            del module.parametrizations
            module.__class__ = type(module).__bases__[0]
            for name, value in values.items():
                module.register_parameter(name, nn.Parameter(value, requires_grad=False))


@torch.no_grad()
def _means(generator: Generator) -> Float[Tensor, "rows layers dim"]:
    """Return the styles at a truncation of 0 of each class, and of an unknown label."""
    classes = len(generator.labels)
    latents = torch.zeros(classes + 1, generator.latent_dim)
    labels = torch.eye(classes + 1)[:, :classes] if classes else None
    return generator.truncate(generator.styles(latents, labels), 0.0, labels).contiguous()


def _standing_tables(generator: Generator) -> dict[str, Float[Tensor, "steps channels"]]:
    """Return tables of the statistics of each normalisation that depend on the truncation.

    The last row holds those of the training, for a truncation of 1.
    """
    if not generator.standing_statistics:
        return {}
    truncations = [*(step / STEPS for step in range(STEPS)), ALMOST_ONE, 1.0]
    rows = [_statistics(with_standing_statistics(generator, each)) for each in truncations]
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


def _statistics(generator: Generator) -> dict[str, Float[Tensor, " channels"]]:
    return {
        f"{path}.{name}": getattr(module, name).detach().clone()
        for path, module in generator.named_modules()
        if isinstance(module, _BatchNorm)
        for name in STATISTICS
    }


def _look_up(
    table: Float[Tensor, "rows channels"], truncation: Float[Tensor, ""]
) -> Float[Tensor, " channels"]:
    """Return the statistics of a truncation, interpolated linearly."""
    distances = (STEPS * truncation - torch.arange(STEPS + 1, device=table.device)).abs()
    weights = (1 - distances).clamp_min(0)
    return torch.where(truncation < 1, weights @ table[:-1], table[-1])
