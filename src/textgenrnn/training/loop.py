"""The training loop: from a model and documents to a better model."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F

from textgenrnn.config import TrainConfig
from textgenrnn.errors import ConfigError, DataError
from textgenrnn.network.model import LanguageModel
from textgenrnn.network.parameters import FloatArray
from textgenrnn.tokenizers import PADDING_ID
from textgenrnn.training.batches import Chunk, make_layout
from textgenrnn.training.data import encode_documents, split_held_out
from textgenrnn.training.held_out import bits_per_character, held_out_chunks, held_out_loss
from textgenrnn.training.interrupts import Interrupts
from textgenrnn.training.modules import NetworkState, make_network
from textgenrnn.training.observer import Observer, Status
from textgenrnn.training.plan import Plan, plan_training
from textgenrnn.training.recipe import learning_rate_factor, make_optimizer
from textgenrnn.training.threads import ThreadTuner
from textgenrnn.training.transfer import distance_from_learned

__all__ = ["StopReason", "TrainResult", "train"]

StopReason = Literal[
    "epochs", "minutes", "passes", "early stop", "learned", "interrupted", "diverged"
]

_VALIDATIONS = 20
"""Validations in a run, so that none costs more than a small share of the time."""
_VALIDATION_SHARE = 0.05
_EVENT_INTERVAL_S = 0.2
_UNKNOWN_SHARE = 0.005
"""Share of the inputs that are read as unknown, so that the model copes with unknown prefixes."""
_LEARNED_LOSS = 0.02
"""Nats per token, beyond those of choosing a document, under which a text is known by heart."""
_RESERVE_S = 0.3
"""Time kept back of ``minutes`` for what comes after the last update."""


@dataclass(frozen=True)
class TrainResult:
    """What a run returns.

    Attributes:
        model: The model to keep: the best on held-out text, or the last if nothing is held out.
        reason: Why the run ended.
        plan: What was decided before it began.
        updates: Steps of the optimiser.
        tokens: Targets seen.
        train_loss: Mean loss of the last updates, nats per token.
        held_out_loss: Loss of the kept model on the held-out text, nats per token.
        seconds: From the start to the end.
        history: Status at each validation and at the end of each pass.
    """

    model: LanguageModel
    reason: StopReason
    plan: Plan
    updates: int
    tokens: int
    train_loss: float
    held_out_loss: float | None
    seconds: float
    history: list[Status] = field(default_factory=list)


def train(
    model: LanguageModel,
    documents: Sequence[str],
    config: TrainConfig,
    *,
    new: bool,
    validation: Sequence[str] | None = None,
    observer: Observer | None = None,
    interrupts: Interrupts | None = None,
    started: float | None = None,
) -> TrainResult:
    """Train a model on documents.

    Interrupting it (Ctrl-C) ends the run and returns the best model so far.

    Args:
        model: Where to begin; it is not changed.
        documents: The text; a single text is one document (``model.config.single_text``).
        config: How long and how.
        new: Whether the model has learned nothing yet.
        validation: Held-out text; ``None``: split off as ``config.held_out`` says.
        observer: Is told how it goes.
        interrupts: Is told when the run is over, so that nothing interrupts what the caller does
            with the result.
        started: ``time.perf_counter()`` of the moment from which ``minutes`` count.

    Returns:
        The model to keep and how it came about.

    Raises:
        DataError: If there is nothing to learn.
        ConfigError: If the learning rate is so high that no usable model came out.
        KeyboardInterrupt: If interrupted before anything was learned.
    """
    threads = torch.get_num_threads()
    try:
        torch.set_flush_denormal(True)
        # The caller's random numbers, number of threads and arithmetic stay as they are.
        with torch.random.fork_rng(devices=[]):
            return _Run(
                model,
                documents,
                config,
                new=new,
                validation=validation,
                observer=observer or Observer(),
                interrupts=interrupts or Interrupts(),
                started=time.perf_counter() if started is None else started,
            ).run()
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(False)


class _Run:
    """The state of one run; :func:`train` is its only user."""

    def __init__(
        self,
        model: LanguageModel,
        documents: Sequence[str],
        config: TrainConfig,
        *,
        new: bool,
        validation: Sequence[str] | None,
        observer: Observer,
        interrupts: Interrupts,
        started: float,
    ) -> None:
        self.started = started
        self.model, self.config, self.observer = model, config, observer
        self.interrupts = interrupts
        single_text = model.config.single_text
        seed = config.seed if config.seed is not None else np.random.SeedSequence().entropy
        assert isinstance(seed, int)
        self.rng = np.random.default_rng(seed)
        torch.manual_seed(seed % 2**63)
        learned = list(documents)
        held_out = list(validation or [])
        if validation is None:
            learned, held_out = split_held_out(
                learned, config.held_out, single_text=single_text, seed=seed % 2**63
            )
        text = encode_documents(learned, model.tokenizer, single_text=single_text)
        if not text.token_ids[text.token_ids != text.token_ids[0]].any():
            raise DataError(
                "there is nothing to learn: the text holds no character that the model knows."
            )
        self.text = text
        self.window = model.config.context_length if model.config.form == "windowed" else None
        self.held_out: list[Chunk] = []
        if held_out:
            encoded = encode_documents(held_out, model.tokenizer, single_text=single_text)
            if encoded.num_targets:
                self.held_out = held_out_chunks(encoded, text.token_ids[1:-1], window=self.window)
        compared = not new and self.window is None
        self.plan = plan_training(
            text,
            model.config,
            config,
            new=new,
            distance=distance_from_learned(model, text) if compared else 0.0,
        )
        self.network = make_network(
            model.config, model.parameters, dropout=self.plan.dropout, dtype=self.plan.dtype
        )
        self.network.train()
        self.optimizer = make_optimizer(
            self.network,
            learning_rate=self.plan.learning_rate,
            weight_decay=self.plan.weight_decay,
        )
        self.layout = make_layout(
            text,
            tokens_per_chunk=self.plan.tokens_per_chunk,
            seq_len=self.plan.seq_len,
            rows=self.plan.rows,
            window=self.window,
        )
        self.plan = replace(self.plan, num_targets=self.layout.num_targets)
        self.tuner = ThreadTuner(config.threads)
        self.deadline = None if config.minutes is None else self.started + 60 * config.minutes
        self.training_started = time.perf_counter()
        self.updates = self.tokens = self.epoch = self.epoch_tokens = 0
        self.epoch_loss = 0.0
        self.loss = math.log(model.config.vocab_size)
        self.held_out_bits: list[float] = []
        self.best: tuple[float, dict[str, FloatArray]] | None = None
        self.since_best = 0
        self.validated_now = False
        self.validation_s = 0.0
        self.history: list[Status] = []

    def run(self) -> TrainResult:
        reason: StopReason = "interrupted"
        try:
            self.observer.started(self.plan, sum(chunk.num_targets for chunk in self.held_out))
            reason = self._passes()
            if self.held_out and reason != "diverged" and not self.validated_now:
                self._validate()
            self.interrupts.hold_back()
        except KeyboardInterrupt:
            # What was learned so far is kept; an update that was cut short is harmless, since the
            # optimiser changes each group of parameters in one call.
            if not self.updates:
                raise
        finally:
            self.observer.finished(self._status(), reason)
        return self._result(reason)

    def _passes(self) -> StopReason:
        last_event = self.training_started
        validate_at = 1.0 / _VALIDATIONS
        while True:
            self.epoch += 1
            self.epoch_tokens, self.epoch_loss = 0, 0.0
            for chunk in self.layout.chunks(self.rng):
                progress = self._progress()
                if self.deadline and progress >= 1.0:
                    return "minutes" if self._time_progress() >= 1.0 else "passes"
                before = time.perf_counter()
                if not self._update(chunk, progress):
                    return "diverged"
                now = time.perf_counter()
                self.tuner.record(tokens=chunk.inputs.size, seconds=now - before)
                if now - last_event > _EVENT_INTERVAL_S:
                    last_event = now
                    self.observer.progressed(self._status(), self._snapshot)
                if self.held_out and self.deadline and self._progress() >= validate_at:
                    validate_at = self._next_validation()
                    if self._validate():
                        return "early stop"
            self.history.append(self._status())
            self.observer.epoch_ended(self.history[-1], self._snapshot)
            if self.deadline:
                # Nobody can foresee which of D documents comes: ln D nats for each.
                count = self.text.num_documents
                choice = count * math.log(count) / self.layout.num_targets
                if self.loss < choice + _LEARNED_LOSS and not self.held_out:
                    return "learned"
            elif self.held_out and self._validate():
                return "early stop"
            elif self.epoch == self.config.num_epochs:
                return "epochs"

    def _update(self, chunk: Chunk, progress: float) -> bool:
        """Make one step of the optimiser; False if the loss is not finite."""
        factor = learning_rate_factor(progress, self.model.config.form)
        self.optimizer.learning_rate = self.plan.learning_rate * factor
        inputs = chunk.inputs
        if self.window is None:  # windows hold enough of id 0
            unknown = self.rng.random(inputs.shape, np.float32) < _UNKNOWN_SHARE
            inputs = np.where(unknown, PADDING_ID, inputs)
        if chunk.fresh:
            self.state: NetworkState = self.network.initial_state(inputs.shape[1])
        count = chunk.num_targets
        if not count:
            return True
        logits, self.state = self.network(torch.from_numpy(inputs), self.state)
        targets = torch.from_numpy(chunk.targets).flatten()
        loss = F.cross_entropy(logits.flatten(0, 1), targets, ignore_index=PADDING_ID)
        value = loss.item()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip_norm)
        if not math.isfinite(value + norm.item()):
            return False
        self.optimizer.step()
        self.validated_now = False
        self.updates += 1
        self.tokens += count
        self.epoch_tokens += count
        self.epoch_loss += value * count
        # A running mean over about the last 50 updates, or the last quarter of fewer.
        weight = max(0.02, min(1.0, 4.0 / (self.updates + 3)))
        self.loss += weight * (value - self.loss)
        return True

    def _progress(self) -> float:
        """Return the share of the run that is over, by time or by passes, whichever is further."""
        passes = self.plan.max_passes or self.config.num_epochs
        by_passes = self.tokens / (passes * self.layout.num_targets) if passes else 0.0
        return max(self._time_progress(), by_passes)

    def _time_progress(self) -> float:
        if self.deadline is None:
            return 0.0
        end = self.deadline - _RESERVE_S - self.validation_s
        total = max(1e-3, end - self.training_started)
        return (time.perf_counter() - self.training_started) / total

    def _next_validation(self) -> float:
        """Return the progress at which to validate next."""
        elapsed = max(1e-3, time.perf_counter() - self.training_started)
        expected = elapsed / max(1e-3, self._progress())
        return self._progress() + max(
            1.0 / _VALIDATIONS, self.validation_s / _VALIDATION_SHARE / expected
        )

    def _validate(self) -> bool:
        """Score the held-out text and keep the best parameters; True if it is time to stop."""
        before = time.perf_counter()
        seconds = math.inf
        if self.deadline is not None and not self.held_out_bits:
            # The first time decides how much of the text there is time for.
            seconds = _VALIDATION_SHARE / 2 * max(0.0, self.deadline - before)
        loss, scored = held_out_loss(self.network, self.held_out, seconds=seconds)
        self.held_out = self.held_out[:scored]
        self.held_out_bits.append(bits_per_character(loss))
        improved = self.best is None or loss < self.best[0]
        if improved:
            self.best = (loss, self.network.export())
            self.since_best = 0
        else:
            self.since_best += 1
        self.validation_s = max(self.validation_s, time.perf_counter() - before)
        self.validated_now = True
        self.history.append(self._status())
        self.observer.validated(self.history[-1], self._snapshot, improved=improved)
        return self.config.patience is not None and self.since_best >= self.config.patience

    def _snapshot(self) -> LanguageModel:
        """Return the model as it is now."""
        return self._model(self.network.export())

    def _model(self, parameters: dict[str, FloatArray], **record: object) -> LanguageModel:
        return LanguageModel(self.model.config, parameters, self.model.tokenizer, record)

    def _status(self) -> Status:
        now = time.perf_counter()
        elapsed = now - self.started
        training = now - self.training_started
        progress = min(1.0, self._progress())
        remaining = training * (1.0 - progress) / progress if progress else math.inf
        if self.deadline is not None:
            remaining = min(remaining, max(0.0, self.deadline - now))
        return Status(
            progress=progress,
            epoch=self.epoch,
            epoch_progress=self.epoch_tokens / self.layout.num_targets,
            updates=self.updates,
            tokens=self.tokens,
            loss=self.loss,
            epoch_loss=self.epoch_loss / self.epoch_tokens if self.epoch_tokens else self.loss,
            held_out_bits=self.held_out_bits[-1] if self.held_out_bits else None,
            best_bits=min(self.held_out_bits, default=None),
            characters_per_s=self.tokens / training if training > 0 else 0.0,
            elapsed_s=elapsed,
            remaining_s=remaining,
        )

    def _result(self, reason: StopReason) -> TrainResult:
        held_out_loss = None
        parameters = None
        if self.best is not None:
            held_out_loss, parameters = self.best
        elif reason == "diverged":
            raise ConfigError(
                f"the loss was no longer finite after {self.updates:,} updates at a "
                f"`learning_rate` of {self.plan.learning_rate:g}, and no earlier model was kept; "
                "give a lower one."
            )
        seconds = time.perf_counter() - self.started
        record = {
            "documents": self.text.num_documents,
            "targets": self.layout.num_targets,
            "tokens_seen": self.tokens,
            "updates": self.updates,
            "seconds": round(seconds, 1),
            "train_loss": round(self.loss, 4),
            "held_out_loss": None if held_out_loss is None else round(held_out_loss, 4),
            "ended": reason,
        }
        model = self._model(parameters or self.network.export(), **record)
        return TrainResult(
            model=model,
            reason=reason,
            plan=self.plan,
            updates=self.updates,
            tokens=self.tokens,
            train_loss=self.loss,
            held_out_loss=held_out_loss,
            seconds=seconds,
            history=self.history,
        )
