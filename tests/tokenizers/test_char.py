from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgenrnn.errors import ModelFileError
from textgenrnn.tokenizers import META_TOKEN, CharTokenizer, Vocabulary

any_character = st.characters(codec=None)  # surrogates included
any_text = st.text(any_character, max_size=30)


@given(st.lists(any_text, max_size=5))
def test_decoding_undoes_encoding(texts: list[str]) -> None:
    tokenizer = CharTokenizer.from_texts(texts)
    for text in texts:
        token_ids = tokenizer.encode(text)
        assert token_ids.dtype == np.int32
        assert token_ids.shape == (len(text),)
        assert tokenizer.decode(token_ids) == text
        assert tokenizer.decode(token_ids.tolist()) == text


@given(any_text, any_text)
def test_unknown_characters_become_zero(known: str, text: str) -> None:
    tokenizer = CharTokenizer.from_texts([known])
    expected = [tokenizer.vocabulary.ids.get(character, 0) for character in text]
    assert tokenizer.encode(text).tolist() == expected


@given(st.text("abcd", max_size=40))
def test_frequent_characters_come_first_then_early_ones(text: str) -> None:
    counts = Counter(text)
    expected = sorted(counts, key=lambda character: (-counts[character], text.index(character)))
    assert CharTokenizer.from_texts([text]).vocabulary.tokens == (*expected, META_TOKEN)


def test_surrogates_are_characters_of_their_own() -> None:
    tokenizer = CharTokenizer.from_texts(["\ud83d\ude00", "\U0001f600"])
    assert len(set(tokenizer.encode("\ud83d\ude00\U0001f600").tolist())) == 3


def test_decoding_drops_padding_and_the_meta_token() -> None:
    tokenizer = CharTokenizer(Vocabulary(["a", "<s>", "b"]))
    assert tokenizer.decode([0, 2, 1, 0, 3, 2]) == "ab"


def test_the_meta_token_in_a_text_is_three_characters() -> None:
    tokenizer = CharTokenizer.from_texts(["<s>"])
    token_ids = tokenizer.encode("<s>")
    assert tokenizer.vocabulary.meta_id not in token_ids
    assert tokenizer.decode(token_ids) == "<s>"


def test_a_vocabulary_can_be_cut_to_the_most_frequent() -> None:
    tokenizer = CharTokenizer.from_texts(["aaabbc"], max_tokens=2)
    assert tokenizer.vocabulary.tokens == ("a", "b", "<s>")
    assert tokenizer.encode("cab").tolist() == [0, 1, 2]


def test_no_text_gives_only_the_meta_token() -> None:
    tokenizer = CharTokenizer.from_texts([])
    assert tokenizer.vocabulary.tokens == ("<s>",)
    assert tokenizer.encode("\0a\U0010ffff").tolist() == [0, 0, 0]


def test_tokens_of_several_characters_are_refused() -> None:
    with pytest.raises(
        ModelFileError, match=r"^a vocabulary of characters holds single characters, "
    ):
        CharTokenizer(Vocabulary(["ab", "<s>"]))
