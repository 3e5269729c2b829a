from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textgenrnn.config import SamplingConfig
from textgenrnn.errors import NotTrainedError
from textgenrnn.generation import Decoder, generate, stream
from textgenrnn.network.model import LanguageModel

MakeModel = Callable[..., LanguageModel]

ABC = {"<s>": {"a": 1}, "a": {"b": 1}, "b": {"c": 1}, "c": {"<s>": 1}}
LOOP = {"<s>": {"a": 1}, "a": {"b": 1}, "b": {"a": 1}}


def pieces(model: LanguageModel, prefix: str = "", **sampling: Any) -> list[str]:
    config = SamplingConfig(**{"temperature": 1.0, "seed": 0, **sampling})
    return list(stream(Decoder(model), prefix=prefix, sampling=config))


def test_each_token_is_a_piece_and_the_prefix_is_the_first(make_chain: MakeModel) -> None:
    model = make_chain(ABC)
    assert list(stream(Decoder(model))) == ["a", "b", "c"]
    assert pieces(model, prefix="éa") == ["éa", "b", "c"]
    assert pieces(model, prefix="abc") == ["abc"]
    assert pieces(model, prefix="abcabc", max_tokens=2) == ["abcabc"]
    assert pieces(model, max_tokens=2) == ["a", "b"]


def test_a_piece_arrives_when_its_token_is_drawn(
    make_chain: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    step = Decoder.step

    def counted(self: Decoder, state: Any, token_ids: np.ndarray) -> np.ndarray:
        read.extend(token_ids.tolist())
        return step(self, state, token_ids)

    monkeypatch.setattr(Decoder, "step", counted)
    arriving = stream(Decoder(make_chain(LOOP)), prefix="ba", sampling=SamplingConfig(seed=1))
    assert (next(arriving), read) == ("ba", [3, 2, 1])
    assert (next(arriving), read) == ("b", [3, 2, 1, 2])
    assert (next(arriving), read) == ("a", [3, 2, 1, 2, 1])


def test_an_endless_text_can_be_left_at_any_time(make_chain: MakeModel) -> None:
    sampling = SamplingConfig(max_tokens=10**15)
    arriving = stream(Decoder(make_chain(LOOP, single_text=True)), sampling=sampling)
    assert "".join(next(arriving) for _ in range(1500)) == "ab" * 750
    arriving.close()
    assert list(arriving) == []


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        ("aba", []),
        ("ba", ["a"]),
        ("bb", ["a", "ba", "ba", "b"]),  # a b is held back until an a follows it
        ("x", ["a", "b", "a", "b", "a", "b"]),
        (["x", "babb"], ["a", "ba", "bab"]),
    ],
)
def test_characters_that_may_begin_a_stop_string_wait(
    make_chain: MakeModel, stop: str | list[str], expected: list[str]
) -> None:
    assert pieces(make_chain(LOOP), stop=stop, max_tokens=6) == expected


def test_a_stop_string_that_is_kept_holds_nothing_back(make_chain: MakeModel) -> None:
    assert pieces(make_chain(LOOP), stop="baba", keep_stop=True) == ["a", "b", "a", "b", "a"]


def test_a_stop_string_may_begin_in_the_prefix(make_chain: MakeModel) -> None:
    model = make_chain(LOOP)
    assert pieces(model, prefix="xb", stop="xbab") == ["xb"]
    assert pieces(model, prefix="xb", stop="xbax", max_tokens=5) == ["xb", "ab", "a"]
    # One that lies within the prefix does not count.
    assert pieces(model, prefix="xb", stop="xb", max_tokens=4) == ["xb", "a", "b"]


@settings(max_examples=80)
@given(
    prefix=st.text("abx", max_size=4),
    stop=st.lists(st.text("abcx", min_size=1, max_size=4), max_size=3),
    banned=st.lists(st.text("abc", min_size=2, max_size=3), max_size=2),
    keep_stop=st.booleans(),
    single_text=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_pieces_together_are_the_generated_text(
    make_model: MakeModel, prefix: str, single_text: bool, seed: int, **sampling: Any
) -> None:
    decoder = Decoder(make_model("abc", single_text=single_text))
    config = SamplingConfig(temperature=1.0, seed=seed, max_tokens=20, **sampling)
    found = list(stream(decoder, prefix=prefix, sampling=config))
    assert "".join(found) == generate(decoder, prefix=prefix, sampling=config)[0].text
    assert all(found)


def test_without_a_seed_every_text_differs(tiny_model: LanguageModel) -> None:
    options = {"seed": None, "min_tokens": 30}
    assert pieces(tiny_model, **options) != pieces(tiny_model, **options)


def test_streams_of_one_decoder_do_not_disturb_each_other(tiny_model: LanguageModel) -> None:
    decoder = Decoder(tiny_model)
    sampling = [SamplingConfig(seed=seed, min_tokens=25, max_tokens=25) for seed in (1, 2)]
    alone = [list(stream(decoder, sampling=config)) for config in sampling]
    together = zip(*[stream(decoder, sampling=config) for config in sampling], strict=True)
    assert [list(pieces) for pieces in zip(*together, strict=True)] == alone
    assert alone[0] != alone[1]


def test_a_model_without_characters_is_refused_at_once(make_model: MakeModel) -> None:
    with pytest.raises(NotTrainedError, match="the model knows no characters yet"):
        stream(Decoder(make_model("")))
