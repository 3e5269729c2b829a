from collections.abc import Callable
from pathlib import Path

import pytest

from textgenrnn.network.model import LanguageModel
from textgenrnn.storage import load_model
from textgenrnn.training import callbacks
from textgenrnn.training.callbacks import EveryEpochs, SaveBest
from textgenrnn.training.observer import Status


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(callbacks, "time", fake)
    return fake


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "best.safetensors"


def test_the_best_model_is_saved_but_not_too_often(
    path: Path,
    clock: Clock,
    make_status: Callable[..., Status],
    make_model: Callable[..., LanguageModel],
) -> None:
    saver = SaveBest(path)
    status = make_status(held_out_bits=2.0)
    models = [make_model(seed=seed) for seed in range(3)]
    saver.validated(status, lambda: models[0], improved=True)
    assert not path.exists()
    clock.now += 20
    saver.validated(status, lambda: models[0], improved=False)
    assert not path.exists()
    saver.validated(status, lambda: models[1], improved=True)
    clock.now += 5
    saver.validated(status, lambda: models[2], improved=True)
    saved = load_model(path).parameters["output.bias"]
    assert saved.tolist() == models[1].parameters["output.bias"].tolist()


def test_without_held_out_text_the_newest_model_is_saved(
    path: Path, clock: Clock, make_status: Callable[..., Status], tiny_model: LanguageModel
) -> None:
    saver = SaveBest(path)
    saver.progressed(make_status(), lambda: tiny_model)
    assert not path.exists()
    clock.now += 20
    saver.progressed(make_status(), lambda: tiny_model)
    assert load_model(path).config == tiny_model.config


def test_a_model_that_was_not_scored_does_not_replace_the_best(
    path: Path, clock: Clock, make_status: Callable[..., Status], tiny_model: LanguageModel
) -> None:
    saver = SaveBest(path)
    saver.validated(make_status(), lambda: tiny_model, improved=False)
    clock.now += 60
    saver.progressed(make_status(held_out_bits=2.0), lambda: tiny_model)
    assert not path.exists()


@pytest.mark.parametrize(("every", "called_at"), [(1, [1, 2, 3, 4, 5, 6]), (2, [2, 4, 6]), (7, [])])
def test_a_function_is_called_every_so_many_epochs(
    every: int,
    called_at: list[int],
    make_status: Callable[..., Status],
    tiny_model: LanguageModel,
) -> None:
    epochs: list[int] = []
    models: list[LanguageModel] = []
    observer = EveryEpochs(every, models.append)
    for epoch in range(1, 7):
        before = len(models)
        observer.epoch_ended(make_status(epoch=epoch), lambda: tiny_model)
        epochs += [epoch] * (len(models) - before)
    assert epochs == called_at
    assert all(model is tiny_model for model in models)
