"""Clusters: found without labels, of at least two pictures, named and shown."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anime_dcgan.cleaning import clusters
from anime_dcgan.cleaning.clusters import find_clusters, name_clusters, write_sheets
from anime_dcgan.cleaning.scan import UNREADABLE, Scan
from anime_dcgan.system.errors import UserError
from tests.cleaning.conftest import records_of

GROUPS = np.repeat([0, 1, 2], [30, 20, 10])
Make = Callable[..., Scan]


def coloured(scan_of: Make, groups: np.ndarray) -> Scan:
    """Return a scan of faces of three similar colours, whose shapes are noise."""
    rng = np.random.default_rng(0)
    base = np.array([[200, 60, 60], [60, 200, 60], [60, 60, 200]])[groups][:, None, None]
    colours = (base + rng.integers(-20, 21, (len(groups), 8, 8, 3))).astype(np.uint8)
    return scan_of(records_of(len(groups)), colours=colours)


def find(scan: Scan, count: int = 3, seed: int = 0, train: np.ndarray | None = None) -> np.ndarray:
    keep = np.ones(len(scan.records), dtype=bool)
    return find_clusters(scan, keep, keep if train is None else train, count, seed)


@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_similar_faces_form_clusters_and_the_largest_is_the_first(scan_of: Make, seed: int):
    order = np.random.default_rng(1).permutation(len(GROUPS))
    scan = coloured(scan_of, GROUPS[order])
    assert find(scan, seed=seed).tolist() == GROUPS[order].tolist()
    np.testing.assert_array_equal(find(scan, 7, seed), find(scan, 7, seed))


def test_clusters_differ_in_hue_rather_than_in_brightness(scan_of: Make):
    dark = np.array([[140, 80, 80], [80, 80, 140]])
    faces = np.concatenate([dark, dark + 90])[np.arange(40) % 4]
    noise = np.random.default_rng(0).integers(-9, 10, (40, 8, 8, 3))
    colours = (faces[:, None, None] + noise).astype(np.uint8)
    found = find(scan_of(records_of(40), colours=colours), 2)
    assert (found == found[np.arange(40) % 2]).all() and found[0] != found[1]


def test_blocks_do_not_change_the_clusters(scan_of: Make, monkeypatch: pytest.MonkeyPatch):
    scan = coloured(scan_of, GROUPS)
    whole = find(scan, 5)
    monkeypatch.setattr(clusters, "BLOCK", 7)
    np.testing.assert_array_equal(find(scan, 5), whole)


def test_clusters_of_one_training_picture_are_merged(scan_of: Make):
    single = np.repeat([0, 1, 2], [30, 20, 1])
    assert set(find(coloured(scan_of, single))[:50]) == {0, 1}
    train = GROUPS < 2  # the others are held out
    found = find(coloured(scan_of, GROUPS), train=train)
    assert set(found[train]) == {0, 1} == set(found)


def test_dropped_pictures_are_in_a_cluster_but_do_not_decide_it(scan_of: Make):
    scan = coloured(scan_of, GROUPS)
    scan.records["state"][3] = UNREADABLE
    keep = scan.records["state"] != UNREADABLE
    keep[GROUPS == 2] = False
    found = find_clusters(scan, keep, keep, 2, 0)
    assert found[3] == -1
    assert set(found[GROUPS == 2]) <= {0, 1}
    assert (np.delete(found, 3)[:49] == np.delete(GROUPS, 3)[:49]).all()


def test_too_few_pictures_are_refused(scan_of: Make):
    with pytest.raises(UserError, match=r"clusters=31 of 60 pictures leaves less .* clusters=3,"):
        find(coloured(scan_of, GROUPS), 31)


def test_names_of_a_person_stay_and_pass_to_new_pictures():
    found = np.array([0, 0, 0, 1, 1, 2, -1])
    assert name_clusters(found, [""] * 7) == [
        *(["cluster-01"] * 3 + ["cluster-02"] * 2 + ["cluster-03", ""]),
    ]
    earlier = ["red", "red", "", "", "cluster-02", "moved", ""]
    assert name_clusters(found, earlier) == [
        *("red", "red", "red", "cluster-02", "cluster-02", "moved", ""),
    ]
    many = name_clusters(np.arange(100), [""] * 100)
    assert (many[0], many[99]) == ("cluster-001", "cluster-100")


def test_each_name_has_a_sheet_of_kept_faces(scan_of: Make, tmp_path: Path):
    scan = coloured(scan_of, GROUPS)
    folder = tmp_path / "clusters"
    folder.mkdir()
    (folder / "09-old.png").touch()
    names = np.array(["a/../b", "青", "dropped"], dtype=object)[GROUPS].tolist()
    write_sheets(scan, names, GROUPS < 2, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["01-a-b.png", "02-青.png"]
    with Image.open(folder / "01-a-b.png") as sheet:
        assert sheet.size == (8 * 64, 4 * 64)
