"""Response models for runs: the wire format of the library's records."""

from pydantic import BaseModel

from anime_dcgan.run.record import QualityRecord
from anime_dcgan.run.scalars import thin
from anime_dcgan.studio.library import RunDetails
from anime_dcgan.studio.listed_run import Run


class RunDetailsModel(Run):
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
            **{**dict(run), "images": run.images or record.images},
            curve=_curve(record.quality) if record.quality else [],
            accuracy={kind: thin(scalars.get(f"accuracy/{kind}", [])) for kind in ("real", "fake")},
            command=record.commands,
            config=record.config,
            notes=record.notes,
        )


def _curve(quality: QualityRecord) -> list[tuple[float, float, float | None]]:
    return [
        (measurement.images, measurement.values[quality.headline], measurement.epoch)
        for measurement in quality.measurements
        if quality.headline in measurement.values
    ]


class Runs(BaseModel):
    runs: list[Run]
