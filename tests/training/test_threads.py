import pytest
import torch

from textgenrnn.training import threads
from textgenrnn.training.threads import ThreadTuner, available_cores


class Machine:
    """A machine on which an update takes as long as its number of threads makes it take."""

    def __init__(self, cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(threads, "available_cores", lambda: cores)
        self.now = 0.0
        self.threads = 0
        self.settings: list[int] = []
        self.seconds_per_token: dict[int, float] = {}

    def set_threads(self, number: int) -> None:
        self.threads = number
        self.settings.append(number)

    def tuner(self, number: int | None = None) -> ThreadTuner:
        return ThreadTuner(number, set_threads=self.set_threads, clock=lambda: self.now)

    def work(self, tuner: ThreadTuner, updates: int, tokens: int = 1000) -> None:
        for _ in range(updates):
            self.update(tuner, tokens * self.seconds_per_token[self.threads], tokens)

    def update(self, tuner: ThreadTuner, seconds: float, tokens: int = 1000) -> None:
        self.now += seconds
        tuner.record(tokens=tokens, seconds=seconds)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(4, monkeypatch)
    made.seconds_per_token = {1: 40e-6, 2: 22e-6, 4: 13e-6}
    return made


@pytest.mark.parametrize(
    ("seconds_per_token", "best"),
    [
        ({1: 40e-6, 2: 22e-6, 4: 13e-6}, 4),
        ({1: 40e-6, 2: 22e-6, 4: 30e-6}, 2),
        ({1: 40e-6, 2: 400e-6, 4: 800e-6}, 1),
    ],
)
def test_the_fastest_number_is_found(
    machine: Machine, seconds_per_token: dict[int, float], best: int
) -> None:
    machine.seconds_per_token = seconds_per_token
    tuner = machine.tuner()
    machine.work(tuner, 20)
    assert machine.threads == tuner.threads == best
    assert machine.settings[0] == 1  # few threads first: they are never very slow


def test_a_given_number_stays(machine: Machine) -> None:
    machine.seconds_per_token = {3: 1.0}
    tuner = machine.tuner(3)
    machine.work(tuner, 50)
    assert machine.settings == [3]
    assert tuner.threads == 3


def test_one_core_leaves_nothing_to_try(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(1, monkeypatch)
    machine.seconds_per_token = {1: 40e-6}
    machine.work(machine.tuner(), 50)
    assert machine.settings == [1]


def test_a_collapse_is_noticed_within_a_few_updates(machine: Machine) -> None:
    tuner = machine.tuner()
    machine.work(tuner, 200)
    assert machine.threads == 4
    machine.seconds_per_token = {1: 41e-6, 2: 300e-6, 4: 500e-6}  # another program wants a core
    machine.work(tuner, 12)
    assert machine.threads == 1
    machine.seconds_per_token = {1: 40e-6, 2: 22e-6, 4: 13e-6}  # it has ended
    machine.work(tuner, 1200)
    assert machine.threads == 4


def test_a_mere_slowing_down_is_looked_into(machine: Machine) -> None:
    tuner = machine.tuner()
    machine.work(tuner, 200)
    machine.seconds_per_token = {1: 41e-6, 2: 23e-6, 4: 30e-6}  # well before it is due
    machine.work(tuner, 20)
    assert machine.threads == 2


def test_a_hopeless_number_gets_one_update(machine: Machine) -> None:
    machine.seconds_per_token = {1: 40e-6, 2: 400e-6, 4: 800e-6}
    machine.work(machine.tuner(), 5)
    assert machine.settings == [1, 2, 4, 1]


def test_probing_stays_the_smaller_part(machine: Machine) -> None:
    tuner = machine.tuner()
    machine.work(tuner, 20)
    probed = total = 0.0
    for update in range(3000):
        # Every third update takes ten times as long, whatever the number of threads.
        seconds = 1000 * machine.seconds_per_token[machine.threads] * (10 if update % 3 == 0 else 1)
        probing = tuner._queue != []
        probed += seconds * probing
        total += seconds
        machine.update(tuner, seconds)
    assert probed > 0
    assert probed < 0.3 * total


def test_looking_again_costs_little_beside_a_busy_program(machine: Machine) -> None:
    machine.seconds_per_token = {1: 40e-6, 2: 1.3e-3, 4: 1.5e-3}
    machine.work(machine.tuner(), 5000)
    slow = machine.settings.count(2) * 1.3 + machine.settings.count(4) * 1.5
    assert machine.settings.count(2) > 1
    assert slow < 0.05 * machine.now


def test_small_chunks_raise_no_alarm(machine: Machine) -> None:
    tuner = machine.tuner()
    machine.work(tuner, 20)
    settings = list(machine.settings)
    for _ in range(100):
        machine.update(tuner, 13e-3)
        machine.update(tuner, 5e-3, tokens=20)  # most of it fixed costs
    assert machine.settings == settings


def test_the_numbers_are_tried_again_from_time_to_time(machine: Machine) -> None:
    tuner = machine.tuner()
    machine.seconds_per_token = {1: 40e-6, 2: 22e-6, 4: 30e-6}
    machine.work(tuner, 20)
    assert machine.threads == 2
    machine.seconds_per_token[4] = 13e-6  # what kept the other cores busy has ended
    machine.work(tuner, 600)
    assert machine.threads == 4


def test_cores_are_those_that_torch_would_use() -> None:
    before = torch.get_num_threads()
    assert 1 <= available_cores() <= before
    try:
        torch.set_num_threads(1)  # as OMP_NUM_THREADS=1 does
        assert available_cores() == 1
    finally:
        torch.set_num_threads(before)
