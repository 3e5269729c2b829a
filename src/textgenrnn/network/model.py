"""A language model: a configuration, its parameters and its tokenizer, immutable together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from textgenrnn.config import ModelConfig
from textgenrnn.errors import ModelFileError
from textgenrnn.network.parameters import FloatArray, Parameters, check_parameters
from textgenrnn.tokenizers import META_TOKEN, PADDING_ID, Tokenizer

__all__ = ["LanguageModel"]


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """Everything that text is generated from, and everything that a model file holds.

    Instances never change, so any number of threads may generate from one. Arrays that can be
    written to are copied, so that training may go on in them.

    Attributes:
        config: Shape and form of the network.
        parameters: Name to float32 array; the arrays are read-only.
        tokenizer: Text to token ids and back.
        training: What is known about how it was trained (JSON types), shown by ``info``.

    Raises:
        ModelFileError: If the three do not fit together.
    """

    config: ModelConfig
    parameters: Parameters
    tokenizer: Tokenizer
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        has_meta_token = META_TOKEN in self.tokenizer.vocabulary.ids
        if not has_meta_token and not self._starts_from_padding:
            raise ModelFileError(f"the vocabulary lacks the start and end token {META_TOKEN!r}.")
        if len(self.tokenizer.vocabulary) + 1 != self.config.vocab_size:
            raise ModelFileError(
                f"the vocabulary has {len(self.tokenizer.vocabulary)} tokens, but the network "
                f"expects {self.config.vocab_size - 1} (its {self.config.vocab_size} classes "
                "less the padding)."
            )
        check_parameters(self.parameters, self.config)
        frozen = {name: _frozen(values) for name, values in self.parameters.items()}
        object.__setattr__(self, "parameters", MappingProxyType(frozen))
        object.__setattr__(self, "training", MappingProxyType(dict(self.training)))

    @property
    def start_id(self) -> int:
        """Id of what every text starts from: ``<s>``, or padding.

        The original learns a single text without ``<s>``, and its windows hold padding before the
        text begins; so it is in the windowed form.
        """
        return PADDING_ID if self._starts_from_padding else self.tokenizer.vocabulary.meta_id

    @property
    def _starts_from_padding(self) -> bool:
        return self.config.form == "windowed" and self.config.single_text

    def __reduce__(self) -> tuple[Any, ...]:
        # Read-only mappings cannot be pickled or copied; the model is made again from plain ones.
        plain = (self.config, dict(self.parameters), self.tokenizer, dict(self.training))
        return (LanguageModel, plain)


def _frozen(values: FloatArray) -> FloatArray:
    """Return a read-only array of its own, unless these values are read-only already."""
    array = np.array(values, dtype=np.float32, order="C", copy=values.flags.writeable or None)
    array.flags.writeable = False
    return array
