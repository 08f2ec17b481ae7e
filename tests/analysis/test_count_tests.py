"""Tests of counts beside scipy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, fisher_exact

from lmdistill.analysis.count_tests import (
    LEAST_EXPECTED,
    exact_interval,
    fall_p_values,
    homogeneity_p_value,
    rise_p_value,
)

PARTS = st.integers(0, 60).flatmap(lambda texts: st.tuples(st.just(texts), st.integers(0, texts)))
BINS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=9)


@given(PARTS, PARTS)
def test_a_fall_is_fishers_test(after, before):
    table = [[after[1], after[0] - after[1]], [before[1], before[0] - before[1]]]
    (found,) = fall_p_values([after], [before])
    assert found == pytest.approx(fisher_exact(table, alternative="less").pvalue, rel=1e-9)
    flipped = [row[::-1] for row in table]
    rise = rise_p_value((after[0], after[1]), (before[0], before[1]))
    assert rise == pytest.approx(fisher_exact(flipped, alternative="less").pvalue, rel=1e-9)


@given(BINS)
def test_histograms_are_compared_by_the_chi_square_test(bins):
    one, other = ([pair[side] for pair in bins] for side in (0, 1))
    total = np.array(bins).sum(axis=0)
    expected = np.outer(np.array(bins).sum(axis=1), total) / max(1, total.sum())
    if (expected < LEAST_EXPECTED).any():
        return  # bins are merged, see below
    theirs = chi2_contingency(np.array(bins), correction=False).pvalue
    assert homogeneity_p_value(one, other) == pytest.approx(theirs, rel=1e-9)


@given(BINS)
def test_bins_are_merged_until_enough_is_expected_and_only_their_sums_decide(bins):
    one, other = (np.array([pair[side] for pair in bins]) for side in (0, 1))
    found = homogeneity_p_value(one.tolist(), other.tolist())
    if min(one.sum(), other.sum()) < LEAST_EXPECTED:
        assert found is None  # no bin is expected to have enough
    if found is not None:
        assert homogeneity_p_value(other.tolist(), one.tolist()) == pytest.approx(found)
        assert homogeneity_p_value(one.tolist(), one.tolist()) in (1, None)


def test_merged_bins_by_hand():
    # of 40 and 40 texts the bins 1 and 2 hold 6 and 6, too few alone, and bin 5 joins bin 4
    one, other = [2, 4, 20, 12, 2], [4, 2, 10, 22, 2]
    merged = chi2_contingency([[6, 20, 14], [6, 10, 24]], correction=False).pvalue
    assert homogeneity_p_value(one, other) == pytest.approx(merged)
    assert homogeneity_p_value([30, 2], [30, 2]) is None


@given(PARTS)
def test_an_interval_holds_its_share(part):
    texts, agreed = part
    low, high = exact_interval(agreed, texts)
    assert 0 <= low <= (agreed / texts if texts else 0.5) <= high <= 1


@given(st.integers(0, 50), st.integers(0, 49))
def test_a_lower_agreement_never_has_a_larger_p_value(before, agreed):
    p_values = fall_p_values([(50, agreed), (50, agreed + 1)], [(50, before)] * 2)
    assert p_values[0] <= p_values[1]
