"""From the arguments of the public methods to the settings of the rooms below."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from textgenrnn.config import SamplingConfig, TrainConfig, reworded, suggest
from textgenrnn.errors import ConfigError

if TYPE_CHECKING:
    from textgenrnn.network.model import LanguageModel
    from textgenrnn.text import Corpus

    StrPath = str | os.PathLike[str]

__all__ = [
    "TextFile",
    "check_count",
    "check_options",
    "coverage",
    "for_text",
    "make_model",
    "read_texts",
    "sampling_config",
    "train_config",
]

_DEFAULT_EPOCHS = 50
_SAMPLED_CHARACTERS = 200_000
_DEFAULT_SIZES = {"rnn_size": 128, "rnn_layers": 2, "dim_embeddings": 100, "max_length": 40}
_SAMPLING_NAMES = {"max_gen_length": "max_tokens", "min_gen_length": "min_tokens"}


@dataclass(frozen=True)
class TextFile:
    """A file whose texts are read when everything else has been checked."""

    path: StrPath
    header: bool | None
    encoding: str | None


def train_config(train_size: float | None, **settings: Any) -> TrainConfig:
    """Build the settings of a training: the original's epochs, or what fits the minutes."""
    if train_size is not None and not (
        isinstance(train_size, (int, float)) and 0.5 <= train_size <= 1.0
    ):
        raise ConfigError(
            f"`train_size` must be in [0.5, 1], got {train_size!r}; it is the share of the texts "
            "to learn from."
        )
    timed = settings["minutes"] is not None
    if not timed and settings["num_epochs"] is None:
        settings["num_epochs"] = _DEFAULT_EPOCHS
    held_out = None if timed else 0.0
    if train_size is not None:
        held_out = 1.0 - train_size
    return TrainConfig.from_dict({**settings, "held_out": held_out})


def read_texts(
    texts: Iterable[str] | TextFile, *, single_text: bool, output: StrPath | None
) -> Corpus:
    """Return the documents of a list or a file, which must not be the output too."""
    from textgenrnn.text import make_corpus, read_corpus

    if not isinstance(texts, TextFile):
        return make_corpus(texts, single_text=single_text)
    if output is not None and os.path.realpath(output) == os.path.realpath(texts.path):
        raise ConfigError(f"`{output}` is the text to learn; give another file as the output.")
    return read_corpus(
        texts.path, single_text=single_text, header=texts.header, encoding=texts.encoding
    )


def make_model(
    corpus: Corpus,
    given: Mapping[str, Any],
    *,
    minutes: float | None,
    windowed: bool,
    max_words: int,
    seed: int | None,
) -> LanguageModel:
    """Make the model to train.

    Args:
        corpus: What it will learn.
        given: What the caller asked for, under the original's names; ``None`` leaves it open.
        minutes: Time to plan the size for; ``None`` takes the original's defaults.
        windowed: Whether it is of the original's form.
        max_words: Most characters of the vocabulary.
        seed: Of the first parameters.
    """
    from textgenrnn.storage.original_config import MODEL_NAMES
    from textgenrnn.training.new_model import make_new_model
    from textgenrnn.training.plan import plan_size

    names = {**MODEL_NAMES, "attention": "attention"}
    settings: dict[str, Any] = {names[name]: value for name, value in _DEFAULT_SIZES.items()}
    settings["attention"] = True
    if windowed:
        settings["form"] = "windowed"
    elif minutes is not None:
        settings |= plan_size(sum(map(len, corpus.documents)), minutes)
    settings |= {names[name]: value for name, value in given.items() if value is not None}
    with reworded({f"`{ours}`": f"`{theirs}`" for theirs, ours in names.items()}):
        return make_new_model(
            corpus.documents,
            single_text=corpus.single_text,
            size=settings,
            max_tokens=max_words,
            seed=seed,
        )


def for_text(model: LanguageModel, *, single_text: bool | None) -> LanguageModel:
    """Return a model as it goes on to learn separate texts, or one long text.

    Args:
        model: Where training begins.
        single_text: What it is to learn; ``None``: the same kind as before.

    Raises:
        ConfigError: If it learned one long text and is to learn separate ones, which end.
    """
    if single_text is None or single_text == model.config.single_text:
        return model
    if model.config.single_text:
        raise ConfigError(
            "the present model learned one long text and cannot learn separate ones; pass "
            "new_model=True to start anew, or single_text=True."
        )
    return replace(model, config=model.config.replace(single_text=True))


def coverage(model: LanguageModel, corpus: Corpus) -> float:
    """Return the share of a text's tokens that a model knows, of the first 200,000 or so."""
    known = total = 0
    for document in corpus.documents:
        ids = model.tokenizer.encode(document[:_SAMPLED_CHARACTERS])
        known += int((ids != 0).sum())
        total += len(ids)
        if total >= _SAMPLED_CHARACTERS:
            break
    return known / max(1, total)


def sampling_config(values: Mapping[str, Any]) -> SamplingConfig:
    """Build the sampling settings from the names that our methods have for them."""
    with reworded({f"`{ours}`": f"`{theirs}`" for theirs, ours in _SAMPLING_NAMES.items()}):
        return SamplingConfig.from_dict({_SAMPLING_NAMES.get(k, k): v for k, v in values.items()})


def check_count(name: str, value: object, minimum: int) -> None:
    """Refuse what is no whole number of at least ``minimum``."""
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise ConfigError(f"`{name}` must be a whole number of at least {minimum}, got {value!r}.")


def check_options(options: dict[str, Any], *targets: Callable[..., Any]) -> None:
    """Refuse keyword arguments that no target takes, with the nearest name that one does."""
    known = {name for target in targets for name in inspect.signature(target).parameters}
    # Those of the sampling go by the original's names.
    known |= {theirs for theirs, ours in _SAMPLING_NAMES.items() if ours in known}
    known -= {"texts", "options", "sampling", *_SAMPLING_NAMES.values()}
    for name in options:
        if name not in known:
            raise ConfigError(f"there is no argument `{name}`{suggest(name, known)}.")
