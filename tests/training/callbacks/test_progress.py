"""The progress line on narrow terminals."""

import io

import pytest
from rich.console import Console

from anime_dcgan.training.callbacks.progress import make_bar

METRICS = ["152 images/s", "distance 45.12, equilibrium since epoch 12", "D 0.693", "G 0.693"]


@pytest.mark.parametrize(("width", "shown"), [(80, 1), (120, 1), (140, 3), (200, 4)])
def test_epoch_images_and_time_left_are_whole_at_any_width(width: int, shown: int):
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    bar = make_bar(console)
    task = bar.add_task("epoch 3/100", images="1,000/1,200,000", metrics=METRICS)
    bar.update(task, total=1_200_000, completed=1_000)
    console.print(bar.make_tasks_table(bar.tasks))
    (line,) = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert line.startswith("epoch 3/100 ") and " 1,000/1,200,000 images " in line
    assert line.rstrip().endswith("0:00:00 left -:--:--")
    assert [metric in line for metric in METRICS] == [index < shown for index in range(4)]
