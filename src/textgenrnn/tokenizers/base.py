"""The protocol that every tokenizer follows, and the vocabulary that they share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import numpy as np
import numpy.typing as npt

from textgenrnn.config import Level
from textgenrnn.errors import ModelFileError

__all__ = ["META_TOKEN", "PADDING_ID", "TokenArray", "Tokenizer", "Vocabulary"]

META_TOKEN = "<s>"
"""Stands before and after every document; found in a vocabulary by name, whatever its id."""

PADDING_ID = 0
"""Padding and unknown tokens; never generated."""

TokenArray = npt.NDArray[np.int32]


class Vocabulary:
    """An immutable two-way mapping of tokens and ids; ids count from 1, 0 is padding and unknown.

    Args:
        tokens: All tokens in the order of their ids. One is ``<s>``, but in vocabularies of the
            original's single texts.

    Raises:
        ModelFileError: If a token is no string, is empty or stands twice.

    Example:
        >>> vocabulary = Vocabulary(["a", "b", "<s>"])
        >>> vocabulary.ids["b"], vocabulary.meta_id, len(vocabulary)
        (2, 3, 3)
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self._tokens = tuple(tokens)
        for position, token in enumerate(self._tokens, start=1):
            if not isinstance(token, str) or not token:
                raise ModelFileError(
                    f"a vocabulary holds strings of at least 1 character; id {position} is "
                    f"{token!r}."
                )
        self._ids = {token: index for index, token in enumerate(self._tokens, start=1)}
        if len(self._ids) != len(self._tokens):
            double = next(t for i, t in enumerate(self._tokens, start=1) if self._ids[t] != i)
            raise ModelFileError(f"the vocabulary holds the token {double!r} twice.")

    @property
    def tokens(self) -> tuple[str, ...]:
        """All tokens; ``tokens[i]`` has id i + 1."""
        return self._tokens

    @property
    def ids(self) -> Mapping[str, int]:
        """Token to id, read-only."""
        return MappingProxyType(self._ids)

    @property
    def meta_id(self) -> int:
        """Id of ``<s>``; 0, the padding, if there is none."""
        return self._ids.get(META_TOKEN, PADDING_ID)

    def __len__(self) -> int:
        return len(self._tokens)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self._tokens == other._tokens

    def __hash__(self) -> int:
        return hash(self._tokens)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} tokens)"


class Tokenizer(Protocol):
    """What training, generation and storage ask of a tokenizer."""

    @property
    def level(self) -> Level:
        """What a token is; names the kind of tokenizer in model files."""
        ...

    @property
    def vocabulary(self) -> Vocabulary:
        """Tokens and ids."""
        ...

    def encode(self, text: str) -> TokenArray:
        """Return the ids (N,) of a text; what the vocabulary lacks becomes 0. No ``<s>`` added."""
        ...

    def decode(self, token_ids: Sequence[int] | TokenArray, after: str = "") -> str:
        """Return what ids (N,) add to a text; padding and ``<s>`` give nothing.

        Args:
            token_ids: What comes next.
            after: The text so far, or its end: whether a space is due depends on it.
        """
        ...

    def pieces(self, after: str) -> tuple[str, ...]:
        """Return what each id adds to a text that ends as ``after`` does.

        There are few different tuples, and each is always the same object.
        """
        ...
