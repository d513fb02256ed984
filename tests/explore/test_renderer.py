"""Rendering is reproducible: equal faces give identical pixels."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from anime_dcgan.explore.face import Face
from anime_dcgan.explore.model import MAX_BLOCKS
from anime_dcgan.explore.parents import face_from_latent
from anime_dcgan.explore.renderer import MAX_MODELS, Renderer
from anime_dcgan.run.checkpoint import load_generator
from anime_dcgan.sampling import sample
from anime_dcgan.sampling.sample import BLOCK
from anime_dcgan.system.errors import NotFoundError, UserError
from tests.checkpoints import make_checkpoint


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    for number, epoch in enumerate(("0001", "0002")):
        make_checkpoint(tmp_path / "sweep" / "a" / "checkpoints" / f"epoch={epoch}.ckpt", number)
    return tmp_path


def face(seed: int = 0, epoch: str = "1", **settings: object) -> Face:
    return Face("sweep/a", epoch, seed=seed, **settings)  # type: ignore[arg-type]


def test_faces_of_seeds_match_generate(outputs: Path):
    generator = load_generator(outputs / "sweep/a/checkpoints/epoch=0002.ckpt")
    expected = list(sample.faces(generator, range(40)))
    renderer = Renderer(outputs, fast_walls=False)
    drawn = renderer.render([face(seed, "2") for seed in range(40)])
    np.testing.assert_array_equal(drawn, expected)
    np.testing.assert_array_equal(renderer.wall(face(epoch="2"), 5, 30), expected[5:35])
    np.testing.assert_array_equal(
        renderer.render([face(33, "2"), face(2, "2")]), [expected[33], expected[2]]
    )


def test_rendering_an_explicit_latent_does_not_depend_on_the_batch(outputs: Path):
    renderer = Renderer(outputs)
    like = face(3, moves={"sefa.0": 1.5, "pca.1": -2.0})
    other = face_from_latent(like, renderer.parents([like]).latents()[0])
    assert other.latent is not None and not other.moves
    both = renderer.render([like, face(1), other])
    np.testing.assert_array_equal(both[0], both[2])
    np.testing.assert_array_equal(Renderer(outputs).render([other])[0], both[2])


def test_moves_and_truncation_change_the_latent_as_documented(outputs: Path):
    renderer = Renderer(outputs)
    faces = [face(3), face(3, moves={"sefa.1": -2.0}), face(3, truncation=0.5)]
    plain, moved, short = renderer.parents(faces).latents()
    assert (moved - plain).norm() == pytest.approx(2, rel=1e-5)
    direction = renderer.model("sweep/a", "1", "ema").directions("sefa")[1].vector
    torch.testing.assert_close(moved - plain, -2 * direction)
    torch.testing.assert_close(short, 0.5 * plain)


def test_a_moved_wall_matches_its_faces(outputs: Path):
    renderer = Renderer(outputs, fast_walls=False)
    like = face(moves={"sefa.0": 2.0}, truncation=0.7)
    wall = renderer.wall(like, 10, 8).astype(int)
    alone = renderer.render(
        [face(seed, moves={"sefa.0": 2.0}, truncation=0.7) for seed in range(10, 18)]
    )
    assert np.abs(wall - alone).max() <= 1


def test_a_fast_wall_differs_by_few_grey_levels(outputs: Path):
    exact, fast = (
        Renderer(outputs, fast_walls=fast).wall(face(), 0, 32).astype(int) for fast in (False, True)
    )
    assert 0 < np.abs(exact - fast).max() <= 4


def test_a_replaced_checkpoint_is_reloaded(outputs: Path):
    renderer = Renderer(outputs)
    path = outputs / "sweep/a/checkpoints/epoch=0001.ckpt"
    before = renderer.render([face()])
    make_checkpoint(path, seed=7)
    os.utime(path, ns=(1, 1))
    assert (renderer.render([face()]) != before).any()


def test_a_generator_loaded_for_a_wall_supports_gradients(outputs: Path):
    renderer = Renderer(outputs)
    renderer.wall(face(), 0, 1)
    latents = torch.zeros(1, 6, requires_grad=True)
    renderer.model("sweep/a", "1", "ema").generator(latents).sum().backward()
    assert latents.grad is not None and latents.grad.abs().sum() > 0


def test_wall_blocks_are_cached_and_evicted(outputs: Path):
    renderer = Renderer(outputs)
    generator = renderer.model("sweep/a", "1", "ema").generator
    drawn: list[int] = []
    last = list(generator.modules())[-1]
    last.register_forward_hook(lambda layer, inputs, images: drawn.append(len(images)))
    first = renderer.wall(face(), 5, 20)  # seeds 5 to 24 lie in two blocks
    np.testing.assert_array_equal(renderer.wall(face(), 5, 20), first)
    assert drawn == [BLOCK, BLOCK]
    renderer.wall(face(truncation=0.5), 5, 20)
    renderer.wall(face(moves={"sefa.0": 1.0}), 5, 20)
    assert len(drawn) == 6
    renderer.wall(face(), 1000, MAX_BLOCKS * BLOCK)
    assert len(renderer.model("sweep/a", "1", "ema")._blocks) == MAX_BLOCKS
    renderer.wall(face(), 5, 20)
    assert len(drawn) == 6 + MAX_BLOCKS + 1 + 2


def test_generators_are_evicted_from_memory(outputs: Path):
    renderer = Renderer(outputs)
    for epoch in range(3, 12):
        make_checkpoint(outputs / f"sweep/a/checkpoints/epoch={epoch:04d}.ckpt", epoch)
        renderer.render([face(epoch=str(epoch))])
    assert len(renderer._models) == MAX_MODELS


def test_faces_of_several_runs_keep_their_order(outputs: Path):
    renderer = Renderer(outputs)
    mixed = [face(1), face(1, "2"), face(2), face(2, "2")]
    one_by_one = [renderer.render([one])[0] for one in mixed]
    np.testing.assert_array_equal(renderer.render(mixed), one_by_one)


def test_missing_runs_epochs_and_directions_are_reported(outputs: Path):
    renderer = Renderer(outputs)
    with pytest.raises(NotFoundError, match="no run b"):
        renderer.render([Face("b", "1", seed=0)])
    with pytest.raises(NotFoundError, match="epoch=9"):
        renderer.render([face(epoch="9")])
    with pytest.raises(UserError, match=r"latent of 2 values.*6"):
        renderer.render([Face("sweep/a", "1", latent="AAAAAAAAAAA")])
    with pytest.raises(UserError, match=r"no direction sefa\.9"):
        renderer.render([face(moves={"sefa.9": 1.0})])


def test_symlinks_out_of_the_outputs_folder_are_rejected(
    outputs: Path, tmp_path_factory: pytest.TempPathFactory
):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    make_checkpoint(elsewhere / "checkpoints" / "epoch=0001.ckpt")
    (outputs / "out").symlink_to(elsewhere)
    (outputs / "sweep/a/checkpoints/epoch=0003.ckpt").symlink_to(
        elsewhere / "checkpoints/epoch=0001.ckpt"
    )
    renderer = Renderer(outputs)
    for outside in (Face("out", "1", seed=0), face(epoch="3")):
        with pytest.raises(UserError):
            renderer.render([outside])


def test_faces_of_different_sizes_cannot_be_rendered_together(outputs: Path):
    make_checkpoint(outputs / "small/checkpoints/epoch=0001.ckpt", image_size=8)
    with pytest.raises(UserError, match="differ in size"):
        Renderer(outputs).render([face(), Face("small", "1", seed=0)])
