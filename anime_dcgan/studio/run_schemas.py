"""Response models for runs: the wire format of the library's records."""

from dataclasses import asdict
from typing import Any

from pydantic import BaseModel

from anime_dcgan.run.origin import Origin
from anime_dcgan.run.record import QualityRecord
from anime_dcgan.run.runs import epoch_name
from anime_dcgan.run.scalars import thin
from anime_dcgan.studio.library import RunDetails
from anime_dcgan.studio.listed_run import Run


class VerdictModel(BaseModel):
    """The verdict on the training, and the epoch that it names."""

    name: str
    reasons: list[str]
    epoch: float | None
    images: float | None


class BestModel(BaseModel):
    """The lowest headline distance, and where it was measured."""

    epoch: float | None
    images: float
    value: float


class OriginModel(BaseModel):
    """The checkpoint that a run began from, and the images that it had been trained on."""

    run: str
    epoch: str
    images: int


class RunModel(BaseModel):
    """A run as the list shows it.

    `epochs` lists the numbered checkpoints and `aliases` those called best or last; `floor` is the
    headline distance between two sets of real faces; a `packaged` run comes with the program and
    is listed only if there is no other; `problem` explains an unreadable config.yaml.
    """

    name: str
    images: float | None
    epochs: list[str]
    aliases: list[str]
    running: bool
    updated: float
    latent_dim: int | None
    image_size: int | None
    model: str
    settings: dict[str, str | int | float]
    verdict: VerdictModel | None
    headline: str | None
    best: BestModel | None
    floor: float | None
    origin: OriginModel | None
    packaged: bool
    problem: str | None

    @classmethod
    def of(cls, run: Run) -> "RunModel":
        return cls(**_run_fields(run))


class RunDetailsModel(RunModel):
    """A run with its curves; `curve` lists (images, headline distance, epoch)."""

    curve: list[tuple[float, float, float | None]]
    accuracy: dict[str, list[tuple[float, float]]]
    command: str
    config: str
    notes: list[str]

    @classmethod
    def of_details(cls, details: RunDetails) -> "RunDetailsModel":
        run, record = details.run, details.record
        scalars = record.scalars
        return cls(
            **{**_run_fields(run), "images": run.images or record.images},
            curve=_curve(record.quality) if record.quality else [],
            accuracy={kind: thin(scalars.get(f"accuracy/{kind}", [])) for kind in ("real", "fake")},
            command=record.commands,
            config=record.config,
            notes=record.notes,
        )


def _run_fields(run: Run) -> dict[str, Any]:
    """Return the fields of `RunModel`."""
    origin = run.origin and _origin(run.origin)
    return {**asdict(run), "origin": origin}


def _origin(origin: Origin) -> OriginModel:
    return OriginModel(run=origin.run, epoch=epoch_name(origin.epoch), images=origin.images)


def _curve(quality: QualityRecord) -> list[tuple[float, float, float | None]]:
    return [
        (measurement.images, measurement.values[quality.headline], measurement.epoch)
        for measurement in quality.measurements
        if quality.headline in measurement.values
    ]


class Runs(BaseModel):
    runs: list[RunModel]
