import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgenrnn.tokenizers import META_TOKEN, Vocabulary, WordTokenizer, restore_tokenizer

TEXTS = ["Show HN: it's a (small) test, really!", "line\nbreak — and…", "春眠 不觉晓"]


def test_words_are_lower_case_and_marks_stand_alone() -> None:
    tokenizer = WordTokenizer.from_texts([TEXTS[0]])
    expected = ["show", "hn", ":", "it", "'", "s", "a", "(", "small", ")", "test", ",", "really"]
    assert tokenizer.vocabulary.tokens == (*expected, "!", META_TOKEN)


def test_line_breaks_and_tabs_are_words_but_spaces_are_not() -> None:
    tokenizer = WordTokenizer.from_texts(["a\n\tb  c \n"])
    assert tokenizer.vocabulary.tokens == ("\n", "a", "\t", "b", "c", META_TOKEN)
    assert tokenizer.encode("b\n a").tolist() == [4, 1, 2]
    assert tokenizer.decode([2, 1, 3, 4, 5]) == "a\n\tb c"


def test_frequent_words_come_first_then_early_ones() -> None:
    tokenizer = WordTokenizer.from_texts(["b a c", "A c", "a d"], max_tokens=3)
    assert tokenizer.vocabulary.tokens == ("a", "c", "b", META_TOKEN)
    assert tokenizer.encode("A b D").tolist() == [1, 3, 0]


def test_ids_are_32_bit_also_of_nothing() -> None:
    tokenizer = WordTokenizer.from_texts(["a"])
    for text in ("", "  ", "a"):
        assert tokenizer.encode(text).dtype == np.int32
    assert tokenizer.encode(" ").shape == (0,)


@pytest.mark.parametrize(
    "text",
    [
        "show hn: it's a (small) test, really!",
        "one: two; three. four? [five] {six} 90% “seven”… ‘eight",
        "it costs $5 and #6 by @seven",
        "line\nbreak\n\nand\ttab",
        "don’t cross - platform / x + y = z",
        "春眠 不觉晓 ，",
    ],
)
def test_usual_spacing_comes_back(text: str) -> None:
    tokenizer = WordTokenizer.from_texts([text])
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_padding_and_the_meta_token_give_nothing() -> None:
    tokenizer = WordTokenizer(Vocabulary(["a", META_TOKEN, "b", "."]))
    assert tokenizer.decode([0, 1, 2, 0, 3, 2, 4]) == "a b."


def test_the_meta_token_in_a_text_is_three_words() -> None:
    tokenizer = WordTokenizer.from_texts(["<s>"])
    token_ids = tokenizer.encode("<s>")
    assert token_ids.tolist() == [1, 2, 3]
    assert tokenizer.vocabulary.meta_id not in token_ids


def test_a_space_is_due_after_most_texts() -> None:
    tokenizer = WordTokenizer.from_texts(["so ,"])
    for after, expected in {
        "": "so,", "a": " so,", "a ": "so,", "a\n": "so,", "a\u3000": "so,", "(": "so,",
        "don't": " so,", "it's '": "so,", ".": " so,",
    }.items():  # fmt: skip
        assert tokenizer.decode([1, 2], after=after) == expected
    assert tokenizer.decode([], after="a") == tokenizer.decode([0], after="a") == ""


@given(st.data())
def test_a_text_may_be_decoded_piece_by_piece(data: st.DataObject) -> None:
    tokenizer = WordTokenizer.from_texts(TEXTS)
    size = len(tokenizer.vocabulary)
    ids = data.draw(st.lists(st.integers(0, size), max_size=12))
    prefix = data.draw(st.sampled_from(["", "a", "a ", "("]))
    cut = data.draw(st.integers(0, len(ids)))
    first = tokenizer.decode(ids[:cut], after=prefix)
    second = tokenizer.decode(ids[cut:], after=prefix + first)
    assert first + second == tokenizer.decode(ids, after=prefix)
    after = (prefix + first)[-1:]
    assert second == tokenizer.decode(ids[cut:], after=after)  # its last character is enough


def test_pieces_are_what_single_ids_give() -> None:
    tokenizer = WordTokenizer.from_texts(TEXTS)
    for after in ("", "a", "("):
        pieces = tokenizer.pieces(after)
        ids = range(len(tokenizer.vocabulary) + 1)
        assert list(pieces) == [tokenizer.decode([index], after=after) for index in ids]
        assert tokenizer.pieces(after) is pieces


def test_words_of_the_original_may_hold_marks() -> None:
    # Its vocabulary is that of the text before marks were set apart.
    tokenizer = restore_tokenizer("word", ["hn:", "hn", "'nearly", META_TOKEN])
    assert isinstance(tokenizer, WordTokenizer)
    assert tokenizer.encode("HN: nearly").tolist() == [2, 0, 0]
    assert tokenizer.decode([1, 3]) == "hn: 'nearly"


@given(st.lists(st.text(max_size=20), max_size=4))
def test_every_word_of_the_training_text_is_known(texts: list[str]) -> None:
    tokenizer = WordTokenizer.from_texts(texts)
    for text in texts:
        token_ids = tokenizer.encode(text)
        assert token_ids.all()
        words = [tokenizer.vocabulary.tokens[index - 1] for index in token_ids]
        assert "".join(words) == text.lower().replace(" ", "")
