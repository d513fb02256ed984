"""Duplicates in a real archive with a known number of distinct faces."""

from pathlib import Path

import pytest

from anime_dcgan.cleaning.judgement import DUPLICATE, Thresholds, judge_pictures
from anime_dcgan.cleaning.scan import scan
from anime_dcgan.data.folder import FolderFaces

ARCHIVE = Path(__file__).parents[3] / "shared/data/anime-faces.zip"
FILES, DISTINCT = 29_984, 22_968  # counted by comparing all decoded pixels


@pytest.mark.skipif(not ARCHIVE.exists(), reason=f"needs shared/data/{ARCHIVE.name}")
def test_all_duplicates_in_a_real_archive_are_found(tmp_path: Path):
    result = scan(FolderFaces(ARCHIVE), tmp_path, finder=None, workers=None, name=ARCHIVE.name)
    verdicts = judge_pictures(result, Thresholds(near_duplicate=None), holdout=0.05, seed=0)
    duplicates = sum(reason.startswith(DUPLICATE) for reason in verdicts.reasons)
    assert len(verdicts.keep) == FILES
    assert FILES - duplicates == DISTINCT
