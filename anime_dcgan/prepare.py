"""`python -m anime_dcgan.prepare`: from a pile of pictures to a clean set of faces.

Nothing is deleted or copied. What comes out is a manifest, which `data=manifest` trains on, and a
page on which a person decides about the doubtful ones. Torch is never loaded.
"""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from anime_dcgan.cli.checks import fraction, integer, optional
from anime_dcgan.cli.command import command, instantiate
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.files import write_json

if TYPE_CHECKING:
    from anime_dcgan.cleaning.judgement import PictureVerdicts
    from anime_dcgan.cleaning.scan import Scan
    from anime_dcgan.data.concat import ConcatPictures


CHOICES = "choices.json"  # all that was ever decided; delete it to begin anew
PLAIN = re.compile(r"[\w./+-]+", re.ASCII)  # what Hydra's grammar takes without quotes


@command(
    "prepare",
    holdout=fraction(example=0.05),
    seed=integer(0),
    workers=optional(integer(1)),
    **{"page.limit": integer(0, example=1000), "page.next_in_line": integer(0, example=24)},
)
def prepare(config: DictConfig) -> None:
    out = Path(str(config.out))
    with _storage_errors(out):
        _check(config)
        choices = _choices(out / CHOICES, config.review)
    from anime_dcgan.cleaning.findings import counts, findings
    from anime_dcgan.cleaning.judgement import judge_pictures
    from anime_dcgan.cleaning.scan import scan
    from anime_dcgan.data.manifest import write_manifest
    from anime_dcgan.page.review import write_review

    thresholds = instantiate(config.thresholds)
    finder = None if config.get("crop") is None else instantiate(config.crop)
    paths, pictures = _open(config)
    names = [config.data.repo] if config.source is None else [path.name for path in paths]
    title = " and ".join(names)
    seen = scan(pictures, out / "scan", finder, config.workers, title)
    verdicts = judge_pictures(seen, thresholds, config.holdout, config.seed, choices)
    if not verdicts.keep.any():
        raise UserError(f"none of {len(verdicts.keep):,} pictures is left: use milder thresholds.*")
    found = counts(seen, verdicts)
    with _storage_errors(out):
        write_manifest(out / "manifest.csv", _rows(seen, verdicts, paths, pictures))
        write_json(out / "prepared.json", _record(config, paths, found))
        write_json(out / CHOICES, {"choices": choices})
    shown = findings(seen, verdicts, thresholds, choices, title, **config.page)
    write_review(shown, out / "review.html")
    _tell(out, found, choices, verdicts)


@contextmanager
def _storage_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"out={out} cannot be used: {error.strerror}; name another one") from None


def _check(config: DictConfig) -> None:
    if (config.source is None) == (config.get("data") is None):
        raise UserError(
            "what to prepare? Give source=FOLDER (or a .zip, .tar, or several: source=[a/,b.zip]), "
            "or data=anime_faces"
        )
    if config.thresholds is None:
        raise UserError("thresholds=null names no test: leave one out with thresholds.odd=null")
    if config.out in (None, "") or Path(str(config.out)).is_file():
        raise UserError(f"out={config.out} is no folder: name one, as in out=prepared")


def _choices(kept: Path, review: Any) -> dict[str, str]:
    """By key of the pixels, "keep" or "drop": those of earlier times and those of the review."""
    from anime_dcgan.cleaning.choices import read_choices

    try:
        earlier = read_choices(kept) if kept.exists() else {}
    except UserError:
        raise UserError(f"{kept} is damaged: delete it, and give review=... again") from None
    return earlier if review is None else earlier | read_choices(Path(str(review)))


def _open(config: DictConfig) -> "tuple[list[Path], ConcatPictures]":
    """The sources and where they lie."""
    from anime_dcgan.data.concat import ConcatPictures, concat_folders

    if config.source is None:
        source = instantiate(config.data.source)
        path = getattr(source, "archive", None)
        if path is None:
            raise UserError("data= takes a public data set: data=anime_faces, or use source=...")
        return [path], ConcatPictures([source])
    given = config.source if isinstance(config.source, ListConfig) else [config.source]
    paths = [Path(str(path)).expanduser().absolute() for path in given]
    if not paths or len(set(paths)) < len(paths) or "" in given:
        raise UserError(f"source={given} names no source, or one twice")
    return paths, concat_folders(paths, "source=")


def _rows(
    seen: "Scan", verdicts: "PictureVerdicts", paths: list[Path], pictures: "ConcatPictures"
) -> Iterator[dict[str, Any]]:
    """The rows of the manifest, in the order of the sources."""
    from anime_dcgan.cleaning.scan import READ, region_of
    from anime_dcgan.data.manifest import DROP, HOLDOUT, KEEP, TRAIN

    sources = [str(path) for path in paths]
    for row, record in enumerate(seen.records):
        index, copy_of = int(record["index"]), int(verdicts.copy_of[row])
        keep, read = bool(verdicts.keep[row]), record["state"] == READ
        measured = ("brightness", "contrast", "colour", "sharpness", "oddness")
        is_copy = copy_of != row
        split = HOLDOUT if verdicts.held_out[row] else TRAIN
        kept_name = pictures.name(int(seen.records[copy_of]["index"])) if is_copy else ""
        yield {
            "source": sources[pictures.locate(index)[0]],
            "name": pictures.name(index),
            "region": region_of(record) or "",
            "verdict": KEEP if keep else DROP,
            "reason": ": ".join(filter(None, (verdicts.reasons[row], seen.problems.get(index)))),
            "split": split if keep else "",
            "copy_of": kept_name,
            "distance": f"{verdicts.distance[row]:.4f}" if is_copy else "",
            **{name: int(record[name]) if read else "" for name in ("width", "height", "bytes")},
            "pixels": verdicts.keys[row] if read else "",
            **{name: f"{record[name]:.3f}" if read else "" for name in measured},
        }


def _record(config: DictConfig, paths: list[Path], found: list[tuple[str, int]]) -> dict[str, Any]:
    """What the manifest was made with."""
    settings = OmegaConf.to_container(config, resolve=True)
    return {"sources": [str(path) for path in paths], "counts": dict(found), "settings": settings}


def _tell(
    out: Path, found: list[tuple[str, int]], choices: dict[str, str], verdicts: "PictureVerdicts"
) -> None:
    for name, number in found:
        log(f"{number:>10,}  {name}")
    if choices:
        used = len(choices.keys() & set(verdicts.keys))
        log(f"{used:,} of {len(choices):,} choices of the review were about these pictures")
    log(f"manifest  {out / 'manifest.csv'}")
    log(f"review    {out / 'review.html'}: open it in a browser, save, and give review=review.json")
    manifest = _override("data.manifest", out / "manifest.csv")
    log(f"Train:  python -m anime_dcgan.train data=manifest {manifest}")


def _override(key: str, path: Path) -> str:
    """As a shell and Hydra take it, whatever the path has in it."""
    value = str(path)
    if not PLAIN.fullmatch(value):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        value = f'"{escaped}"'
    return shlex.quote(f"{key}={value}")


main = prepare

if __name__ == "__main__":
    main()
