from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lmdistill.analysis.score_correlation import rank_correlation, recorded_trade_off, score_correlation
from lmdistill.records.schema import Candidate, ScheduleFacts
from lmdistill.schedules.trade_off import LAMBDA, trade_off
from tests.report.factory import exhaustive_schedule


def candidate(kept: float, **changes: Any) -> Candidate:
    return Candidate.model_validate({"kept": kept, "parameters": 1, "metric": 0.5, **changes})


@pytest.mark.parametrize("kept", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("metric", [0.0, 0.889, 1.0])
def test_a_record_without_a_score_has_the_one_with_the_published_lambda(kept: float, metric: float) -> None:
    assert recorded_trade_off(candidate(kept, metric=metric)) == trade_off(metric, kept, weight=LAMBDA)
    assert recorded_trade_off(candidate(kept, metric=metric, score=0.125)) == 0.125
    assert recorded_trade_off(candidate(kept, metric=None)) is None


def test_the_correlation_of_a_record_is_scipys_over_those_that_have_both() -> None:
    facts = ScheduleFacts.model_validate(exhaustive_schedule())
    found = score_correlation(
        (*facts.candidates, candidate(0.1), candidate(0.9, metric=None, student_metric=1))
    )
    students = [one.student_metric for one in facts.candidates]
    scores = [trade_off(one.metric or 0.0, one.kept) for one in facts.candidates]
    assert found == (pytest.approx(stats.spearmanr(scores, students).statistic), 6)


def test_a_score_that_orders_the_students_correlates_fully() -> None:
    rising = [candidate(0.5, score=i, student_metric=i**3) for i in range(4)]
    falling = [candidate(0.5, score=i, student_metric=-i) for i in range(4)]
    assert score_correlation(rising) == (pytest.approx(1), 4)
    assert score_correlation(falling) == (pytest.approx(-1), 4)


@given(seed=st.integers(0, 500), size=st.integers(3, 9))
def test_the_rank_correlation_is_scipys_with_ties(seed: int, size: int) -> None:
    scores, students = np.random.default_rng(seed).integers(4, size=(2, size)).astype(float).tolist()
    found = rank_correlation(scores, students)
    if len(set(scores)) == 1 or len(set(students)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(stats.spearmanr(scores, students).statistic, abs=1e-12)


def test_too_few_or_equal_students_have_no_rank_correlation() -> None:
    assert rank_correlation([0.0, 1.0], [0.0, 1.0]) is None
    assert rank_correlation([0.0, 1.0, 2.0], [1.0, 1.0, 1.0]) is None
    assert rank_correlation([1.0, 1.0, 1.0], [0.0, 1.0, 2.0]) is None
    assert score_correlation([candidate(0.5, score=i, student_metric=i) for i in range(2)]) is None
