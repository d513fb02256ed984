"""Request and response models for directions."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from anime_dcgan.explore.directions import Direction
from anime_dcgan.explore.naming import Name
from anime_dcgan.studio.schemas import Digest, DirectionId, Epoch, RunName, StrictModel, WeightsName

Source = Literal["user", "inherited", "measured", "none"]


class DirectionModel(BaseModel):
    """A direction, and what it changes.

    A step whose sign is that of `sign` makes faces as `name` states ("lighter hair"), one of the
    other sign as `opposite` states; it is null if nothing measurable changes. `source` is who named
    it: the user, also in another epoch (inherited), or the measurement. `effect` is the change from
    -2 to 2 steps in standard deviations between faces, with its standard `error`. `strength` is the
    fraction of the variance that the method explains.
    """

    id: str
    strength: float
    name: str
    opposite: str | None
    sign: Literal[1, -1]
    source: Source
    effect: float
    error: float

    @classmethod
    def of(cls, direction: Direction, name: Name, source: Source) -> "DirectionModel":
        return cls(
            id=direction.id,
            strength=min(1.0, max(0.0, direction.strength)),
            name=name.text,
            opposite=name.opposite,
            sign=1 if name.sign > 0 else -1,
            source=source,
            effect=name.effect,
            error=name.error,
        )


class Directions(BaseModel):
    """Steps beyond `range` standard deviations leave the region that was trained.

    `progress` is the fraction of the names that are measured.
    """

    directions: list[DirectionModel]
    range: float = 3.0
    progress: float


class NameRequest(StrictModel):
    """`sign` is the side that gets the name: that of the steps that lead to it."""

    run: RunName
    epoch: Epoch
    weights: WeightsName = "ema"
    digest: Digest | None = None
    id: DirectionId
    name: Annotated[str, Field(min_length=1, max_length=200)] | None
    sign: Literal[1, -1] = 1
