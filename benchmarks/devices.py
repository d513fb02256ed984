"""Speed of two processes on a CPU: one all-reduce per player's step, and torch's DDP.

    python -m benchmarks.devices [seconds per run, default 15] [overrides ...]

The strategies alternate, each three times, with batches of 32 in each process and gloo.
"""

import statistics
import sys
import tempfile

from benchmarks.measure import machine
from benchmarks.scaling import measure

STRATEGIES = ("auto", "ddp_find_unused_parameters_true")
ROUNDS = 3


def main() -> None:
    numbers = [float(text) for text in sys.argv[1:] if text.replace(".", "").isdecimal()]
    overrides = [text for text in sys.argv[1:] if not text.replace(".", "").isdecimal()]
    speeds: dict[str, list[float]] = {strategy: [] for strategy in STRATEGIES}
    with tempfile.TemporaryDirectory() as cache:
        argv = ["data.count=1000", f"data.cache_dir={cache}", "data.batch_size=32", *overrides]
        argv += ["trainer.accelerator=cpu", "trainer.devices=2", "trainer.threads=1"]
        for number in range(ROUNDS):
            for strategy, found in speeds.items():
                chosen = [*argv, f"trainer.strategy={strategy}"]
                seconds = numbers[0] if numbers else 15.0
                found.append(measure(strategy, number, chosen, seconds, processes=2).speed)
    print("\n| strategy | images/s, median |\n| --- | --- |")
    for strategy, found in speeds.items():
        print(f"| {strategy} | {statistics.median(found):.1f} |")
    print(f"\n{machine()}; {' '.join(overrides)}")


if __name__ == "__main__":
    main()
