from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgenrnn.tokenizers import PADDING_ID, CharTokenizer
from textgenrnn.training.batches import (
    Chunk,
    DocumentLayout,
    Layout,
    StreamLayout,
    cut_in_time,
    make_layout,
)
from textgenrnn.training.data import EncodedText, encode_documents

META_ID, NEWLINE_ID = 1, 2
SEQ_LENS = st.sampled_from([4, 8, 16, 64])
ROWS = st.integers(1, 9)
SEEDS = st.none() | st.integers(0, 2**32)


def documents_of(lengths: list[int]) -> EncodedText:
    """Documents whose characters are all different: each id says where it stands."""
    ids = np.full(sum(lengths) + len(lengths) + 1, META_ID)
    starts = np.concatenate([[0], np.cumsum(np.array(lengths) + 1)])
    inside = np.ones(len(ids), bool)
    inside[starts] = False
    ids[inside] = np.arange(10, 10 + inside.sum())
    return EncodedText(ids.astype(np.int32), starts.astype(np.int64), single_text=False)


def stream_of(line_lengths: list[int]) -> EncodedText:
    """One text of such lines; but for the line ends all its characters are different."""
    lines = documents_of(line_lengths)
    ids = lines.token_ids.copy()
    ids[lines.starts[1:-1]] = NEWLINE_ID
    ends = np.array([0, len(ids) - 1])
    return EncodedText(ids, ends, single_text=True, newline_id=NEWLINE_ID)


def groups_of(chunks: list[Chunk]) -> Iterator[list[Chunk]]:
    """The chunks from one fresh start to the next."""
    starts = [i for i, chunk in enumerate(chunks) if chunk.fresh] + [len(chunks)]
    assert starts[0] == 0
    for start, end in pairwise(starts):
        yield chunks[start:end]


def rng_of(seed: int | None) -> np.random.Generator | None:
    return None if seed is None else np.random.default_rng(seed)


def check_pass(text: EncodedText, chunks: list[Chunk], seq_len: int) -> None:
    """What holds for every pass in every layout."""
    end = len(text.token_ids) - text.single_text
    targets = np.concatenate([chunk.targets.ravel() for chunk in chunks])
    expected = Counter(text.token_ids[1:end].tolist())
    assert Counter(targets[targets != PADDING_ID].tolist()) == expected
    assert sum(chunk.num_targets for chunk in chunks) == text.num_targets
    before = dict(zip(text.token_ids[1:].tolist(), text.token_ids.tolist(), strict=False))
    for group in groups_of(chunks):
        assert len({chunk.inputs.shape for chunk in group}) == 1
        assert all(chunk.inputs.shape == chunk.targets.shape for chunk in group)
        assert all(chunk.inputs.dtype == chunk.targets.dtype == np.int64 for chunk in group)
        assert 1 <= len(group[0].inputs) <= seq_len
        inputs = np.concatenate([chunk.inputs for chunk in group])  # (length, B)
        targets = np.concatenate([chunk.targets for chunk in group])
        assert (inputs[0] == META_ID).all()
        for row_inputs, row_targets in zip(inputs.T, targets.T, strict=True):
            length = np.count_nonzero(row_targets)
            assert length > 0
            assert not row_targets[length:].any()  # padding stands at the end
            # After the first, each input is the target before it, across chunks too.
            np.testing.assert_array_equal(row_inputs[1:length], row_targets[: length - 1])
            for read, target in zip(row_inputs[1:length], row_targets[1:length], strict=True):
                assert target in (META_ID, NEWLINE_ID) or before[target] == read


@given(
    st.lists(st.integers(0, 70), min_size=1, max_size=40),
    st.integers(1, 400),
    SEQ_LENS,
    st.none() | ROWS,
    SEEDS,
)
def test_documents_are_read_once_from_start_to_end(
    lengths: list[int], tokens_per_chunk: int, seq_len: int, rows: int | None, seed: int | None
) -> None:
    text = documents_of(lengths)
    layout = DocumentLayout(text, tokens_per_chunk=tokens_per_chunk, seq_len=seq_len, rows=rows)
    chunks = list(layout.chunks(rng_of(seed)))
    check_pass(text, chunks, seq_len)
    for group in groups_of(chunks):
        # A row is a whole document.
        targets = np.concatenate([chunk.targets for chunk in group])
        for row in targets.T:
            assert row[row != PADDING_ID].tolist().index(META_ID) == np.count_nonzero(row) - 1
        if rows is not None:
            assert targets.shape[1] <= rows


@given(st.lists(st.integers(0, 90), min_size=1, max_size=40), ROWS, SEQ_LENS, SEEDS)
def test_a_stream_is_read_once(
    line_lengths: list[int], rows: int, seq_len: int, seed: int | None
) -> None:
    text = stream_of([1, *line_lengths])
    chunks = list(StreamLayout(text, rows=rows, seq_len=seq_len).chunks(rng_of(seed)))
    check_pass(text, chunks, seq_len)
    assert all(chunk.inputs.shape[1] <= rows for chunk in chunks)


@given(st.text("ab\n?", min_size=1, max_size=200), SEQ_LENS, st.booleans(), SEEDS)
def test_unknown_characters_are_read_but_no_targets(
    characters: str, seq_len: int, single_text: bool, seed: int | None
) -> None:
    tokenizer = CharTokenizer.from_texts(["ab\n"])
    text = encode_documents([characters], tokenizer, single_text=single_text)
    layout = make_layout(text, tokens_per_chunk=64, seq_len=seq_len)
    chunks = list(layout.chunks(rng_of(seed)))
    targets = np.concatenate([chunk.targets.ravel() for chunk in chunks])
    ids = text.token_ids[1 : len(text.token_ids) - single_text]
    assert Counter(targets[targets > 0].tolist()) == Counter(ids[ids > 0].tolist())


def padding_share(layout: Layout) -> float:
    chunks = list(layout.chunks(np.random.default_rng(0)))
    size = sum(chunk.targets.size for chunk in chunks)
    return 1 - sum(chunk.num_targets for chunk in chunks) / size


def test_little_of_the_documents_is_padding() -> None:
    lengths = np.random.default_rng(0).integers(3, 90, 3000).tolist()
    text = documents_of(lengths)
    assert padding_share(DocumentLayout(text, tokens_per_chunk=1024, seq_len=128)) < 0.06
    assert padding_share(DocumentLayout(text, tokens_per_chunk=1024, seq_len=16)) < 0.12


def test_little_of_a_stream_is_padding() -> None:
    line_lengths = np.random.default_rng(0).integers(0, 60, 3000).tolist()
    layout = StreamLayout(stream_of(line_lengths), rows=16, seq_len=64)
    assert padding_share(layout) < 0.06


def test_rows_of_a_stream_begin_with_a_line() -> None:
    line_lengths = np.random.default_rng(0).integers(0, 40, 600).tolist()
    text = stream_of(line_lengths)
    newlines = np.flatnonzero(text.token_ids == NEWLINE_ID)
    firsts = set(text.token_ids[np.append(newlines, 0) + 1].tolist())
    chunks = list(StreamLayout(text, rows=8, seq_len=64).chunks(np.random.default_rng(0)))
    begun = [target for chunk in chunks if chunk.fresh for target in chunk.targets[0].tolist()]
    assert len(begun) > 20
    assert set(begun) <= firsts


def test_without_short_lines_rows_begin_anywhere() -> None:
    text = stream_of([3000])
    chunks = list(StreamLayout(text, rows=4, seq_len=16).chunks(np.random.default_rng(0)))
    begun = [target for chunk in chunks if chunk.fresh for target in chunk.targets[0].tolist()]
    assert len(set(begun)) == len(begun) > 8


@pytest.mark.parametrize("single_text", [False, True])
def test_passes_differ_unless_the_order_is_fixed(single_text: bool) -> None:
    lengths = np.random.default_rng(0).integers(0, 50, 400).tolist()
    text = stream_of(lengths) if single_text else documents_of(lengths)
    layout = make_layout(text, tokens_per_chunk=256, seq_len=32)

    def first_targets(rng: np.random.Generator | None) -> list[list[int]]:
        return [chunk.targets[0].tolist() for chunk in layout.chunks(rng)]

    rng = np.random.default_rng(0)
    passes = [first_targets(rng), first_targets(rng)]
    assert passes[0] != passes[1]
    assert first_targets(np.random.default_rng(0)) == passes[0]
    assert first_targets(None) == first_targets(None)


@pytest.mark.parametrize("single_text", [False, True])
def test_one_character_is_enough(single_text: bool) -> None:
    text = encode_documents(["x"], CharTokenizer.from_texts(["x"]), single_text=single_text)
    for layout in (
        make_layout(text, tokens_per_chunk=1024, seq_len=128),
        make_layout(text, tokens_per_chunk=64, seq_len=64, rows=32),
    ):
        chunks = list(layout.chunks(np.random.default_rng(0)))
        assert sum(chunk.num_targets for chunk in chunks) == text.num_targets


def test_the_text_decides_on_the_layout() -> None:
    assert isinstance(make_layout(stream_of([9]), tokens_per_chunk=64, seq_len=8), StreamLayout)
    assert isinstance(
        make_layout(documents_of([9]), tokens_per_chunk=64, seq_len=8), DocumentLayout
    )


@given(st.integers(1, 300), st.integers(1, 70))
def test_cutting_in_time_loses_nothing(length: int, seq_len: int) -> None:
    values = np.arange(1, 2 * length + 1).reshape(length, 2)
    chunks = list(cut_in_time(values, values + 1000, seq_len))
    assert [chunk.fresh for chunk in chunks] == [True] + [False] * (len(chunks) - 1)
    assert len({chunk.inputs.shape for chunk in chunks}) == 1
    assert len(chunks[0].inputs) <= seq_len
    assert len(chunks) == -(-length // seq_len)
    inputs = np.concatenate([chunk.inputs for chunk in chunks])
    np.testing.assert_array_equal(inputs[:length], values)
    assert not inputs[length:].any()
    targets = np.concatenate([chunk.targets for chunk in chunks])
    np.testing.assert_array_equal(targets[:length], values + 1000)
    assert not targets[length:].any()
