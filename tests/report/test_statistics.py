import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lmdistill.report.statistics import (
    RESAMPLED,
    gap_closed,
    majority_alarms,
    mcnemar,
    paired_bootstrap,
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


@given(pairs)
def test_the_test_does_not_care_who_is_the_baseline(answers: list[tuple[bool, bool]]) -> None:
    ours, theirs = np.array(answers).T[:, None]
    assert mcnemar(ours, theirs) == pytest.approx(mcnemar(theirs, ours), rel=1e-12)


def test_the_correlations_are_those_of_scipy() -> None:
    draw = np.random.default_rng(0)
    labels, scores = draw.integers(6, size=50).astype(float), draw.normal(size=50)
    assert RESAMPLED["pearson"](labels, scores) == pytest.approx(stats.pearsonr(labels, scores)[0], rel=1e-12)
    assert RESAMPLED["spearman"](labels, scores) == pytest.approx(
        stats.spearmanr(labels, scores)[0], rel=1e-12
    )


def test_bootstrap_tells_a_clear_difference_from_none() -> None:
    draw = np.random.default_rng(0)
    labels = draw.normal(size=200)
    close, far = labels + 0.1 * draw.normal(size=(2, 200)), labels + 2.0 * draw.normal(size=(2, 200))
    metric = RESAMPLED["pearson"]
    assert paired_bootstrap(metric, labels, close, far, resamples=400) == pytest.approx(2 / 401)
    assert paired_bootstrap(metric, labels, far, close, resamples=400) == pytest.approx(2 / 401)
    assert paired_bootstrap(metric, labels, close, close, resamples=400) == 1.0


def test_bootstrap_agrees_with_the_normal_approximation_near_the_border() -> None:
    draw = np.random.default_rng(1)
    labels = np.zeros(400)
    ours = draw.normal(size=(1, 400))
    ours += 0.075 - ours.mean()  # one and a half standard errors
    expected = stats.ttest_1samp(ours[0], 0.0).pvalue
    assert 0.05 < expected < 0.3
    found = paired_bootstrap(lambda _, scores: float(scores.mean()), labels, ours, np.zeros((1, 400)))
    assert found == pytest.approx(expected, rel=0.2)


def test_shares_that_mean_nothing_are_none() -> None:
    assert share_kept(0.5, 0.0) is None
    assert share_kept(0.5, None) is None
    assert gap_closed(0.5, 0.6, 0.6) is None
    assert gap_closed(0.5, 0.7, 0.6) is None
    assert gap_closed(0.86, 0.85, 0.9) == pytest.approx(0.2)
    assert gap_closed(0.84, 0.85, 0.9) == pytest.approx(-0.2)


def test_an_alarm_rings_at_the_majority_and_not_above() -> None:
    floor = {"dev": {"accuracy": 0.5, "f1": None}}
    assert len(majority_alarms("the teacher", {"dev": {"accuracy": 0.5, "f1": 0.0}}, floor)) == 1
    assert majority_alarms("the teacher", {"dev": {"accuracy": 0.501, "f1": None}}, floor) == ()
