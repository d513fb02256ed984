"""`python -m anime_dcgan.prepare`: from a pile of pictures to a clean set of faces.

Nothing is deleted or copied. The results are a manifest, which `data=manifest` trains on, and a
page on which a person reviews the doubtful pictures. Torch is never loaded.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from anime_dcgan.cli.checks import Several, file_path, fraction, integer, node, optional
from anime_dcgan.cli.command import command, config_dir_options, instantiate
from anime_dcgan.cli.overrides import command_line, quote_value
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError, explain_os_error
from anime_dcgan.system.files import write_json

if TYPE_CHECKING:
    from anime_dcgan.cleaning.judgement import PictureVerdicts
    from anime_dcgan.cleaning.scan import Scan
    from anime_dcgan.data.concat import ConcatPictures


CHOICES = "choices.json"  # all decisions so far; delete it to start over


@command(
    "prepare",
    source=Several(file_path("faces"), "faces", or_null=True),
    out=file_path("prepared"),
    review=optional(file_path("review.json")),
    thresholds=optional(node()),
    crop=optional(node()),
    data=optional(node()),
    page=node(),
    holdout=fraction(example=0.05),
    seed=integer(0),
    workers=optional(integer(1)),
    **{"page.limit": integer(0, example=1000), "page.borderline": integer(0, example=24)},
)
def prepare(config: DictConfig) -> None:
    """Scan the sources, and write the manifest and the review page."""
    out = Path(str(config.out))
    with _storage_errors(out):
        _check(config)
        choices = _read_all_choices(out / CHOICES, config.review)
    from anime_dcgan.cleaning.findings import collect_findings, counts
    from anime_dcgan.cleaning.judgement import judge_pictures
    from anime_dcgan.cleaning.scan import scan
    from anime_dcgan.data.manifest import write_manifest
    from anime_dcgan.data.picture_files import describe_passed_over
    from anime_dcgan.page.review import write_review

    thresholds = instantiate(config.thresholds)
    finder = None if config.get("crop") is None else instantiate(config.crop)
    paths, pictures = _open_sources(config)
    if others := pictures.passed_over():
        log(f"{len(pictures):,} pictures; {describe_passed_over(others)}")
    names = [config.data.repo] if config.source is None else [path.name for path in paths]
    title = " and ".join(names)
    scanned = scan(pictures, out / "scan", finder, config.workers, title)
    verdicts = judge_pictures(scanned, thresholds, config.holdout, config.seed, choices)
    if not verdicts.keep.any():
        raise UserError(f"none of {len(verdicts.keep):,} pictures is kept: use milder thresholds.*")
    totals = counts(scanned, verdicts)
    with _storage_errors(out):
        write_manifest(out / "manifest.csv", _rows(scanned, verdicts, paths, pictures))
        write_json(out / "prepared.json", _record(config, paths, totals))
        write_json(out / CHOICES, {"choices": choices})
    findings = collect_findings(scanned, verdicts, thresholds, choices, title, **config.page)
    write_review(findings, out / "review.html")
    _log_summary(out, totals, choices, verdicts)


def _storage_errors(out: Path) -> AbstractContextManager[None]:
    return explain_os_error(f"out={out} cannot be used", "use another out=...")


def _check(config: DictConfig) -> None:
    if (config.source is None) == (config.get("data") is None):
        raise UserError(
            "prepare needs one source: add source=FOLDER (or a .zip, .tar, or several: "
            "source=[a/,b.zip]), or data=anime_faces"
        )
    if config.thresholds is None:
        raise UserError(
            "thresholds=null has no tests: disable a single test with thresholds.outlier=null"
        )
    if Path(config.out).is_file():
        raise UserError(f"out={config.out} is not a folder: use out=prepared")


def _read_all_choices(stored: Path, review: Any) -> dict[str, str]:
    """Return "keep" or "drop" by key of the pixels: earlier choices, updated by the review."""
    from anime_dcgan.cleaning.choices import read_choices

    try:
        earlier = read_choices(stored) if stored.exists() else {}
    except UserError:
        raise UserError(f"{stored} is damaged: delete it, and pass review=... again") from None
    return earlier if review is None else earlier | read_choices(Path(str(review)))


def _open_sources(config: DictConfig) -> "tuple[list[Path], ConcatPictures]":
    """Return the paths of the sources, and their pictures."""
    from anime_dcgan.data.concat import ConcatPictures, concat_folders

    if config.source is None:
        source = instantiate(config.data.source)
        path = getattr(source, "archive", None)
        if path is None:
            raise UserError("data= must be a public data set: use data=anime_faces or source=...")
        return [path], ConcatPictures([source])
    given = config.source if isinstance(config.source, ListConfig) else [config.source]
    paths = [Path(str(path)).absolute() for path in given]
    if len(set(paths)) < len(paths):
        raise UserError(f"source={given} repeats a source: use source=[a/,b.zip]")
    return paths, concat_folders(paths, "source=")


def _rows(
    scanned: "Scan", verdicts: "PictureVerdicts", paths: list[Path], pictures: "ConcatPictures"
) -> Iterator[dict[str, Any]]:
    """Yield the rows of the manifest, in the order of the sources."""
    from anime_dcgan.cleaning.scan import READ, region_of
    from anime_dcgan.data.manifest import DROP, HOLDOUT, KEEP, TRAIN

    sources = [str(path) for path in paths]
    for row, record in enumerate(scanned.records):
        index, duplicate_of = int(record["index"]), int(verdicts.duplicate_of[row])
        keep, is_readable = bool(verdicts.keep[row]), record["state"] == READ
        measured = ("brightness", "contrast", "colour", "sharpness", "outlier_score")
        is_duplicate = duplicate_of != row
        split = HOLDOUT if verdicts.held_out[row] else TRAIN
        original = pictures.name(int(scanned.records[duplicate_of]["index"]))
        yield {
            "source": sources[pictures.locate(index)[0]],
            "name": pictures.name(index),
            "region": region_of(record) or "",
            "verdict": KEEP if keep else DROP,
            "reason": ": ".join(filter(None, (verdicts.reasons[row], scanned.problems.get(index)))),
            "split": split if keep else "",
            "duplicate_of": original if is_duplicate else "",
            "distance": f"{verdicts.distance[row]:.4f}" if is_duplicate else "",
            **{
                name: int(record[name]) if is_readable else ""
                for name in ("width", "height", "bytes")
            },
            "pixels": verdicts.keys[row] if is_readable else "",
            **{name: f"{record[name]:.3f}" if is_readable else "" for name in measured},
        }


def _record(config: DictConfig, paths: list[Path], totals: list[tuple[str, int]]) -> dict[str, Any]:
    """Return the sources, counts and settings of this manifest."""
    settings = OmegaConf.to_container(config, resolve=True)
    return {"sources": [str(path) for path in paths], "counts": dict(totals), "settings": settings}


def _log_summary(
    out: Path, totals: list[tuple[str, int]], choices: dict[str, str], verdicts: "PictureVerdicts"
) -> None:
    for name, number in totals:
        log(f"{number:>10,}  {name}")
    if choices:
        used = len(choices.keys() & set(verdicts.keys))
        log(f"{used:,} of {len(choices):,} choices of the review apply to these pictures")
    log(f"manifest  {out / 'manifest.csv'}")
    log(f"review    {out / 'review.html'}: open it in a browser, save, and pass review=review.json")
    manifest = f"data.manifest={quote_value(str(out / 'manifest.csv'))}"
    log(f"Train:  {command_line([*config_dir_options(), 'data=manifest', manifest])}")


main = prepare

if __name__ == "__main__":
    main()
