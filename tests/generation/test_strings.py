import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgenrnn.generation.strings import Bans, completes_any, cut_at_first, settled_length

# Few characters, so that strings overlap a lot; tokens of up to three of them.
texts = st.text("ab", max_size=8)
strings = st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3)
pieces = st.lists(st.text("ab", max_size=3), min_size=1, max_size=6)


class TestBans:
    @pytest.mark.parametrize(
        ("tail", "expected"),
        [("", set()), ("a", {2}), ("xa", {2}), ("ab", {3}), ("b", set()), ("aba", {2})],
    )
    def test_characters_by_hand(self, tail: str, expected: set[int]) -> None:
        bans = Bans(["ab", "abc"], ["", "a", "b", "c"])
        assert {int(i) for ids in bans.after(tail) for i in ids} == expected

    def test_a_banned_character_is_banned_everywhere(self) -> None:
        bans = Bans(["a"], ["", "a", "b"])
        assert [ids.tolist() for ids in bans.after("")] == [[1]]
        assert [ids.tolist() for ids in bans.after("bbb")] == [[1]]

    def test_nothing_is_banned_that_no_token_completes(self) -> None:
        assert Bans(["xyz", "bx"], ["", "a", "b"]).after("ab") == []

    @given(strings, texts, pieces)
    def test_are_exactly_the_tokens_that_complete_a_string(
        self, banned: list[str], tail: str, pieces: list[str]
    ) -> None:
        found = {int(i) for ids in Bans(banned, pieces).after(tail) for i in ids}
        assert found == {
            token
            for token, piece in enumerate(pieces)
            for string in banned
            for match in re.finditer(f"(?={string})", tail + piece)
            if match.start() + len(string) > len(tail)
        }


class TestCompletesAny:
    @pytest.mark.parametrize(
        ("tail", "piece", "expected"),
        [
            ("he", "y", True),
            ("hey", "", False),  # it ended before
            ("hey", "s", False),
            ("", "hey", True),
            ("oh he", "y you", True),
            ("h", "e", False),
            ("", "\n", True),
            ("hey", "\n", True),
        ],
    )
    def test_by_hand(self, tail: str, piece: str, expected: bool) -> None:
        assert completes_any(("hey", "\n"), tail, piece) is expected

    def test_without_strings_nothing_is_completed(self) -> None:
        assert not completes_any((), "a", "b")

    @given(strings, texts, st.text("ab", max_size=3))
    def test_means_that_an_end_lies_in_the_piece(
        self, strings: list[str], tail: str, piece: str
    ) -> None:
        ends = range(len(tail) + 1, len(tail + piece) + 1)
        expected = any((tail + piece)[:end].endswith(s) for end in ends for s in strings)
        assert completes_any(strings, tail, piece) is expected


class TestCutAtFirst:
    @pytest.mark.parametrize(
        ("strings", "prefix_length", "trimmed", "kept"),
        [
            (("two",), 0, "one ", "one two"),
            (("two", "e t"), 0, "on", "one t"),  # the one that begins first
            (("o",), 0, "", "o"),
            (("o",), 1, "one tw", "one two"),  # one in the prefix does not count
            (("e t",), 3, "one", "one t"),  # one that begins in the prefix does; the prefix stays
            (("two three", "three"), 5, "one t", "one two three"),
        ],
    )
    def test_by_hand(
        self, strings: tuple[str, ...], prefix_length: int, trimmed: str, kept: str
    ) -> None:
        text = "one two three"
        assert cut_at_first(strings, text, prefix_length, keep=False) == trimmed
        assert cut_at_first(strings, text, prefix_length, keep=True) == kept


class TestSettledLength:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [("", 0), ("x", 1), ("xE", 1), ("xEn", 1), ("xEnx", 4), ("xE*", 2), ("E**E", 3), ("**", 0)],
    )
    def test_by_hand(self, text: str, expected: int) -> None:
        assert settled_length(["End", "***"], text) == expected

    def test_without_strings_everything_is_settled(self) -> None:
        assert settled_length([], "text") == 4

    @given(strings, texts, st.text("ab", min_size=1, max_size=4))
    def test_no_string_reaches_back_into_the_settled_part(
        self, strings: list[str], text: str, continuation: str
    ) -> None:
        settled = settled_length(strings, text)
        for string in strings:
            for start in range(settled):
                end = start + len(string)
                if end > len(text):  # one that would be completed only now
                    assert not (text + continuation)[start:end].startswith(string)

    @given(strings, texts)
    def test_what_is_held_back_begins_a_string(self, strings: list[str], text: str) -> None:
        held_back = text[settled_length(strings, text) :]
        assert not held_back or any(s.startswith(held_back) and s != held_back for s in strings)
