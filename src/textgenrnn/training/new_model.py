"""A new, untrained model for a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textgenrnn.config import ModelConfig
from textgenrnn.network.model import LanguageModel
from textgenrnn.network.parameters import initial_parameters
from textgenrnn.tokenizers import CharTokenizer

__all__ = ["make_new_model"]


def make_new_model(
    documents: Sequence[str],
    *,
    single_text: bool,
    size: Mapping[str, int | bool],
    max_tokens: int | None = None,
    seed: int | None = None,
    **settings: object,
) -> LanguageModel:
    """Return a model whose vocabulary is the text's, with random parameters.

    Args:
        documents: The text it will learn.
        single_text: Whether it is one long text.
        size: Fields of :class:`~textgenrnn.config.ModelConfig`, as from
            :func:`~textgenrnn.training.plan.plan_size`.
        max_tokens: Most characters of the vocabulary; the rarest become unknown.
        seed: Of the parameters; ``None`` draws fresh ones.
        settings: Further fields of :class:`~textgenrnn.config.ModelConfig`.
    """
    tokenizer = CharTokenizer.from_texts(documents, max_tokens)
    config = ModelConfig.from_dict(
        {
            "vocab_size": len(tokenizer.vocabulary) + 1,
            "single_text": single_text,
            **size,
            **settings,
        }
    )
    return LanguageModel(config, initial_parameters(config, seed), tokenizer)
