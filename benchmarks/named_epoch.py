"""Quality at the epoch that the verdict names, compared with the best of the run.

    python -m benchmarks.named_epoch RUN [RUN ...]

RUN is the folder of a run. The verdict is computed again after each measurement in its
`equilibrium.json`, as during training, with the default rules; each row is a measurement and the
verdict at that time. Then, for each run, it prints when an equilibrium was first declared, which
epoch was named at that time and at the end of the run, and the ratio of the distance there to the
lowest distance of the run.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from anime_dcgan.metric.verdict import Observation, TrainingVerdict, judge_training


def verdicts(observations: Sequence[Observation]) -> list[TrainingVerdict]:
    """Return the verdict after each observation."""
    return [judge_training(observations[:end]) for end in range(1, len(observations) + 1)]


def named(verdict: TrainingVerdict, observations: Sequence[Observation]) -> str:
    """Describe the epoch that a verdict names, and the ratio of its distance to the lowest."""
    if verdict.since is None:
        return f"{verdict.name}, no epoch named"
    since, lowest = verdict.since, min(observation.distance for observation in observations)
    return (
        f"epoch {since.epoch:.1f} ({since.images / 1000:,.0f} thousand images), "
        f"distance {since.distance:.2f}, {since.distance / lowest:.3f} of the lowest"
    )


def main() -> None:
    if not sys.argv[1:]:
        raise SystemExit(__doc__)
    for folder in map(Path, sys.argv[1:]):
        text = (folder / "equilibrium.json").read_text(encoding="utf-8")
        observations = [Observation.from_row(row) for row in json.loads(text)["history"]]
        verdicts_so_far = verdicts(observations)
        print(f"{folder.name}\nimages, epoch, distance, duality gap, verdict")
        for observation, verdict in zip(observations, verdicts_so_far, strict=True):
            values = f"{observation.images:>9,} {observation.epoch:6.1f}"
            values += f" {observation.distance:8.2f} {observation.gap:8.3f}"
            print(f"{values}  {verdict.name}: {'; '.join(verdict.reasons)}")
        names = [verdict.name for verdict in verdicts_so_far]
        if "equilibrium" in names:
            first = names.index("equilibrium")
            description = named(verdicts_so_far[first], observations)
            print(f"first declared at {observations[first].images:,}: {description}")
        print(f"at the end: {named(verdicts_so_far[-1], observations)}")


if __name__ == "__main__":
    main()
