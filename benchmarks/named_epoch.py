"""How near the best of a whole run the epoch lies that the verdict names.

    python -m benchmarks.named_epoch RUN [RUN ...]

RUN is the folder of a run. Its `equilibrium.json` is judged again after each of its measurements,
as it was in the training, with the default rules: a row is the measurement and the verdict then. At
the end, for each run, when an equilibrium was first called, which epoch was named then and at the
end of the run, and the distance there over the lowest one of the whole run.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from anime_dcgan.metric.verdict import Observation, TrainingVerdict, judge_training


def verdicts(course: Sequence[Observation]) -> list[TrainingVerdict]:
    """The verdict after each observation."""
    return [judge_training(course[:end]) for end in range(1, len(course) + 1)]


def named(verdict: TrainingVerdict, course: Sequence[Observation]) -> str:
    """The epoch that a verdict names, and its distance over the lowest of the course."""
    if verdict.since is None:
        return f"{verdict.name}, no epoch named"
    since, lowest = verdict.since, min(seen.distance for seen in course)
    return (
        f"epoch {since.epoch:.1f} ({since.images / 1000:,.0f} thousand images), "
        f"distance {since.distance:.2f}, {since.distance / lowest:.3f} of the lowest"
    )


def main() -> None:
    if not sys.argv[1:]:
        raise SystemExit(__doc__)
    for folder in map(Path, sys.argv[1:]):
        text = (folder / "equilibrium.json").read_text(encoding="utf-8")
        course = [Observation.of_row(row) for row in json.loads(text)["history"]]
        told = verdicts(course)
        print(f"{folder.name}\nimages, epoch, distance, duality gap, verdict")
        for seen, verdict in zip(course, told, strict=True):
            figures = f"{seen.images:>9,} {seen.epoch:6.1f} {seen.distance:8.2f} {seen.gap:8.3f}"
            print(f"{figures}  {verdict.name}: {'; '.join(verdict.reasons)}")
        called = [end for end, verdict in enumerate(told) if verdict.name == "equilibrium"]
        if called:
            print(f"first called at {course[called[0]].images:,}: {named(told[called[0]], course)}")
        print(f"at the end: {named(told[-1], course)}")


if __name__ == "__main__":
    main()
