"""Face detection: regions, tilt and merging; files that are not cascades are rejected.

The face is a portrait that matplotlib ships.
"""

import importlib.util
import math
import pickle
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import matplotlib.cbook
import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from PIL import Image

from anime_dcgan.cleaning.crop import CascadeFinder, Detection, FaceFinder, merge, tilt
from anime_dcgan.data.region import Region
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.paths import CONF_DIR

needs_opencv = pytest.mark.skipif(
    importlib.util.find_spec("cv2") is None, reason='needs the extra "crop"'
)
Point = tuple[float, float]
PUPILS = ((222.0, 191.0), (306.0, 187.0))
"""Pupils of the portrait, px, located by eye."""
NOSE = (266.0, 216.0)
"""Approximate centre of its face, px."""
FACE_SIDE = 222.0
"""Approximate distance from ear to ear, px."""


@cache
def portrait() -> Image.Image:
    """Return a portrait of 512 x 600 px."""
    path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    return Image.open(path).convert("RGB")


def cascade(name: str) -> str:
    """Return the path of a cascade that OpenCV ships."""
    cv2 = pytest.importorskip("cv2")
    return f"{cv2.data.haarcascades}haarcascade_{name}.xml"


def finder(
    aligned: bool = False, margin: float = 0.0, shift: float = 0.0, min_size: float = 0.1
) -> CascadeFinder:
    eyes = cascade("eye_tree_eyeglasses") if aligned else None
    return CascadeFinder(cascade("frontalface_default"), eyes, margin, shift, min_size)


def middle(region: Region) -> Point:
    return region.left + region.side / 2, region.top + region.side / 2


def turned_portrait(angle: float) -> tuple[Image.Image, tuple[Point, Point]]:
    """Return the portrait at half size, turned counter-clockwise, and its pupils."""
    half = portrait().resize((256, 300), Image.Resampling.LANCZOS)
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))

    def turn(point: Point) -> Point:
        x, y = point[0] / 2 - 128, point[1] / 2 - 150
        return x * cosine + y * sine + 128, -x * sine + y * cosine + 150

    picture = half.rotate(angle, Image.Resampling.BICUBIC, fillcolor="white")
    return picture, (turn(PUPILS[0]), turn(PUPILS[1]))


@needs_opencv
def test_every_pasted_face_is_found_the_largest_first():
    canvas = Image.new("RGB", (700, 420), (230, 230, 240))
    pasted = [(0.6, 10, 30), (0.35, 330, 150), (0.45, 460, 20)]
    for scale, left, top in pasted:
        size = (round(512 * scale), round(600 * scale))
        canvas.paste(portrait().resize(size, Image.Resampling.LANCZOS), (left, top))
    regions = finder().regions(canvas)
    assert len(regions) == 3
    for region, (scale, left, top) in zip(regions, sorted(pasted, reverse=True), strict=True):
        near = 0.08 * scale * FACE_SIDE
        expected = (left + scale * NOSE[0], top + scale * NOSE[1])
        assert middle(region) == pytest.approx(expected, abs=near)
        assert region.side == pytest.approx(scale * FACE_SIDE, rel=0.15)
        assert region.angle == 0


@needs_opencv
def test_faces_below_the_minimum_size_are_ignored():
    canvas = Image.new("RGB", (700, 420), (230, 230, 240))
    for scale, left in ((0.6, 10), (0.35, 330)):
        size = (round(512 * scale), round(600 * scale))
        canvas.paste(portrait().resize(size, Image.Resampling.LANCZOS), (left, 30))
    small_size = 0.35 * FACE_SIDE / 420
    assert len(finder(min_size=0.8 * small_size).regions(canvas)) == 2
    assert len(finder(min_size=1.3 * small_size).regions(canvas)) == 1


@needs_opencv
def test_a_picture_without_a_face_has_no_regions():
    pixels = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    assert finder().regions(Image.fromarray(pixels)) == []


@needs_opencv
@pytest.mark.parametrize("size", [(1, 1), (3, 500), (23, 24), (2000, 20)])
def test_pictures_too_small_for_a_face_have_no_regions(size: tuple[int, int]):
    assert finder().regions(Image.new("RGB", size)) == []


@needs_opencv
def test_margin_and_shift_are_fractions_of_the_faces_side():
    picture, _ = turned_portrait(0)
    (face,) = finder().regions(picture)
    (region,) = finder(margin=0.4, shift=-0.25).regions(picture)
    x, y = middle(face)
    assert region.side == pytest.approx(1.8 * face.side, abs=1)
    assert middle(region) == pytest.approx((x, y - 0.25 * face.side), abs=1)


@needs_opencv
@pytest.mark.parametrize("angle", [-10.0, 0.0, 10.0])
def test_a_turned_face_is_cut_with_level_eyes(angle: float):
    """Compute the positions of the pupils in the cut square from those in the portrait."""
    picture, pupils = turned_portrait(angle)
    (region,) = finder(aligned=True, margin=0.3).regions(picture)
    (left_x, left_y), (right_x, right_y) = (in_square(region, pupil) for pupil in pupils)
    slope = math.degrees(math.atan2(left_y - right_y, right_x - left_x))
    assert abs(slope) < 4
    assert 0.25 < left_x < 0.5 < right_x < 0.75
    (upright,) = finder(margin=0.3).regions(picture)
    assert (upright.angle, upright.side) == (0, region.side)


def in_square(region: Region, point: Point) -> Point:
    """Return a point of the picture in the cut square, as fractions of its side."""
    x, y = (value - centre for value, centre in zip(point, middle(region), strict=True))
    cosine, sine = math.cos(math.radians(region.angle)), math.sin(math.radians(region.angle))
    return (
        0.5 + (x * cosine - y * sine) / region.side,
        0.5 + (x * sine + y * cosine) / region.side,
    )


@needs_opencv
def test_a_turned_face_is_cut_like_the_upright_one():
    def cut(angle: float, aligned: bool) -> np.ndarray:
        picture, _ = turned_portrait(angle)
        (region,) = finder(aligned=aligned).regions(picture)
        return np.asarray(region.cut(picture, 32).convert("L")).ravel()

    def similarity(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.corrcoef(one, other)[0, 1])

    original = cut(0, True)
    assert similarity(original, cut(10, True)) > similarity(original, cut(10, False)) + 0.05
    assert similarity(original, cut(10, True)) > 0.85


@needs_opencv
def test_a_turned_region_is_shifted_along_the_face():
    picture, _ = turned_portrait(10)
    (still,) = finder(aligned=True).regions(picture)
    (shifted,) = finder(aligned=True, shift=-0.5).regions(picture)
    assert still.angle > 5
    u, v = in_square(still, middle(shifted))
    assert (u, v) == pytest.approx((0.5, 0.0), abs=0.015)


@pytest.mark.parametrize("angle", [-29.0, -5.0, 0.0, 12.0, 29.0])
def test_two_eyes_give_the_tilt(angle: float):
    right, up = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    eyes = [(50.0, 40.0), (50 + 30 * right, 40 - 30 * up)]
    assert tilt(eyes) == pytest.approx(angle)
    assert tilt(eyes[::-1]) == pytest.approx(angle)


@pytest.mark.parametrize(
    "eyes",
    [
        [],
        [(1.0, 1.0)],
        [(0.0, 0.0), (10.0, 1.0), (20.0, 2.0)],
        [(0.0, 0.0), (10.0, 6.0)],
        [(5.0, 0.0), (5.0, 10.0)],
    ],
)
def test_anything_but_two_eyes_side_by_side_gives_no_tilt(eyes: list[Point]):
    assert tilt(eyes) == 0


def test_detections_of_one_face_are_merged_into_the_one_with_most_votes():
    face = Detection(100, 100, 80, 9)
    neighbour = Detection(150, 100, 80, 7)
    found = [
        Detection(110, 95, 90, 4),
        face,
        Detection(100, 120, 30, 5),  # inside: a mouth detected as a face
        neighbour,
        Detection(400, 100, 120, 3),
    ]
    for order in (found, found[::-1]):
        assert merge(order) == [Detection(400, 100, 120, 3), face, neighbour]


@pytest.mark.parametrize(
    ("distance", "overlaps"), [(0, True), (39, True), (41, False), (90, False)]
)
def test_half_of_the_smaller_square_must_overlap(distance: float, overlaps: bool):
    large, small = Detection(0, 0, 200, 5), Detection(100 + distance - 40, 0, 80, 5)
    assert large.overlaps(small) is overlaps
    assert small.overlaps(large) is overlaps


@needs_opencv
def test_worker_processes_find_the_same_regions():
    picture, _ = turned_portrait(10)
    own = finder(aligned=True)
    regions = own.regions(picture)
    assert len(regions) == 1
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(own.regions, picture).result(timeout=60) == regions
    assert pickle.loads(pickle.dumps(own)).regions(picture) == regions
    assert len(pickle.dumps(own)) < 2000


@needs_opencv
def test_settings_change_with_the_result(tmp_path: Path):
    path = cascade("frontalface_default")
    copy, other = tmp_path / "copy.xml", tmp_path / "other.xml"
    copy.write_bytes(Path(path).read_bytes())
    other.write_bytes(Path(path).read_bytes().replace(b"</opencv_storage>", b"</opencv_storage> "))
    expected = CascadeFinder(path).settings()
    assert CascadeFinder(str(copy)).settings() == expected
    changed = [
        CascadeFinder(str(other)),
        CascadeFinder(path, eyes=cascade("eye")),
        CascadeFinder(path, eyes=cascade("eye_tree_eyeglasses")),
        CascadeFinder(path, margin=0.2),
        CascadeFinder(path, shift=0.1),
        CascadeFinder(path, min_size=0.2),
        CascadeFinder(path, neighbours=4),
        CascadeFinder(path, scale_step=1.2),
    ]
    every = [expected, *(one.settings() for one in changed)]
    assert all(one not in every[:index] for index, one in enumerate(every))
    assert isinstance(changed[0], FaceFinder)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"margin": -0.5}, "crop.margin=-0.5 must be between -0.4 and 2"),
        ({"margin": math.nan}, "crop.margin=nan must be between -0.4 and 2"),
        ({"shift": 3.0}, "crop.shift=3.0 must be between -1 and 1"),
        ({"min_size": 10.0}, "crop.min_size=10.0 must be between 0.001 and 1"),
        ({"neighbours": 0}, "crop.neighbours=0 must be between 1 and 1000"),
        ({"scale_step": 1.0}, "crop.scale_step=1.0 must be between 1.01 and 2"),
    ],
)
def test_invalid_settings_are_rejected(settings: dict[str, float], message: str):
    with pytest.raises(UserError) as caught:
        CascadeFinder("any.xml", **settings)  # pyright: ignore[reportArgumentType]
    assert str(caught.value) == message


@needs_opencv
def test_a_missing_file_is_named(tmp_path: Path):
    missing = str(tmp_path / "missing.xml")
    with pytest.raises(UserError, match="crop.cascade=.*missing.xml cannot be read: No such file"):
        CascadeFinder(missing)
    with pytest.raises(UserError, match="crop.eyes=.*missing.xml cannot be read: No such file"):
        CascadeFinder(cascade("frontalface_default"), eyes=missing)
    with pytest.raises(UserError, match="Is a directory"):
        CascadeFinder(str(tmp_path))
    with pytest.raises(UserError, match="add crop.cascade=lbpcascade_animeface.xml"):
        CascadeFinder(None)


@needs_opencv
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"404: Not Found",
        b"<html><body>not a cascade</body></html>",
        b"<?xml version='1.0'?><opencv_storage><cascade></cascade></opencv_storage>",
        bytes(range(256)),
    ],
)
def test_a_file_that_is_not_a_cascade_is_rejected(tmp_path: Path, content: bytes):
    path = tmp_path / "faces.xml"
    path.write_bytes(content)
    with pytest.raises(UserError, match="crop.cascade=.*faces.xml is not an OpenCV cascade"):
        CascadeFinder(str(path))


@needs_opencv
def test_a_partial_download_is_rejected(tmp_path: Path):
    complete = Path(cascade("frontalface_default")).read_bytes()
    (tmp_path / "half.xml").write_bytes(complete[: len(complete) // 2])
    with pytest.raises(UserError, match="is not an OpenCV cascade"):
        CascadeFinder(str(tmp_path / "half.xml"))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(UserError, match=r'pip install -e "\.\[crop\]"'):
        CascadeFinder("any.xml")


def test_an_opencv_without_cascades_is_named(monkeypatch: pytest.MonkeyPatch):
    """OpenCV 5 has no cascades."""
    monkeypatch.setitem(sys.modules, "cv2", SimpleNamespace(__version__="5.0.0"))
    with pytest.raises(UserError, match=r'OpenCV 5\.0\.0 .* pip install -e "\.\[crop\]"'):
        CascadeFinder("any.xml")


@needs_opencv
def test_the_configuration_matches_the_defaults():
    path = cascade("frontalface_default")
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        config = compose("train", ["+crop=cascade", f"crop.cascade={path}"])
    assert instantiate(config.crop).settings() == CascadeFinder(path).settings()


def test_none_crops_nothing():
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        assert compose("train", ["+crop=none"]).crop is None
