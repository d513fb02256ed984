"""Drawn faces: reproducible, with known factors, each of which is visible."""

import dataclasses
import pickle
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageOps

from anime_dcgan.data import drawn
from anime_dcgan.data.drawn import DrawnFaces, FaceFactors, draw_face, sample_factors
from anime_dcgan.data.source import Source
from anime_dcgan.data.synthetic.factors import HAIR_RGB, NAMED_FACTORS
from anime_dcgan.system.errors import UserError

ANCHOR = ("braids", "cream", "blunt", "grin")
ANCHOR_SCALE = 1.069446962553
"""Factors of face 0 of seed 0."""


def plain_face(**changes: object) -> FaceFactors:
    """Return a face that shows all named factors: no accessory, open eyes, facing straight."""
    face = dataclasses.replace(
        sample_factors(0, 0),
        hair_style="bob",
        crown="smooth",
        fringe="blunt",
        eye_shape="round",
        accessory="none",
        background="stripes",
        hair_hue_shift=0.0,
        hair_light_shift=0.0,
        tilt_degrees=0.0,
        turn=0.0,
        nod=0.0,
        scale=1.0,
        shift_x=0.0,
        shift_y=0.0,
    )
    return dataclasses.replace(face, **changes)  # pyright: ignore[reportArgumentType]


def max_difference(first: Image.Image, second: Image.Image) -> int:
    return int(np.array(ImageChops.difference(first, second)).max())


def test_same_seed_and_index_give_the_same_face():
    faces, again = DrawnFaces(20, seed=3), DrawnFaces(50, seed=3)
    assert faces.factors(7) == again.factors(7)
    assert faces.read(7, 64).tobytes() == again.read(7, 64).tobytes()


def test_the_factors_of_a_seed_never_change():
    """Increase DRAWING_VERSION if these values change, since the data change with them."""
    assert drawn.DRAWING_VERSION == 1
    face = sample_factors(0, 0)
    assert (face.hair_style, face.hair_colour, face.fringe, face.mouth) == ANCHOR
    assert face.scale == pytest.approx(ANCHOR_SCALE, abs=1e-9)


def test_other_indices_and_seeds_give_other_faces():
    pictures = {DrawnFaces(12, seed).read(i, 32).tobytes() for seed in (0, 1) for i in range(12)}
    assert len(pictures) == 24


def test_drawn_faces_are_a_picklable_source():
    faces: Source = DrawnFaces(13, seed=5)
    copy = pickle.loads(pickle.dumps(faces))
    assert len(pickle.dumps(faces)) < 200
    assert len(copy) == 13
    assert copy.name(12) == "drawn-000012"
    assert copy.identity() == faces.identity()
    assert copy.read(12, 32).tobytes() == faces.read(12, 32).tobytes()
    others = (DrawnFaces(14, seed=5), DrawnFaces(13, seed=6))
    assert all(other.identity() != faces.identity() for other in others)


def test_the_identity_depends_on_the_drawing_version(monkeypatch: pytest.MonkeyPatch):
    before = DrawnFaces(2).identity()
    monkeypatch.setattr(drawn, "DRAWING_VERSION", drawn.DRAWING_VERSION + 1)
    assert DrawnFaces(2).identity() != before


@pytest.mark.parametrize(
    ("count", "seed", "override"), [(0, 0, "data.count"), (1, -1, "data.seed")]
)
def test_invalid_counts_and_seeds_are_rejected(count: int, seed: int, override: str):
    with pytest.raises(UserError, match=override):
        DrawnFaces(count, seed)


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_out_of_range_fails(index: int):
    with pytest.raises(IndexError):
        DrawnFaces(3).read(index, 32)


def test_every_value_of_every_named_factor_is_sampled():
    faces = [sample_factors(0, index) for index in range(600)]
    for factor, names in NAMED_FACTORS.items():
        assert {getattr(face, factor) for face in faces} == set(names), factor


def test_every_str_field_is_a_named_factor():
    fields = {field.name for field in dataclasses.fields(FaceFactors) if field.type is str}
    assert fields == set(NAMED_FACTORS)


@pytest.mark.parametrize("factor", [name for name in NAMED_FACTORS if "accessory_" not in name])
def test_each_value_of_a_named_factor_looks_different(factor: str):
    pictures = [draw_face(plain_face(**{factor: name}), 32) for name in NAMED_FACTORS[factor]]
    for i, picture in enumerate(pictures):
        for other in pictures[:i]:
            assert max_difference(picture, other) >= 6, (factor, i)


def test_each_accessory_shows_its_colour():
    for accessory in set(NAMED_FACTORS["accessory"]) - {"none", "cat_ears"}:
        red, blue = (
            draw_face(plain_face(accessory=accessory, accessory_colour=colour), 32)
            for colour in ("red", "blue")
        )
        assert max_difference(red, blue) >= 25, accessory


@pytest.mark.parametrize("name", HAIR_RGB)
def test_hair_has_the_colour_of_its_factor(name: str):
    picture = np.array(draw_face(plain_face(hair_colour=name)), dtype=float)
    hair = np.median(picture[14:26, 16:48].reshape(-1, 3), axis=0)
    distances = {other: np.abs(hair - rgb).sum() for other, rgb in HAIR_RGB.items()}
    assert sorted(distances, key=lambda other: distances[other]).index(name) < 2


@pytest.mark.parametrize("field", dataclasses.fields(FaceFactors), ids=lambda field: field.name)
def test_each_numeric_factor_changes_the_picture(field: dataclasses.Field[object]):
    if field.type not in (float, int):
        return
    faces = [sample_factors(0, index) for index in range(40)]
    values = sorted(getattr(face, field.name) for face in faces)
    low, high = (draw_face(plain_face(**{field.name: end})) for end in (values[0], values[-1]))
    assert max_difference(low, high) >= 8


@pytest.mark.parametrize("image_size", [32, 64, 128])
def test_pictures_are_rgb_of_the_requested_size(image_size: int):
    picture = DrawnFaces(1).read(0, image_size)
    assert (picture.mode, picture.size) == ("RGB", (image_size, image_size))


def test_edges_are_antialiased():
    colours = draw_face(plain_face(background="flat")).getcolors(maxcolors=4096)
    assert colours is not None
    assert len(colours) > 700


def test_eyes_mirror_each_other():
    """Light from the left on one eye looks like light from the right on the other."""
    left, right = (
        draw_face(plain_face(gaze_x=0.0, light_side=side, nose="dot")) for side in (-1.0, 1.0)
    )
    eyes = (14, 37, 50, 46)
    lit_from_left = np.array(left.crop(eyes), dtype=float)
    mirrored_right = np.array(ImageOps.mirror(right).crop(eyes), dtype=float)
    assert np.abs(lit_from_left - mirrored_right).mean() < 4
    assert np.abs(lit_from_left - np.array(right.crop(eyes))).mean() > 8  # due to the light alone


def test_drawing_loads_no_torch():
    script = "import sys, anime_dcgan.data.drawn; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
