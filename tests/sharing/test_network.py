import numpy as np
import pytest
import torch
from torch import Tensor

from anime_dcgan.explore import directions
from anime_dcgan.explore.face import Face
from anime_dcgan.explore.model import Model
from anime_dcgan.sampling.sample import faces
from anime_dcgan.sampling.standing import with_standing_statistics
from anime_dcgan.sharing.network import SharedGenerator
from tests.sharing.generators import KINDS, LABELS, small_generator

SEEDS = range(16)


def to_pixels(images: Tensor) -> np.ndarray:
    return (255 * images).round().permute(0, 2, 3, 1).int().numpy()


@pytest.mark.parametrize("labels", [(), LABELS], ids=["plain", "labelled"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_shared_generator_draws_the_same_faces(
    kind: str, labels: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("anime_dcgan.sampling.standing.PASSES", 2)
    generator = small_generator(kind, labels)
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    shared, half = SharedGenerator(generator), SharedGenerator(generator, half=True)
    for truncation in (1.0, 0.65, 0.0):
        standing = with_standing_statistics(generator, truncation)
        expected = np.stack(list(faces(standing, SEEDS, truncation))).astype(int)
        inputs = shared.inputs_of_seeds(SEEDS, truncation)
        assert tuple(inputs) == shared.input_names
        largest = 2 if truncation == 0.65 else 1  # statistics are interpolated
        assert np.abs(to_pixels(shared(**inputs)) - expected).max() <= largest
        assert np.abs(to_pixels(half(**inputs)) - expected).max() <= largest + 1
    assert expected.std() > 1
    assert all(tensor.equal(before[name]) for name, tensor in generator.state_dict().items())


def test_the_shares_of_an_unknown_label_and_of_mixtures_are_taken():
    generator = small_generator("stylegan2", LABELS)
    shared = SharedGenerator(generator)
    inputs = shared.inputs_of_seeds(range(4), 0.5)
    rows = torch.zeros(4, len(LABELS))
    styles = generator.styles(inputs["latents"], rows)
    images = generator.synthesise(generator.truncate(styles, 0.5, rows), inputs["noise"])
    expected = ((images + 1) / 2).clamp(0, 1)
    assert shared(**{**inputs, "labels": rows}).sub(expected).abs().max() < 1e-5


@pytest.mark.parametrize("kind", ["radford", "stylegan2", "biggan"])
def test_a_shift_moves_faces_along_directions(kind: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("anime_dcgan.sampling.standing.PASSES", 1)
    generator = small_generator(kind, LABELS)
    shared = SharedGenerator(generator, with_shift=True)
    (direction,) = directions.find(generator, "sefa", 1)
    assert direction.vector.shape == (shared.shift_dim,)
    face = Face("run", "1", seed=3, truncation=0.6, moves={direction.id: 2.5})
    expected = Model(generator, "", None, {}).block(0, face, fast=False)[3].astype(int)
    inputs = shared.inputs_of_seeds([3], 0.6)
    still = to_pixels(shared(**inputs))[0]
    moved = to_pixels(shared(**{**inputs, "shift": 2.5 * direction.vector[None]}))[0]
    assert np.abs(moved - expected).max() <= 1
    assert np.abs(moved - still).max() > 3
