"""A training session: a run with its display and samples, and a result that does not get lost."""

from __future__ import annotations

import math
import os
import secrets
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from textgenrnn.config import SamplingConfig, TrainConfig
from textgenrnn.errors import FileAccessError
from textgenrnn.generation import generate, make_decoder
from textgenrnn.network.model import LanguageModel
from textgenrnn.network.parameters import count_parameters
from textgenrnn.storage import save_model
from textgenrnn.text import Corpus
from textgenrnn.text.files import StrPath
from textgenrnn.training.callbacks import EveryEpochs, SaveBest
from textgenrnn.training.data import split_held_out
from textgenrnn.training.display import make_display
from textgenrnn.training.interrupts import Interrupts
from textgenrnn.training.loop import TrainResult, train
from textgenrnn.training.observer import Observer, Observers
from textgenrnn.training.plan import Plan

__all__ = ["run_session", "save_or_rescue"]

_MOST_SAMPLE_LINES = 8


def run_session(
    model: LanguageModel,
    corpus: Corpus,
    config: TrainConfig,
    *,
    new: bool,
    take: Callable[[TrainResult], None],
    started: float,
    validation: bool = True,
    output: StrPath | None = None,
    show: bool = True,
    gen_epochs: int = 0,
    show_samples: Callable[[LanguageModel], None] | None = None,
) -> None:
    """Train a model, show how it goes, and put the result where it is safe.

    Args:
        model: Where to begin.
        corpus: What to learn.
        config: How long and how.
        new: Whether the model has learned nothing yet.
        take: Receives the result, before anything else can go wrong.
        started: ``time.perf_counter()`` of the moment from which ``minutes`` count.
        validation: Whether the held-out text is scored; it is not learned either way.
        output: Model file that is written while training goes on and at its end.
        show: Whether to print anything.
        gen_epochs: Samples after every so many epochs; 0: a few times in all.
        show_samples: Prints the samples of an epoch.

    Raises:
        DataError: If there is nothing to learn.
        FileAccessError: If ``output`` cannot be written; the model is in another file then.
    """
    observers: list[Observer] = []
    by_epoch = show_samples if gen_epochs and config.num_epochs else None
    if show:
        sample = None if by_epoch else _short_samples
        display = make_display(num_epochs=config.num_epochs, sample=sample)
        observers += [_Announcement(), display]
        if by_epoch:
            observers.append(EveryEpochs(gen_epochs, by_epoch))
    if output is not None:
        observers.append(SaveBest(output))
    documents: Sequence[str] = corpus.documents
    unscored: list[str] | None = None
    if not validation:
        documents, _ = split_held_out(
            documents, config.held_out, single_text=corpus.single_text, seed=config.seed or 0
        )
        unscored = []
    if show:
        print(corpus.report.describe(), flush=True)
        if not corpus.single_text:
            print(f"{len(corpus.documents):,} texts collected.", flush=True)
        print(_describe_start(model, new=new), flush=True)
    with Interrupts() as interrupts:
        result = train(
            model,
            documents,
            config,
            new=new,
            validation=unscored,
            observer=Observers(*observers),
            interrupts=interrupts,
            started=started,
        )
        take(result)
        if output is not None:
            save_or_rescue(result.model, output)
    if show:
        print(_describe(result), flush=True)


class _Announcement(Observer):
    """Says how much there is to learn, as the original does, whatever the form."""

    def started(self, plan: Plan, held_out_tokens: int) -> None:
        print(f"Training on {plan.num_targets:,} character sequences.", flush=True)


def save_or_rescue(model: LanguageModel, path: StrPath) -> None:
    """Save a model; if not where it was to be, then in some other place.

    Raises:
        FileAccessError: If it had to be another place, saying which.
    """
    try:
        save_model(model, path)
    except FileAccessError as error:
        rescued = _rescue(model, Path(path))
        if rescued is None:
            raise
        raise FileAccessError(f"{error} The model is in `{rescued}` instead.") from error


def _rescue(model: LanguageModel, path: Path) -> Path | None:
    """Save a model in the first place that takes it and return the path."""
    home = os.path.expanduser("~")  # noqa: PTH111 (unlike Path.home, it never raises)
    for place in (path.parent, Path(), Path(home), Path(tempfile.gettempdir())):
        rescued = place / f"rescued-{secrets.token_hex(4)}-{path.name}"
        with suppress(FileAccessError):
            save_model(model, rescued)
            return rescued
    return None


def _short_samples(model: LanguageModel) -> list[str]:
    """Return a few lines that show what a model writes by now."""
    single_text = model.config.single_text
    sampling = SamplingConfig(temperature=0.7, max_tokens=200 if single_text else 100)
    results = generate(make_decoder(model), 1 if single_text else 3, sampling=sampling)
    lines = [line for result in results for line in result.text.split("\n") if line.strip()]
    return lines[:_MOST_SAMPLE_LINES]


def _describe_start(model: LanguageModel, *, new: bool) -> str:
    """Return one line on a model that is about to learn a text."""
    config = model.config
    start = "Training new model" if new else "Going on from a trained model"
    kind = "Bidirectional LSTMs" if config.bidirectional else "LSTMs"
    return (
        f"{start} w/ {config.num_layers}-layer, {config.hidden_size}-cell {kind} "
        f"({count_parameters(config):,} parameters, {config.vocab_size - 2:,} characters)"
    )


def _describe(result: TrainResult) -> str:
    """Return one line on how a run went."""
    endings = {
        "early stop": "it had stopped getting better on the held-out text",
        "learned": "it knows the text by heart",
        "passes": "more passes would only learn the text by heart",
        "interrupted": "interrupted; the best model so far is kept",
        "diverged": "the loss was no longer finite; try a lower learning_rate",
    }
    parts = [f"Trained for {result.seconds:.0f} s on {result.tokens:,} characters"]
    if result.held_out_loss is not None:
        bits = result.held_out_loss / math.log(2)
        parts.append(
            f"{bits:.3f} bits per character on held-out text ({result.held_out_loss:.4f} nats)"
        )
    else:
        parts.append(f"loss {result.train_loss:.4f}")
    if result.reason in endings:
        parts.append(endings[result.reason])
    return ", ".join(parts) + "."
