"""The report: complete, self-contained, and inert whatever the files of the run contain."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from anime_dcgan.page.report import write_report
from anime_dcgan.sampling import image
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.paths import CONF_DIR
from tests.html import (
    HOSTILE,
    Page,
    assert_only_its_own_script_may_run,
    assert_self_contained,
)
from tests.run_folder import (
    add_label_rows,
    make_full_run,
    make_run,
    noise,
    row,
    write_quality,
    write_verdict,
)

MAX_BYTES = 6_000_000


def page_of(run: Path, grids: int = 6) -> Page:
    write_report(run, run / "report.html", grids)
    return Page(run / "report.html")


def test_the_page_of_a_full_run(tmp_path: Path):
    page = page_of(make_full_run(tmp_path / "a"), grids=4)
    assert_self_contained(page)
    for text in (
        "Equilibrium reached at epoch 6 (6,000 images)",
        *("the distance no longer falls", "Best distance (swd/all)", "at epoch 8"),
        *("10 measurements", "python -m anime_dcgan.train run=a", "image_size: 16"),
        "Left: generated. Right: the nearest training pictures.",
    ):
        assert text in page.text
    assert len(page.all("img", data_weights="averaged")) == 10  # 4 side by side, 6 of the film
    assert len(page.all("img", data_weights="raw")) == 4
    assert len(page.all("figure", class_="panel")) == len(page.all("svg")) == 5
    assert len(page.all("tr", class_="best")) == 1
    assert not page.all("aside")
    assert all(picture["alt"] for picture in page.all("img", class_="enlarge"))
    headings = re.findall(r'<h2 id="(\w+)"', page.source)
    assert headings == ["curves", "faces", "neighbours", "values", "settings"]


def test_the_page_of_a_young_run_explains_what_is_missing(tmp_path: Path):
    page = page_of(make_run(tmp_path / "a"))
    assert_self_contained(page)
    for text in ("No verdict yet", "no curves yet", "scalars.jsonl", "no grids yet"):
        assert text in page.text
    assert not page.all("svg")
    assert 'id="neighbours"' not in page.source and 'id="values"' not in page.source


def test_contents_of_files_are_escaped(tmp_path: Path):
    run = make_full_run(tmp_path / "<script>alert(0)<")
    write_verdict(run, "learning", reasons=[HOSTILE])
    write_quality(run, [row(1, **{"swd_all": 1.0, HOSTILE: 2.0, f"{HOSTILE} x": 3.0})])
    (run / "command.txt").write_text(HOSTILE)
    (run / "config.yaml").write_text(f"a: {HOSTILE}")
    (run / "samples/ema/epoch=0004.png").write_bytes(HOSTILE.encode())
    page = page_of(run)
    assert_self_contained(page)
    assert len(page.all("script")) == 1
    assert page.text.count("alert('x')") >= 5
    assert "<script>alert(0)<" in page.text


def test_the_latest_faces_of_each_class_are_shown_with_their_names(tmp_path: Path):
    run = make_full_run(tmp_path / "a")
    add_label_rows(run, ["older"], epoch=1)
    add_label_rows(run, ["blue", HOSTILE, "\ud800"], epoch=2)
    damaged = add_label_rows(run, ["one", "two"], epoch=3)
    image.grid(noise(6, 16), columns=3).save(damaged, pnginfo=image.describe_rows(["one"]))
    page = page_of(run)
    assert_self_contained(page)
    assert len(page.all("script")) == 1
    assert "The same latents as each class at epoch 2," in page.text
    assert len(page.all("img", alt="Generated faces of class blue")) == 1
    assert len(page.all("img", alt=f"Generated faces of class {HOSTILE}")) == 1
    assert "samples/labels/epoch=0003.png is damaged" in page.text
    assert "older" not in page.text


def test_the_policy_allows_only_the_script_of_the_page(tmp_path: Path):
    assert_only_its_own_script_may_run(page_of(make_run(tmp_path / "a")))


def test_damage_is_noted_on_the_page_and_returned(tmp_path: Path):
    run = make_full_run(tmp_path / "a")
    (run / "quality.json").write_text("{")
    (run / "neighbours.png").write_bytes(b"no picture")
    notes = write_report(run, tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    assert len(notes) == 2
    assert all(note in page.text for note in notes)
    assert "Equilibrium reached" in page.text
    assert 'id="values"' not in page.source


def test_text_that_cannot_be_encoded(tmp_path: Path):
    run = make_run(tmp_path / "a")
    write_verdict(run, "learning", reasons=["\ud800"])
    assert "Still learning" in page_of(run).text


def test_a_long_run_of_large_faces_stays_small(tmp_path: Path):
    run = make_run(tmp_path / "a", epochs=range(1, 31), size=64, faces=64)
    (run / "samples/ema/epoch=0001.png").replace(run / "neighbours.png")
    write_quality(run, [row(epoch, swd_all=1 / epoch, precision=0.5) for epoch in range(1, 301)])
    write_report(run, run / "report.html")
    assert 2_000_000 < (run / "report.html").stat().st_size < MAX_BYTES


def test_a_page_is_replaced_atomically(tmp_path: Path):
    run = make_run(tmp_path / "a")
    out = tmp_path / "new" / "page.html"
    write_report(run, out)
    before = out.read_text()
    write_verdict(run, "cycling")
    write_report(run, out)
    assert out.read_text() != before
    assert [path.name for path in out.parent.iterdir()] == ["page.html"]


@pytest.mark.parametrize("out", ["file/page.html", "folder.html"])
def test_a_path_that_cannot_be_written_is_named(tmp_path: Path, out: str):
    run = make_run(tmp_path / "a")
    (tmp_path / "file").touch()
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(UserError, match=r"cannot be written \(.*\): use another out=\.\.\."):
        write_report(run, tmp_path / out)
    assert not list(tmp_path.glob(".partial*"))


def test_torch_is_never_loaded(tmp_path: Path):
    run = make_full_run(tmp_path / "a")
    program = (
        "import sys\nfrom pathlib import Path\nfrom anime_dcgan.page.report import write_report\n"
        f"write_report(Path({str(run)!r}), Path({str(tmp_path / 'page.html')!r}))\n"
        "heavy = {'torch', 'torchvision', 'lightning', 'tensorflow', 'matplotlib.pyplot'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()"
    )
    command = [sys.executable, "-c", program]
    subprocess.run(command, check=True, timeout=60, env={"PYTHONPATH": str(CONF_DIR.parent)})
    assert "Equilibrium" in (tmp_path / "page.html").read_text()
