"""Text in: files, their encodings, and the documents in them."""

from __future__ import annotations

from textgenrnn.text.encoding import decode_bytes
from textgenrnn.text.reading import HEADER_LINES, Corpus, TextReport, make_corpus, read_corpus

__all__ = [
    "HEADER_LINES",
    "Corpus",
    "TextReport",
    "decode_bytes",
    "make_corpus",
    "read_corpus",
]
