"""The grouping of curves into panels, and the drawing of panels."""

import re
from pathlib import Path

import pytest

from anime_dcgan.page.panels import HOURS, Curve, Mark, Panel, make_marks, make_panels
from anime_dcgan.page.plot import VARIABLES, draw
from anime_dcgan.run.record import read_record
from tests.run_folder import (
    make_full_run,
    make_run,
    row,
    write_quality,
    write_scalars,
    write_verdict,
)


def titles(run: Path) -> dict[str, list[str]]:
    panels = make_panels(read_record(run))
    return {panel.title: [curve.name for curve in panel.curves] for panel in panels}


def test_the_panels_of_a_full_run(tmp_path: Path):
    run = make_full_run(tmp_path / "a")
    assert titles(run) == {
        "Distance: swd": ["swd/all", "swd/16"],
        "Duality gap": ["both"],
        "Losses": ["discriminator", "generator"],
        "Accuracy of the discriminator": ["on real", "on fake"],
        "Precision and recall": ["precision"],
    }
    record = read_record(run)
    assert make_marks(record) == [Mark("verdict", 6000), Mark("best", 8000)]
    assert make_panels(record)[0].curves[0].floor == 3.0


def test_a_run_without_data_has_no_panels(tmp_path: Path):
    assert not titles(make_run(tmp_path / "a"))


def test_distances_of_one_prefix_share_a_panel_unless_their_scales_are_far_apart(tmp_path: Path):
    write_quality(tmp_path, [row(1, fd_a=1.0, fd_b=19.0, fd_c=900.0, swd_all=2.0)])
    assert titles(tmp_path) == {
        "Distance: fd": ["fd/a", "fd/b"],
        "Distance: fd/c": ["fd/c"],
        "Distance: swd/all": ["swd/all"],
    }


def test_known_pairs_of_ratios_share_a_panel_and_unknown_ratios_do_not(tmp_path: Path):
    ratios = {"recall": 0.2, "precision": 0.1, "coverage": 0.3, "density": 0.4, "sharpness": 1.0}
    write_quality(tmp_path, [row(1, **ratios), row(1, "raw", precision=0.3)])
    assert titles(tmp_path) == {
        "Precision and recall": ["recall", "precision", "precision (raw)"],
        "Density and coverage": ["coverage", "density"],
        "Sharpness": ["sharpness"],
    }


def test_the_history_of_the_verdict_replaces_missing_curves(tmp_path: Path):
    values = {"distance": 5.0, "accuracy_real": 0.5, "diversity": 1.0, "gap": None}
    write_verdict(tmp_path, "learning", history=[{"images": 1000, **values}])
    assert set(titles(tmp_path)) == {"Distance", "Accuracy of the discriminator", "Diversity"}
    write_scalars(tmp_path, {"accuracy/fake": [(1, 0.25)]})
    assert titles(tmp_path)["Accuracy of the discriminator"] == ["on fake"]


@pytest.mark.parametrize("scale", ["plain", "distance", "ratio", "percentage"])
@pytest.mark.parametrize("values", [[1.0], [0.0, 0.0], [-1.0, 2.0], [0.001, 50.0], [1e38, 1e-38]])
def test_a_panel_becomes_an_svg_element(scale, values: list[float]):
    curve = Curve("a", [(1000.0 * x, y) for x, y in enumerate(values)], floor=0.5)
    panel = Panel("title", "", [curve, curve], scale=scale, level=0.5)
    marks = [Mark("verdict", 500), Mark("best", 700)]
    svg = draw(panel, marks, images=1000.0, number=1)
    assert svg.startswith("<svg viewBox=") and svg.rstrip().endswith("</svg>")
    assert "http" not in svg and "<style" not in svg and "<metadata" not in svg
    assert not re.search("|".join(VARIABLES), svg)
    for variable in ("--curve-1", "--curve-2", "--verdict", "--best", "--quiet"):
        assert f"var({variable})" in svg


def test_a_run_without_recorded_time_is_drawn_at_zero():
    panel = Panel("title", "", [Curve("a", [(0.0, 1.0)])], axis=HOURS)
    assert draw(panel, [], 0.0, 1).startswith("<svg")


def test_the_ids_of_two_panels_differ():
    panel = Panel("title", "", [Curve("a", [(0.0, 1.0), (9.0, 2.0)])])
    first, second = (set(re.findall(r'id="([^"]*)"', draw(panel, [], 9.0, n))) for n in (1, 2))
    assert first and not first & second


def test_the_description_of_a_panel():
    panel = Panel("Losses", "", [Curve("generator", [(1000.0, 2.0), (5000.0, 1.25)])])
    assert panel.description == "Losses, 1 to 5 thousand images: generator from 2 to 1.25"
