"""The number of threads that draw."""

import pytest
import torch

from anime_dcgan.explore.threads import DrawingThreads


class Machine:
    """Work of one second, divided by its threads; `slowdown` multiplies that of two."""

    def __init__(self) -> None:
        self.time, self.slowdown = 100.0, 1.0
        self.threads = DrawingThreads(2, clock=lambda: self.time)

    def draw(self) -> int:
        """Return the number of threads that drew."""
        self.threads.run("walls", self._work)
        return torch.get_num_threads()

    def _work(self) -> None:
        threads = torch.get_num_threads()
        self.time += 1.0 if threads == 1 else self.slowdown / threads


@pytest.fixture
def machine():
    before = torch.get_num_threads()
    yield Machine()
    torch.set_num_threads(before)


def test_all_threads_draw_while_that_is_faster(machine: Machine):
    assert [machine.draw() for _ in range(20)] == [2, 2, 1, *[2] * 17]


def test_one_thread_draws_while_other_programs_use_the_cores(machine: Machine):
    for _ in range(20):
        machine.draw()
    machine.slowdown = 8.0
    assert [machine.draw() for _ in range(10)].count(2) <= 2
    machine.slowdown = 1.0
    assert [machine.draw() for _ in range(200)].count(2) > 50
    assert [machine.draw() for _ in range(20)].count(2) >= 19


def test_trials_take_a_small_part_of_the_time(machine: Machine):
    machine.slowdown = 8.0
    drawn = [machine.draw() for _ in range(1000)]
    assert drawn.count(2) * 4.0 < 0.04 * machine.time


def test_one_core_needs_no_choice():
    torch_threads = torch.get_num_threads()
    assert DrawingThreads(1).run("walls", lambda: "face") == "face"
    assert torch.get_num_threads() == torch_threads
