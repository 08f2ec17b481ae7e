from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lmdistill.analysis.significance import (
    Spread,
    fair_coin_chances,
    gap_closed,
    holm,
    mcnemar,
    seeds_interval,
    share_kept,
    spread,
)

finite = st.floats(min_value=-1e6, max_value=1e6)
pairs = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


@given(st.lists(finite, min_size=2, max_size=8))
def test_spread_is_mean_and_sample_deviation(values: list[float]) -> None:
    found = spread(values)
    assert found is not None
    assert found.mean == pytest.approx(sum(values) / len(values), rel=1e-9, abs=1e-6)
    variance = sum((value - sum(values) / len(values)) ** 2 for value in values) / (len(values) - 1)
    assert found.sd == pytest.approx(variance**0.5, rel=1e-9, abs=1e-6)


def test_one_value_has_no_spread_and_none_has_no_mean() -> None:
    one = spread([0.5, None, float("nan")])
    assert one is not None
    assert (one.mean, one.sd, one.count) == (0.5, None, 1)
    assert spread([None]) is None


@given(pairs)
def test_one_seed_is_the_exact_test_of_scipy(answers: list[tuple[bool, bool]]) -> None:
    ours, theirs = np.array(answers).T
    better, worse = int((ours & ~theirs).sum()), int((~ours & theirs).sum())
    expected = stats.binomtest(better, better + worse, 0.5).pvalue if better + worse else 1.0
    assert mcnemar(ours[None], theirs[None]) == pytest.approx(expected, rel=1e-9, abs=0)


@given(pairs, st.integers(min_value=2, max_value=4))
def test_seeds_that_repeat_each_other_add_no_evidence(answers: list[tuple[bool, bool]], times: int) -> None:
    ours, theirs = np.array(answers).T[:, None]
    repeated = mcnemar(np.repeat(ours, times, axis=0), np.repeat(theirs, times, axis=0))
    assert repeated == pytest.approx(mcnemar(ours, theirs), rel=1e-9, abs=0)


def test_several_seeds_by_hand() -> None:
    # differences of three examples over two seeds: +2, +1, 0. Random signs: ±2 ±1, all four equally likely;
    # 3 and -3 are as far from 0 as the 3 that was seen: p = 2/4
    ours = np.array([[True, True, True], [True, True, False]])
    theirs = np.array([[False, False, True], [False, True, False]])
    assert mcnemar(ours, theirs) == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("count", [0, 1, 2, 9, 408, 1500, 5463])
def test_tosses_of_a_fair_coin_have_the_chances_of_scipy(count: int) -> None:
    np.testing.assert_allclose(
        fair_coin_chances(count), stats.binom.pmf(np.arange(count + 1), count, 0.5), rtol=1e-11, atol=1e-300
    )


@given(pairs)
def test_the_test_does_not_care_who_is_the_baseline(answers: list[tuple[bool, bool]]) -> None:
    ours, theirs = np.array(answers).T[:, None]
    assert mcnemar(ours, theirs) == pytest.approx(mcnemar(theirs, ours), rel=1e-12)


def test_shares_that_mean_nothing_are_none() -> None:
    assert share_kept(0.5, 0.0) is None
    assert share_kept(0.5, None) is None
    assert gap_closed(0.5, 0.6, 0.6) is None
    assert gap_closed(0.5, 0.7, 0.6) is None
    assert gap_closed(0.86, 0.85, 0.9) == pytest.approx(0.2)
    assert gap_closed(0.84, 0.85, 0.9) == pytest.approx(-0.2)


def test_the_interval_over_seeds_is_that_of_scipy() -> None:
    values = [0.81, 0.84, 0.79, 0.82]
    found = spread(values)
    assert found is not None
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert seeds_interval(found) == pytest.approx((expected.low, expected.high), rel=1e-12)
    assert seeds_interval(Spread(mean=0.5, sd=None, count=1)) is None


@given(st.lists(st.floats(min_value=0, max_value=1), min_size=1, max_size=12), st.randoms())
def test_holm_keeps_the_order_never_lowers_and_does_not_care_who_stands_first(
    values: list[float], random: Random
) -> None:
    found = holm(values)
    assert all(value is not None and old <= value <= 1 for old, value in zip(values, found, strict=True))
    ranked = [found[place] for place in sorted(range(len(values)), key=values.__getitem__)]
    assert ranked == sorted(ranked)
    order = list(range(len(values)))
    random.shuffle(order)
    assert holm([values[place] for place in order]) == [found[place] for place in order]
    assert min(found) == min(1.0, min(values) * len(values))


@given(st.lists(st.floats(min_value=0, max_value=1), min_size=1, max_size=8))
def test_holm_rejects_what_the_stepwise_rule_of_the_paper_rejects(values: list[float]) -> None:
    expected = set()
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        if values[place] * (len(values) - rank) > 0.05:
            break
        expected.add(place)
    assert {place for place, value in enumerate(holm(values)) if value <= 0.05} == expected


def test_holm_leaves_out_what_was_not_tested() -> None:
    assert holm([None, 0.02, None]) == [None, 0.02, None]
    assert holm([]) == []
