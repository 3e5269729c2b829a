"""From text to token ids and back: one protocol, one vocabulary format."""

from __future__ import annotations

from collections.abc import Sequence

from textgenrnn.config import Level
from textgenrnn.errors import ModelFileError
from textgenrnn.tokenizers.base import META_TOKEN, PADDING_ID, TokenArray, Tokenizer, Vocabulary
from textgenrnn.tokenizers.char import CharTokenizer
from textgenrnn.tokenizers.word import WordTokenizer

__all__ = [
    "META_TOKEN",
    "PADDING_ID",
    "CharTokenizer",
    "TokenArray",
    "Tokenizer",
    "Vocabulary",
    "WordTokenizer",
    "restore_tokenizer",
]


def restore_tokenizer(level: Level, tokens: Sequence[str]) -> Tokenizer:
    """Make the tokenizer of a saved model again.

    Args:
        level: What a token is.
        tokens: The vocabulary in the order of its ids, the first has id 1.

    Raises:
        ModelFileError: If the level is unknown or the tokens cannot be a vocabulary of it.
    """
    if level == "char":
        return CharTokenizer(Vocabulary(tokens))
    if level == "word":
        return WordTokenizer(Vocabulary(tokens))
    raise ModelFileError(
        f"the model's tokenizer is {level!r}; this version knows 'char' and 'word'."
    )
