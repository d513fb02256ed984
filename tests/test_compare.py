"""Tests of `compare`: runs found and ranked, the page written, and one-line errors."""

import json
from pathlib import Path

import pytest

from tests.html import HOSTILE, Page, assert_self_contained
from tests.run_folder import add_label_rows, make_run, row, write_quality, write_verdict


def make_sweep(folder: Path) -> Path:
    """Make a sweep of two losses and two seeds, where hinge is better, and a third loss failed."""
    for loss, distances in (("bce", (20.0, 22.0)), ("hinge", (10.0, 11.0))):
        for seed, distance in enumerate(distances):
            run = make_run(folder / f"loss={loss},seed={seed}", epochs=[1, 2])
            settings = {"loss": {"_target_": f"anime_dcgan.game.loss.{loss}"}, "seed": seed}
            (run / "config.yaml").write_text(json.dumps(settings))
            (run / ".hydra").mkdir()
            arguments = ["max_kimg=2", f"loss={loss}", f"seed={seed}"]
            (run / ".hydra" / "overrides.yaml").write_text(json.dumps(arguments))
            rows = [row(1.0, swd_all=30.0), row(2.0, swd_all=distance, precision=0.5)]
            for number, values in enumerate(rows):
                values["hours"] = number + 1.5
            write_quality(run, rows, swd_all=3.0)
            write_verdict(run, "learning")
            (run / "finished.json").write_text("{}")
    failed = make_run(folder / "loss=wgan,seed=0")
    (failed / "failure.json").write_text(json.dumps({"message": f"the loss is NaN {HOSTILE}"}))
    return folder


def test_a_sweep_is_ranked_on_a_page_in_its_folder(call, tmp_path: Path):
    sweep = make_sweep(tmp_path / "outputs" / "losses")
    result = call("compare", "outputs/losses", cwd=tmp_path)
    assert result.stdout.index("loss=hinge") < result.stdout.index("loss=bce")
    assert "10.5" in result.stdout and "the loss is NaN" in result.stdout
    page = Page(sweep / "compare.html")
    assert_self_contained(page)
    assert len(page.all("tr", class_="best")) == 1
    assert len(page.all("figure", class_="grid")) == 2
    assert len(page.all("figure", class_="panel")) == len(page.all("svg")) == 2
    for text in ("loss=hinge", "10.5", "Not in the ranking", "the loss is NaN </script><script>"):
        assert text in page.text
    assert "<td>2.50</td>" in page.source  # hours
    assert "against time" in page.text


def test_a_recipe_whose_other_seeds_failed_is_marked(call, tmp_path: Path):
    sweep = make_sweep(tmp_path / "outputs" / "losses")
    lost = sweep / "loss=hinge,seed=1"
    (lost / "quality.json").unlink()
    (lost / "failure.json").write_text('{"message": "NaN"}')
    call("compare", "outputs/losses", cwd=tmp_path)
    page = Page(sweep / "compare.html")
    assert "<td>1 of 2</td>" in page.source and "<td>2</td>" in page.source


def test_a_distant_floor_is_stated_and_a_near_one_is_plotted(call, tmp_path: Path):
    sweep = make_sweep(tmp_path / "outputs" / "losses")  # 10 against a floor of 3
    call("compare", "outputs/losses", cwd=tmp_path)
    assert "Dashed: the floor, 3.00" in Page(sweep / "compare.html").text
    for run in sweep.glob("loss=*/quality.json"):
        content = json.loads(run.read_text())
        content["floor"] = {"swd/all": 2.0}
        run.write_text(json.dumps(content))
    call("compare", "outputs/losses", cwd=tmp_path)
    page = Page(sweep / "compare.html")
    assert "Far below: the floor, 2.00" in page.text and "stroke-dasharray" not in page.source


def test_folders_are_separated_from_overrides(call, tmp_path: Path):
    make_sweep(tmp_path / "outputs" / "losses")
    runs = [f"outputs/losses/loss={loss},seed=0" for loss in ("bce", "hinge")]
    result = call("compare", *runs, "kimg=1", "out=page.html", cwd=tmp_path)
    assert "30.0" in result.stdout
    page = Page(tmp_path / "page.html")
    assert "the uncertainty is unknown" in page.text and "loss=wgan" not in page.text
    call("compare", "choice=last", cwd=tmp_path)
    assert (tmp_path / "outputs" / "compare.html").exists()


def test_runs_that_only_evaluate_measured_are_ranked(call, tmp_path: Path):
    sweep = make_sweep(tmp_path / "outputs" / "losses")
    for file in sweep.glob("*/quality.json"):  # as if trained with metric=none
        content = json.loads(file.read_text())
        rest = {key: content[key] for key in ("metric", "floor")}
        rows = [{"key": str(n), **rest, **each} for n, each in enumerate(content["rows"])]
        file.with_name("evaluations.json").write_text(json.dumps({"rows": rows}))
        file.unlink()
    result = call("compare", "outputs/losses", cwd=tmp_path)
    assert result.stdout.index("loss=hinge") < result.stdout.index("loss=bce")
    assert "10.5" in result.stdout and "3.00" in result.stdout  # the floor


def test_a_second_metric_measured_afterwards_changes_no_ranking(call, tmp_path: Path):
    sweep = make_sweep(tmp_path / "outputs" / "losses")
    for file in sweep.glob("*/quality.json"):
        metric = {"name": "zzz", "headline": "zzz/all"}
        content = {**row(2.0), "key": "a", "metric": metric, "values": {"zzz/all": 1.0}}
        file.with_name("evaluations.json").write_text(json.dumps({"rows": [content]}))
    assert "swd/all within" in call("compare", "outputs/losses", cwd=tmp_path).stdout
    other = call("compare", "outputs/losses", "distance=zzz/all", cwd=tmp_path)
    assert "zzz/all within" in other.stdout


def test_the_faces_of_each_class_are_shown_for_labelled_recipes(call, tmp_path: Path):
    sweep = make_sweep(tmp_path / "outputs" / "losses")
    for run in sweep.glob("loss=hinge*"):
        add_label_rows(run, ["blue", HOSTILE])
    call("compare", "outputs/losses", cwd=tmp_path)
    (path,) = tmp_path.rglob("compare.html")
    page = Page(path)
    assert_self_contained(page)
    for name in ("blue", HOSTILE):
        assert len(page.all("img", alt=f"Generated faces of class {name}")) == 1


def test_damaged_runs_are_skipped_and_named(call, tmp_path: Path):
    sweep = make_sweep(tmp_path / "outputs" / "losses")
    (sweep / "loss=bce,seed=0" / "config.yaml").write_text("[1, 2")
    (sweep / "loss=bce,seed=1" / "quality.json").write_text("{")
    (sweep / "loss=hinge,seed=0" / "samples" / "ema" / "epoch=0002.png").write_bytes(b"no")
    result = call("compare", cwd=tmp_path)
    notes = [line for line in result.stderr.splitlines() if line.startswith("note: ")]
    assert len(notes) == 3
    assert "config.yaml cannot be read" in notes[0] and "quality.json is damaged" in notes[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere is not a folder"),
        (["empty"], "there is no run in empty"),
        (["unmeasured"], "none of the 1 runs in unmeasured was measured"),
        (["outputs", "distance=fd/frechet"], "no run has distance=fd/frechet: use one of swd/all"),
        (["outputs", "kimg=0"], "kimg=0 must be a number above 0: use kimg=100"),
        (["outputs", "kimg=9"], "no run was measured at kimg=9"),
        (
            ["outputs", "choice=luck"],
            "choice=luck is not an option: use choice=best or",
        ),
        (["outputs", "hours=2"], "hours=2 is a budget of by=hours, and this is by=images: use by="),
        (["outputs", "by=hours", "hours=9"], "no run was measured at hours=9: use a smaller one"),
        (["outputs", "out=page.pdf"], "must end in .html or .htm"),
    ],
)
def test_mistakes_are_explained_in_one_line(call, tmp_path: Path, arguments, message):
    (tmp_path / "empty").mkdir()
    make_run(tmp_path / "unmeasured" / "a")
    make_sweep(tmp_path / "outputs" / "losses")
    result = call("compare", *arguments, cwd=tmp_path, status=2)
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ") and message in line
