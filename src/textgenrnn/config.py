"""Settings of a model, of training and of sampling: frozen, validated, documented field by field.

The three classes are plain frozen dataclasses. A wrong value is refused when the object is made,
with a message that names the field, the value given, what is expected and how to mend it.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from textgenrnn.errors import ConfigError

__all__ = ["ModelConfig", "SamplingConfig", "TrainConfig", "reworded", "suggest"]

Form = Literal["recurrent", "windowed"]
Level = Literal["char", "word"]
Precision = Literal["auto", "fp32", "bf16"]


def suggest(given: str, known: Iterable[str]) -> str:
    """Return ``' (did you mean X?)'`` for the nearest of the known names, or an empty string.

    Example:
        >>> suggest("temprature", ["temperature", "top_k"])
        ' (did you mean `temperature`?)'
    """
    near = difflib.get_close_matches(given, list(known), n=1)
    return f" (did you mean `{near[0]}`?)" if near else ""


@contextmanager
def reworded(words: Mapping[str, str]) -> Iterator[None]:
    """Let the errors of a block speak of settings by the names that the caller knows.

    Args:
        words: What stands in our messages, and what to say instead.

    Example:
        >>> with reworded({"`max_tokens`": "--max-length"}):            # doctest: +SKIP
        ...     SamplingConfig(max_tokens=0)
    """
    try:
        yield
    except ConfigError as error:
        message = str(error)
        for ours, theirs in words.items():
            message = message.replace(ours, theirs)
        raise ConfigError(message) from error


def _is_number(value: object) -> bool:
    # Compared rather than asked with isfinite, which fails for whole numbers beyond any float.
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and abs(value) <= sys.float_info.max  # type: ignore[arg-type]


def _require_int(name: str, value: object, minimum: int, remedy: str = "") -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        hint = f"; {remedy}" if remedy else ""
        raise ConfigError(
            f"`{name}` must be a whole number of at least {minimum}, got {value!r}{hint}."
        )


def _require_choice(name: str, value: object, choices: Sequence[str]) -> None:
    if value not in choices:
        listed = ", ".join(repr(choice) for choice in choices)
        near = suggest(value, choices) if isinstance(value, str) else ""
        raise ConfigError(f"`{name}` must be one of {listed}, got {value!r}{near}.")


def _require_number(
    name: str,
    value: object,
    expected: str,
    low: float,
    high: float,
    *,
    open_low: bool = False,
    remedy: str = "",
) -> None:
    valid = _is_number(value) and (low < value if open_low else low <= value) and value <= high  # type: ignore[operator]
    if not valid:
        hint = f"; {remedy}" if remedy else ""
        raise ConfigError(f"`{name}` must be {expected}, got {value!r}{hint}.")


def _require_bool(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigError(f"`{name}` must be True or False, got {value!r}.")


def _strings(name: str, value: Any) -> tuple[str, ...]:
    """Return a string, a collection of strings or ``None`` as a tuple of strings."""
    if value is None:
        return ()
    is_collection = isinstance(value, Iterable) and not isinstance(value, str)
    values = tuple(value) if is_collection else (value,)
    if not all(isinstance(item, str) and item for item in values):
        raise ConfigError(f"`{name}` must hold strings of at least 1 character, got {value!r}.")
    return values


class _Config:
    """What the three configurations share: strict construction from a mapping, and replacement."""

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        """Return the names of all settings, in order."""
        return tuple(field.name for field in dataclasses.fields(cls))  # type: ignore[arg-type]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build from a mapping, refusing unknown names.

        Args:
            values: Setting names and values; missing ones keep their defaults, if they have any.

        Raises:
            ConfigError: If a name is unknown or missing, or a value is out of range.
        """
        known = cls.field_names()
        for name in values:
            if name not in known:
                raise ConfigError(
                    f"unknown setting `{name}`{suggest(name, known)} for {cls.__name__}. "
                    f"Known settings: {', '.join(known)}."
                )
        required = [
            field.name
            for field in dataclasses.fields(cls)  # type: ignore[arg-type]
            if field.default is dataclasses.MISSING and field.name not in values
        ]
        if required:
            raise ConfigError(f"`{required[0]}` is missing in the settings of {cls.__name__}.")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return all settings as a plain dictionary (JSON types only)."""
        return {name: getattr(self, name) for name in self.field_names()}

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some settings changed; unknown names are refused."""
        return self.from_dict({**self.to_dict(), **changes})


@dataclass(frozen=True, kw_only=True)
class ModelConfig(_Config):
    """Shape and form of a network, everything that its parameters' shapes follow from.

    Letters as everywhere: V vocabulary, E embedding, H hidden, L layers.

    Example:
        >>> ModelConfig(vocab_size=66, hidden_size=384, num_layers=1).output_inputs
        448
    """

    vocab_size: int
    """V: number of token ids, padding (id 0) included."""
    embedding_size: int = 64
    """E: length of a token's embedding vector."""
    hidden_size: int = 128
    """H: cells per LSTM layer."""
    num_layers: int = 2
    """L: stacked LSTM layers; every layer's output also reaches the output layer directly."""
    attention: bool = False
    """Whether the output layer also sees a causal attention average of the last positions; always
    on in the windowed form, whose output layer sees nothing but the window's average."""
    attention_heads: int = 1
    """Number of such averages, each with weights of its own; read only with ``attention``."""
    context_length: int = 40
    """Recurrent: span of the attention in tokens, and a hint for training; the state is never cut.
    Windowed: length of the window."""
    single_text: bool = False
    """Whether the model learned one long text; then ``<s>`` only starts it and never ends it."""
    level: Level = "char"
    """What a token is."""
    form: Form = "recurrent"
    """How positions depend on each other: ``recurrent`` carries its state from token to token;
    ``windowed``, the original's form, predicts from the last tokens alone, from zero state."""
    bidirectional: bool = False
    """Whether each layer also reads backwards, with as many cells again; windowed form only."""

    def __post_init__(self) -> None:
        _require_int("vocab_size", self.vocab_size, 2)
        for name in (
            "embedding_size",
            "hidden_size",
            "num_layers",
            "attention_heads",
            "context_length",
        ):
            _require_int(name, getattr(self, name), 1)
        for name in ("attention", "single_text", "bidirectional"):
            _require_bool(name, getattr(self, name))
        _require_choice("level", self.level, get_args(Level))
        _require_choice("form", self.form, get_args(Form))
        if self.form == "recurrent" and self.bidirectional:
            raise ConfigError(
                "`bidirectional` must be False in the recurrent form, got True: a state that is "
                "carried on cannot read backwards; pass form='windowed'."
            )
        if self.form == "windowed" and not self.attention:
            raise ConfigError(
                "`attention` must be True in the windowed form, got False: its output layer sees "
                "the attention average alone; pass attention=True, or form='recurrent'."
            )
        if self.form == "windowed" and self.attention_heads != 1:
            raise ConfigError(
                "`attention_heads` must be 1 in the windowed form, got "
                f"{self.attention_heads!r}; leave it out, or pass form='recurrent'."
            )

    @property
    def layer_outputs(self) -> int:
        """Length of a layer's output: H, or 2 H if it reads in both directions."""
        return self.hidden_size * (2 if self.bidirectional else 1)

    @property
    def concat_size(self) -> int:
        """C, length of ``rnn_concat``: the embedding and every layer's output, side by side."""
        return self.embedding_size + self.num_layers * self.layer_outputs

    @property
    def output_inputs(self) -> int:
        """Number of inputs of the output layer."""
        if self.form == "windowed":
            return self.concat_size
        return self.concat_size * (1 + self.attention_heads if self.attention else 1)


@dataclass(frozen=True, kw_only=True)
class TrainConfig(_Config):
    """How to train. ``None`` leaves a choice to the plan, which looks at the data and the time.

    Example:
        >>> TrainConfig(minutes=3).num_epochs is None
        True
    """

    num_epochs: int | None = None
    """Passes over the text; exactly one of ``num_epochs`` and ``minutes`` is set."""
    minutes: float | None = None
    """Time for everything from the call to its return."""
    batch_size: int | None = None
    """Parallel rows; ``None`` is planned by the data."""
    seq_len: int | None = None
    """Steps that gradients flow back (truncated back-propagation); ``None`` is planned."""
    learning_rate: float | None = None
    """Peak rate of AdamW; ``None`` is planned."""
    weight_decay: float = 0.1
    """Decoupled weight decay of the matrices (Loshchilov and Hutter, 2019)."""
    dropout: float | None = None
    """Share of units silenced at the output layer's input while training; ``None`` is planned."""
    held_out: float | None = None
    """Share of the text kept for validation, in [0, 0.5]; ``None``: 5 % of 20 documents or more."""
    patience: int | None = 10
    """Validations without improvement before stopping early; ``None`` turns early stopping off."""
    clip_norm: float = 1.0
    """Largest norm of the gradient of all parameters together."""
    precision: Precision = "auto"
    """Arithmetic of the LSTM: ``bf16`` where the processor has fast matrix units for it."""
    threads: int | None = None
    """CPU threads; ``None``: all cores this process may use."""
    seed: int | None = None
    """Seed of the initial weights, the order of the text and dropout; ``None``: a fresh one."""

    def __post_init__(self) -> None:
        if (self.num_epochs is None) == (self.minutes is None):
            raise ConfigError(
                "give either `num_epochs` or `minutes`, not both and not none; got "
                f"num_epochs={self.num_epochs!r}, minutes={self.minutes!r}."
            )
        for name in ("num_epochs", "batch_size", "seq_len", "patience", "threads"):
            if getattr(self, name) is not None:
                _require_int(name, getattr(self, name), 1)
        if self.minutes is not None:
            _require_number(
                "minutes", self.minutes, "a number of minutes above 0", 0, 1e6, open_low=True
            )
        if self.learning_rate is not None:
            _require_number("learning_rate", self.learning_rate, "in (0, 1]", 0, 1, open_low=True)
        _require_number("weight_decay", self.weight_decay, "in [0, 10]", 0, 10)
        if self.dropout is not None:
            _require_number("dropout", self.dropout, "in [0, 0.9]", 0, 0.9)
        if self.held_out is not None:
            _require_number("held_out", self.held_out, "in [0, 0.5]", 0, 0.5)
        _require_number("clip_norm", self.clip_norm, "above 0", 0, math.inf, open_low=True)
        _require_choice("precision", self.precision, ("auto", "fp32", "bf16"))
        if self.seed is not None:
            _require_int("seed", self.seed, 0)


@dataclass(frozen=True, kw_only=True)
class SamplingConfig(_Config):
    """How to draw the next token, and when a text is over.

    The filters apply in this order: bans, repetition penalty, temperature, top-k, top-p, min-p,
    draw. ``None`` turns a filter off.

    Example:
        >>> SamplingConfig(temperature=[1.0, 0.5], top_p=0.95, max_tokens=80).temperatures
        (1.0, 0.5)
    """

    temperature: float | Sequence[float] = 0.5
    """Divides the logits; 0 always takes the likeliest token. Several values cycle by position."""
    top_k: int | None = None
    """Keep only the k likeliest tokens (Fan et al., 2018)."""
    top_p: float | None = None
    """Keep the fewest likeliest tokens whose probabilities reach p (Holtzman et al., 2020)."""
    min_p: float | None = None
    """Keep tokens at least min_p times as likely as the likeliest (Nguyen et al., 2024)."""
    repetition_penalty: float | None = None
    """Above 1 makes recent tokens less likely (Keskar et al., 2019)."""
    repetition_window: int = 64
    """How many of the last tokens count as recent."""
    min_tokens: int = 0
    """Tokens of the text, prefix included, before the model may end it; stop strings may."""
    max_tokens: int = 300
    """Most tokens of the text, prefix included; a longer prefix comes back as it is."""
    stop: tuple[str, ...] = ()
    """A text ends when one of these strings appears after the prefix."""
    keep_stop: bool = False
    """Whether the stop string stays at the end of the text."""
    banned: tuple[str, ...] = ()
    """Strings that never appear after the prefix."""
    seed: int | None = None
    """Text i depends on (seed, i) alone; ``None``: every call differs."""

    def __post_init__(self) -> None:
        # Lists and single strings are welcome; they are kept as tuples so that nobody can change
        # them behind our back.
        if not _is_number(self.temperature):
            if isinstance(self.temperature, str) or not isinstance(self.temperature, Iterable):
                raise ConfigError(
                    "`temperature` must be a number of at least 0 or a list of such numbers, "
                    f"got {self.temperature!r}."
                )
            object.__setattr__(self, "temperature", tuple(self.temperature))
        if not self.temperatures:
            raise ConfigError("`temperature` must hold at least one number, got an empty list.")
        for value in self.temperatures:
            _require_number("temperature", value, "at least 0 (0: always the likeliest)", 0, 1e6)
        for name in ("stop", "banned"):
            object.__setattr__(self, name, _strings(name, getattr(self, name)))
        _require_bool("keep_stop", self.keep_stop)
        if self.top_k is not None:
            _require_int("top_k", self.top_k, 1, "pass None to turn it off")
        for name in ("top_p", "min_p"):
            if getattr(self, name) is not None:
                _require_number(
                    name,
                    getattr(self, name),
                    "in (0, 1]",
                    0,
                    1,
                    open_low=True,
                    remedy="pass None to turn it off",
                )
        if self.repetition_penalty is not None:
            _require_number(
                "repetition_penalty",
                self.repetition_penalty,
                "a number of at least 1",
                1,
                1e6,
                remedy="pass None to turn it off",
            )
        _require_int("repetition_window", self.repetition_window, 1)
        _require_int("min_tokens", self.min_tokens, 0)
        _require_int("max_tokens", self.max_tokens, 1)
        if self.min_tokens > self.max_tokens:
            raise ConfigError(
                f"`min_tokens` must not be above `max_tokens`, got {self.min_tokens} and "
                f"{self.max_tokens}; lower the one or raise the other."
            )
        if self.seed is not None:
            _require_int("seed", self.seed, 0)

    @property
    def temperatures(self) -> tuple[float, ...]:
        """The temperatures, one per position in turn; a single number is a cycle of one."""
        if isinstance(self.temperature, (int, float)):
            return (float(self.temperature),)
        return tuple(self.temperature)
