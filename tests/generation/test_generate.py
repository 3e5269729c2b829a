import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textgenrnn.config import SamplingConfig
from textgenrnn.errors import ConfigError, NotTrainedError
from textgenrnn.generation import Decoder, GenerationResult, GenerationWarning, generate
from textgenrnn.generation.batch import Batch, Request
from textgenrnn.generation.generate import fresh_entropy
from textgenrnn.network.forward import forward
from textgenrnn.network.model import LanguageModel

MakeModel = Callable[..., LanguageModel]

ABC = {"<s>": {"a": 1}, "a": {"b": 1}, "b": {"c": 1}, "c": {"<s>": 1}}
# Three texts, equally likely: a, b and c.
THREE = {
    "<s>": dict.fromkeys("abc", 1 / 3),
    "a": {"<s>": 1},
    "b": {"<s>": 1},
    "c": {"<s>": 1},
}


def write(model: LanguageModel, n: int = 1, **options: Any) -> list[GenerationResult]:
    """Generate; what is no argument of `generate` is a setting of sampling."""
    names = ("prefix", "unique", "batch_size", "on_result")
    arguments = {name: options.pop(name) for name in names if name in options}
    sampling = SamplingConfig(**{"temperature": 1.0, "seed": 0, **options})
    return generate(Decoder(model), n, sampling=sampling, **arguments)


def texts(*arguments: Any, **options: Any) -> list[str]:
    return [result.text for result in write(*arguments, **options)]


def test_defaults_give_one_text(make_chain: MakeModel) -> None:
    results = generate(Decoder(make_chain(ABC)))
    assert results == [GenerationResult("abc", "", (1, 2, 3), "end")]
    assert str(results[0]) == "abc"


def test_equal_seeds_give_equal_texts(tiny_model: LanguageModel) -> None:
    assert write(tiny_model, 5, seed=3) == write(tiny_model, 5, seed=3)
    assert texts(tiny_model, 5, seed=3) != texts(tiny_model, 5, seed=4)
    assert len(set(texts(tiny_model, 5, seed=3, min_tokens=20))) == 5


def test_without_a_seed_every_call_differs(tiny_model: LanguageModel) -> None:
    assert texts(tiny_model, 2, seed=None) != texts(tiny_model, 2, seed=None)


def test_fresh_entropy_is_fresh() -> None:
    found = {fresh_entropy() for _ in range(20)}
    assert len(found) == 20
    assert all(0 <= entropy < 2**128 for entropy in found)
    assert max(found) >= 2**64


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"prefix": "São ", "max_tokens": 30, "min_tokens": 8},
        {"temperature": [1.5, 0.3, 0.0], "top_k": 6, "top_p": 0.9, "min_p": 0.02},
        {"stop": ["a", "京P"], "banned": ["s", "io"], "repetition_penalty": 1.3},
        {"unique": True, "max_tokens": 3, "top_k": 9},
    ],
    ids=str,
)
@pytest.mark.parametrize("attention", [False, True])
def test_the_batch_size_changes_no_text(
    make_model: MakeModel, options: dict, attention: bool
) -> None:
    model = make_model("Paris Oslo São Paulo 北京", num_layers=2, attention=attention)
    expected = write(model, 12, batch_size=1, **options)
    assert len(expected) == 12
    for batch_size in (2, 5, 12, 64):
        assert write(model, 12, batch_size=batch_size, **options) == expected


def test_a_text_does_not_depend_on_how_many_follow(tiny_model: LanguageModel) -> None:
    assert texts(tiny_model, 9)[:4] == texts(tiny_model, 4)


def test_rows_are_filled_again_as_texts_end(
    make_chain: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[int] = []
    step = Decoder.step

    def counted(self: Decoder, state: Any, token_ids: np.ndarray) -> np.ndarray:
        rows.append(len(token_ids))
        return step(self, state, token_ids)

    monkeypatch.setattr(Decoder, "step", counted)
    # "a" goes on with probability 1/2: texts of many lengths.
    model = make_chain({"<s>": {"a": 1}, "a": {"a": 0.5, "<s>": 0.5}})
    results = write(model, 50, batch_size=4)
    assert len({len(result.text) for result in results}) > 3
    # One row reads <s>; then every step is full until there are no texts left to start.
    assert rows[0] == 1
    last_full = max(i for i, count in enumerate(rows) if count == 4)
    assert set(rows[1 : last_full + 1]) == {4}
    assert rows[last_full + 1 :] == sorted(rows[last_full + 1 :], reverse=True)


def test_threads_share_a_decoder(tiny_model: LanguageModel) -> None:
    decoder = Decoder(tiny_model)

    def write_with(seed: int) -> list[GenerationResult]:
        sampling = SamplingConfig(temperature=1.0, seed=seed, max_tokens=60)
        return generate(decoder, 6, sampling=sampling, batch_size=3)

    expected = [write_with(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(write_with, range(8))) == expected


def test_every_reason_to_end(make_chain: MakeModel) -> None:
    model = make_chain(ABC)

    def reason(**options: Any) -> str:
        return write(model, **options)[0].finish_reason

    assert reason() == "end"
    assert reason(max_tokens=2) == "length"
    assert reason(max_tokens=3) == "length"  # there is no room to ask for an end
    assert reason(stop="b") == "stop"
    assert reason(banned=["a", "b", "c"], min_tokens=1) == "banned"


def test_frequencies_follow_the_probabilities(make_chain: MakeModel) -> None:
    model = make_chain({**THREE, "<s>": {"a": 0.7, "b": 0.2, "c": 0.1}})
    found = texts(model, 2000)
    counts = [found.count(letter) for letter in "abc"]
    statistic = sum((c - e) ** 2 / e for c, e in zip(counts, (1400, 400, 200), strict=True))
    assert statistic < 13.8  # chi-square of 2 degrees of freedom: 999 of 1,000 seeds


@pytest.mark.parametrize("prefix", ["", "O", "北京 Oslo", "?!", "Zürich", "\U0001f600", "<s>"])
@pytest.mark.parametrize("max_tokens", [1, 4, 40])
@pytest.mark.parametrize("single_text", [False, True])
def test_the_prefix_is_always_kept(
    make_model: MakeModel, prefix: str, max_tokens: int, single_text: bool
) -> None:
    model = make_model("Oslo北京", single_text=single_text)
    for result in write(model, 4, prefix=prefix, max_tokens=max_tokens, stop=prefix or "x"):
        assert result.prefix == prefix
        assert result.text.startswith(prefix)
        known = [model.tokenizer.vocabulary.ids.get(character, 0) for character in prefix]
        assert list(result.token_ids[: len(prefix)]) == known
        assert len(result.token_ids) <= max(max_tokens, len(prefix))
        if len(prefix) >= max_tokens:
            assert (result.text, result.finish_reason) == (prefix, "length")


@settings(max_examples=60)
@given(
    prefix=st.text("abx", max_size=4),
    banned=st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=5),
    seed=st.integers(0, 99),
    single_text=st.booleans(),
    top_k=st.none() | st.integers(1, 3),
)
def test_banned_strings_never_appear_after_the_prefix(
    make_model: MakeModel, prefix: str, banned: list[str], single_text: bool, **options: Any
) -> None:
    model = make_model("abc", single_text=single_text)
    for result in write(model, 3, prefix=prefix, banned=banned, max_tokens=25, **options):
        for string in banned:
            assert result.text.find(string, max(0, len(prefix) - len(string) + 1)) == -1
        if result.finish_reason == "banned":
            for character in "abc":
                completing = [s[:-1] for s in banned if s[-1] == character]
                assert result.text.endswith(tuple(completing))


@settings(max_examples=60)
@given(
    prefix=st.text("abx", max_size=4),
    stop=st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=3),
    seed=st.integers(0, 99),
)
def test_stop_strings_are_where_texts_end(
    make_model: MakeModel, prefix: str, stop: list[str], seed: int
) -> None:
    model = make_model("abc", single_text=True)
    options = {"prefix": prefix, "stop": stop, "seed": seed, "max_tokens": 25}
    trimmed, kept = write(model, 3, **options), write(model, 3, **options, keep_stop=True)
    free = texts(model, 3, prefix=prefix, seed=seed, max_tokens=25)
    for short, long, whole in zip(trimmed, kept, free, strict=True):
        assert short.finish_reason == long.finish_reason
        assert short.token_ids == long.token_ids
        assert whole.startswith(long.text)
        assert long.text.startswith(short.text)
        for string in stop:
            assert short.text.find(string, max(0, len(prefix) - len(string) + 1)) == -1
        if long.finish_reason == "stop":
            assert long.text.endswith(tuple(stop))
            assert len(long.text) > len(prefix)
        else:
            assert short.text == long.text == whole


def test_texts_have_at_least_min_and_at_most_max_tokens(make_model: MakeModel) -> None:
    results = write(make_model(), 60, min_tokens=5, max_tokens=9, prefix="ab")
    lengths = [len(result.token_ids) for result in results]
    assert set(lengths) == {5, 6, 7, 8, 9}
    assert all(len(result.text) == len(result.token_ids) for result in results)
    assert all(
        result.finish_reason == ("length" if length == 9 else "end")
        for result, length in zip(results, lengths, strict=True)
    )


def test_a_single_text_model_writes_to_the_full_length(make_model: MakeModel) -> None:
    model = make_model("ab", single_text=True)
    for result in write(model, 8, max_tokens=100, prefix="b"):
        assert result.finish_reason == "length"
        assert len(result.text) == 100
        assert set(result.token_ids) == {1, 2}


def test_temperature_zero_takes_the_likeliest_whatever_the_seed(make_model: MakeModel) -> None:
    model = make_model("abcdefgh", num_layers=2, attention=True, single_text=True)
    expected = "cab"
    while len(expected) < 25:
        ids = [model.tokenizer.vocabulary.meta_id, *model.tokenizer.encode(expected)]
        logits = forward(model.parameters, model.config, np.array([ids]))[0][0, -1]
        logits[[0, model.tokenizer.vocabulary.meta_id]] = -np.inf
        expected += model.tokenizer.decode([int(logits.argmax())])
    for seed in (0, 1, None):
        found = texts(model, 3, prefix="cab", max_tokens=25, temperature=0, seed=seed)
        assert found == [expected] * 3


def test_top_k_of_one_is_as_good_as_temperature_zero(tiny_model: LanguageModel) -> None:
    greedy = texts(tiny_model, 2, temperature=0, max_tokens=30)
    assert texts(tiny_model, 2, top_k=1, max_tokens=30) == greedy


def test_a_cycle_of_equal_temperatures_is_one_temperature(tiny_model: LanguageModel) -> None:
    assert write(tiny_model, 4, temperature=[0.8] * 3) == write(tiny_model, 4, temperature=0.8)


def test_unique_texts_differ(make_chain: MakeModel) -> None:
    model = make_chain(THREE)
    assert len(set(texts(model, 3, seed=1))) < 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(5):
            assert sorted(texts(model, 3, seed=seed, unique=True)) == ["a", "b", "c"]


def test_unique_texts_are_first_drawn_as_any_other(make_chain: MakeModel) -> None:
    model = make_chain(THREE)
    for seed in range(5):
        plain, unique = texts(model, 3, seed=seed), texts(model, 3, seed=seed, unique=True)
        assert plain[0] == unique[0]
        assert plain[1] == unique[1] or plain[1] == plain[0]


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_unique_texts_that_run_out_give_fewer_and_a_warning(
    make_chain: MakeModel, batch_size: int
) -> None:
    model = make_chain(THREE)
    with pytest.warns(GenerationWarning) as caught:
        results = write(model, 7, unique=True, batch_size=batch_size)
    assert sorted(result.text for result in results) == ["a", "b", "c"]
    assert [str(warning.message) for warning in caught] == [
        "only 3 of 7 texts differ after 20 tries each; a higher temperature or a longer max length "
        "gives more."
    ]


def test_a_repeated_text_is_drawn_again_before_later_ones(
    make_chain: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[Request] = []
    add = Batch.add

    def recorded(self: Batch, request: Request) -> None:
        requests.append(request)
        add(self, request)

    monkeypatch.setattr(Batch, "add", recorded)
    with pytest.warns(GenerationWarning):
        write(make_chain(ABC), 3, unique=True, batch_size=1)
    again = [Request(index, attempt) for index in (1, 2) for attempt in range(20)]
    assert requests == [Request(0), *again]


def test_texts_may_repeat_unless_asked(make_chain: MakeModel) -> None:
    assert texts(make_chain(ABC), 5) == ["abc"] * 5


@pytest.mark.parametrize("unique", [False, True])
def test_results_are_reported_in_order(make_model: MakeModel, unique: bool) -> None:
    reported: list[GenerationResult] = []
    results = write(make_model(), 30, batch_size=7, unique=unique, on_result=reported.append)
    assert reported == results
    assert len({len(result.text) for result in results}) > 5  # they did not end in order


def test_a_result_is_reported_before_the_next_text_begins(
    make_chain: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0
    step = Decoder.step

    def counted(*arguments: Any) -> np.ndarray:
        nonlocal steps
        steps += 1
        return step(*arguments)

    monkeypatch.setattr(Decoder, "step", counted)
    reported: list[int] = []
    write(make_chain(ABC), 3, batch_size=1, on_result=lambda _: reported.append(steps))
    assert reported == [4, 7, 10]  # <s>, then three characters each


def test_an_error_while_reporting_ends_the_call(make_chain: MakeModel) -> None:
    def report(result: GenerationResult) -> None:
        raise RuntimeError(result.text)

    with pytest.raises(RuntimeError, match=r"^abc$"):
        write(make_chain(ABC), 3, on_result=report)


@pytest.mark.parametrize("integer", [np.int32, np.int64, np.uint8])
def test_whole_numbers_of_numpy_are_welcome(make_chain: MakeModel, integer: type) -> None:
    assert texts(make_chain(ABC), integer(3), batch_size=integer(2)) == ["abc"] * 3


@pytest.mark.parametrize("name", ["n", "batch_size"])
@pytest.mark.parametrize("value", [0, -1, 1.0, True, "3", None, np.float64(2), np.int64(0)])
def test_other_numbers_are_refused(make_chain: MakeModel, name: str, value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        generate(Decoder(make_chain(ABC)), **{name: value})
    assert str(caught.value) == f"`{name}` must be a whole number of at least 1, got {value!r}."


def test_a_model_without_characters_is_refused(make_model: MakeModel) -> None:
    with pytest.raises(NotTrainedError, match="the model knows no characters yet"):
        generate(Decoder(make_model("")))
