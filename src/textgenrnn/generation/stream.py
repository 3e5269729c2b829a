"""One text, piece by piece, as it is generated."""

from __future__ import annotations

from collections.abc import Iterator

from textgenrnn.config import SamplingConfig
from textgenrnn.generation.batch import Batch, Request
from textgenrnn.generation.decoder import Decoder
from textgenrnn.generation.generate import fresh_entropy

__all__ = ["stream"]


def stream(
    decoder: Decoder, *, prefix: str = "", sampling: SamplingConfig | None = None
) -> Iterator[str]:
    """Yield a text in pieces whose concatenation is the text, the prefix first.

    Characters that may turn out to begin a stop string are held back until that is settled.

    Args:
        decoder: What predicts; made once per model.
        prefix: The text begins with it.
        sampling: How to draw and when to stop; ``None``: the defaults.

    Raises:
        NotTrainedError: If the model has learned nothing yet.

    Example:
        >>> for piece in stream(Decoder(model), prefix="The"):          # doctest: +SKIP
        ...     print(piece, end="", flush=True)
    """
    sampling = sampling or SamplingConfig()
    entropy = sampling.seed if sampling.seed is not None else fresh_entropy()
    batch = Batch(decoder, sampling, prefix=prefix, batch_size=1, entropy=entropy)
    batch.add(Request(0))
    held_back = max((len(stop) for stop in sampling.stop), default=0)
    if prefix:
        yield prefix
    shown_length = len(prefix)
    pending = ""
    read = 0
    while True:
        finished = batch.step()
        if finished:
            rest = finished[0][1].text[shown_length:]
            if rest:
                yield rest
            return
        new_ids = batch.generated_ids(0)[read:]
        read += len(new_ids)
        pending += decoder.tokenizer.decode(new_ids)
        if len(pending) > held_back:
            piece, pending = pending[: len(pending) - held_back], pending[len(pending) - held_back :]
            shown_length += len(piece)
            yield piece
