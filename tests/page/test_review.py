"""The review page: complete, self-contained, and inert whatever files are called."""

import base64
import hashlib
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from anime_dcgan.cleaning.findings import Distribution, Findings, Suspect
from anime_dcgan.data.drawn import draw_face, sample_factors
from anime_dcgan.page.review import draw_histogram, histogram, write_review
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.paths import CONF_DIR
from tests.html import (
    HOSTILE,
    Page,
    assert_only_its_own_script_may_run,
    assert_self_contained,
)


@cache
def synthetic_face(index: int) -> Image.Image:
    return draw_face(sample_factors(5, index), 64)


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture).copy()


def key_of(name: str) -> str:
    return hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()


def blurred(index: int, flagged: bool = True, **changes: Any) -> Suspect:
    face = synthetic_face(index % 12).filter(ImageFilter.GaussianBlur(2 if flagged else 1))
    name = f"girls/blurred-{index:05d}.jpg"
    suspect = Suspect(
        key=key_of(name),
        name=name,
        reason="blurred",
        score=0.01 + 1e-4 * index if flagged else 0.09,
        threshold=0.06,
        flagged=flagged,
        width=96,
        height=100,
        face=pixels(face),
    )
    return replace(suspect, **changes)


def near_duplicate(index: int, flagged: bool = True, **changes: Any) -> Suspect:
    face = synthetic_face(index % 12)
    name = f"girls/copy-{index:05d}.png"
    suspect = Suspect(
        key=key_of(name),
        name=name,
        reason="near-duplicate",
        score=0.02 if flagged else 0.04,
        threshold=0.03,
        flagged=flagged,
        width=64,
        height=64,
        face=pixels(face.rotate(2)),
        twin=pixels(face),
        twin_name=f"girls/first-{index:05d}.png",
    )
    return replace(suspect, **changes)


def findings_of(suspects: list[Suspect], **changes: Any) -> Findings:
    random = np.random.default_rng(0)
    sharpness = random.gamma(9, 0.04, 3000)
    findings = Findings(
        title="faces.zip",
        counts=[
            ("all pictures", 3000),
            ("exact copies", 120),
            ("near-duplicates", 60),
            ("blurred", 25),
            ("kept for training", 2600),
            ("held out", 195),
        ],
        suspects=suspects,
        contact=np.concatenate([pixels(synthetic_face(index)) for index in range(3)], axis=1),
        distributions=[
            Distribution("sharpness", "", sharpness[sharpness > 0.1], sharpness[:20] / 9, 0.1),
            Distribution("side", "px", random.integers(32, 200, 500), np.zeros(0), 32.0),
        ],
    )
    return replace(findings, **changes)


def page_of(findings: Findings, folder: Path) -> Page:
    write_review(findings, folder / "review.html")
    return Page(folder / "review.html")


def data_of(page: Page) -> dict[str, Any]:
    (text,) = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', page.source, re.DOTALL
    )
    return json.loads(text)


def decode(encoded: str) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
        return np.asarray(picture).astype(int)


def test_the_statistics_come_first(tmp_path: Path):
    page = page_of(findings_of([blurred(0)], notes=["2 pictures are damaged"]), tmp_path)
    assert_self_contained(page)
    text = " ".join(page.text.split())
    for phrase in ("faces.zip", "all pictures3,000", "exact copies120 4 %", "threshold 0.100"):
        assert phrase in text, phrase
    assert "2 pictures are damaged" in text and "review=review.json" in text
    assert re.findall(r'<h2 id="(\w+)"', page.source) == ["statistics", "suspects", "next"]
    assert len(page.all("svg")) == 2
    (contact,) = page.all("img")
    assert (contact["width"], contact["height"]) == ("192", "64")


def test_suspects_are_grouped_by_reason_with_borderline_ones_last(tmp_path: Path):
    suspects = [
        blurred(1, flagged=False),
        blurred(2),
        near_duplicate(3, choice="keep"),
        blurred(4),
        blurred(5, score=float("nan")),
    ]
    page = page_of(findings_of(suspects, omitted={"blurred": 7, "outlier": 9}), tmp_path)
    first, second, third = data_of(page)["reasons"]
    keys = ("name", "flagged", "sign")
    assert [tuple(suspect[key] for key in keys) for suspect in first["suspects"]] == [
        ("girls/blurred-00002.jpg", True, "<"),
        ("girls/blurred-00004.jpg", True, "<"),
        ("girls/blurred-00005.jpg", True, "="),
        ("girls/blurred-00001.jpg", False, ">"),
    ]
    (copy,) = second["suspects"]
    assert (copy["choice"], copy["twinName"]) == ("keep", "girls/first-00003.png")
    assert np.abs(decode(copy["twin"]) - suspects[2].twin).mean() < 6
    assert np.abs(decode(copy["face"]) - suspects[2].face).mean() < 6
    assert (third["name"], third["suspects"]) == ("outlier", [])
    assert len(page.all("button", role="tab")) == len(page.all("div", role="tabpanel")) == 3
    assert page.text.count("more are not shown") == 2


def test_file_names_are_escaped(tmp_path: Path):
    suspect = near_duplicate(0, name=f"{HOSTILE}\ud800", twin_name=HOSTILE, reason=HOSTILE)
    hostile = Distribution(HOSTILE, HOSTILE, np.ones(2), np.ones(1))
    findings = findings_of(
        [suspect], title=HOSTILE, notes=[HOSTILE], distributions=[hostile], omitted={HOSTILE: 1}
    )
    page = page_of(findings, tmp_path)
    assert_self_contained(page)
    assert len(page.all("script")) == 2
    assert page.text.count("alert('x')") >= 5
    (reason,) = data_of(page)["reasons"]
    assert reason["suspects"][0]["name"] == suspect.name
    assert reason["suspects"][0]["twinName"] == reason["name"] == HOSTILE


def test_the_policy_allows_only_the_script_of_the_page(tmp_path: Path):
    assert_only_its_own_script_may_run(page_of(findings_of([blurred(0)]), tmp_path))


def test_choices_are_stored_by_title_and_pictures(tmp_path: Path):
    def ids(findings: Findings) -> tuple[str, str]:
        data = data_of(page_of(findings, tmp_path))
        return data["storageKey"], data["revision"]

    storage_key, revision = ids(findings_of([blurred(0), near_duplicate(1)]))
    assert ids(findings_of([near_duplicate(1), blurred(0)])) == (storage_key, revision)
    decided = ids(findings_of([blurred(0, choice="keep"), near_duplicate(1)]))
    assert decided[0] == storage_key and decided[1] != revision
    assert ids(findings_of([blurred(0), near_duplicate(2)]))[0] != storage_key
    assert ids(findings_of([blurred(0), near_duplicate(1)], title="b"))[0] != storage_key


def test_a_page_without_suspects(tmp_path: Path):
    page = page_of(findings_of([], counts=[], distributions=[]), tmp_path)
    assert "there is nothing to decide" in page.text
    assert not page.all("button", role="tab") and not page.all("svg")


def test_a_histogram_counts_each_value_once_and_includes_its_threshold():
    random = np.random.default_rng(1)
    kept = np.append(random.normal(5, 1, 10_000), [1e9, np.nan])
    distribution = Distribution("a", "", kept, np.array([0.5, 0.6, np.inf]), -2.0)
    above, below, edges = histogram(distribution)
    assert (above.sum(), below.sum()) == (10_001, 2)
    assert edges[0] == -2 and 7 < edges[-1] < 11
    inside = (edges[20] <= kept) & (kept < edges[21])
    assert above[20] == inside.sum() > 0
    assert above[-1] >= 1  # the outlier


@pytest.mark.parametrize("values", [[3.0], [0, 0], [1e-9, 2e-9], [-1e12, 1e12], [1.0, np.nan]])
@pytest.mark.parametrize("threshold", [None, 0.5, float("nan")])
def test_every_histogram_becomes_an_svg_element(values: list[float], threshold: float | None):
    svg = draw_histogram(Distribution("a", "", np.array(values), np.zeros(0), threshold))
    assert svg.startswith("<svg viewBox=") and svg.endswith("</svg>")
    assert "nan" not in svg and "inf" not in svg
    assert ('class="threshold"' in svg) == (threshold == 0.5)
    positions = [float(x) for x in re.findall(r'<text x="([^"]*)"', svg)]
    assert 1 <= len(positions) <= 7 and positions == sorted(positions)
    assert all(-0.1 <= x <= 360.1 for x in positions)


def test_a_threshold_is_drawn_at_its_value():
    svg = draw_histogram(Distribution("a", "", np.array([0.0, 8.0]), np.zeros(0), 4.0))
    (x,) = re.findall(r'class="threshold" d="M([\d.]+) ', svg)
    ticks = dict(re.findall(r'<text x="([\d.]+)"[^>]*>([^<]*)<', svg))
    assert ticks[x] == "4" and float(x) == pytest.approx(180, abs=1)


@pytest.mark.parametrize("out", ["file/page.html", "folder.html"])
def test_a_path_that_cannot_be_written_is_named(tmp_path: Path, out: str):
    (tmp_path / "file").touch()
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(UserError, match=r"cannot be written \(.*\): use another out=\.\.\."):
        write_review(findings_of([]), tmp_path / out)


def test_neither_torch_nor_matplotlib_is_loaded(tmp_path: Path):
    program = (
        "import sys\nfrom pathlib import Path\nimport numpy as np\n"
        "from anime_dcgan.cleaning.findings import Findings\n"
        "from anime_dcgan.page.review import write_review\n"
        f"write_review(Findings('a', [], [], np.zeros((4, 4, 3), np.uint8)), "
        f"Path({str(tmp_path / 'page.html')!r}))\n"
        "heavy = {'torch', 'torchvision', 'lightning', 'matplotlib'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()"
    )
    command = [sys.executable, "-c", program]
    subprocess.run(command, check=True, timeout=60, env={"PYTHONPATH": str(CONF_DIR.parent)})
    assert "nothing to decide" in (tmp_path / "page.html").read_text()
