"""A list of texts from a model."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable

import numpy as np

from textgenrnn.config import SamplingConfig
from textgenrnn.errors import ConfigError
from textgenrnn.generation.batch import Batch, Request
from textgenrnn.generation.forms import AnyDecoder
from textgenrnn.generation.result import GenerationResult, GenerationWarning

__all__ = ["generate"]

_MAX_ATTEMPTS = 20
"""How often a text is drawn again when it must differ from the others."""


def generate(
    decoder: AnyDecoder,
    n: int = 1,
    *,
    prefix: str = "",
    sampling: SamplingConfig | None = None,
    unique: bool = False,
    batch_size: int = 64,
    on_result: Callable[[GenerationResult], None] | None = None,
) -> list[GenerationResult]:
    """Generate texts.

    Args:
        decoder: What predicts; made once per model.
        n: Number of texts.
        prefix: Every text begins with it, whatever its characters and length.
        sampling: How to draw and when to stop; ``None``: the defaults.
        unique: Whether the texts must all differ; a repeated one is drawn again.
        batch_size: Most texts that advance together; it does not change them.
        on_result: Called with each text as soon as it is final, in order. What it raises ends the
            call.

    Returns:
        The n texts in order; fewer if ``unique`` and the model has not enough different ones.

    Warns:
        GenerationWarning: If ``unique`` texts ran out.

    Raises:
        ConfigError: If ``n`` or ``batch_size`` is no positive whole number.
        NotTrainedError: If the model has learned nothing yet.
        ModelFileError: If the model's predictions are no numbers.

    Example:
        >>> results = generate(make_decoder(model), 3, prefix="The")         # doctest: +SKIP
        >>> [result.text for result in results]                         # doctest: +SKIP
    """
    for name, value in (("n", n), ("batch_size", batch_size)):
        is_whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not is_whole or value < 1:
            raise ConfigError(f"`{name}` must be a whole number of at least 1, got {value!r}.")
    sampling = sampling or SamplingConfig()
    entropy = sampling.seed if sampling.seed is not None else fresh_entropy()
    batch = Batch(decoder, sampling, prefix=prefix, batch_size=min(n, batch_size), entropy=entropy)
    queue = deque(Request(index) for index in range(n))
    waiting: dict[int, tuple[Request, GenerationResult]] = {}  # ended before an earlier text did
    final: list[GenerationResult] = []
    seen: set[str] = set()
    exhausted = 0
    while len(final) + exhausted < n:
        while queue and batch.free_rows:
            batch.add(queue.popleft())
        waiting |= {request.index: (request, result) for request, result in batch.step()}
        # Texts become final in order, so that which of two equal ones is drawn again does not
        # depend on which ended first.
        while (index := len(final) + exhausted) in waiting:
            request, result = waiting.pop(index)
            if not unique or result.text not in seen:
                seen.add(result.text)
                final.append(result)
                if on_result is not None:
                    on_result(result)
            elif request.attempt + 1 < _MAX_ATTEMPTS:
                queue.appendleft(Request(index, request.attempt + 1))
            else:
                exhausted += 1
    if exhausted:
        warnings.warn(
            f"only {len(final)} of {n} texts differ after {_MAX_ATTEMPTS} tries each; a higher "
            "temperature or a longer max length gives more.",
            GenerationWarning,
            stacklevel=2,
        )
    return final


def fresh_entropy() -> int:
    """Return 128 random bits from the operating system, for calls without a seed."""
    entropy = np.random.SeedSequence().entropy
    assert isinstance(entropy, int)
    return entropy
