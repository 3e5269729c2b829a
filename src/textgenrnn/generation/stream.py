"""One text, piece by piece, as it is generated."""

from __future__ import annotations

from collections.abc import Iterator

from textgenrnn.config import SamplingConfig
from textgenrnn.generation.batch import Batch, Request
from textgenrnn.generation.forms import AnyDecoder
from textgenrnn.generation.generate import fresh_entropy
from textgenrnn.generation.strings import settled_length
from textgenrnn.tokenizers import Tokenizer

__all__ = ["stream"]


def stream(
    decoder: AnyDecoder, *, prefix: str = "", sampling: SamplingConfig | None = None
) -> Iterator[str]:
    """Yield a text in pieces whose concatenation is the text, the prefix first.

    Characters that may turn out to begin a stop string are held back until that is settled.

    Args:
        decoder: What predicts; made once per model.
        prefix: The text begins with it.
        sampling: How to draw and when to stop; ``None``: the defaults.

    Raises:
        NotTrainedError: If the model has learned nothing yet.
        ModelFileError: If the model's predictions are no numbers; raised at the text's end.

    Example:
        >>> for piece in stream(make_decoder(model), prefix="The"):     # doctest: +SKIP
        ...     print(piece, end="", flush=True)
    """
    sampling = sampling or SamplingConfig()
    entropy = sampling.seed if sampling.seed is not None else fresh_entropy()
    batch = Batch(decoder, sampling, prefix=prefix, batch_size=1, entropy=entropy)
    batch.add(Request(0))
    return _pieces(batch, decoder.tokenizer, prefix, () if sampling.keep_stop else sampling.stop)


def _pieces(
    batch: Batch, tokenizer: Tokenizer, prefix: str, trimmed: tuple[str, ...]
) -> Iterator[str]:
    """Yield the text of a batch's only row; ``trimmed`` are the strings that it may lose."""
    if prefix:
        yield prefix
    watched = max(map(len, trimmed), default=0)
    shown = prefix[-watched:] if watched else ""  # its end: a string may begin in it
    shown_length = len(prefix)
    pending = ""
    end = prefix[-1:]  # of the text so far
    read = 0
    while not (finished := batch.step()):
        new_ids = batch.generated_ids(0)[read:]
        read += len(new_ids)
        added = tokenizer.decode(new_ids, after=end)
        end = added[-1:] or end
        pending += added
        settled = max(0, settled_length(trimmed, shown + pending) - len(shown))
        piece, pending = pending[:settled], pending[settled:]
        if piece:
            shown_length += len(piece)
            shown = (shown + piece)[-watched:] if watched else ""
            yield piece
    if rest := finished[0][1].text[shown_length:]:
        yield rest
