"""`python -m anime_dcgan.prepare`: from a pile of pictures to a clean set of faces.

Nothing is deleted or copied. The results are a manifest, which `data=manifest` trains on, and a
page on which a person reviews the doubtful pictures. Torch is never loaded.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from anime_dcgan.cli.checks import Several, file_path, fraction, integer, node, optional
from anime_dcgan.cli.command import command, config_dir_options, instantiate
from anime_dcgan.cli.overrides import command_line, quote_value
from anime_dcgan.data.labels import MAX_CLASSES
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError, explain_os_error
from anime_dcgan.system.files import write_json
from anime_dcgan.system.reader import read_object

if TYPE_CHECKING:
    from anime_dcgan.cleaning.judgement import PictureVerdicts
    from anime_dcgan.cleaning.scan import Scan
    from anime_dcgan.data.concat import ConcatPictures
    from anime_dcgan.data.manifest import OtherColumns


MANIFEST, PREPARED, SHEETS = "manifest.csv", "prepared.json", "clusters"
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
    clusters=optional(integer(2, MAX_CLASSES, example=12)),
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
        own = _read_own_columns(out / MANIFEST)
    from anime_dcgan.cleaning.findings import collect_findings, counts
    from anime_dcgan.cleaning.judgement import judge_pictures
    from anime_dcgan.cleaning.scan import scan
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
    rows = partial(_rows, scanned, verdicts, paths, pictures)
    clusters = None
    with _storage_errors(out):
        if config.clusters is not None:
            clusters = _find_clusters(config, scanned, verdicts, map(own.of, rows()))
        _write_manifest(out / MANIFEST, rows(), own, clusters)
        write_json(out / PREPARED, _record(config, paths, totals))
        write_json(out / CHOICES, {"choices": choices})
    findings = collect_findings(scanned, verdicts, thresholds, choices, title, **config.page)
    write_review(findings, out / "review.html")
    _log_summary(out, totals, choices, verdicts, config.clusters)


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


def _read_own_columns(path: Path) -> "OtherColumns":
    """Return the columns that a person added to the manifest of an earlier command."""
    from anime_dcgan.data.manifest import OtherColumns

    try:
        return OtherColumns.read(path)
    except UserError as error:
        raise UserError(
            f"{str(error).partition(';')[0]}:\nit may hold classes of yours, and would be "
            "replaced: move or delete it, or use another out=..."
        ) from None


def _write_manifest(
    path: Path, rows: Iterator[dict[str, Any]], own: "OtherColumns", clusters: list[str] | None
) -> None:
    """Write the rows with a person's own columns and the clusters."""
    from anime_dcgan.data.manifest import CLUSTER, write_manifest

    if clusters is None:
        write_manifest(path, ({**row, **own.of(row)} for row in rows), own.names)
        return
    numbered = zip(rows, clusters, strict=True)
    completed = ({**row, **own.of(row), CLUSTER: cluster} for row, cluster in numbered)
    write_manifest(path, completed, list(dict.fromkeys([*own.names, CLUSTER])))


def _find_clusters(
    config: DictConfig,
    scanned: "Scan",
    verdicts: "PictureVerdicts",
    own: Iterable[dict[str, Any]],
) -> list[str]:
    """Write the sheets of the clusters, and return the cluster of each row.

    Names that a person gave to the same clusters, in the rows' `own` columns, are kept.
    """
    from anime_dcgan.cleaning.clusters import find_clusters, name_clusters, write_sheets
    from anime_dcgan.data.manifest import CLUSTER

    train = verdicts.keep & ~verdicts.held_out
    found = find_clusters(scanned, verdicts.keep, train, config.clusters, config.seed)
    before = read_object(Path(str(config.out)) / PREPARED).get("settings")
    is_same = isinstance(before, dict) and all(
        before.get(name) == config[name] for name in ("clusters", "seed")
    )
    earlier = [cells.get(CLUSTER, "") if is_same else "" for cells in own]
    names = name_clusters(found, earlier)
    write_sheets(scanned, names, verdicts.keep, Path(str(config.out)) / SHEETS)
    return names


def _record(config: DictConfig, paths: list[Path], totals: list[tuple[str, int]]) -> dict[str, Any]:
    """Return the sources, counts and settings of this manifest."""
    settings = OmegaConf.to_container(config, resolve=True)
    return {"sources": [str(path) for path in paths], "counts": dict(totals), "settings": settings}


def _log_summary(
    out: Path,
    totals: list[tuple[str, int]],
    choices: dict[str, str],
    verdicts: "PictureVerdicts",
    clusters: int | None,
) -> None:
    for name, number in totals:
        log(f"{number:>10,}  {name}")
    if choices:
        used = len(choices.keys() & set(verdicts.keys))
        log(f"{used:,} of {len(choices):,} choices of the review apply to these pictures")
    log(f"manifest  {out / 'manifest.csv'}")
    log(f"review    {out / 'review.html'}: open it in a browser, save, and pass review=review.json")
    argv = ["data=manifest", f"data.manifest={quote_value(str(out / 'manifest.csv'))}"]
    if clusters is not None:
        log(f"clusters  {out / SHEETS}: name them in the manifest's column cluster")
        argv.append("data.labels=clusters")
    log(f"Train:  {command_line([*config_dir_options(), *argv])}")


main = prepare

if __name__ == "__main__":
    main()
