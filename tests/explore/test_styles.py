"""Faces of generators with a style space: truncation, style mixing, directions and children."""

from pathlib import Path

import numpy as np
import pytest
import torch

from anime_dcgan.explore import projection
from anime_dcgan.explore.face import Face
from anime_dcgan.explore.parents import face_from_latent
from anime_dcgan.explore.renderer import Renderer
from anime_dcgan.explore.styles import StyleSpace
from anime_dcgan.model import biggan, dcgan, stylegan2
from anime_dcgan.run.checkpoint import load_generator
from anime_dcgan.sampling import image, sample
from anime_dcgan.sampling.latent import latent_of_seed, noise_of_seed
from anime_dcgan.sampling.mixing import mixing_sheet
from anime_dcgan.system.errors import UserError
from tests.checkpoints import make_biggan_checkpoint, make_checkpoint, make_style_checkpoint

CHECKPOINT = "styles/checkpoints/epoch=0001.ckpt"


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    make_style_checkpoint(tmp_path / CHECKPOINT)
    make_checkpoint(tmp_path / "plain/checkpoints/epoch=0001.ckpt")
    return tmp_path


@pytest.fixture
def generator(outputs: Path) -> stylegan2.Generator:
    generator = load_generator(outputs / CHECKPOINT)
    assert isinstance(generator, stylegan2.Generator)
    return generator


@pytest.fixture
def renderer(outputs: Path) -> Renderer:
    return Renderer(outputs, fast_walls=False)


def face(seed: int = 3, **settings: object) -> Face:
    return Face("styles", "1", seed=seed, **settings)  # type: ignore[arg-type]


@torch.no_grad()
def draw(generator: stylegan2.Generator, styles: torch.Tensor, seed: int) -> np.ndarray:
    """Return the picture of these styles with the noise of a seed."""
    noise = noise_of_seed(seed, generator)[None]
    return image.to_uint8(generator.synthesise(styles, noise))[0]


@torch.no_grad()
def styles_of_seed(generator: stylegan2.Generator, seed: int) -> torch.Tensor:
    return generator.styles(latent_of_seed(seed, generator.latent_dim)[None])


def test_truncation_moves_styles_towards_the_mean_style(
    renderer: Renderer, generator: stylegan2.Generator
):
    styles = styles_of_seed(generator, 3)
    half = (styles + generator.mean_style) / 2
    (drawn,) = renderer.render([face(truncation=0.5)]).astype(int)
    assert np.abs(drawn - draw(generator, half, 3)).max() <= 1
    same = next(iter(sample.faces(generator, [3], truncation=0.5))).astype(int)
    assert np.abs(drawn - same).max() <= 1
    mean_face = draw(generator, generator.mean_style.expand_as(styles), 3)
    np.testing.assert_array_equal(renderer.render([face(truncation=0.0)])[0], mean_face)
    wall = renderer.wall(face(truncation=0.5), 3, 1)[0].astype(int)
    assert np.abs(wall - drawn).max() <= 1


def test_a_mixed_face_equals_that_of_the_mixing_sheet(
    renderer: Renderer, generator: stylegan2.Generator
):
    sheet = mixing_sheet(generator, [3], [17], range(0, 2))
    mixed = face(mix={"0-1": 17})
    np.testing.assert_array_equal(renderer.render([mixed])[0], sheet[3])
    np.testing.assert_array_equal(renderer.render([face()])[0], sheet[2])
    assert (sheet[3] != sheet[2]).any()
    latent = face_from_latent(face(), renderer.parents([face(17)]).latents()[0]).latent
    by_latent = face(mix={"0-1": latent})
    np.testing.assert_array_equal(renderer.render([by_latent])[0], sheet[3])
    wall = renderer.wall(mixed, 3, 1)[0].astype(int)
    assert np.abs(wall - sheet[3]).max() <= 1


def test_layers_that_do_not_exist_are_refused(renderer: Renderer):
    with pytest.raises(UserError, match=r"mix=4-6 .*style layers 0-5"):
        renderer.render([face(mix={"4-6": 1})])
    with pytest.raises(UserError, match="several style layers.*model=stylegan2"):
        renderer.render([Face("plain", "1", seed=0, mix={"0-0": 1})])


def test_an_explicit_latent_holds_the_styles_of_an_edited_face(renderer: Renderer):
    whole = face(truncation=0.5, moves={"sefa.0": 1.0})
    layered = face(truncation=0.5, moves={"sefa.0": 1.0}, mix={"2-3": 17})
    for edited, count in ((whole, 5), (layered, 6 * 5)):
        (latent,) = renderer.parents([edited]).latents()
        assert len(latent) == count
        again = renderer.model("styles", "1", "ema").styles(face_from_latent(edited, latent))
        torch.testing.assert_close(
            again, renderer.model("styles", "1", "ema").styles(edited), rtol=0, atol=0
        )
    with pytest.raises(UserError, match=r"latent of 2 values.*takes 5 or 30"):
        renderer.render([Face("styles", "1", latent="AAAAAAAAAAA")])


def test_styles_are_mixed_on_straight_lines(renderer: Renderer):
    model = renderer.model("styles", "1", "ema")
    parents = renderer.parents([face(1, truncation=0.5), face(2, mix={"0-1": 9})])
    first, second = (model.styles(each) for each in parents.faces)
    middle = model.styles(parents.interpolate(2)[1])
    torch.testing.assert_close(middle, (first + second) / 2)
    torch.testing.assert_close(model.styles(parents.blend([1, 1])), middle)
    unrelated = model.styles(parents.breed(1, variation=1.0, seed=8)[0])
    torch.testing.assert_close(unrelated, model.styles(face(8)), rtol=0, atol=0)
    assert len(list(parents.film(2))) == 4


def test_only_the_chosen_layers_are_mixed(renderer: Renderer, generator: stylegan2.Generator):
    model = renderer.model("styles", "1", "ema")
    faces = [face(1), face(2, truncation=0.5)]
    parents = renderer.parents(faces, range(2, 4))
    first, second = (model.styles(each) for each in faces)
    mixed = [*parents.interpolate(2)[1:2], parents.blend([1, 1]), *parents.breed(1, 0.3, seed=4)]
    for styles in map(model.styles, mixed):
        torch.testing.assert_close(styles[[0, 1, 4, 5]], first[[0, 1, 4, 5]], rtol=0, atol=0)
        assert not torch.equal(styles[2:4], first[2:4])
    torch.testing.assert_close(model.styles(mixed[0])[2:4], (first + second)[2:4] / 2)
    ends = [first, torch.cat([first[:2], second[2:4], first[4:]])]
    for frame, seed, styles in zip(list(parents.film(2))[::2], (1, 2), ends, strict=True):
        assert np.abs(frame.astype(int) - draw(generator, styles[None], seed)).max() <= 1
    with pytest.raises(UserError, match="model=stylegan2 or model=biggan"):
        renderer.parents([Face("plain", "1", seed=0)], range(1))


def test_a_direction_moves_only_the_layers_of_its_range(renderer: Renderer):
    model = renderer.model("styles", "1", "ema")
    whole, part = (model.styles(face(moves={key: 2.0})) for key in ("sefa.0", "sefa.0/2-3"))
    expected = model.styles(face())
    expected[2:4] = whole[2:4]
    torch.testing.assert_close(part, expected, rtol=0, atol=0)
    both = model.styles(face(moves={"sefa.0/0-1": 2.0, "sefa.0/2-5": 2.0}))
    torch.testing.assert_close(both, whole, rtol=0, atol=0)
    with pytest.raises(UserError, match=r"moves=4-6 .*style layers 0-5"):
        model.styles(face(moves={"sefa.0/4-6": 1.0}))


def test_blends_of_truncated_biggan_faces_have_their_statistics(tmp_path: Path):
    make_biggan_checkpoint(tmp_path / "big/checkpoints/epoch=0001.ckpt")
    renderer = Renderer(tmp_path)
    model = renderer.model("big", "1", "ema")
    one = Face("big", "1", seed=1, truncation=0.4, moves={"sefa.0": 1.0})
    other = Face("big", "1", seed=2, truncation=0.8)
    drawn = renderer.render([one])[0].astype(int)
    parents = renderer.parents([one, other])
    for same in (renderer.parents([one, one]).blend([1, 1]), parents.interpolate(2)[0]):
        assert (same.truncation, dict(same.moves)) == (0.4, {"sefa.0": 1.0})
        assert np.abs(renderer.render([same])[0] - drawn).max() <= 1
    between = parents.interpolate(2)[1]
    assert (between.truncation, dict(between.moves)) == (0.6, {"sefa.0": 0.5})
    (child,) = parents.breed(1, variation=0.0, seed=3)
    assert 0.4 < child.truncation < 0.8
    middle = renderer.parents([one, other], range(1, 2)).blend([1, 1])
    assert (middle.truncation, dict(middle.moves)) == (0.4, {"sefa.0": 1.0})
    frames = np.stack(list(parents.film(2))).astype(int)
    assert np.abs(frames[[0, 2]] - renderer.render([one, other])).max() <= 1
    kept, first = model.styles(middle), model.styles(one)
    torch.testing.assert_close(kept[[0, 2]], first[[0, 2]], rtol=0, atol=0)


def test_directions_move_all_styles_by_standard_deviations(
    renderer: Renderer, generator: stylegan2.Generator
):
    model = renderer.model("styles", "1", "ema")
    with torch.no_grad():
        styles = generator.mapping(torch.randn(20_000, 6, generator=torch.manual_seed(0)))
    axes = torch.linalg.svd(styles - styles.mean(0), full_matrices=False).Vh
    scales = [layer for name, layer in generator.named_modules() if name.endswith("to_scales")]
    weights = torch.cat([layer.get_parameter("weight") for layer in scales])
    expected = {"pca": axes[0], "sefa": torch.linalg.svd(weights).Vh[0]}
    for method, axis in expected.items():
        moved = model.styles(face(moves={f"{method}.0": 2.0})) - model.styles(face())
        torch.testing.assert_close(moved, moved[:1].expand(6, 5))
        deviation = (styles @ axis).std()
        assert abs(moved[0] @ axis) == pytest.approx(2 * float(deviation), rel=0.1)
        assert moved[0].norm() == pytest.approx(2 * float(deviation), rel=0.1)


def test_styles_come_nearer_to_a_picture_than_a_latent(generator: stylegan2.Generator):
    generator.requires_grad_(False)
    with torch.no_grad():
        target = generator.synthesise(torch.randn(1, 6, 5, generator=torch.manual_seed(1)))[0]
    distances = {
        variables: list(projection.project(generator, target, 60, variables=variables))[-1].distance
        for variables in ("latent", "style", "layers")
    }
    assert distances["layers"] < 0.8 * min(distances["style"], distances["latent"])
    assert distances["style"] < distances["latent"]
    *_, last = projection.project(generator, target, 5, variables="latent")
    values = projection.face_values(generator, last)
    with torch.no_grad():
        drawn = generator.synthesise(values.expand(1, 6, 5)).clamp(-1, 1)
    assert float(projection.multiscale_distance(drawn, target)[0]) == pytest.approx(last.distance)
    plain = dcgan.Generator(latent_dim=6, width=4, image_size=16).eval()
    with pytest.raises(UserError, match="variables=style needs a mapping network"):
        next(projection.project(plain, target, 1, variables="style"))


def test_style_layers_are_split_into_coarse_middle_and_fine():
    generators = {
        1: dcgan.Generator(latent_dim=6, width=4, image_size=16),
        3: biggan.Generator(latent_dim=9, width=4, image_size=16),
        10: stylegan2.Generator(6, 4, width=4, channel_base=64),
    }
    spaces = {count: StyleSpace.of(each.eval()) for count, each in generators.items()}
    assert [space.layers for space in spaces.values()] == [1, 3, 10]
    assert [space.has_mapping for space in spaces.values()] == [False, False, True]
    ten = spaces[10].groups()
    assert ten == {"coarse": range(0, 4), "middle": range(4, 7), "fine": range(7, 10)}
    assert spaces[1].groups() == {"coarse": range(0, 1)}
