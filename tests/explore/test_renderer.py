"""From faces to pixels: the same face is always the same pixels."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from anime_dcgan.explore.face import Face
from anime_dcgan.explore.renderer import BLOCKS, KEPT, Renderer, face_of_latent
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


def test_faces_of_seeds_are_those_of_generate(outputs: Path):
    generator = load_generator(outputs / "sweep/a/checkpoints/epoch=0002.ckpt")
    wanted = list(sample.faces(generator, range(40)))
    renderer = Renderer(outputs, fast_walls=False)
    drawn = renderer.draw([face(seed, "2") for seed in range(40)])
    np.testing.assert_array_equal(drawn, wanted)
    np.testing.assert_array_equal(renderer.wall(face(epoch="2"), 5, 30), wanted[5:35])
    np.testing.assert_array_equal(
        renderer.draw([face(33, "2"), face(2, "2")]), [wanted[33], wanted[2]]
    )


def test_a_latent_of_its_own_is_drawn_alone_and_always_the_same(outputs: Path):
    renderer = Renderer(outputs)
    like = face(3, moves={"sefa.0": 1.5, "pca.1": -2.0})
    other = face_of_latent(like, renderer.latents([like])[0])
    assert other.latent is not None and not other.moves
    both = renderer.draw([like, face(1), other])
    np.testing.assert_array_equal(both[0], both[2])
    np.testing.assert_array_equal(Renderer(outputs).draw([other])[0], both[2])


def test_moves_and_truncation_change_the_latent_as_they_say(outputs: Path):
    renderer = Renderer(outputs)
    plain, moved, short = renderer.latents(
        [face(3), face(3, moves={"sefa.1": -2.0}), face(3, truncation=0.5)]
    )
    assert (moved - plain).norm() == pytest.approx(2, rel=1e-5)
    direction = renderer.model("sweep/a", "1", "ema").directions("sefa")[1].vector
    torch.testing.assert_close(moved - plain, -2 * direction)
    torch.testing.assert_close(short, 0.5 * plain)


def test_a_moved_wall_shows_what_its_faces_show(outputs: Path):
    renderer = Renderer(outputs, fast_walls=False)
    like = face(moves={"sefa.0": 2.0}, truncation=0.7)
    wall = renderer.wall(like, 10, 8).astype(int)
    alone = renderer.draw(
        [face(seed, moves={"sefa.0": 2.0}, truncation=0.7) for seed in range(10, 18)]
    )
    assert np.abs(wall - alone).max() <= 1


def test_a_fast_wall_differs_by_less_than_eyes_see(outputs: Path):
    exact, fast = (
        Renderer(outputs, fast_walls=fast).wall(face(), 0, 32).astype(int) for fast in (False, True)
    )
    assert 0 < np.abs(exact - fast).max() <= 4


def test_a_new_checkpoint_is_drawn_from_as_soon_as_it_is_there(outputs: Path):
    renderer = Renderer(outputs)
    path = outputs / "sweep/a/checkpoints/epoch=0001.ckpt"
    before = renderer.draw([face()])
    make_checkpoint(path, seed=7)
    os.utime(path, ns=(1, 1))
    assert (renderer.draw([face()]) != before).any()


def test_a_generator_that_a_wall_loaded_can_be_followed_backwards(outputs: Path):
    renderer = Renderer(outputs)
    renderer.wall(face(), 0, 1)
    latents = torch.zeros(1, 6, requires_grad=True)
    renderer.model("sweep/a", "1", "ema").generator(latents).sum().backward()
    assert latents.grad is not None and latents.grad.abs().sum() > 0


def test_blocks_of_a_wall_are_drawn_once_and_few_are_kept(outputs: Path):
    renderer = Renderer(outputs)
    generator = renderer.model("sweep/a", "1", "ema").generator
    drawn: list[int] = []
    generator.register_forward_hook(lambda layer, inputs, images: drawn.append(len(images)))
    first = renderer.wall(face(), 5, 20)  # seeds 5 to 24 lie in two blocks
    np.testing.assert_array_equal(renderer.wall(face(), 5, 20), first)
    assert drawn == [BLOCK, BLOCK]
    renderer.wall(face(truncation=0.5), 5, 20)
    renderer.wall(face(moves={"sefa.0": 1.0}), 5, 20)
    assert len(drawn) == 6
    renderer.wall(face(), 1000, BLOCKS * BLOCK)
    assert len(renderer.model("sweep/a", "1", "ema")._blocks) == BLOCKS
    renderer.wall(face(), 5, 20)
    assert len(drawn) == 6 + BLOCKS + 1 + 2


def test_few_generators_stay_in_memory(outputs: Path):
    renderer = Renderer(outputs)
    for epoch in range(3, 12):
        make_checkpoint(outputs / f"sweep/a/checkpoints/epoch={epoch:04d}.ckpt", epoch)
        renderer.draw([face(epoch=str(epoch))])
    assert len(renderer._models) == KEPT


def test_faces_of_several_runs_come_in_their_order(outputs: Path):
    renderer = Renderer(outputs)
    mixed = [face(1), face(1, "2"), face(2), face(2, "2")]
    one_by_one = [renderer.draw([one])[0] for one in mixed]
    np.testing.assert_array_equal(renderer.draw(mixed), one_by_one)


def test_what_is_not_there_is_said(outputs: Path):
    renderer = Renderer(outputs)
    with pytest.raises(NotFoundError, match="no run b"):
        renderer.draw([Face("b", "1", seed=0)])
    with pytest.raises(NotFoundError, match="epoch=9"):
        renderer.draw([face(epoch="9")])
    with pytest.raises(UserError, match=r"latent of 2 numbers.*6"):
        renderer.draw([Face("sweep/a", "1", latent="AAAAAAAAAAA")])
    with pytest.raises(UserError, match=r"no direction sefa\.9"):
        renderer.draw([face(moves={"sefa.9": 1.0})])


def test_links_that_lead_out_are_not_followed(
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
            renderer.draw([outside])


def test_sizes_that_differ_are_not_drawn_on_one_sheet(outputs: Path):
    make_checkpoint(outputs / "small/checkpoints/epoch=0001.ckpt", image_size=8)
    with pytest.raises(UserError, match="differ in size"):
        Renderer(outputs).draw([face(), Face("small", "1", seed=0)])
