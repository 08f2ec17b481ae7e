"""Promises of agreement: exact tests in a fixed order, and how often the promise is broken over many draws."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from lmdistill.analysis.agreement_bound import (
    Promise,
    fewest_texts,
    first_tested,
    last_passed,
    lower_bound,
    texts_at_rate,
    thresholds_tested,
    upper_p_value,
)
from lmdistill.core.errors import ConfigError

STEPS = 100
SHARES = (np.arange(STEPS) + 0.5) / STEPS
PROMISE = Promise(agreement=0.98, confidence=0.95)


def counts(st_draw_most=60):
    return st.integers(1, st_draw_most).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


promises = st.builds(
    Promise, agreement=st.floats(0.05, 0.99), confidence=st.sampled_from([0.5, 0.75, 0.9, 0.95, 0.99])
)


# one threshold


@given(counts(), st.floats(0.05, 0.95))
def test_the_p_value_is_the_sum_of_binomial_terms(numbers, rate):
    agreed, answered = numbers
    terms = [
        math.comb(answered, k) * rate**k * (1 - rate) ** (answered - k) for k in range(agreed, answered + 1)
    ]
    assert float(upper_p_value(np.array(agreed), np.array(answered), rate)) == pytest.approx(math.fsum(terms))


@given(counts(), st.sampled_from([0.5, 0.9, 0.95]))
def test_the_lower_bound_is_that_of_clopper_and_pearson(numbers, confidence):
    agreed, answered = numbers
    found = binomtest(agreed, answered, alternative="greater").proportion_ci(confidence, method="exact")
    assert lower_bound(agreed, answered, confidence) == pytest.approx(found.low, abs=1e-12)


@given(counts(), promises)
def test_a_threshold_passes_where_the_lower_bound_is_the_promise(numbers, promise):
    agreed, answered = numbers
    bound = lower_bound(agreed, answered, promise.confidence)
    if abs(bound - promise.agreement) > 1e-9:
        passes = (
            upper_p_value(np.array(agreed), np.array(answered), promise.agreement) <= 1 - promise.confidence
        )
        assert bool(passes) == (bound > promise.agreement)


@pytest.mark.parametrize(
    ("agreement", "confidence", "fewest"),
    [(0.98, 0.95, 149), (0.95, 0.95, 59), (0.9, 0.95, 29), (0.5, 0.75, 2), (0.99, 0.99, 459), (0.1, 0.5, 1)],
)
def test_the_fewest_texts(agreement, confidence, fewest):
    assert fewest_texts(Promise(agreement=agreement, confidence=confidence)) == fewest


@given(promises)
def test_fewer_than_the_fewest_texts_never_pass(promise):
    fewest = fewest_texts(promise)
    numbers = np.array([fewest - 1, fewest])
    found = upper_p_value(numbers, numbers, promise.agreement) <= (1 - promise.confidence) * (1 + 1e-9)
    assert found.tolist() == [False, True]


def test_more_texts_at_the_same_rate_help_only_above_the_promise():
    assert texts_at_rate(98, 100, PROMISE) is None
    assert texts_at_rate(90, 100, PROMISE) is None
    enough = texts_at_rate(99, 100, PROMISE)
    assert 400 < enough < 800
    agreed = math.floor(0.99 * enough)
    assert upper_p_value(np.array(agreed), np.array(enough), 0.98) <= 0.05


@pytest.mark.parametrize("name", ["agreement", "confidence"])
@pytest.mark.parametrize("value", [0.0, 1.0, -0.5, 98.0, math.nan])
def test_a_promise_that_is_no_share_is_refused(name, value):
    with pytest.raises(ConfigError, match=rf"^--{name} must be between 0 and 1, got .*0\.95 is 95 %\.$"):
        Promise(**{"agreement": 0.98, "confidence": 0.95, name: value})


# the sequence


@given(st.integers(1, 100_000), promises)
def test_the_start_expects_enough_texts_and_is_within_the_grid(texts, promise):
    start = first_tested(texts, promise, STEPS)
    assert 0 <= start < STEPS
    expected = texts * (start + 1) / STEPS
    assert expected >= min(texts, 1.2 * fewest_texts(promise)) * (1 - 1e-9)
    assert start == 0 or texts * start / STEPS < max(1.2 * fewest_texts(promise), 5 * fewest_texts(promise))


@given(st.integers(0, 2**32 - 1), st.integers(1, 80), promises)
def test_counts_are_those_of_a_plain_loop(seed, size, promise):
    draw = np.random.default_rng(seed)
    confidence = draw.integers(0, 12, size) / 12  # ties
    agreed = draw.random(size) < 0.9
    grid = (*sorted(draw.integers(0, 13, 6) / 12, reverse=True), 0.0)
    found = thresholds_tested(grid, confidence, agreed, promise)
    assert found.answered.tolist() == [int((confidence >= limit).sum()) for limit in grid]
    assert found.agreed.tolist() == [int(agreed[confidence >= limit].sum()) for limit in grid]
    last = None
    for number in range(found.start, len(grid)):
        one = found.answered[number]
        if one == 0 or binomtest(int(found.agreed[number]), int(one), promise.agreement, "greater").pvalue > (
            1 - promise.confidence
        ):
            break
        last = number
    assert found.last == last


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_the_texts_does_not_matter(seed):
    draw = np.random.default_rng(seed)
    confidence, agreed = draw.integers(0, 50, 400) / 50, draw.random(400) < 0.995
    grid = (*np.arange(0.99, 0, -0.01).tolist(), 0.0)
    one = thresholds_tested(grid, confidence, agreed, PROMISE)
    order = draw.permutation(400)
    other = thresholds_tested(grid, confidence[order], agreed[order], PROMISE)
    assert (one.last, one.answered.tolist(), one.agreed.tolist()) == (
        other.last,
        other.answered.tolist(),
        other.agreed.tolist(),
    )


def test_a_student_that_always_agrees_answers_everything():
    confidence = np.random.default_rng(0).random(149)
    grid = (*np.quantile(confidence, 1 - np.arange(1, 100) / 100).tolist(), 0.0)
    found = thresholds_tested(grid, confidence, np.ones(149, dtype=bool), PROMISE)
    assert found.thresholds[found.last] == 0
    assert thresholds_tested(grid, confidence[:148], np.ones(148, dtype=bool), PROMISE).last is None


def test_the_sequence_ends_at_the_first_failure_even_if_later_thresholds_pass():
    answered = np.array([200, 300, 5000, 6000])
    agreed = np.array([200, 280, 4990, 5990])
    assert (upper_p_value(agreed, answered, 0.98) <= 0.05).tolist() == [True, False, True, True]
    assert last_passed(answered, agreed, PROMISE, 0) == 0
    assert last_passed(answered, agreed, PROMISE, 1) == -1
    assert last_passed(answered, agreed, PROMISE, 2) == 3


@given(st.integers(0, 2**32 - 1), st.integers(0, STEPS - 1))
def test_a_larger_promise_never_covers_more_from_the_same_start(seed, start):
    answered, agreed = drawn(1 - 0.3 * SHARES**8, 2000, 20, seed)
    lasts = [last_passed(answered, agreed, Promise(agreement=a), start) for a in (0.9, 0.95, 0.98, 0.99)]
    for lower, higher in pairwise(lasts):
        assert (lower >= higher).all()


# many draws


def drawn(rates, texts, draws, seed=0, shares=None):
    """Texts that reach each threshold and those of them that agree, for many draws of texts.

    A percent of the texts lies between two thresholds, and agrees at its own rate; or `shares` of them do.
    """
    draw = np.random.default_rng(seed)
    between = draw.multinomial(
        texts, np.full(len(rates), 1 / len(rates)) if shares is None else shares, size=draws
    )
    return between.cumsum(axis=1), draw.binomial(between, rates).cumsum(axis=1)


def outcome(rates, texts, promise, draws=2000, shares=None):
    """Over many draws: share of broken promises, mean coverage, and the best threshold's coverage."""
    answered, agreed = drawn(rates, texts, draws, shares=shares)
    last = last_passed(answered, agreed, promise, first_tested(texts, promise, len(rates)))
    weights = np.full(len(rates), 1 / len(rates)) if shares is None else shares
    covered = weights.cumsum()
    true = (weights * rates).cumsum() / covered
    broken = (last >= 0) & (true[last] < promise.agreement)
    good = np.flatnonzero(true >= promise.agreement)
    best = covered[good[-1]] if len(good) else 0.0
    return broken.mean(), np.where(last >= 0, covered[last], 0).mean(), best


def boundary(first_false):
    """Agreement of all answered texts that is 1, then falls, and from one threshold on is just below the promise."""
    missing = (1 - 0.9799) * (first_false + 1)  # percents of the texts without agreement
    steps = math.ceil(missing) + 1
    rates = np.ones(STEPS)
    rates[first_false + 1 - steps : first_false + 1] = 1 - missing / steps
    rates[first_false + 1 :] = 0.9799
    true = rates.cumsum() / np.arange(1, STEPS + 1)
    assert np.flatnonzero(true < 0.98)[0] == first_false
    return rates


STUDENTS = {
    "good": 1 - 0.3 * SHARES**10,
    "calibrated": 1 - 0.5 * SHARES**6,
    "like SST-2": 0.997 - 0.35 * SHARES**5,
    "steep": 0.998 - 0.45 * SHARES**2,
    "overconfident": 0.992 - 0.25 * SHARES**3,
    "just below everywhere": np.full(STEPS, 0.9799),
    "weak": 0.98 - 0.4 * SHARES**2,
    "false in the middle": boundary(49),
    "false later": boundary(60),
    "false at the end": boundary(99),
}
"""Rates of agreement from the most to the least confident percent of the texts."""

SATURATED = np.array([0.4, *np.full(60, 0.01)])
"""Forty percent of the texts have the highest confidence there is."""

MOST_BROKEN = 0.065
"""A bound that is broken in 5 % of draws exceeds this in 2,000 draws with a probability of 0.002."""


@pytest.mark.parametrize("texts", [149, 400, 1000, 5000])
def test_promises_are_broken_in_few_draws(texts):
    for rates in STUDENTS.values():
        assert outcome(rates, texts, PROMISE)[0] <= MOST_BROKEN
    rates = np.array([0.9799, *np.full(60, 0.97)])
    assert outcome(rates, texts, PROMISE, shares=SATURATED)[0] <= MOST_BROKEN


@pytest.mark.parametrize(("agreement", "confidence"), [(0.9, 0.9), (0.95, 0.99), (0.6, 0.8)])
def test_other_promises_are_broken_as_seldom_as_they_say(agreement, confidence):
    promise = Promise(agreement=agreement, confidence=confidence)
    limit = 1 - confidence + 3.5 * math.sqrt(confidence * (1 - confidence) / 2000)
    for rates in (np.full(STEPS, agreement - 1e-6), np.clip(agreement + 0.1 - 0.2 * SHARES, 0, 1)):
        assert outcome(rates, 800, promise)[0] <= limit


def test_the_worst_case_comes_near_the_limit_so_the_bound_is_not_slack():
    assert all(outcome(boundary(first_false), 5000, PROMISE)[0] > 0.02 for first_false in (49, 60, 99))


def test_taking_the_laxest_threshold_that_passes_breaks_the_promise_and_is_seen():
    """What a search without the fixed sequence would do; the simulation tells it from a valid one."""
    answered, agreed = drawn(STUDENTS["just below everywhere"], 5000, 2000)
    passes = upper_p_value(agreed, answered, 0.98) <= 0.05
    assert passes.any(axis=1).mean() > 3 * MOST_BROKEN


@pytest.mark.parametrize(
    ("student", "texts", "most"),
    [
        ("good", 1000, 0.06),
        ("good", 5000, 0.025),
        ("calibrated", 1000, 0.10),
        ("calibrated", 5000, 0.035),
        ("like SST-2", 1000, 0.25),
        ("like SST-2", 5000, 0.06),
        ("overconfident", 5000, 0.25),
    ],
)
def test_coverage_is_near_that_of_the_best_threshold(student, texts, most):
    _, covered, best = outcome(STUDENTS[student], texts, PROMISE)
    assert 0 <= best - covered <= most


def test_more_texts_cover_more():
    covered = [outcome(STUDENTS["like SST-2"], texts, PROMISE)[1] for texts in (300, 1000, 3000, 10_000)]
    assert covered == sorted(covered)
