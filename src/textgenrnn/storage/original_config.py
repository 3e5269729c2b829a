"""The original's names of settings, in its ``_config.json`` files, and ours: one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textgenrnn.config import ModelConfig
from textgenrnn.errors import ConfigError

__all__ = ["DEFAULT_MAX_WORDS", "MODEL_NAMES", "from_original", "to_original"]

MODEL_NAMES = {
    "rnn_layers": "num_layers",
    "rnn_size": "hidden_size",
    "rnn_bidirectional": "bidirectional",
    "max_length": "context_length",
    "dim_embeddings": "embedding_size",
    "single_text": "single_text",
}
"""The original's settings of a model, and ours. Its ``word_level`` is our ``level``; ``max_words``
and ``name`` have no counterpart, since they say how a model was made and not what it is."""

DEFAULT_MAX_WORDS = 10_000
"""The original's default of ``max_words``."""

_OURS_ALONE = ("form", "attention", "attention_heads")


def to_original(
    config: ModelConfig, *, name: str, max_words: int = DEFAULT_MAX_WORDS
) -> dict[str, Any]:
    """Return a configuration under the original's names, in the original's order.

    The key ``form`` is ours; a file without it was written by the original, so it is windowed.
    Recurrent models have our ``attention`` and ``attention_heads`` too.
    """
    values = config.to_dict()
    original = {theirs: values[ours] for theirs, ours in MODEL_NAMES.items()}
    original |= {"word_level": config.level == "word", "max_words": max_words, "name": name}
    order = ("rnn_layers", "rnn_size", "rnn_bidirectional", "max_length", "max_words",
             "dim_embeddings", "word_level", "single_text", "name")  # fmt: skip
    kept = _OURS_ALONE if config.form == "recurrent" else ("form",)
    return {key: original[key] for key in order} | {key: values[key] for key in kept}


def from_original(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a configuration of the original says about a model, under our names.

    Args:
        values: Content of a ``_config.json`` file; missing and unknown keys do no harm.

    Raises:
        ConfigError: If ``word_level`` is no boolean; all else is checked by ``ModelConfig``.
    """
    ours = {ours: values[theirs] for theirs, ours in MODEL_NAMES.items() if theirs in values}
    if "word_level" in values:
        if not isinstance(values["word_level"], bool):
            raise ConfigError(f"`word_level` must be True or False, got {values['word_level']!r}.")
        ours["level"] = "word" if values["word_level"] else "char"
    return ours | {key: values[key] for key in _OURS_ALONE if key in values}
