import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from textgenrnn.config import SamplingConfig
from textgenrnn.errors import ModelFileError, NotTrainedError
from textgenrnn.generation import Decoder, GenerationResult, batch
from textgenrnn.generation.batch import Batch, Request
from textgenrnn.network.model import LanguageModel

MakeModel = Callable[..., LanguageModel]

ABC = {"<s>": {"a": 1}, "a": {"b": 1}, "b": {"c": 1}, "c": {"<s>": 1}}
LOOP = {"<s>": {"a": 1}, "a": {"b": 1}, "b": {"a": 1}}


def make_batch(
    model: LanguageModel,
    *,
    prefix: str = "",
    batch_size: int = 1,
    entropy: int = 0,
    **sampling: Any,
) -> Batch:
    config = SamplingConfig(**{"temperature": 1.0, **sampling})
    return Batch(Decoder(model), config, prefix=prefix, batch_size=batch_size, entropy=entropy)


def run(made: Batch, *requests: Request) -> dict[Request, GenerationResult]:
    """Add requests whenever a row is free, step until all have ended."""
    waiting, results = list(requests), {}
    while waiting or made.requests:
        while waiting and made.free_rows:
            made.add(waiting.pop(0))
        ended = made.step()
        assert not {request for request, _ in ended} & results.keys()
        results |= dict(ended)
    return results


def only(made: Batch) -> GenerationResult:
    return run(made, Request(0))[Request(0)]


def test_a_chain_is_followed_to_its_end(make_chain: MakeModel) -> None:
    model = make_chain(ABC)
    assert only(make_batch(model)) == GenerationResult("abc", "", (1, 2, 3), "end")


def test_a_step_yields_what_ended_and_frees_its_row(make_chain: MakeModel) -> None:
    made = make_batch(make_chain(ABC), batch_size=3)
    assert made.free_rows == 3
    made.add(Request(0))
    assert made.step() == []
    made.add(Request(1))
    made.add(Request(2))
    assert made.free_rows == 0
    assert [made.generated_ids(row).tolist() for row in range(3)] == [[1], [], []]
    assert made.step() == made.step() == []
    assert [request for request, _ in made.step()] == [Request(0)]
    assert made.free_rows == 1
    assert sorted(request.index for request in made.requests) == [1, 2]
    assert [made.generated_ids(row).tolist() for row in range(2)] == [[1, 2, 3]] * 2
    ended = made.step()
    assert [result.text for _, result in ended] == ["abc", "abc"]
    assert made.free_rows == 3
    assert made.step() == []


def test_rows_of_different_ages_do_not_disturb_each_other(make_model: MakeModel) -> None:
    model = make_model(num_layers=2, attention=True, context_length=4)
    alone = {
        request: only_of(model, request)
        for request in [Request(i, attempt) for i in range(7) for attempt in range(2)]
    }
    results = run(make_batch(model, batch_size=3, max_tokens=30), *alone)
    assert results == alone
    assert len({len(result.text) for result in results.values()}) > 3  # they did end unevenly


def only_of(model: LanguageModel, request: Request) -> GenerationResult:
    return run(make_batch(model, max_tokens=30), request)[request]


def test_a_text_depends_on_entropy_index_and_attempt(make_model: MakeModel) -> None:
    model = make_model(single_text=True)
    requests = [Request(0), Request(1), Request(0, 1), Request(1, 1)]

    def texts(entropy: int) -> list[str]:
        made = make_batch(model, entropy=entropy, batch_size=4, max_tokens=40)
        return [result.text for result in run(made, *requests).values()]

    assert texts(5) == texts(5)
    # The last one has the 32-bit words of seed 5 and of index 1, side by side.
    assert len({*texts(5), *texts(6), *texts(5 + 2**32), *texts(2**200)}) == 16


@pytest.mark.parametrize("ahead", [1, 7, 256])
def test_random_numbers_drawn_ahead_do_not_change_a_text(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    model = make_model(single_text=True)
    expected = only(make_batch(model, max_tokens=300))
    monkeypatch.setattr(batch, "_DRAWN_AHEAD", ahead)
    assert only(make_batch(model, max_tokens=300)) == expected


@pytest.mark.parametrize("prefix", ["", "abc"])
def test_rows_grow_when_texts_outgrow_them(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    model = make_model()
    requests = [Request(i) for i in range(12)]
    options = {"prefix": prefix, "batch_size": 4, "max_tokens": 26, "min_tokens": 20}
    expected = run(make_batch(model, **options), *requests)
    monkeypatch.setattr(batch, "_FIRST_CAPACITY", 1)
    made = make_batch(model, **options)
    assert run(made, *requests) == expected
    assert {result.finish_reason for result in expected.values()} == {"end", "length"}


def test_rows_need_no_more_room_than_their_texts(
    make_chain: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "_FIRST_CAPACITY", 4)
    made = make_batch(make_chain(ABC), max_tokens=10**15, batch_size=2)
    run(made, *[Request(i) for i in range(30)])
    assert made._tokens.shape == (2, 4)


def test_the_prefix_is_read_before_the_text(make_chain: MakeModel) -> None:
    model = make_chain(ABC)
    assert only(make_batch(model, prefix="b")) == GenerationResult("bc", "b", (2, 3), "end")


def test_unknown_characters_of_the_prefix_stay_in_the_text(make_chain: MakeModel) -> None:
    model = make_chain({**ABC, "?": {"b": 1}})
    result = only(make_batch(model, prefix="aé\U0001f600\udc80"))
    assert result.text == "aé\U0001f600\udc80bc"
    assert result.token_ids == (1, 0, 0, 0, 2, 3)


def test_a_prefix_that_spells_the_end_token_is_plain_text(make_chain: MakeModel) -> None:
    result = only(make_batch(make_chain({**ABC, "?": {"b": 1}}), prefix="<s>"))
    assert (result.text, result.token_ids) == ("<s>bc", (0, 0, 0, 2, 3))


@pytest.mark.parametrize("max_tokens", [1, 3])
def test_a_prefix_of_the_whole_length_comes_back_unread(
    make_chain: MakeModel, monkeypatch: pytest.MonkeyPatch, max_tokens: int
) -> None:
    made = make_batch(make_chain(ABC), prefix="aab", max_tokens=max_tokens, batch_size=2)
    monkeypatch.setattr(Decoder, "step", None)  # nothing is predicted any more
    results = run(made, Request(0), Request(1), Request(2))
    assert list(results.values()) == [GenerationResult("aab", "aab", (1, 1, 2), "length")] * 3


def test_length_counts_the_prefix(make_chain: MakeModel) -> None:
    model = make_chain(LOOP)
    assert only(make_batch(model, max_tokens=5)).text == "ababa"
    result = only(make_batch(model, prefix="ab", max_tokens=5))
    assert (result.text, result.finish_reason) == ("ababa", "length")
    assert only(make_batch(model, prefix="abab", max_tokens=5)).text == "ababa"


def test_a_text_may_not_end_before_min_tokens(make_chain: MakeModel) -> None:
    chain = {"<s>": {"a": 1}, "a": {"<s>": 0.999999, "a": 0.000001}}
    model = make_chain(chain)
    assert only(make_batch(model)).text == "a"
    result = only(make_batch(model, min_tokens=4))
    assert (result.text, result.finish_reason) == ("aaaa", "end")
    assert only(make_batch(model, min_tokens=4, prefix="aaa")).text == "aaaa"  # it counts
    assert only(make_batch(model, min_tokens=4, max_tokens=4)).text == "aaaa"


def test_a_single_text_model_never_ends_a_text(make_chain: MakeModel) -> None:
    model = make_chain({"<s>": {"a": 1}, "a": {"<s>": 1 - 1e-6, "a": 1e-6}}, single_text=True)
    result = only(make_batch(model, max_tokens=50))
    assert (result.text, result.finish_reason) == ("a" * 50, "length")


def test_padding_is_never_drawn(make_chain: MakeModel) -> None:
    model = make_chain({"<s>": {"a": 1}, "a": {"?": 1 - 1e-6, "a": 1e-6}})
    assert only(make_batch(model, max_tokens=20)).text == "a" * 20


def test_temperatures_take_turns_by_position(make_chain: MakeModel) -> None:
    # Cold positions take x; at a huge temperature all four come.
    even = dict.fromkeys("wyz", 0.2) | {"x": 0.4}
    model = make_chain(dict.fromkeys(["<s>", *"wxyz"], even), single_text=True)

    def hot_positions(temperature: list[float], prefix: str = "") -> set[int]:
        options = {"temperature": temperature, "prefix": prefix, "max_tokens": 12}
        made = make_batch(model, batch_size=9, **options)
        results = run(made, *[Request(i) for i in range(30)]).values()
        return {i for r in results for i, c in enumerate(r.text) if c != "x" and i >= len(prefix)}

    assert hot_positions([0.0, 1e6, 0.0]) == {1, 4, 7, 10}
    assert hot_positions([1e6, 0.0]) == {0, 2, 4, 6, 8, 10}
    assert hot_positions([1e6, 0.0], prefix="xxx") == {4, 6, 8, 10}
    assert hot_positions([0.0]) == set()


def test_temperatures_take_turns_in_rows_of_different_ages(make_chain: MakeModel) -> None:
    even = dict.fromkeys("wyz", 0.2) | {"x": 0.4}
    model = make_chain(dict.fromkeys(["<s>", *"wxyz"], even), single_text=True)
    made = make_batch(model, temperature=[1e6, 0.0, 0.0], max_tokens=9, batch_size=2)
    made.add(Request(0))
    made.step()
    results = run(made, *[Request(i) for i in range(1, 20)])
    assert all(re.fullmatch("(.xx){3}", result.text) for result in results.values())
    assert len(results) == 20


def test_recent_tokens_are_penalised_in_the_window_alone(make_chain: MakeModel) -> None:
    # All logits are negative; the penalty takes a recent token far down.
    even = {"a": 0.4, "b": 0.3, "c": 0.2, "d": 0.1}
    model = make_chain(dict.fromkeys(["<s>", *"abcd"], even), single_text=True)
    options = {"temperature": 0, "repetition_penalty": 1e3, "max_tokens": 8}
    assert only(make_batch(model, **options, repetition_window=1)).text == "abababab"
    assert only(make_batch(model, **options, repetition_window=2)).text == "abcabcab"
    assert only(make_batch(model, **options, repetition_window=3)).text == "abcdabcd"
    # The prefix counts as recent.
    assert only(make_batch(model, **options, repetition_window=2, prefix="ab")).text == "abcabcab"


def test_a_stop_string_ends_the_text_and_is_trimmed(make_chain: MakeModel) -> None:
    result = only(make_batch(make_chain(LOOP), stop="ba"))
    assert result == GenerationResult("a", "", (1, 2, 1), "stop")


def test_a_stop_string_may_be_kept(make_chain: MakeModel) -> None:
    result = only(make_batch(make_chain(LOOP), stop="ba", keep_stop=True))
    assert result == GenerationResult("aba", "", (1, 2, 1), "stop")


def test_stop_strings_within_the_prefix_do_not_count(make_chain: MakeModel) -> None:
    result = only(make_batch(make_chain(LOOP), stop=["bab", "aa"], prefix="baabab"))
    assert result == GenerationResult("baabab", "baabab", (2, 1, 1, 2, 1, 2, 1, 2), "stop")


def test_a_stop_string_may_begin_in_the_prefix_which_is_kept(make_chain: MakeModel) -> None:
    model = make_chain(LOOP)
    result = only(make_batch(model, stop="xba", prefix="xb"))
    assert (result.text, result.finish_reason) == ("xb", "stop")
    assert only(make_batch(model, stop="xba", prefix="xb", keep_stop=True)).text == "xba"


def test_the_first_of_several_stop_strings_counts(make_chain: MakeModel) -> None:
    model = make_chain(ABC)
    assert only(make_batch(model, stop=["c", "b"])).text == "a"
    assert only(make_batch(model, stop=["c", "bc"])).text == "a"  # both end at once
    assert only(make_batch(model, stop=["d", "ca"])).finish_reason == "end"


def test_a_stop_string_at_the_last_token_counts_as_stop(make_chain: MakeModel) -> None:
    result = only(make_batch(make_chain(LOOP), stop="ba", max_tokens=3))
    assert (result.text, result.finish_reason) == ("a", "stop")


def test_banned_strings_take_no_part_in_the_filters(make_chain: MakeModel) -> None:
    # Without b, a and c are the likeliest two: 2/3 and 1/3. With b still in, c would be cut.
    even = {"a": 0.4, "b": 0.35, "c": 0.2, "d": 0.05}
    model = make_chain(dict.fromkeys(["<s>", *"abcd"], even), single_text=True)
    made = make_batch(model, top_k=2, banned="b", max_tokens=2000)
    text = only(made).text
    assert set(text) == {"a", "c"}
    assert text.count("a") == pytest.approx(2000 * 2 / 3, abs=80)  # four deviations


@pytest.mark.parametrize("stop", [(), ("zzzz",)])
def test_a_banned_string_gives_way_to_the_next_likeliest(
    make_chain: MakeModel, stop: tuple[str, ...]
) -> None:
    model = make_chain({**LOOP, "a": {"b": 0.9, "c": 0.1}, "c": {"a": 1}})
    options = {"temperature": 0, "max_tokens": 7, "stop": stop}
    assert only(make_batch(model, **options)).text == "abababa"
    assert only(make_batch(model, **options, banned="bab")).text == "abacaba"


def test_a_banned_string_may_begin_in_the_prefix(make_chain: MakeModel) -> None:
    model = make_chain({**LOOP, "b": {"a": 0.9, "c": 0.1}, "c": {"a": 1}})
    result = only(make_batch(model, temperature=0, max_tokens=6, prefix="xb", banned="xba"))
    assert result.text == "xbcaba"
    # One that lies within the prefix is none of our business.
    result = only(make_batch(model, temperature=0, max_tokens=6, prefix="xba", banned="xba"))
    assert result.text == "xbabab"


def test_a_text_ends_where_every_token_is_banned(make_chain: MakeModel) -> None:
    model = make_chain(LOOP, single_text=True)
    result = only(make_batch(model, banned=["aa", "abab", "bb", "abaa"]))
    assert result == GenerationResult("aba", "", (1, 2, 1), "banned")
    result = only(make_batch(model, banned=["a", "b"], prefix="ab"))
    assert result == GenerationResult("ab", "ab", (1, 2), "banned")


def test_a_text_ends_itself_where_only_that_is_left(make_chain: MakeModel) -> None:
    model = make_chain(LOOP)
    assert only(make_batch(model, banned=["aa", "ab"])).finish_reason == "end"
    assert only(make_batch(model, banned=["aa", "ab"], min_tokens=2)).finish_reason == "banned"


def test_rows_without_any_token_left_do_not_disturb_the_others(make_chain: MakeModel) -> None:
    half = {"a": 0.5, "b": 0.5}
    model = make_chain({"<s>": half, "a": half, "b": half}, single_text=True)
    strings = ["".join(letters) for letters in itertools.product("ab", repeat=3)]
    banned = [f"aaa{letter}" for letter in "ab"]
    made = make_batch(
        model, banned=banned, max_tokens=12, batch_size=4, top_k=2, top_p=0.9, min_p=0.1,
        repetition_penalty=1.5, temperature=[0.7, 1.0],
    )  # fmt: skip
    results = list(run(made, *[Request(i) for i in range(40)]).values())
    for result in results:
        dead = result.text.endswith("aaa") and len(result.text) < 12
        assert result.finish_reason == ("banned" if dead else "length")
        assert "aaa" not in result.text[:-1]
    assert len({result.finish_reason for result in results}) == 2
    assert any(s in result.text for s in strings[1:] for result in results)


@pytest.mark.parametrize("single_text", [False, True])
def test_a_vocabulary_without_characters_is_refused(
    make_model: MakeModel, single_text: bool
) -> None:
    with pytest.raises(NotTrainedError) as caught:
        make_batch(make_model("", single_text=single_text))
    assert str(caught.value) == "the model knows no characters yet; train it on a text first."


@pytest.mark.parametrize("single_text", [False, True])
def test_a_vocabulary_of_one_character_is_enough(make_model: MakeModel, single_text: bool) -> None:
    made = make_batch(make_model("a", single_text=single_text), max_tokens=20, min_tokens=2)
    assert re.fullmatch("a{2,20}", only(made).text)


def test_predictions_that_are_no_numbers_are_an_error(make_model: MakeModel) -> None:
    model = make_model()
    kernel = np.copysign(np.float32(3e38), model.parameters["output.kernel"])
    made = replace(model, parameters={**model.parameters, "output.kernel": kernel})
    with np.errstate(all="ignore"), pytest.raises(ModelFileError) as caught:
        only(make_batch(made, max_tokens=5))
    assert str(caught.value) == (
        "the model's predictions are not numbers: its weights are so large that sums overflow, "
        "because the file is damaged or its training diverged; use another copy or train again "
        "with a lower learning rate."
    )
