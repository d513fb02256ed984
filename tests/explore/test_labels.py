"""Faces of generators that were trained with labels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from anime_dcgan.explore import projection
from anime_dcgan.explore.face import Face
from anime_dcgan.explore.parents import Parents, face_from_latent
from anime_dcgan.explore.renderer import Renderer
from anime_dcgan.run.checkpoint import load_generator
from anime_dcgan.sampling import image, sample
from anime_dcgan.system.errors import NotFoundError, UserError
from tests.checkpoints import make_biggan_checkpoint, make_checkpoint, make_style_checkpoint

LABELS = ("black", "blue", "red, <b>")
MAKERS = [make_checkpoint, make_biggan_checkpoint, make_style_checkpoint]


@pytest.fixture(params=MAKERS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    make: Callable[..., Path] = request.param
    return make(tmp_path / "a/checkpoints/epoch=0001.ckpt", seed=3, labels=LABELS)


def face(seed: int | None = 7, **settings: Any) -> Face:
    return Face("a", "1", seed=seed, **settings)


def renderer(path: Path) -> Renderer:
    return Renderer(path.parents[2], fast_walls=False)


def embedding_of(path: Path, label: str) -> torch.Tensor:
    embed = load_generator(path).embed
    assert embed is not None
    return embed.weight.detach()[LABELS.index(label)]


def test_faces_have_the_label_that_generate_gives_them(path: Path):
    generator, drawn = load_generator(path), renderer(path)
    expected = list(sample.faces(generator, range(5, 9)))
    np.testing.assert_array_equal(drawn.render([face(seed) for seed in range(5, 9)]), expected)
    np.testing.assert_array_equal(drawn.wall(face(5), 5, 4), expected)
    pictures = []
    for label in LABELS:
        (picture,) = sample.faces(generator.of_label(label), [7])
        np.testing.assert_array_equal(drawn.render([face(label=label)])[0], picture)
        np.testing.assert_array_equal(drawn.wall(face(5, label=label), 7, 1)[0], picture)
        pictures.append(picture)
    assert any((picture == expected[2]).all() for picture in pictures)
    assert (pictures[0] != pictures[1]).any() and (pictures[1] != pictures[2]).any()


def test_an_unmoved_edit_of_a_seed_keeps_its_label(path: Path):
    drawn = renderer(path)
    for label in (None, "blue"):
        whole = drawn.render([face(label=label)]).astype(int)
        exact = face_from_latent(face(), drawn.parents([face(label=label)]).latents()[0])
        if not drawn.model("a", "1", "ema").generator.noise_dim:
            assert np.abs(drawn.render([exact]) - whole).max() <= 1
        almost = drawn.render([face(label=label, moves={"sefa.0": 1e-6})])
        assert np.abs(almost - whole).max() <= 1


def test_truncated_faces_match_generate(path: Path):
    from anime_dcgan.sampling.standing import with_standing_statistics

    standing = with_standing_statistics(load_generator(path).of_label("blue"), 0.5)
    (expected,) = sample.faces(standing, [7], truncation=0.5)
    drawn = renderer(path).render([face(label="blue", truncation=0.5)])[0].astype(int)
    assert np.abs(drawn - expected).max() <= 1


@pytest.mark.parametrize("make", [make_checkpoint, make_biggan_checkpoint])
def test_directions_and_children_keep_the_embedding(make: Callable[..., Path], tmp_path: Path):
    path = make(tmp_path / "a/checkpoints/epoch=0001.ckpt", seed=3, labels=LABELS)
    model = renderer(path).model("a", "1", "ema")
    embedding = embedding_of(path, "blue")
    moved = [face(seed, label="blue", moves={"sefa.0": 2.0, "pca.1": -1.0}) for seed in (1, 2)]
    parents = Parents(model, moved)
    children = [
        *parents.breed(3, 0.7, seed=5),
        *parents.interpolate(4),
        parents.blend([1, 2]),
    ]
    assert {child.label for child in children} == {"blue"}
    for child in (*moved, *children):
        torch.testing.assert_close(
            model.space.split(model.styles(child)[None])[1][0],
            embedding.expand(model.space.layers, -1),
        )
    assert (model.styles(moved[0]) != model.styles(face(1, label="blue"))).any()


@pytest.mark.parametrize("make", [make_checkpoint, make_biggan_checkpoint])
def test_a_child_of_two_labels_is_a_mixture(make: Callable[..., Path], tmp_path: Path):
    path = make(tmp_path / "a/checkpoints/epoch=0001.ckpt", seed=3, labels=LABELS)
    model = renderer(path).model("a", "1", "ema")
    parents = Parents(model, [face(1, label="blue"), face(2, label="black")])
    child = parents.blend([1, 3])
    assert child.label is None and child.latent is not None
    mixture = torch.lerp(embedding_of(path, "black"), embedding_of(path, "blue"), 0.25)
    torch.testing.assert_close(model.space.split(model.styles(child)[None])[1][0, 0], mixture)
    blue = Face(*child.generator, latent=child.latent, label="blue")
    values, embedding = model.space.split(model.styles(blue)[None])
    torch.testing.assert_close(embedding[0, 0], embedding_of(path, "blue"))
    torch.testing.assert_close(values, model.space.split(model.styles(child)[None])[0])


def test_a_film_starts_with_its_first_face(path: Path):
    drawn = renderer(path)
    faces = [face(1, label="blue"), face(2)]
    frames = list(drawn.parents(faces).film(3))
    assert len(frames) == 6
    ends = drawn.render(faces).astype(int)
    assert np.abs(frames[0] - ends[0]).max() <= 1 and np.abs(frames[3] - ends[1]).max() <= 1


def test_a_projection_keeps_one_label(path: Path):
    generator = load_generator(path)
    target = image.to_float(torch.from_numpy(next(sample.faces(generator, [7])))[None])[0]
    labelled = projection.with_nearest_label(generator, target)
    assert labelled.default_label is not None and labelled.default_label.sum() == 1
    *_, last = projection.project(generator, target, steps=3)
    found = face_from_latent(face(), projection.face_values(labelled, last))
    picture = image.to_float(torch.from_numpy(renderer(path).render([found])))
    distance = projection.multiscale_distance(picture, target)
    assert float(distance) == pytest.approx(last.distance, abs=0.01)


def test_unknown_labels_are_refused(path: Path, tmp_path: Path):
    with pytest.raises(NotFoundError, match="label=green is not a label of this run: use one of"):
        renderer(path).render([face(label="green")])
    plain = make_checkpoint(tmp_path / "plain/a/checkpoints/epoch=0001.ckpt")
    for draw in (renderer(plain).render, lambda faces: renderer(plain).wall(faces[0], 0, 1)):
        with pytest.raises(NotFoundError, match="label=blue needs labels"):
            draw([face(label="blue")])


def test_a_style_includes_its_label(tmp_path: Path):
    path = make_style_checkpoint(tmp_path / "a/checkpoints/epoch=0001.ckpt", labels=LABELS)
    child = renderer(path).parents([face(1, label="blue"), face(2, label="blue")]).blend([1, 1])
    assert child.label is None
    with pytest.raises(UserError, match="label=red.* cannot replace the label of this face"):
        renderer(path).render([Face("a", "1", latent=child.latent, label="red, <b>")])


@pytest.mark.parametrize("label", ["", "a\0b", "\ud800", "x" * 501])
def test_invalid_labels_are_refused(label: Any):
    with pytest.raises(UserError, match="is not the name of a class"):
        face(label=label)


@pytest.mark.parametrize("label", ["blue", "a & b=c/d:e, f+g%", "\U0001f600 \n '\"<b>"])
def test_labels_survive_links_and_json(label: str):
    labelled = face(label=label, mix={"0-1": 3})
    assert Face.from_query(labelled.to_query()) == labelled
    assert Face.from_json(labelled.to_json()) == labelled
    assert labelled != face(mix={"0-1": 3}) and labelled.is_seed_only is False
