"""Characters as tokens: every Unicode code point that the text uses."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from textgenrnn.config import Level
from textgenrnn.errors import ModelFileError
from textgenrnn.tokenizers.base import META_TOKEN, TokenArray, Vocabulary

__all__ = ["CharTokenizer"]


class CharTokenizer:
    """Maps each code point to an id; ``decode(encode(text)) == text`` for known characters.

    Args:
        vocabulary: Single characters and ``<s>``.

    Raises:
        ModelFileError: If a token other than ``<s>`` is not a single character.

    Example:
        >>> tokenizer = CharTokenizer.from_texts(["春眠不觉晓", "春"])
        >>> tokenizer.encode("春晓!").tolist()
        [1, 5, 0]
        >>> tokenizer.decode([1, 5])
        '春晓'
    """

    level: Level = "char"

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        for token in vocabulary.tokens:
            if len(token) != 1 and token != META_TOKEN:
                raise ModelFileError(
                    f"a vocabulary of characters holds single characters, got {token!r}."
                )

    @classmethod
    def from_texts(cls, texts: Iterable[str], max_tokens: int | None = None) -> CharTokenizer:
        """Collect the characters of texts, the most frequent first, then by first appearance.

        Args:
            texts: The training text.
            max_tokens: Keep only that many characters; the rest becomes unknown (id 0).
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        characters = [character for character, _ in counts.most_common(max_tokens)]
        return cls(Vocabulary([*characters, META_TOKEN]))

    @cached_property
    def _id_of_code_point(self) -> TokenArray:
        """Ids indexed by code point, up to the highest one known, then one 0 for all above."""
        points = {ord(t): i for t, i in self.vocabulary.ids.items() if t != META_TOKEN}
        table = np.zeros(max(points, default=0) + 2, dtype=np.int32)
        table[list(points)] = list(points.values())
        return table

    @cached_property
    def _characters(self) -> tuple[str, ...]:
        """Text of each id; nothing for padding and ``<s>``."""
        return ("", *("" if t == META_TOKEN else t for t in self.vocabulary.tokens))

    def encode(self, text: str) -> TokenArray:
        """Return the ids (N,) of the N code points of a text; unknown ones become 0."""
        # 'surrogatepass': a lone surrogate in a Python string is an unknown character, no error.
        encoding = "utf-32-le" if sys.byteorder == "little" else "utf-32-be"
        points = np.frombuffer(text.encode(encoding, "surrogatepass"), dtype=np.uint32)
        table = self._id_of_code_point
        return np.asarray(table.take(np.minimum(points, len(table) - 1)), dtype=np.int32)

    def decode(self, token_ids: Sequence[int] | TokenArray, after: str = "") -> str:
        """Return the text of ids (N,); padding and ``<s>`` give nothing.

        Args:
            token_ids: What to decode.
            after: The text so far, which makes no difference to characters.
        """
        characters = self._characters
        return "".join([characters[index] for index in token_ids])

    def pieces(self, after: str) -> tuple[str, ...]:
        """Return the character of each id; nothing for padding and ``<s>``."""
        return self._characters
