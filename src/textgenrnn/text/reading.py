"""From files and lists to documents, with a report of everything that was left out."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from textgenrnn.errors import ConfigError, DataError, FileAccessError
from textgenrnn.text.encoding import decode_bytes
from textgenrnn.text.files import StrPath, read_bytes

__all__ = ["HEADER_LINES", "Corpus", "TextReport", "make_corpus", "read_corpus"]

_HEADER_WORDS = (
    "title titles name names headline headlines text texts content contents body",
    "sentence sentences tweet tweets comment comments message messages description quote quotes",
    "question questions lyric lyrics poem poems",
    "标题 題目 题目 標題 名称 名稱 名字 内容 內容 文本 正文 句子 诗句 詩句 歌词 歌詞 评论 評論",
    "タイトル 名前 本文 テキスト 제목 이름 내용 본문",
)
HEADER_LINES = frozenset(word for words in _HEADER_WORDS for word in words.split())
"""First lines that are taken as a column's name, case-folded and without quotation marks."""


@dataclass(frozen=True)
class TextReport:
    """What was read and what was left out.

    Attributes:
        path: The file, ``-`` for standard input, ``None`` for texts in memory.
        encoding: How the file was decoded; ``None`` for texts in memory.
        header: The first line, if it was left out as a header.
        documents: Number of documents.
        characters: Number of code points in them.
        blank: Number of blank lines, or blank texts, left out.
    """

    path: Path | None
    encoding: str | None
    header: str | None
    documents: int
    characters: int
    blank: int

    def describe(self) -> str:
        """Return the report in one line.

        Example:
            >>> TextReport(Path("data/cities.txt"), "utf-8", "title", 6000, 98123, 3).describe()
            "cities.txt: 6,000 documents, 98,123 characters, utf-8, first line 'title' taken as a \
header, 3 blank lines dropped"
        """
        parts = [_count(self.documents, "document"), _count(self.characters, "character")]
        if self.encoding is not None:
            parts.append(self.encoding)
        if self.header is not None:
            parts.append(f"first line {self.header!r} taken as a header")
        if self.blank:
            unit = "blank text" if self.path is None else "blank line"
            parts.append(f"{_count(self.blank, unit)} dropped")
        source = "" if self.path is None else f"{_display_name(self.path)}: "
        return source + ", ".join(parts)


@dataclass(frozen=True)
class Corpus:
    """Documents to learn from; a single text is one document.

    Attributes:
        documents: The texts, none of them blank.
        single_text: Whether it is one long text rather than a collection.
        report: Where they are from, and what was left out.
    """

    documents: tuple[str, ...]
    single_text: bool
    report: TextReport


def read_corpus(
    path: StrPath,
    *,
    single_text: bool = False,
    header: bool | None = None,
    encoding: str | None = None,
) -> Corpus:
    r"""Read the documents of a text file.

    Lines end with ``\n``, ``\r\n`` or ``\r``, nothing else. Each is a document, without the white
    space at its end; blank ones are left out.

    Args:
        path: A text file; ``-`` reads standard input.
        single_text: Whether the whole file is one document, its lines kept as they are.
        header: Whether the first line that is not blank is left out; ``None`` does so if it stands
            in :data:`HEADER_LINES`, other lines follow, and it is no single text.
        encoding: The file's encoding; ``None`` finds it.

    Raises:
        FileAccessError: If the file cannot be read.
        DataError: If it holds no text, or cannot be decoded.
        ConfigError: If the encoding is unknown.
    """
    path = Path(path)
    is_stdin = str(path) == "-"
    name = _display_name(path) if is_stdin else f"`{path}`"
    data = _read_stdin() if is_stdin else read_bytes(path)
    text, encoding = decode_bytes(data, name=name, encoding=encoding)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        what = "holds blank lines only" if text else "is empty"
        raise DataError(f"{name} {what}, expected text, one document a line.")
    text, dropped = _split_header(text, header, single_text=single_text)
    if single_text:
        documents, blank = [text] if text.strip() else [], 0
    else:
        # What follows the end of the last line is no line.
        lines = text.removesuffix("\n").split("\n") if text else []
        stripped = [line.removeprefix("\ufeff").rstrip() for line in lines]
        documents = [line for line in stripped if line]
        blank = len(stripped) - len(documents)
    if not documents:
        raise DataError(
            f"{name} holds nothing but its first line {dropped!r}, which `header=True` leaves out; "
            "pass header=False to keep it."
        )
    return _corpus(
        documents,
        single_text=single_text,
        blank=blank,
        path=path,
        encoding=encoding,
        header=dropped,
    )


def make_corpus(texts: Iterable[str], *, single_text: bool = False) -> Corpus:
    """Make a corpus of texts in memory; they are kept as they are, blank ones are left out.

    Args:
        texts: The documents.
        single_text: Whether they are parts of one text; they are joined by line ends then.

    Raises:
        ConfigError: If ``texts`` is one string, or no collection at all.
        DataError: If one of them is no string, or none holds text.

    Example:
        >>> make_corpus(["Paris", " ", "Oslo"]).report.describe()
        '2 documents, 9 characters, 1 blank text dropped'
    """
    if isinstance(texts, str | bytes):
        raise ConfigError(
            f"`texts` must be a list of strings, got one {type(texts).__name__}; put it into a "
            "list: [text], or split it: text.splitlines()."
        )
    if not isinstance(texts, Iterable):
        raise ConfigError(
            f"`texts` must be a list of strings, got {type(texts).__name__}; put it into a list."
        )
    given = list(texts)
    for index, text in enumerate(given):
        if not isinstance(text, str):
            raise DataError(
                f"`texts[{index}]` must be a string, got {type(text).__name__} ({text!r:.40}); "
                "convert it or leave it out."
            )
    documents = [text for text in given if text.strip()]
    if not documents:
        what = f"all {len(given):,} of them are blank" if given else "got an empty list"
        raise DataError(f"`texts` must hold at least one text that is not blank, {what}.")
    blank = len(given) - len(documents)
    if single_text:
        documents = ["\n".join(documents)]
    return _corpus(documents, single_text=single_text, blank=blank)


def _read_stdin() -> bytes:
    if sys.stdin is None:  # it was closed before Python started
        raise FileAccessError("standard input is closed; give the name of a file.")
    return sys.stdin.buffer.read()


def _corpus(
    documents: Sequence[str],
    *,
    single_text: bool,
    blank: int,
    path: Path | None = None,
    encoding: str | None = None,
    header: str | None = None,
) -> Corpus:
    characters = sum(len(document) for document in documents)
    report = TextReport(path, encoding, header, len(documents), characters, blank)
    return Corpus(tuple(documents), single_text, report)


def _split_header(text: str, header: bool | None, *, single_text: bool) -> tuple[str, str | None]:
    """Return the text without its first line, and that line, if it is to be left out."""
    first = re.search(r"^.*\S.*$", text, re.MULTILINE)
    if first is None or header is False:
        return text, None
    line = first[0].strip()
    rest = text[: first.start()] + text[first.end() + 1 :]
    known = line.strip("\"'").casefold() in HEADER_LINES and bool(rest.strip())
    if header or (known and not single_text):
        return rest, line
    return text, None


def _display_name(path: Path) -> str:
    return "standard input" if str(path) == "-" else path.name


def _count(number: int, unit: str) -> str:
    return f"{number:,} {unit}" + ("" if number == 1 else "s")
