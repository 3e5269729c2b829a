"""What all decoders have in common, and which one a model needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from textgenrnn.config import ModelConfig
from textgenrnn.generation.bidirectional import BidirectionalDecoder
from textgenrnn.generation.decoder import Decoder
from textgenrnn.generation.windowed import WindowedDecoder
from textgenrnn.network.model import LanguageModel
from textgenrnn.network.parameters import FloatArray
from textgenrnn.tokenizers import Tokenizer

__all__ = ["AnyDecoder", "RowState", "make_decoder"]


class RowState(Protocol):
    """What a batch of rows remembers. It belongs to one caller, who passes it to its decoder."""

    def assign_row(self, row: int, source: Any, source_row: int) -> None:
        """Let a row go on where a row of another state of the decoder (or of this one) stands."""


class AnyDecoder(Protocol):
    """A model made ready for stepping, of whatever form. Immutable and thread-safe.

    Attributes:
        config: Shape and form of the network.
        tokenizer: Text to token ids and back.
        start_id: What every text starts from, see
            :attr:`~textgenrnn.network.model.LanguageModel.start_id`.
    """

    config: ModelConfig
    tokenizer: Tokenizer
    start_id: int

    def initial_state(self, batch_size: int) -> RowState:
        """Return the state of rows that have read nothing yet."""
        ...

    def read(self, token_ids: Sequence[int]) -> tuple[RowState, FloatArray]:
        """Return the state of one row that has read tokens, at least one, and the logits (V,)."""
        ...

    def step(self, state: Any, token_ids: npt.NDArray[np.integer]) -> FloatArray:
        """Read one token per active row.

        Args:
            state: Changed in place.
            token_ids: (n,) ids in [0, V); the first n rows of the state are active.

        Returns:
            Logits (n, V) of the next token, which the next step may overwrite and the caller may
            change.
        """
        ...


def make_decoder(model: LanguageModel) -> AnyDecoder:
    """Return the decoder for a model's form.

    Example:
        >>> decoder = make_decoder(model)                               # doctest: +SKIP
        >>> results = generate(decoder, 3, prefix="The")                # doctest: +SKIP
    """
    if model.config.form == "recurrent":
        return Decoder(model)
    return BidirectionalDecoder(model) if model.config.bidirectional else WindowedDecoder(model)
