import math
import signal
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from textgenrnn.config import TrainConfig
from textgenrnn.errors import ConfigError, DataError
from textgenrnn.network.forward import forward, log_softmax
from textgenrnn.network.model import LanguageModel
from textgenrnn.training import loop
from textgenrnn.training.batches import Chunk
from textgenrnn.training.interrupts import Interrupts
from textgenrnn.training.loop import TrainResult, train
from textgenrnn.training.modules import RecurrentNetwork
from textgenrnn.training.new_model import make_new_model
from textgenrnn.training.observer import Observer, Snapshot, Status
from textgenrnn.training.plan import Plan

DOCUMENTS = [f"{first} {second}" for first in ("red", "blue", "grey") for second in "abcdefghij"]
SIZE = {"hidden_size": 12, "num_layers": 1, "embedding_size": 6}
# Learns such a text in a fraction of a second, whatever the plan would have been.
FAST = {"batch_size": 4, "learning_rate": 0.03, "dropout": 0.0, "patience": None}


def new_model(documents: Sequence[str] = DOCUMENTS, **settings: Any) -> LanguageModel:
    settings = {"single_text": False, "size": SIZE, "seed": 0, **settings}
    return make_new_model(documents, **settings)


def config(**settings: Any) -> TrainConfig:
    if "minutes" not in settings:
        settings = {"num_epochs": 3, **settings}
    return TrainConfig(
        **{"seed": 1, "threads": 1, "held_out": 0.0, "precision": "fp32", **settings}
    )


def learn(
    documents: Sequence[str] = DOCUMENTS,
    model: LanguageModel | None = None,
    *,
    validation: Sequence[str] | None = None,
    observer: Observer | None = None,
    **settings: Any,
) -> TrainResult:
    model = model or new_model(documents)
    return train(
        model, documents, config(**settings), new=True, validation=validation, observer=observer
    )


def same(first: LanguageModel, second: LanguageModel) -> bool:
    """Whether two models have the same parameters, bit for bit."""
    return all(np.array_equal(first.parameters[k], second.parameters[k]) for k in first.parameters)


def mean_loss(model: LanguageModel, documents: Sequence[str]) -> float:
    meta = model.tokenizer.vocabulary.meta_id
    losses: list[float] = []
    for document in documents:
        ids = np.array([meta, *model.tokenizer.encode(document), meta])
        logits, _ = forward(model.parameters, model.config, ids[None, :-1])
        losses += (-log_softmax(logits)[0, np.arange(len(ids) - 1), ids[1:]]).tolist()
    return float(np.mean(losses))


class Recorder(Observer):
    """Notes what it is told, with the model at each validation and each end of a pass."""

    def __init__(self) -> None:
        self.plan: Plan | None = None
        self.epochs: list[Status] = []
        self.validations: list[Status] = []
        self.models: list[LanguageModel] = []
        self.improved: list[bool] = []
        self.progress: list[Status] = []
        self.ended: list[str] = []
        self.last: Status | None = None

    def started(self, plan: Plan, held_out_tokens: int) -> None:
        self.plan, self.held_out_tokens = plan, held_out_tokens

    def progressed(self, status: Status, snapshot: Snapshot) -> None:
        self.progress.append(status)

    def validated(self, status: Status, snapshot: Snapshot, *, improved: bool) -> None:
        self.validations.append(status)
        self.models.append(snapshot())
        self.improved.append(improved)

    def epoch_ended(self, status: Status, snapshot: Snapshot) -> None:
        self.epochs.append(status)

    def finished(self, status: Status, reason: str) -> None:
        self.last = status
        self.ended.append(reason)


class Clock:
    """Replaces the loop's time module: each look at the clock takes a hundredth of a second."""

    def __init__(self) -> None:
        self.now = 1000.0

    def perf_counter(self) -> float:
        self.now += 0.01
        return self.now


def script_held_out_losses(monkeypatch: pytest.MonkeyPatch, losses: list[float]) -> list[int]:
    """Let the validations find these losses, one after the other; returns their sizes."""
    remaining = iter(losses)
    sizes: list[int] = []

    def held_out_loss(_: object, chunks: list[Chunk], **__: object) -> tuple[float, int]:
        sizes.append(len(chunks))
        return next(remaining), len(chunks)

    monkeypatch.setattr(loop, "held_out_loss", held_out_loss)
    return sizes


# What a run does


@pytest.mark.parametrize("single_text", [False, True])
def test_the_loss_falls(single_text: bool) -> None:
    documents = ["\n".join(DOCUMENTS)] if single_text else DOCUMENTS
    model = new_model(documents, single_text=single_text, attention=True)
    result = learn(documents, model, num_epochs=30, **FAST)
    losses = [status.epoch_loss for status in result.history]
    assert losses[0] > 2.0
    assert losses[-1] < losses[len(losses) // 2] < losses[0] - 0.5
    if not single_text:
        assert mean_loss(result.model, documents) < 1.0


def test_so_many_epochs_and_no_more() -> None:
    recorder = Recorder()
    result = learn(num_epochs=4, observer=recorder)
    targets = sum(len(document) + 1 for document in DOCUMENTS)
    assert result.reason == "epochs"
    assert recorder.ended == ["epochs"]
    assert [status.epoch for status in recorder.epochs] == [1, 2, 3, 4]
    assert [status.tokens for status in recorder.epochs] == [targets * n for n in (1, 2, 3, 4)]
    assert all(status.epoch_progress == 1.0 for status in recorder.epochs)
    assert result.tokens == 4 * targets
    assert recorder.epochs[-1].progress == 1.0
    assert recorder.epochs[-1].remaining_s == 0.0


def test_unknown_characters_do_not_hold_up_the_schedule() -> None:
    recorder = Recorder()
    documents = [f"{document}!!!!" for document in DOCUMENTS]
    learn(documents, new_model(DOCUMENTS), num_epochs=2, observer=recorder)
    assert recorder.epochs[-1].progress == 1.0


def test_the_model_that_was_given_stays_as_it_was() -> None:
    model = new_model()
    before = {name: values.copy() for name, values in model.parameters.items()}
    result = learn(model=model)
    assert not same(model, result.model)
    for name, values in model.parameters.items():
        np.testing.assert_array_equal(values, before[name])


def test_the_result_says_how_it_came_about() -> None:
    result = learn(num_epochs=2)
    record = result.model.training
    assert record["documents"] == 30
    assert record["targets"] == result.plan.num_targets
    assert record["tokens_seen"] == result.tokens == 2 * record["targets"]
    assert record["updates"] == result.updates > 0
    assert record["held_out_loss"] is None
    assert record["ended"] == "epochs"
    assert record["seconds"] == pytest.approx(result.seconds, abs=0.06)


def test_one_thread_and_a_seed_repeat_a_run_bit_for_bit() -> None:
    runs = [learn(seed=seed, dropout=0.3, held_out=0.2).model for seed in (5, 5, 6)]
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


def test_without_a_seed_runs_differ() -> None:
    model = new_model()
    assert not same(learn(model=model, seed=None).model, learn(model=model, seed=None).model)


def test_the_callers_random_numbers_threads_and_arithmetic_stay() -> None:
    threads = torch.get_num_threads()
    torch.manual_seed(3)
    expected = torch.rand(4).tolist()
    torch.manual_seed(3)
    try:
        torch.set_num_threads(2)
        learn(threads=1, dropout=0.5)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert torch.rand(4).tolist() == expected
    assert np.float32(1e-30) * np.float32(1e-12) > 0  # tiny numbers are no zeros


def test_a_trained_model_learns_on() -> None:
    first = learn(num_epochs=5, **FAST).model
    second = train(first, DOCUMENTS, config(num_epochs=10, **FAST), new=False).model
    assert mean_loss(second, DOCUMENTS) < mean_loss(first, DOCUMENTS)


@pytest.mark.parametrize("single_text", [False, True])
@pytest.mark.parametrize("document", ["x", "xy"])
def test_a_character_or_two_can_be_learned(document: str, single_text: bool) -> None:
    model = new_model([document], single_text=single_text)
    result = learn([document], model, num_epochs=30, held_out=0.5, **FAST)
    assert result.reason == "epochs"
    assert result.updates == 30
    assert result.history[-1].epoch_loss < 0.3


def test_a_batch_larger_than_the_text_shrinks() -> None:
    result = learn(batch_size=100_000, num_epochs=2)
    assert result.updates == 2
    assert any("the batch shrinks" in note for note in result.plan.notes)


# Held-out text


def test_the_best_model_is_kept_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    script_held_out_losses(monkeypatch, [3.0, 1.0, 2.0, 1.5])
    recorder = Recorder()
    result = learn(num_epochs=4, held_out=0.2, observer=recorder)
    assert same(result.model, recorder.models[1])
    assert not same(result.model, recorder.models[3])
    assert result.held_out_loss == 1.0
    assert result.model.training["held_out_loss"] == 1.0
    assert recorder.improved == [True, True, False, False]
    bits = [round(status.held_out_bits * math.log(2), 9) for status in recorder.validations]
    assert bits == [3.0, 1.0, 2.0, 1.5]
    assert recorder.validations[-1].best_bits == pytest.approx(1.0 / math.log(2))


def test_training_stops_when_patience_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    script_held_out_losses(monkeypatch, [2.0, 1.0, 1.1, 1.2, 1.3, 0.5])
    recorder = Recorder()
    result = learn(num_epochs=50, held_out=0.2, patience=3, observer=recorder)
    assert result.reason == "early stop"
    assert result.held_out_loss == 1.0
    assert len(recorder.validations) == 5


def test_without_patience_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    script_held_out_losses(monkeypatch, [1.0 + i for i in range(15)])
    result = learn(num_epochs=15, held_out=0.2, patience=None)
    assert result.reason == "epochs"
    assert result.held_out_loss == 1.0


def test_held_out_text_is_not_learned() -> None:
    # Its characters come in no other document, so nothing else could teach them.
    foreign = ["QQQQQQQQ", "ZZZZZZZZ"]
    model = new_model([*DOCUMENTS, *foreign])
    recorder = Recorder()
    result = learn(DOCUMENTS, model, num_epochs=20, validation=foreign, observer=recorder, **FAST)
    assert result.held_out_loss == pytest.approx(mean_loss(result.model, foreign), abs=1e-3)
    assert mean_loss(recorder.models[-1], DOCUMENTS) < 1.5
    assert mean_loss(recorder.models[-1], foreign) > 4.0


def test_nothing_is_scored_without_held_out_text() -> None:
    recorder = Recorder()
    result = learn(num_epochs=2, held_out=0.2, validation=[], observer=recorder)
    assert recorder.validations == []
    assert recorder.held_out_tokens == 0
    assert result.held_out_loss is None
    assert result.tokens == 2 * sum(len(document) + 1 for document in DOCUMENTS)


def test_held_out_text_of_unknown_characters_counts_as_none() -> None:
    model = new_model(["abc" * 10], single_text=True)
    result = learn(["abc" * 10], model, num_epochs=2, validation=["???"])
    assert result.held_out_loss is None


def test_two_documents_can_be_split() -> None:
    recorder = Recorder()
    result = learn(["abc", "abd"], num_epochs=2, held_out=0.5, observer=recorder)
    assert len(recorder.validations) == 2
    assert result.model.training["documents"] == 1


def test_a_validation_takes_a_small_share_of_the_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "time", Clock())
    calls: list[tuple[int, float]] = []

    def held_out_loss(_: object, chunks: list[Chunk], *, seconds: float) -> tuple[float, int]:
        calls.append((len(chunks), seconds))
        return 1.0, 2  # there was time for two chunks

    monkeypatch.setattr(loop, "held_out_loss", held_out_loss)
    validation = ["abcdefgh" * 100] * 20
    learn(minutes=0.5, validation=validation, patience=None)
    assert calls[0][0] > 2
    assert 0 < calls[0][1] < 0.05 * 30
    # From then on the same text each time, so that the losses can be compared.
    assert len(calls) > 5
    assert set(calls[1:]) == {(2, math.inf)}


# The end


def test_minutes_end_when_they_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)
    started = clock.now
    recorder = Recorder()
    result = learn(minutes=0.5, held_out=0.2, patience=None, observer=recorder)
    assert result.reason == "minutes"
    assert 28 < clock.now - started < 30.5
    progress = [status.progress for status in recorder.progress]
    assert progress == sorted(progress)
    assert 15 <= len(recorder.validations) <= 21
    assert recorder.last is not None
    assert recorder.last.progress == 1.0
    # The last model was scored too.
    assert recorder.validations[-1].updates == result.updates


def test_minutes_count_from_the_callers_start(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)
    started = clock.now - 20  # reading the text took this long
    result = train(new_model(), DOCUMENTS, config(minutes=0.5), new=True, started=started)
    assert clock.now - started < 30.5
    assert result.seconds == pytest.approx(30, abs=1)


def test_a_trained_model_ends_after_its_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textgenrnn.training.plan._FEWEST_TOKENS_OF_TRAINED", 0)
    trained = learn(num_epochs=1).model
    result = train(trained, DOCUMENTS, config(minutes=5, held_out=0.0), new=False)
    assert result.reason == "passes"
    passes = result.plan.max_passes
    assert passes is not None
    assert 4 <= passes <= result.tokens / result.plan.num_targets < passes + 1


def test_hardly_any_time_still_gives_a_model() -> None:
    result = learn(minutes=1e-6)
    assert result.reason == "minutes"
    assert 1 <= result.updates <= 3


def test_a_text_known_by_heart_needs_no_more_time() -> None:
    documents = ["ab", "cd", "ef"]
    result = learn(documents, minutes=1.0, learning_rate=0.02, dropout=0.0)
    assert result.reason == "learned"
    # All that is left to guess is which of the three comes: ln 3 nats for 3 targets.
    assert result.train_loss == pytest.approx(math.log(3) / 3, abs=0.03)
    assert result.seconds < 40


@pytest.mark.parametrize("documents", [["!!!", "??"], [" ?"]])
@pytest.mark.parametrize("single_text", [False, True])
def test_a_text_of_unknown_characters_is_refused(documents: list[str], single_text: bool) -> None:
    model = new_model(["abc"], single_text=single_text)
    with pytest.raises(DataError, match=r"^there is nothing to learn: the text holds no character"):
        learn(documents[:1] if single_text else documents, model)


# Interruptions


class InterruptedAt(Recorder):
    """Presses Ctrl-C when it is told of an event for the n-th time."""

    def __init__(self, event: str, count: int = 1) -> None:
        super().__init__()
        self.event, self.count = event, count

    def press(self, event: str) -> None:
        if event == self.event:
            self.count -= 1
            if self.count == 0:
                raise KeyboardInterrupt

    def started(self, plan: Plan, held_out_tokens: int) -> None:
        super().started(plan, held_out_tokens)
        self.press("started")

    def validated(self, status: Status, snapshot: Snapshot, *, improved: bool) -> None:
        super().validated(status, snapshot, improved=improved)
        self.press("validated")

    def epoch_ended(self, status: Status, snapshot: Snapshot) -> None:
        super().epoch_ended(status, snapshot)
        self.press("epoch_ended")


def test_an_interruption_keeps_the_best_model(monkeypatch: pytest.MonkeyPatch) -> None:
    script_held_out_losses(monkeypatch, [2.0, 1.0, 1.5])
    observer = InterruptedAt("validated", 3)
    result = learn(num_epochs=50, held_out=0.2, observer=observer)
    assert result.reason == "interrupted"
    assert observer.ended == ["interrupted"]
    assert result.held_out_loss == 1.0
    assert same(result.model, observer.models[1])


def test_an_interruption_without_held_out_text_keeps_the_last_model() -> None:
    result = learn(num_epochs=50, observer=InterruptedAt("epoch_ended", 2))
    assert result.reason == "interrupted"
    assert same(result.model, learn(num_epochs=50, observer=InterruptedAt("epoch_ended", 2)).model)
    assert result.tokens == 2 * result.plan.num_targets
    assert mean_loss(result.model, DOCUMENTS) < mean_loss(new_model(), DOCUMENTS)


def test_an_interruption_before_the_first_update_has_nothing_to_keep() -> None:
    observer = InterruptedAt("started")
    with pytest.raises(KeyboardInterrupt):
        learn(observer=observer)
    assert observer.ended == ["interrupted"]  # displays are put away all the same


def test_errors_put_displays_away_too() -> None:
    class Broken(Recorder):
        def epoch_ended(self, status: Status, snapshot: Snapshot) -> None:
            raise RuntimeError("a bug")

    observer = Broken()
    with pytest.raises(RuntimeError, match="a bug"):
        learn(observer=observer)
    assert len(observer.ended) == 1


@pytest.mark.parametrize("presses", [0, 3])
def test_nothing_interrupts_what_follows_the_run(presses: int) -> None:
    class Impatient(Recorder):
        def epoch_ended(self, status: Status, snapshot: Snapshot) -> None:
            for _ in range(presses):
                signal.raise_signal(signal.SIGINT)

    with Interrupts() as interrupts:
        result = train(
            new_model(),
            DOCUMENTS,
            config(num_epochs=2),
            new=True,
            observer=Impatient(),
            interrupts=interrupts,
        )
        signal.raise_signal(signal.SIGINT)
    assert result.reason == ("interrupted" if presses else "epochs")


# Losses that are not finite


def poison_forward(monkeypatch: pytest.MonkeyPatch, *, after: int) -> None:
    """Let the network's outputs no longer be numbers after so many updates."""
    forward = RecurrentNetwork.forward
    calls = 0

    def poisoned(network: RecurrentNetwork, *arguments: Any) -> Any:
        nonlocal calls
        logits, state = forward(network, *arguments)
        calls += network.training
        return (logits * math.nan if calls > after else logits), state

    monkeypatch.setattr(RecurrentNetwork, "forward", poisoned)


def test_a_loss_that_is_no_number_ends_the_run_with_the_best_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder = Recorder()
    updates_per_epoch = learn(num_epochs=1, held_out=0.2).updates
    poison_forward(monkeypatch, after=2 * updates_per_epoch + 1)
    result = learn(num_epochs=9, held_out=0.2, observer=recorder)
    assert result.reason == "diverged"
    assert len(recorder.models) == 2
    assert any(same(result.model, model) for model in recorder.models)


def test_a_loss_that_is_no_number_and_nothing_kept_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    poison_forward(monkeypatch, after=3)
    message = (
        r"^the loss was no longer finite after 3 updates at a `learning_rate` of 0\.9, and no "
        r"earlier model was kept; give a lower one\.$"
    )
    with pytest.raises(ConfigError, match=message):
        learn(num_epochs=9, learning_rate=0.9)


def test_gradients_that_are_no_numbers_never_reach_the_parameters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clip = torch.nn.utils.clip_grad_norm_
    norms: list[torch.Tensor] = []

    def overflow(parameters: Any, largest: float) -> torch.Tensor:
        norms.append(clip(parameters, largest))
        return norms[-1] * (math.inf if len(norms) > 20 else 1.0)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", overflow)
    recorder = Recorder()
    result = learn(num_epochs=50, held_out=0.2, observer=recorder)
    assert result.reason == "diverged"
    assert result.updates == 20
    assert len(norms) == 21


def test_a_huge_learning_rate_gives_a_model_that_can_be_used() -> None:
    result = learn(num_epochs=3, learning_rate=1.0, held_out=0.2)
    assert result.reason == "epochs"
    assert math.isfinite(mean_loss(result.model, DOCUMENTS))
