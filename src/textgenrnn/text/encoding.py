"""From bytes to text: marks, UTF-8, the usual older encodings; never a silently dropped byte."""

from __future__ import annotations

import codecs
from encodings.aliases import aliases

from textgenrnn.config import suggest
from textgenrnn.errors import ConfigError, DataError
from textgenrnn.text.legacy import LEGACY_CODECS, guess_legacy_encoding, non_ascii_sample

__all__ = ["decode_bytes"]

# The mark of UTF-32-LE begins with that of UTF-16-LE, so it comes first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_SAVE_AS_TEXT = "save its text as a plain .txt file"
_DECOMPRESS = "decompress it first"
_BINARY_KINDS = (
    (b"\x89PNG\r\n\x1a\n", "a PNG image", _SAVE_AS_TEXT),
    (b"\xff\xd8\xff", "a JPEG image", _SAVE_AS_TEXT),
    (b"%PDF-", "a PDF document", _SAVE_AS_TEXT),
    (b"{\\rtf", "a rich text (.rtf) document", _SAVE_AS_TEXT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document (.doc, .xls)", _SAVE_AS_TEXT),
    (
        b"PK\x03\x04",
        "a zip archive or an Office document (.docx, .xlsx)",
        f"unpack it, or {_SAVE_AS_TEXT}",
    ),
    (b"\x1f\x8b", "a gzip archive", _DECOMPRESS),
    (b"\xfd7zXZ\x00", "an xz archive", _DECOMPRESS),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, such as the weights of a model", "give a text file"),
)

_MEND = "correct that place in an editor and save the file as UTF-8"
_MEND_OR_NAME = "correct that place, or name its encoding, for example encoding='latin-1'"
_LEAVE_OUT = "name another encoding, or None to have it found"

_ENCODING_NAMES = sorted({*aliases, *aliases.values()})


def decode_bytes(data: bytes, *, name: str, encoding: str | None = None) -> tuple[str, str]:
    """Decode the content of a text file.

    In this order: the encoding that was asked for; the mark (BOM) at the start; UTF-8; the
    likeliest of GB18030, Big5, Shift-JIS, EUC-JP, EUC-KR, cp1251 and cp1252. A mark is no part of
    the text.

    Args:
        data: The whole content.
        name: What to call it in errors, such as the file's path.
        encoding: Name of its encoding, any that Python knows; ``None`` finds it.

    Returns:
        The text, and the name of the encoding, which gives the same text when asked for.

    Raises:
        DataError: If it is no text, or not wholly in its encoding.
        ConfigError: If ``encoding`` is no name of an encoding.

    Example:
        >>> decode_bytes("花落知多少".encode("gbk"), name="poems.txt")
        ('花落知多少', 'gb18030')
    """
    _refuse_binary(data, name)
    if encoding is not None:
        return _decode_as_asked(data, name, encoding)
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return _decode(data, name, codec, "is marked as", _MEND), codec
    if b"\0" in data:
        raise DataError(
            f"{name} holds NUL bytes, so it looks like a binary file, or UTF-16 without its mark; "
            "if it is text, name its encoding, for example encoding='utf-16-le'."
        )
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        if _is_damaged_utf8(data):
            return _decode(data, name, "utf-8", "looks like", _MEND), "utf-8"
    return _decode_legacy(data, name, guess_legacy_encoding(data))


def _refuse_binary(data: bytes, name: str) -> None:
    for magic, kind, remedy in _BINARY_KINDS:
        if data.startswith(magic):
            raise DataError(f"{name} looks like {kind}, expected plain text; {remedy}.")


def _decode_as_asked(data: bytes, name: str, encoding: str) -> tuple[str, str]:
    try:
        codec = codecs.lookup(encoding).name
        return _decode(data, name, codec, "was to be read as", _LEAVE_OUT), codec
    except DataError:
        raise
    except (LookupError, TypeError, ValueError) as error:
        near = ""
        if isinstance(encoding, str):
            near = suggest(encoding.lower().replace("-", "_"), _ENCODING_NAMES)
        raise ConfigError(
            f"`encoding` must be the name of a text encoding, got {encoding!r}{near}; "
            "None finds the encoding by itself."
        ) from error


def _decode_legacy(data: bytes, name: str, encoding: str) -> tuple[str, str]:
    for codec in LEGACY_CODECS[encoding]:
        try:
            return data.decode(codec), codec
        except UnicodeDecodeError:
            continue
    return _decode(data, name, encoding, "looks like", _MEND_OR_NAME), encoding


def _is_damaged_utf8(data: bytes) -> bool:
    """Return whether bytes that are not all UTF-8 mostly are; other encodings rarely fit it."""
    text = non_ascii_sample(data).decode("utf-8", "replace")
    damaged = text.count("\ufffd")
    return sum(character > "\x7f" for character in text) > 2 * damaged


def _decode(data: bytes, name: str, codec: str, why: str, remedy: str) -> str:
    try:
        return data.decode(codec).removeprefix("\ufeff")
    except UnicodeError as error:
        # Only a UnicodeDecodeError knows the place; a few odd codecs raise the plain error.
        start = getattr(error, "start", 0)
        before = data[:start].decode(codec, "replace")
        line = before.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
        raise DataError(
            f"{name} {why} {codec}, but byte {start:,} (line {line:,}) is not valid in it; "
            f"{remedy}."
        ) from error
