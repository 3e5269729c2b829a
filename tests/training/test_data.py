import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgenrnn.tokenizers import PADDING_ID, CharTokenizer
from textgenrnn.training.data import encode_documents, split_held_out

DOCUMENTS = st.lists(st.text("abc\n花", min_size=1, max_size=20), min_size=1, max_size=60)


def test_documents_stand_between_start_tokens() -> None:
    tokenizer = CharTokenizer.from_texts(["aab"])
    meta = tokenizer.vocabulary.meta_id
    text = encode_documents(["ab", "a?"], tokenizer, single_text=False)
    assert text.token_ids.tolist() == [meta, 1, 2, meta, 1, PADDING_ID, meta]
    assert text.starts.tolist() == [0, 3, 6]
    assert text.num_documents == 2
    assert text.lengths.tolist() == [3, 3]
    assert text.num_targets == 5  # a, b, <s>, a, <s>: what is not known cannot be learned
    assert text.coverage == pytest.approx(6 / 7)
    assert text.newline_id == PADDING_ID


def test_the_end_of_a_single_text_is_no_target() -> None:
    tokenizer = CharTokenizer.from_texts(["a\nb"])
    text = encode_documents(["a\nb"], tokenizer, single_text=True)
    assert text.num_targets == 3
    assert text.token_ids[2] == text.newline_id != PADDING_ID


@given(DOCUMENTS)
def test_documents_can_be_read_back(documents: list[str]) -> None:
    tokenizer = CharTokenizer.from_texts(documents)
    text = encode_documents(documents, tokenizer, single_text=False)
    assert [
        tokenizer.decode(text.token_ids[start + 1 : start + length])
        for start, length in zip(text.starts, text.lengths, strict=False)
    ] == documents
    assert set(text.token_ids[text.starts]) == {tokenizer.vocabulary.meta_id}
    assert text.num_targets == text.lengths.sum() == len(text.token_ids) - 1


@given(DOCUMENTS, st.floats(0, 0.5) | st.none(), st.integers(0, 2**63))
def test_every_document_is_learned_or_held_out(
    documents: list[str], share: float | None, seed: int
) -> None:
    numbered = [f"{i}: {document}" for i, document in enumerate(documents)]
    learned, held_out = split_held_out(numbered, share, single_text=False, seed=seed)
    assert sorted(learned + held_out) == sorted(numbered)
    assert learned
    for part in (learned, held_out):  # in their order
        assert part == sorted(part, key=numbered.index)
    if share and len(documents) > 1:
        assert held_out
        assert len(held_out) - 1 <= len(documents) * share + 1e-9
    if share == 0.0 or len(documents) == 1:
        assert not held_out


@given(st.text("ab", min_size=1, max_size=300), st.floats(0, 0.5) | st.none())
def test_a_single_text_loses_its_tail(text: str, share: float | None) -> None:
    learned, held_out = split_held_out([text], share, single_text=True, seed=0)
    assert len(learned) == 1
    assert learned[0]
    assert "".join(learned + held_out) == text


@pytest.mark.parametrize(("count", "held_out"), [(1, 0), (19, 0), (20, 1), (100, 5), (6000, 300)])
def test_five_percent_of_twenty_documents_or_more(count: int, held_out: int) -> None:
    documents = [str(i) for i in range(count)]
    assert len(split_held_out(documents, None, single_text=False, seed=1)[1]) == held_out


def test_a_tenth_is_what_everybody_takes_for_a_tenth() -> None:
    text = "x" * 1_115_394  # tiny-shakespeare
    learned, held_out = split_held_out([text], 0.1, single_text=True, seed=0)
    assert len(learned[0]) == int(0.9 * len(text))
    assert len(held_out[0]) == 111_540


def test_the_seed_chooses_the_documents() -> None:
    documents = [str(i) for i in range(1000)]
    chosen = [split_held_out(documents, 0.1, single_text=False, seed=seed)[1] for seed in (1, 1, 2)]
    assert chosen[0] == chosen[1] != chosen[2]
    # From everywhere, not from one end.
    assert np.histogram([int(d) for d in chosen[0]], bins=4, range=(0, 1000))[0].min() > 5
