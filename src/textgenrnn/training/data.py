"""Encoded text for training: one flat array of ids, and where the documents lie in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from textgenrnn.tokenizers import PADDING_ID, TokenArray, Tokenizer

__all__ = ["EncodedText", "encode_documents", "is_worth_splitting", "split_held_out"]

_FEWEST_DOCUMENTS = 20
_FEWEST_CHARACTERS = 1000
"""With fewer than this nothing is held out unless asked for."""


@dataclass(frozen=True)
class EncodedText:
    """Documents as token ids, ``<s>`` before each and after the last.

    Attributes:
        token_ids: (N,) ``<s> document <s> document … <s>``.
        starts: (D + 1,) positions of the ``<s>`` before each document, and of the last one.
        single_text: Whether it is one long text; then the last ``<s>`` is no target.
        newline_id: Id of the newline character; 0 if the vocabulary has none.
    """

    token_ids: TokenArray
    starts: npt.NDArray[np.int64]
    single_text: bool
    newline_id: int = PADDING_ID

    @property
    def num_documents(self) -> int:
        """D."""
        return len(self.starts) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(D,) targets of each document, the closing ``<s>`` included."""
        return np.diff(self.starts)

    @cached_property
    def num_targets(self) -> int:
        """Tokens to predict in one pass: those that the vocabulary knows."""
        end = len(self.token_ids) - self.single_text
        return int(np.count_nonzero(self.token_ids[1:end]))

    @property
    def coverage(self) -> float:
        """Share of the tokens that the vocabulary knows."""
        return 1.0 - float((self.token_ids == PADDING_ID).mean())


def encode_documents(
    documents: Sequence[str], tokenizer: Tokenizer, *, single_text: bool
) -> EncodedText:
    """Encode documents for training.

    Args:
        documents: At least one; a single text is one document.
        tokenizer: Text to ids.
        single_text: Whether the one document has no end to learn.
    """
    meta = np.array([tokenizer.vocabulary.meta_id], np.int32)
    pieces = [meta]
    lengths = []
    for document in documents:
        ids = tokenizer.encode(document)
        lengths.append(len(ids) + 1)
        pieces += [ids, meta]
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    newline_id = tokenizer.vocabulary.ids.get("\n", PADDING_ID)
    return EncodedText(np.concatenate(pieces), starts, single_text, newline_id)


def is_worth_splitting(size: int, *, single_text: bool) -> bool:
    """Whether so many documents, or so many characters of a single text, can spare some."""
    return size >= (_FEWEST_CHARACTERS if single_text else _FEWEST_DOCUMENTS)


def split_held_out(
    documents: Sequence[str], share: float | None, *, single_text: bool, seed: int
) -> tuple[list[str], list[str]]:
    """Split documents into those to learn and those held out to validate.

    Whole documents are held out at random; a single text loses its tail.

    Args:
        documents: All of them.
        share: Share to hold out; ``None``: 5 %, but nothing of fewer than 20 documents (or, of a
            single text, of fewer than 20 lines' worth of characters).
        single_text: Whether ``documents`` is one text.
        seed: Chooses the documents.

    Returns:
        The documents to learn (in their order) and those held out; never nothing to learn.
    """
    size = len(documents[0]) if single_text else len(documents)
    if share is None:
        share = 0.05 if is_worth_splitting(size, single_text=single_text) else 0.0
    # Counted from what is kept, so that 0.1 of a text leaves the usual int(0.9 * length).
    count = min(max(1, size - int(size * (1.0 - share))), size - 1) if share else 0
    if not count:
        return list(documents), []
    if single_text:
        return [documents[0][: size - count]], [documents[0][size - count :]]
    chosen = set(np.random.default_rng(seed).permutation(size)[:count].tolist())
    learned = [document for i, document in enumerate(documents) if i not in chosen]
    return learned, [documents[i] for i in sorted(chosen)]
