"""Successive halving: fewer shapes for longer, until two are trained in full."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.studies.shrink.halving import FINALISTS, best, rounds


@given(shapes=st.integers(1, 500))
def test_rounds_grow_longer_with_fewer_shapes_and_end_with_the_full_training(shapes):
    found = rounds(shapes)
    left = [shapes, *(one.survivors for one in found)]
    assert all(before >= after for before, after in pairwise(left))
    fractions = [one.fraction for one in found]
    assert fractions == sorted(set(fractions))
    assert fractions[-1] == 1.0
    trained_in_full = shapes if len(found) == 1 else found[-2].survivors
    assert trained_in_full == min(shapes, FINALISTS)
    deadlines = [one.deadline for one in found]
    assert deadlines == sorted(deadlines)
    assert deadlines[-1] == 1.0


@given(shapes=st.integers(9, 200))
def test_the_rounds_cost_less_than_a_third_of_every_full_training(shapes):
    cost, left = 0.0, shapes
    for one in rounds(shapes):
        cost, left = cost + left * one.fraction, one.survivors
    assert cost <= shapes / 3 + FINALISTS


@pytest.mark.parametrize(
    ("shapes", "fractions"), [(1, [1]), (2, [1]), (3, [1 / 3, 1]), (9, [1 / 9, 1 / 3, 1])]
)
def test_a_few_shapes_need_fewer_rounds(shapes, fractions):
    assert [one.fraction for one in rounds(shapes)] == pytest.approx(fractions)


@given(
    st.dictionaries(st.text(min_size=1), st.floats(0, 1) | st.just(math.nan), min_size=1), st.integers(1, 9)
)
def test_the_best_are_those_with_the_highest_scores(scores, count):
    order = sorted(scores)
    chosen = best(scores, count, order, {})
    assert len(chosen) == min(count, len(scores))
    others = [scores[name] for name in scores if name not in chosen]
    finite = [scores[name] for name in chosen if math.isfinite(scores[name])]
    assert all(not math.isfinite(other) or other <= min(finite, default=-1) for other in others)


def test_of_equal_scores_the_first_in_order_wins():
    assert best({"a": 0.5, "b": 0.5, "c": 0.4}, 1, ["b", "a", "c"], {}) == ["b"]


def test_of_equal_scores_the_lower_loss_wins_and_a_missing_one_is_worst():
    scores, order = {"a": 0.5, "b": 0.5, "c": 0.5, "d": 0.9}, ["a", "b", "c", "d"]
    assert best(scores, 3, order, {"a": 0.69, "c": 0.61, "d": 9.0}) == ["d", "c", "a"]
    assert best(scores, 4, order, {"a": math.nan, "c": 0.61})[-2:] == ["a", "b"]


def test_a_shape_without_a_score_is_not_chosen():
    assert best({"a": 0.1}, 2, ["b", "a"], {}) == ["a"]
