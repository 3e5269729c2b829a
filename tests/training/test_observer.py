from collections.abc import Callable

import pytest

from textgenrnn.network.model import LanguageModel
from textgenrnn.training.observer import Observer, Observers, Status


class Recorder(Observer):
    """Notes the events it is told of, and raises an error in each if it is given one."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.events: list[str] = []
        self.error = error

    def note(self, event: str) -> None:
        self.events.append(event)
        if self.error:
            raise self.error

    def started(self, *_: object) -> None:
        self.note("started")

    def progressed(self, *_: object) -> None:
        self.note("progressed")

    def validated(self, *_: object, improved: bool) -> None:
        self.note(f"validated {improved}")

    def epoch_ended(self, *_: object) -> None:
        self.note("epoch_ended")

    def finished(self, _: object, reason: str) -> None:
        self.note(f"finished {reason}")


EVENTS = ["started", "progressed", "validated True", "epoch_ended", "finished epochs"]


def tell_all(observer: Observer, status: Status, model: LanguageModel) -> None:
    observer.started(None, 0)
    observer.progressed(status, lambda: model)
    observer.validated(status, lambda: model, improved=True)
    observer.epoch_ended(status, lambda: model)
    observer.finished(status, "epochs")


def test_each_observer_is_told_everything(
    make_status: Callable[..., Status], tiny_model: LanguageModel
) -> None:
    first, second = Recorder(), Recorder()
    tell_all(Observers(first, second), make_status(), tiny_model)
    assert first.events == second.events == EVENTS


@pytest.mark.parametrize(
    "error",
    [BrokenPipeError(), OSError(28, "disk full"), UnicodeEncodeError("ascii", "ä", 0, 1, "")],
)
def test_one_that_cannot_write_stops_nothing(
    make_status: Callable[..., Status], tiny_model: LanguageModel, error: Exception
) -> None:
    broken, whole = Recorder(error), Recorder()
    tell_all(Observers(broken, whole), make_status(), tiny_model)
    assert broken.events == whole.events == EVENTS


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("a bug")])
def test_other_errors_go_through(make_status: Callable[..., Status], error: BaseException) -> None:
    with pytest.raises(type(error)):
        Observers(Recorder(error)).finished(make_status(), "epochs")


def test_an_observer_that_is_left_as_it_is_does_nothing(
    make_status: Callable[..., Status], tiny_model: LanguageModel
) -> None:
    status = make_status()
    tell_all(Observer(), status, tiny_model)
    assert status == make_status()
