"""The number of threads: the fastest one is used, and trials leave the training as it is."""

from collections.abc import Callable, Iterator

import pytest
import torch

from anime_dcgan.system.errors import UserError
from anime_dcgan.training.callbacks import threads as module
from anime_dcgan.training.callbacks.threads import Speed, Threads, time_steps
from tests.conftest import Train, assert_same_weights

Costs = dict[int, float]


@pytest.fixture(autouse=True)
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Callable[[Costs], Iterator[None]]:
    """Endless steps that take the given seconds with that many threads."""
    clock = [0.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])

    def endless(costs: Costs) -> Iterator[None]:
        while True:
            clock[0] += costs[torch.get_num_threads()]
            yield

    return endless


class Counted:
    """An iterator that counts its items."""

    def __init__(self, items: Iterator[None]) -> None:
        self.items, self.count = items, 0

    def __iter__(self) -> Iterator[None]:
        return self

    def __next__(self) -> None:
        self.count += 1
        return next(self.items)


def made() -> Threads:
    """Return the callback as it is once a training has been set up."""
    callback = Threads()
    callback._max_threads = torch.get_num_threads()
    return callback


def test_more_threads_are_tried_while_they_help(steps):
    assert time_steps(4, steps({4: 4.0, 2: 1.0, 1: 2.0})) == {4: 4.0, 2: 1.0, 1: 2.0}
    assert time_steps(4, steps({4: 0.1, 2: 2.0, 1: 1.0})) == {2: 2.0, 1: 1.0}
    assert time_steps(4, steps({4: 1.0, 2: 1.125, 1: 1.0})) == {4: 1.0, 2: 1.125, 1: 1.0}


def test_a_number_of_threads_that_stalls_costs_one_step(steps):
    assert time_steps(2, taken := Counted(steps({2: 60.0, 1: 1.0}))) == {2: 60.0, 1: 1.0}
    assert taken.count == 1 + module.MIN_TRIAL_STEPS + 1


@pytest.mark.parametrize(("max_threads", "tried"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6])])
def test_the_numbers_tried_are_powers_of_two_and_all_threads(max_threads: int, tried: list[int]):
    assert list(module._numbers(max_threads)) == tried


@pytest.mark.parametrize(
    ("before", "costs", "chosen"),
    [
        (4, {4: 1.0, 2: 2.0, 1: 4.0}, 4),
        (4, {4: 3.0, 2: 1.0, 1: 2.0}, 2),
        (4, {4: 1.1, 2: 1.0, 1: 2.0}, 4),  # too little to change the last bits for
        (1, {4: 1.0, 2: 1.5, 1: 3.0}, 4),  # the other program has ended
    ],
)
def test_a_clearly_faster_number_is_used_and_reported(steps, capsys, before, costs, chosen):
    callback = made()
    torch.set_num_threads(before)
    callback._choose(steps(costs))
    assert torch.get_num_threads() == chosen
    assert f"threads {chosen}: {1000 * costs[chosen]:.0f} ms per step" in capsys.readouterr().err


def test_half_the_speed_is_noticed(steps):
    speed = Speed(0.7)
    for cost, halved in ((1.0, False), (1.9, False), (2.1, True), (1.0, False)):
        for _ in range(5):
            speed.start()
            next(steps({4: cost}))
            speed.stop()
        assert speed.has_halved is halved


def test_stalls_since_the_trial_are_noticed(steps):
    speed = Speed(expected=10.0)
    for _ in range(module.WINDOW_STEPS):
        speed.start()
        next(steps({4: 3.0}))
        speed.stop()
    assert speed.has_halved


def test_trials_leave_the_training_as_it_is(train: Train, monkeypatch: pytest.MonkeyPatch):
    fixed = train("trainer.threads=1", run="fixed")
    trials = []

    def one_thread_is_fastest(max_threads: int, some: Iterator[None]) -> Costs:
        trials.append([next(some) for _ in range(3)])
        return {max_threads: 2.0, 1: 1.0}

    monkeypatch.setattr(module, "time_steps", one_thread_is_fastest)
    monkeypatch.setattr(Threads, "_trial_is_due", lambda *_: True)
    chosen = train(run="chosen")
    assert len(trials) > 2
    assert_same_weights(fixed, chosen)
    assert torch.get_num_threads() == 4  # as before the training


def test_a_resumed_run_keeps_its_number_unless_another_is_clearly_faster():
    callback = made()
    for saved, used in ((2, 2), (64, 4)):  # the second was begun on a larger machine
        callback.load_state_dict({"threads": saved})
        callback._use_first()
        assert torch.get_num_threads() == used


@pytest.mark.parametrize("threads", ["0", "-1", "many"])
def test_other_values_are_refused(train: Train, threads: str):
    with pytest.raises(UserError, match=r"trainer\.threads=.*(such as 1|integer)"):
        train(f"trainer.threads={threads}")
