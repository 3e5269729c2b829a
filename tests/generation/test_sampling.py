import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from textgenrnn.config import SamplingConfig
from textgenrnn.generation.sampling import (
    apply_temperature,
    draw,
    filter_logits,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    penalise_repetition,
    softmax,
)

INF = math.inf


def log(*rows: list[float]) -> np.ndarray:
    """Logits of probabilities; 0 becomes -inf."""
    with np.errstate(divide="ignore"):
        return np.log(np.array(rows, np.float32))


def kept(logits: np.ndarray) -> list[list[int]]:
    """The ids that each row keeps."""
    return [np.flatnonzero(row > -INF).tolist() for row in logits]


@st.composite
def some_logits(draw_value: st.DrawFn) -> np.ndarray:
    """(B, V) logits, some of them banned, but never a whole row."""
    shape = draw_value(st.tuples(st.integers(1, 3), st.integers(2, 12)))
    values = st.floats(-40, 40, width=32) | st.integers(-3, 3) | st.just(-INF)
    logits = draw_value(arrays(np.float32, shape, elements=values))
    logits[np.isneginf(logits).all(axis=1), 0] = 1
    return logits


probabilities = st.floats(0, 1, exclude_min=True)
penalties = st.floats(1, 100)
temperatures = st.floats(0, 50)


class TestSoftmax:
    def test_by_hand(self) -> None:
        logits = log([1, 2, 5, 0], [4, 0, 0, 4]) + 3
        expected = [[1 / 8, 2 / 8, 5 / 8, 0], [1 / 2, 0, 0, 1 / 2]]
        np.testing.assert_allclose(softmax(logits), expected, atol=1e-7)

    @given(some_logits())
    def test_rows_are_distributions(self, logits: np.ndarray) -> None:
        result = softmax(logits)
        assert result.dtype == np.float32
        assert (result >= 0).all()
        assert not result[np.isneginf(logits)].any()
        np.testing.assert_allclose(result.sum(axis=1), 1, rtol=1e-5)


class TestTemperature:
    def test_divides_and_shifts(self) -> None:
        logits = np.array([[1, 3, -INF], [0, -4, 2]], np.float32)
        expected = [[-4, 0, -INF], [-4, -12, 0]]
        np.testing.assert_allclose(apply_temperature(logits, 0.5), expected)
        np.testing.assert_allclose(apply_temperature(logits, np.float32(0.5)), expected)

    def test_may_differ_by_row(self) -> None:
        logits = np.array([[1, 3], [0, -4]], np.float32)
        temperature = np.array([[2], [0.5]], np.float32)
        np.testing.assert_allclose(apply_temperature(logits, temperature), [[-1, 0], [0, -8]])

    @pytest.mark.parametrize("size", [1e-3, 1.0, 1e3, 1e9])
    def test_zero_leaves_the_likeliest_alone_however_near_the_next(self, size: float) -> None:
        highest = np.float32(size)
        logits = np.array([[np.nextafter(highest, np.float32(0)), highest, -highest]])
        assert softmax(apply_temperature(logits, 0.0)).tolist() == [[0, 1, 0]]
        assert softmax(apply_temperature(logits, 1e-300)).tolist() == [[0, 1, 0]]

    def test_zero_leaves_all_that_are_exactly_equal(self) -> None:
        logits = np.array([[2, 1, 2]], np.float32)
        assert softmax(apply_temperature(logits, 0)).tolist() == [[0.5, 0, 0.5]]

    @given(some_logits(), temperatures)
    def test_keeps_the_order_and_never_overflows(self, logits: np.ndarray, value: float) -> None:
        result = apply_temperature(logits, value)
        assert result.dtype == np.float32
        assert (result.max(axis=1) == 0).all()
        ranked = np.take_along_axis(result, np.argsort(logits, axis=1), axis=1)
        assert (ranked[:, 1:] >= ranked[:, :-1]).all()


class TestRepetitionPenalty:
    def test_by_hand(self) -> None:
        logits = np.array([[2, -2, 0, 5], [2, -2, -INF, 5]], np.float32)
        recent = [np.array([0, 1, 1]), np.array([2, 3])]
        result = penalise_repetition(logits, recent, 2.0)
        assert result.tolist() == [[1, -4, 0, 5], [2, -2, -INF, 2.5]]
        assert logits[0, 0] == 2  # the argument stays

    def test_a_row_without_recent_tokens_stays(self) -> None:
        logits = np.array([[2, -2]], np.float32)
        result = penalise_repetition(logits, [np.array([], np.int32)], 9.0)
        assert result.tolist() == [[2, -2]]

    @given(some_logits(), penalties, st.data())
    def test_makes_recent_tokens_no_likelier_and_spares_others(
        self, logits: np.ndarray, penalty: float, data: st.DataObject
    ) -> None:
        ids = st.lists(st.integers(0, logits.shape[1] - 1), max_size=6)
        recent = [np.array(data.draw(ids), np.int32) for _ in logits]
        result = penalise_repetition(logits, recent, penalty)
        assert (result <= logits).all()
        for row, row_ids in enumerate(recent):
            others = np.delete(np.arange(logits.shape[1]), row_ids)
            assert np.array_equal(result[row, others], logits[row, others])

    @given(some_logits())
    def test_one_changes_nothing(self, logits: np.ndarray) -> None:
        recent = [np.arange(logits.shape[1])] * len(logits)
        assert np.array_equal(penalise_repetition(logits, recent, 1.0), logits)


class TestTopK:
    def test_by_hand(self) -> None:
        logits = np.array([[1, 4, 3, 2], [-1, -9, -2, -3]], np.float32)
        assert kept(keep_top_k(logits, 1)) == [[1], [0]]
        assert kept(keep_top_k(logits, 2)) == [[1, 2], [0, 2]]
        assert np.array_equal(keep_top_k(logits, 4), logits)
        assert np.array_equal(keep_top_k(logits, 99), logits)

    def test_tokens_equal_to_the_last_one_stay(self) -> None:
        assert kept(keep_top_k(np.array([[1, 3, 1, 0]], np.float32), 2)) == [[0, 1, 2]]

    def test_banned_tokens_do_not_count(self) -> None:
        logits = np.array([[-INF, 1, -INF, 0]], np.float32)
        assert kept(keep_top_k(logits, 3)) == [[1, 3]]

    @given(some_logits(), st.integers(1, 14))
    def test_keeps_the_k_likeliest(self, logits: np.ndarray, k: int) -> None:
        result = keep_top_k(logits, k)
        assert result.dtype == np.float32
        for row, found in zip(logits, result, strict=True):
            stays = found > -INF
            assert np.array_equal(found[stays], row[stays])
            finite = int((row > -INF).sum())
            assert stays.sum() >= min(k, finite)
            # Fewer than k tokens are likelier than any that stays.
            assert all((row > value).sum() < k for value in found[stays])


class TestTopP:
    @pytest.mark.parametrize(
        ("p", "expected"),
        [
            (0.01, [1]),
            (0.5, [1]),
            (0.51, [1, 3]),
            (0.75, [1, 3]),
            (0.76, [1, 2, 3]),
            (0.99, [0, 1, 2, 3]),
            (1.0, [0, 1, 2, 3]),
        ],
    )
    def test_by_hand(self, p: float, expected: list[int]) -> None:
        logits = log([1 / 16, 1 / 2, 3 / 16, 1 / 4])
        assert kept(keep_top_p(logits, p)) == [expected]

    def test_rows_are_cut_on_their_own(self) -> None:
        logits = log([0.7, 0.1, 0.2], [0.2, 0.4, 0.4])
        assert kept(keep_top_p(logits, 0.6)) == [[0], [1, 2]]

    def test_of_equal_tokens_the_first_ones_stay(self) -> None:
        assert kept(keep_top_p(np.zeros((1, 8), np.float32), 0.25)) == [[0, 1]]

    @pytest.mark.parametrize("p", [1e-300, 1e-45, 1e-9])
    def test_the_likeliest_stays_however_small_p_is(self, p: float) -> None:
        assert kept(keep_top_p(log([0.1, 0.8, 0.1]), p)) == [[1]]

    def test_one_keeps_everything_whatever_is_rounded(self) -> None:
        logits = np.linspace(0, -25, 5000, dtype=np.float32)[None]
        assert np.array_equal(keep_top_p(logits, 1.0), logits)

    @given(some_logits(), probabilities)
    def test_keeps_the_fewest_that_reach_p(self, logits: np.ndarray, p: float) -> None:
        result = keep_top_p(logits, p)
        shares = np.exp(logits.astype(float) - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        for share, before, found in zip(shares, logits, result, strict=True):
            stays = found > -INF
            assert np.array_equal(found[stays], before[stays])
            assert share[stays].sum() >= p - 1e-5
            if p < 1:
                assert share[stays].sum() - share[stays].min() < p + 1e-5
            assert before[stays].min() >= before[~stays].max(initial=-INF)


class TestMinP:
    def test_by_hand(self) -> None:
        logits = log([0.5, 0.25, 0.2, 0.05], [0.1, 0.1, 0.1, 0.7])
        assert kept(keep_min_p(logits, 0.45)) == [[0, 1], [3]]
        assert kept(keep_min_p(logits, 0.09)) == [[0, 1, 2, 3], [0, 1, 2, 3]]
        assert kept(keep_min_p(logits, 1.0)) == [[0], [3]]

    @given(some_logits(), probabilities)
    def test_keeps_what_is_likely_enough(self, logits: np.ndarray, min_p: float) -> None:
        result = keep_min_p(logits, min_p)
        ratio = np.exp(logits.astype(float) - logits.max(axis=1, keepdims=True))
        stays = result > -INF
        assert np.array_equal(result[stays], logits[stays])
        assert (ratio[stays] >= min_p * (1 - 1e-4) - 1e-300).all()
        assert not stays[ratio < min_p * (1 - 1e-4)].any()
        assert stays[ratio > min_p * (1 + 1e-4)].all()


class TestAllFilters:
    @given(
        some_logits(),
        st.builds(
            SamplingConfig,
            temperature=temperatures,
            top_k=st.none() | st.integers(1, 14),
            top_p=st.none() | probabilities,
            min_p=st.none() | probabilities,
        ),
    )
    def test_never_remove_the_likeliest_nor_bring_back_the_banned(
        self, logits: np.ndarray, sampling: SamplingConfig
    ) -> None:
        before = logits.copy()
        result = filter_logits(logits, sampling, sampling.temperatures[0])
        likeliest = logits.argmax(axis=1)
        assert (result[np.arange(len(logits)), likeliest] == 0).all()
        assert (result <= 0).all()
        assert np.isneginf(result[np.isneginf(logits)]).all()
        assert np.array_equal(logits, before)

    def test_without_any_only_the_temperature_remains(self) -> None:
        logits = np.array([[1, 3, -INF]], np.float32)
        result = filter_logits(logits, SamplingConfig(), 2.0)
        assert np.array_equal(result, apply_temperature(logits, 2.0))

    def test_penalty_comes_before_temperature(self) -> None:
        # Divided first, 4 falls to 2 and 3 leads; shifted below 0 first, 4 would be out of reach.
        logits = np.array([[4, 3]], np.float32)
        sampling = SamplingConfig(repetition_penalty=2)
        result = filter_logits(logits, sampling, 0.5, [np.array([0])])
        assert result.tolist() == [[-2, 0]]

    def test_penalty_comes_before_top_k(self) -> None:
        logits = np.array([[4, 3, 1]], np.float32)
        sampling = SamplingConfig(repetition_penalty=2, top_k=1)
        assert kept(filter_logits(logits, sampling, 1.0, [np.array([0])])) == [[1]]

    def test_temperature_comes_before_top_p_and_min_p(self) -> None:
        # Squared and normalised, 0.6, 0.3, 0.1 become 0.78, 0.20, 0.02.
        logits = log([0.6, 0.3, 0.1])
        assert kept(filter_logits(logits, SamplingConfig(top_p=0.7), 0.5)) == [[0]]
        assert kept(filter_logits(logits, SamplingConfig(top_p=0.7), 1.0)) == [[0, 1]]
        assert kept(filter_logits(logits, SamplingConfig(min_p=0.4), 0.5)) == [[0]]
        assert kept(filter_logits(logits, SamplingConfig(min_p=0.4), 1.0)) == [[0, 1]]

    def test_top_k_comes_before_top_p(self) -> None:
        # Of the first two alone, 0.5 is a share of 5/8; of all, 0.6 would need three.
        logits = log([0.5, 0.3, 0.1, 0.1])
        assert kept(filter_logits(logits, SamplingConfig(top_k=2, top_p=0.6), 1.0)) == [[0]]
        assert kept(filter_logits(logits, SamplingConfig(top_p=0.6), 1.0)) == [[0, 1]]


class TestDraw:
    def test_by_hand(self) -> None:
        logits = log([0, 0.5, 0.25, 0.25])
        found = [int(draw(logits, np.array([u]))[0]) for u in (0, 0.49, 0.51, 0.74, 0.76, 0.999)]
        assert found == [1, 1, 2, 2, 3, 3]

    def test_rows_are_drawn_on_their_own(self) -> None:
        logits = log([0.5, 0.5, 0], [0, 0.5, 0.5], [0, 1, 0])
        assert draw(logits, np.array([0.1, 0.1, 0.1])).tolist() == [0, 1, 1]
        assert draw(logits, np.array([0.9, 0.9, 0.9])).tolist() == [1, 2, 1]

    @pytest.mark.parametrize("uniform", [0.0, 0.5, float(np.nextafter(1.0, 0.0))])
    def test_impossible_tokens_at_the_ends_are_never_drawn(self, uniform: float) -> None:
        logits = log([0, 0, 0.3, 0, 0.7, 0, 0])
        assert draw(logits, np.array([uniform]))[0] in (2, 4)

    @given(
        some_logits(),
        st.floats(0, 1, exclude_max=True) | st.just(float(np.nextafter(1.0, 0.0))),
    )
    def test_impossible_tokens_are_never_drawn(self, logits: np.ndarray, uniform: float) -> None:
        shifted = apply_temperature(logits, 1.0)
        tokens = draw(shifted, np.full(len(logits), uniform))
        assert tokens.dtype == np.int64
        assert (np.exp(shifted[np.arange(len(logits)), tokens]) > 0).all()

    def test_frequencies_follow_the_probabilities(self) -> None:
        expected = np.array([0.35, 0.0, 0.05, 0.2, 0.1, 0.3])
        n = 20_000
        logits = np.repeat(log(expected.tolist()), n, axis=0)
        tokens = draw(logits, np.random.default_rng(11).random(n))
        counts = np.bincount(tokens, minlength=6)
        assert counts[1] == 0
        possible = expected > 0
        difference = counts[possible] - n * expected[possible]
        statistic = (difference**2 / (n * expected[possible])).sum()
        # Chi-square of 4 degrees of freedom stays below 18.5 in 999 of 1,000 seeds.
        assert statistic < 18.5
