import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError
from lmdistill.schedules.assistant_choice import choose_assistant, maxidisc_cost, step_cost
from lmdistill.schedules.trade_off import trade_off

MRPC = {0.7: 0.915, 0.6: 0.913, 0.5: 0.913, 0.4: 0.899, 0.3: 0.889, 0.2: 0.870, 0.1: 0.867}
QQP = {0.7: 0.887, 0.6: 0.886, 0.5: 0.883, 0.4: 0.881, 0.3: 0.877, 0.2: 0.870, 0.1: 0.844}
"""Metrics of the assistants in the paper's pilot figure, by kept fraction (`methods.md` 3.5)."""

metrics = st.dictionaries(st.sampled_from([0.5, 0.4, 0.3, 0.2, 0.15, 0.1]), st.floats(0, 1), min_size=1).map(
    lambda found: found | {0.05: 0.5}
)


def test_the_formula_chooses_a_fifth_on_both_tasks_of_the_figure():
    """On MRPC the figure's own optimum, 0.3, rests on one point that does not follow the formula."""
    for found in (MRPC, QQP):
        assert choose_assistant(found, target=0.1) == 0.2


def test_where_the_target_may_win_the_figure_takes_no_assistant_on_mrpc():
    assert choose_assistant(MRPC, target=0.1, skip=True) == 0.1
    assert choose_assistant(QQP, target=0.1, skip=True) == 0.2


@given(found=metrics, weight=st.floats(0, 5), skip=st.booleans())
def test_no_candidate_beats_the_chosen_one(found, weight, skip):
    best = choose_assistant(found, target=0.05, weight=weight, skip=skip)
    able = {kept: m for kept, m in found.items() if kept > 0.05 or skip}
    scores = {kept: trade_off(m, kept, weight=weight) for kept, m in able.items()}
    assert scores[best] == max(scores.values())


@given(found=metrics)
def test_without_a_price_the_best_metric_wins_and_a_high_price_takes_the_smallest(found):
    assert found[choose_assistant(found, target=0.05, weight=0.0, skip=True)] == max(found.values())
    assert choose_assistant(found, target=0.05, weight=1e6) == sorted(found)[1]


def test_of_equal_scores_the_larger_assistant_is_taken():
    assert choose_assistant({0.5: 0.75, 0.25: 0.75}, target=0.1, weight=0.0) == 0.5


def test_what_is_beyond_the_target_is_the_target():
    assert choose_assistant({0.5: 0.1, 0.1: 0.2, 0.05: 0.9}, target=0.1, skip=True) == 0.1


def test_a_joint_step_costs_the_sum_of_its_candidates_and_a_pass_of_the_teacher():
    assert step_cost((0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05)) == pytest.approx(1.70 + 1 / 3)


def test_the_cost_of_trying_all_by_hand():
    maxi = maxidisc_cost((0.5, 0.3, 0.1), target=0.1, steps=10)
    assert maxi.joint == pytest.approx(10 * (0.8 + 2 / 3))
    assert maxi.finish == pytest.approx(10 * (0.8 / 3 + 0.2))
    assert maxi.total == pytest.approx(maxi.joint + maxi.finish)


def test_lambda_below_zero_is_refused():
    for weight in (-0.1, math.nan):
        with pytest.raises(ConfigError, match=r"lam must be >= 0, got"):
            trade_off(0.5, 0.5, weight=weight)


def test_a_grid_without_a_larger_candidate_is_refused():
    with pytest.raises(
        ConfigError,
        match=r"no candidate is larger than the target, which keeps 0\.5\. Raise schedule\.largest",
    ):
        choose_assistant({0.5: 0.9, 0.4: 0.8}, target=0.5)
