"""The number of threads: the fastest one is used, and trials leave the training as it is."""

from collections.abc import Callable, Iterator

import pytest
import torch

from anime_dcgan.system.errors import UserError
from anime_dcgan.training.callbacks import threads as module
from anime_dcgan.training.callbacks.threads import Speed, Threads, _numbers
from tests.conftest import Train, assert_same_weights

Costs = dict[int, float]


@pytest.fixture(autouse=True)
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Callable[[Costs], Iterator[float]]:
    """Endless steps that take the given seconds with that many threads."""
    clock = [0.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])

    def endless(costs: Costs) -> Iterator[float]:
        while True:
            clock[0] += costs[torch.get_num_threads()]
            yield costs[torch.get_num_threads()]

    return endless


class Counted:
    """An iterator that counts its items."""

    def __init__(self, items: Iterator[float]) -> None:
        self.items, self.count = items, 0

    def __iter__(self) -> Iterator[float]:
        return self

    def __next__(self) -> float:
        self.count += 1
        return next(self.items)


def time_steps(max_threads: int, some: Iterator[float]) -> Costs:
    return module.time_steps(_numbers(max_threads), some)


def test_more_threads_are_tried_while_they_help(steps):
    assert time_steps(4, steps({4: 4.0, 2: 1.0, 1: 2.0})) == {4: 4.0, 2: 1.0, 1: 2.0}
    assert time_steps(4, steps({4: 0.1, 2: 2.0, 1: 1.0})) == {2: 2.0, 1: 1.0}
    assert time_steps(4, steps({4: 1.0, 2: 1.125, 1: 1.0})) == {4: 1.0, 2: 1.125, 1: 1.0}


def test_a_number_of_threads_that_stalls_costs_one_step(steps):
    assert time_steps(2, taken := Counted(steps({2: 60.0, 1: 1.0}))) == {2: 60.0, 1: 1.0}
    assert taken.count == 1 + module.MIN_TRIAL_STEPS + 1


@pytest.mark.parametrize(("max_threads", "tried"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6])])
def test_the_numbers_tried_are_powers_of_two_and_all_threads(max_threads: int, tried: list[int]):
    assert list(_numbers(max_threads)) == tried


@pytest.mark.parametrize(
    ("before", "costs", "chosen"),
    [
        (4, {4: 1.0, 2: 2.0, 1: 4.0}, 4),
        (4, {4: 3.0, 2: 1.0, 1: 2.0}, 2),
        (4, {4: 1.1, 2: 1.0, 1: 2.0}, 2),
        (4, {4: 1.0, 2: 1.01, 1: 2.0}, 2),  # the others gain nothing
        (1, {4: 1.0, 2: 1.5, 1: 3.0}, 4),
    ],
)
def test_the_fastest_number_is_used_and_reported(steps, capsys, before, costs, chosen):
    callback = Threads()
    torch.set_num_threads(before)
    assert callback.choose(steps(costs)) == costs[chosen]
    assert torch.get_num_threads() == chosen
    assert f"threads {chosen}: {1000 * costs[chosen]:.0f} ms per step" in capsys.readouterr().err


def test_a_number_is_kept_unless_another_is_clearly_faster(steps):
    callback = Threads()
    callback.choose(steps({4: 1.0, 2: 2.0, 1: 4.0}))
    callback.choose(steps({4: 1.1, 2: 1.0, 1: 2.0}))
    assert torch.get_num_threads() == 4
    callback.choose(steps({4: 1.2, 2: 1.0, 1: 2.0}))
    assert torch.get_num_threads() == 2


def test_a_team_that_stalls_after_the_trial_is_replaced(steps, capsys):
    callback = Threads()
    callback.choose(steps({4: 1.0, 2: 1.5, 1: 3.0}))
    callback._use_fewer_if_faster(1 / 1.6)
    assert torch.get_num_threads() == 4
    callback._use_fewer_if_faster(1 / 1.8)
    assert torch.get_num_threads() == 2
    assert "threads 2: 1500 ms per step, 3000 ms with 1, 1800 ms with 4" in capsys.readouterr().err
    callback._use_fewer_if_faster(1 / 1.8)
    assert torch.get_num_threads() == 2


def test_a_number_that_is_set_is_timed_alone(steps):
    assert Threads(2).choose(steps({2: 3.0})) == 3.0
    assert torch.get_num_threads() == 2


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

    def one_thread_is_fastest(numbers: Iterator[int], some: Iterator[float]) -> Costs:
        trials.append([next(some) for _ in range(3)])
        return dict.fromkeys(numbers, 2.0) | {1: 1.0}

    monkeypatch.setattr(module, "time_steps", one_thread_is_fastest)
    monkeypatch.setattr(Threads, "_trial_is_due", lambda *_: True)
    chosen = train(run="chosen")
    assert len(trials) > 2
    assert_same_weights(fixed, chosen)
    assert torch.get_num_threads() == 4  # as before the training


def test_the_forecast_and_the_choice_share_one_trial(train: Train, monkeypatch, capsys):
    trials = []

    def count_trials(numbers: Iterator[int], some: Iterator[float]) -> Costs:
        trials.append(next(some))
        return dict.fromkeys(numbers, 3600.0) | {2: 1800.0}

    monkeypatch.setattr(module, "time_steps", count_trials)
    train("metric=none", "trainer.max_epochs=2")  # 8 steps
    assert len(trials) == 1
    assert "64 images take about 4 hours" in capsys.readouterr().err


def test_a_resumed_run_keeps_its_number_unless_another_is_clearly_faster():
    callback = Threads()
    for saved, used in ((2, 2), (64, 4)):  # the second was begun on a larger machine
        callback.load_state_dict({"threads": saved})
        callback._use_first()
        assert torch.get_num_threads() == used


@pytest.mark.parametrize("threads", ["0", "-1", "many"])
def test_other_values_are_refused(train: Train, threads: str):
    with pytest.raises(UserError, match=r"trainer\.threads=.*(such as 1|integer)"):
        train(f"trainer.threads={threads}")
