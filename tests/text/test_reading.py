import io
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgenrnn.errors import ConfigError, DataError, FileAccessError
from textgenrnn.text import HEADER_LINES, make_corpus, read_corpus


def write(folder: Path, text: str, name: str = "cities.txt", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def test_one_document_a_line_and_a_report_of_the_rest(tmp_path: Path) -> None:
    path = write(tmp_path, "title\n\nParis\n \u3000\n  Oslo \t\nSão Paulo\n\n")
    corpus = read_corpus(path)
    assert corpus.documents == ("Paris", "  Oslo", "São Paulo")
    assert not corpus.single_text
    assert corpus.report.path == path
    assert corpus.report.describe() == (
        "cities.txt: 3 documents, 20 characters, utf-8, first line 'title' taken as a header, "
        "3 blank lines dropped"
    )


def test_large_numbers_have_separators_and_one_is_singular(tmp_path: Path) -> None:
    report = read_corpus(write(tmp_path, "ab\n" * 6000)).report
    assert report.describe() == "cities.txt: 6,000 documents, 12,000 characters, utf-8"
    report = read_corpus(write(tmp_path, "a\n\n")).report
    assert report.describe() == ("cities.txt: 1 document, 1 character, utf-8, 1 blank line dropped")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends_of_all_systems(tmp_path: Path, end: str, last: bool) -> None:
    path = write(tmp_path, end.join(["Paris", "", "Oslo"]) + end * last)
    corpus = read_corpus(path)
    assert corpus.documents == ("Paris", "Oslo")
    assert corpus.report.blank == 1


def test_nothing_else_ends_a_line(tmp_path: Path) -> None:
    line = "a\u2028b\u2029c\x0bd\x0ce\x1cf\x85g"
    assert read_corpus(write(tmp_path, line + "\n")).documents == (line,)


def test_marks_are_stripped_at_the_start_of_any_line(tmp_path: Path) -> None:
    path = write(tmp_path, "\ufeff标题\n\ufeff春眠\n\ufeff\n")
    corpus = read_corpus(path)
    assert corpus.documents == ("春眠",)
    assert (corpus.report.header, corpus.report.blank) == ("标题", 1)


@given(st.lists(st.text(st.characters(exclude_characters="\n\r\ufeff", codec="utf-8"))))
def test_lines_come_back(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    path = write(tmp_path_factory.getbasetemp(), "First line\n" + "\n".join(lines))
    expected = tuple(line.rstrip() for line in lines if line.strip())
    assert read_corpus(path, encoding="utf-8").documents == ("First line", *expected)


@pytest.mark.parametrize("line", ["title", "Title", " TEXT ", '"headline"', "内容", "标题", "本文"])
def test_a_known_header_is_dropped(tmp_path: Path, line: str) -> None:
    path = write(tmp_path, f"{line}\nParis\n")
    corpus = read_corpus(path)
    assert (corpus.documents, corpus.report.header) == (("Paris",), line.strip())
    assert read_corpus(path, header=False).documents == (line.rstrip(), "Paris")


def test_header_lines_are_case_folded() -> None:
    assert {line.casefold().strip() for line in HEADER_LINES} == HEADER_LINES
    assert {"title", "text", "body", "name", "headline", "content", "标题", "内容", "文本"} <= (
        HEADER_LINES
    )


@pytest.mark.parametrize("first", ["emma", "First Citizen:", "title page", "Titel"])
def test_other_first_lines_stay_unless_told(tmp_path: Path, first: str) -> None:
    path = write(tmp_path, f"\n{first}\nolivia\n")
    corpus = read_corpus(path)
    assert (corpus.documents, corpus.report.header) == ((first, "olivia"), None)
    corpus = read_corpus(path, header=True)
    assert (corpus.documents, corpus.report.header) == (("olivia",), first)
    assert corpus.report.blank == 1


def test_the_only_line_is_no_header_unless_told(tmp_path: Path) -> None:
    path = write(tmp_path, "Title\n\n")
    assert read_corpus(path).documents == ("Title",)
    with pytest.raises(DataError) as caught:
        read_corpus(path, header=True)
    assert str(caught.value) == (
        f"`{path}` holds nothing but its first line 'Title', which `header=True` leaves out; pass "
        "header=False to keep it."
    )


def test_a_single_text_is_kept_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path, "title\r\n\r\n  ACT I \r\rEnter KING\n")
    corpus = read_corpus(path, single_text=True)
    assert corpus.single_text
    assert corpus.documents == ("title\n\n  ACT I \n\nEnter KING\n",)
    assert corpus.report.describe() == "cities.txt: 1 document, 28 characters, utf-8"
    corpus = read_corpus(path, single_text=True, header=True)
    assert corpus.documents == ("\n  ACT I \n\nEnter KING\n",)
    assert corpus.report.header == "title"


def test_encodings_are_found_or_given(tmp_path: Path) -> None:
    path = write(tmp_path, "床前明月光\n疑是地上霜\n", encoding="gbk")
    report = read_corpus(path).report
    assert report.describe() == "cities.txt: 2 documents, 10 characters, gb18030"
    with pytest.raises(DataError, match=rf"^`{path}` was to be read as utf-8, but byte 0 "):
        read_corpus(path, encoding="utf-8")
    with pytest.raises(ConfigError, match="must be the name of a text encoding"):
        read_corpus(path, encoding="utf-88")


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("name\nÅsa\n".encode())))
    corpus = read_corpus("-")
    assert corpus.documents == ("Åsa",)
    assert corpus.report.path == Path("-")
    assert corpus.report.describe() == (
        "standard input: 1 document, 3 characters, utf-8, first line 'name' taken as a header"
    )


def test_empty_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(DataError, match=r"^standard input is empty, expected text, one document"):
        read_corpus("-")


@pytest.mark.parametrize(
    ("text", "what"),
    [("", "is empty"), ("\ufeff", "is empty"), (" \n\r\n\u3000\n", "holds blank lines only")],
)
@pytest.mark.parametrize("single_text", [False, True])
def test_a_file_without_text_is_refused(
    tmp_path: Path, text: str, what: str, single_text: bool
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DataError) as caught:
        read_corpus(path, single_text=single_text)
    assert str(caught.value) == f"`{path}` {what}, expected text, one document a line."


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileAccessError, match=r"`.*cities\.txt` does not exist; "):
        read_corpus(tmp_path / "cities.txt")


def test_texts_in_memory_are_kept_as_they_are() -> None:
    texts = ["title", " Paris \n", "", "\t"]
    corpus = make_corpus(text for text in texts)
    assert corpus.documents == ("title", " Paris \n")
    assert corpus.report.path is None
    assert corpus.report.encoding is None
    assert corpus.report.describe() == "2 documents, 13 characters, 2 blank texts dropped"


def test_texts_in_memory_can_be_parts_of_one() -> None:
    corpus = make_corpus(["ACT I", " ", "Enter KING"], single_text=True)
    assert corpus.single_text
    assert corpus.documents == ("ACT I\nEnter KING",)
    assert corpus.report.describe() == "1 document, 16 characters, 1 blank text dropped"


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        (
            "Paris",
            ConfigError,
            "`texts` must be a list of strings, got one str; put it into a list: [text], or split "
            "it: text.splitlines().",
        ),
        (
            b"Paris",
            ConfigError,
            "`texts` must be a list of strings, got one bytes; put it into a list: [text], or "
            "split it: text.splitlines().",
        ),
        (
            5,
            ConfigError,
            "`texts` must be a list of strings, got int; put it into a list.",
        ),
        (
            ["Paris", float("nan")],
            DataError,
            "`texts[1]` must be a string, got float (nan); convert it or leave it out.",
        ),
        (
            [b"Paris"],
            DataError,
            "`texts[0]` must be a string, got bytes (b'Paris'); convert it or leave it out.",
        ),
        (
            [],
            DataError,
            "`texts` must hold at least one text that is not blank, got an empty list.",
        ),
        (
            [" ", ""],
            DataError,
            "`texts` must hold at least one text that is not blank, all 2 of them are blank.",
        ),
    ],
)
def test_what_is_no_list_of_texts_is_refused(
    texts: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        make_corpus(texts)
    assert str(caught.value) == message


def test_standard_input_may_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(FileAccessError, match=r"^standard input is closed; give the name of a"):
        read_corpus("-")
