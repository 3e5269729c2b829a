"""Words as tokens, as the original's word-level models have them.

A text is lower-cased, each punctuation mark, line break and tab becomes a word of its own, and
spaces part the words. Ids do not tell how a text was spaced, so decoding puts a space between two
words unless the first opens or the second closes something: ``( so , it's done )`` comes back as
``(so, it's done)``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from textgenrnn.config import Level
from textgenrnn.tokenizers.base import META_TOKEN, TokenArray, Vocabulary

__all__ = ["WordTokenizer"]

_PUNCTUATION = re.compile(r"""([!"#$%&()*+,\-./:;<=>?@\[\]^_`{|}~\n\t'‘’“”–—…])""")
_NO_SPACE_BEFORE = frozenset("!%),.:;?]}'’”…\n\t")
_NO_SPACE_AFTER = frozenset("([{$#@'‘’“")


class WordTokenizer:
    """Maps each lower-cased word or punctuation mark to an id.

    Args:
        vocabulary: Words and ``<s>``.

    Example:
        >>> tokenizer = WordTokenizer.from_texts(["To be, or not to be."])
        >>> tokenizer.encode("Be (not)!").tolist()
        [2, 0, 5, 0, 0]
        >>> tokenizer.decode([1, 2, 3, 4, 5])
        'to be, or not'
    """

    level: Level = "word"

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    @classmethod
    def from_texts(cls, texts: Iterable[str], max_tokens: int | None = None) -> WordTokenizer:
        """Collect the words of texts, the most frequent first, then by first appearance.

        Args:
            texts: The training text.
            max_tokens: Keep only that many words; the rest becomes unknown (id 0).
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(_split(text))
        words = [word for word, _ in counts.most_common(max_tokens)]
        return cls(Vocabulary([*words, META_TOKEN]))

    def encode(self, text: str) -> TokenArray:
        """Return the ids (N,) of the N words of a text; unknown ones become 0."""
        ids = self._ids
        return np.array([ids.get(word, 0) for word in _split(text)], np.int32)

    def decode(self, token_ids: Sequence[int] | TokenArray, after: str = "") -> str:
        """Return what ids (N,) add to a text; padding and ``<s>`` give nothing.

        Args:
            token_ids: What comes next.
            after: The text so far, or its last character.
        """
        decoded: list[str] = []
        for index in token_ids:
            piece = self.pieces(after)[index]
            decoded.append(piece)
            after = piece or after
        return "".join(decoded)

    def pieces(self, after: str) -> tuple[str, ...]:
        """Return what each id adds to a text that ends as ``after`` does."""
        end = after[-1:]
        if not end or end.isspace() or end in _NO_SPACE_AFTER:
            return self._words
        return self._spaced_words

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {token: index for token, index in self.vocabulary.ids.items() if token != META_TOKEN}

    @cached_property
    def _words(self) -> tuple[str, ...]:
        return ("", *("" if t == META_TOKEN else t for t in self.vocabulary.tokens))

    @cached_property
    def _spaced_words(self) -> tuple[str, ...]:
        return tuple(
            word if not word or word in _NO_SPACE_BEFORE else f" {word}" for word in self._words
        )


def _split(text: str) -> list[str]:
    """Return the words of a text, lower-cased, punctuation marks and line breaks among them."""
    return [word for word in _PUNCTUATION.sub(r" \1 ", text.lower()).split(" ") if word]
