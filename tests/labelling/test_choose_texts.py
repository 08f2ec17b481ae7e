import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from lmdistill.core.errors import ConfigError
from lmdistill.labelling.choose_texts import _distances, choose


def outputs(seed, rows=30, classes=3, width=4):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, classes)) * 2, rng.normal(size=(rows, width))


@given(st.integers(0, 50), st.integers(1, 30), st.integers(0, 3))
def test_the_choice_is_of_different_rows_in_order_and_the_same_for_the_same_seed(data, count, seed):
    logits, states = outputs(data)
    found = choose(logits, states, count, seed=seed)
    assert len(found) == count == len(set(found.tolist()))
    assert list(found) == sorted(found)
    assert np.array_equal(found, choose(logits, states, count, seed=seed))


@given(st.integers(0, 50), st.integers(0, 29))
def test_distances_are_those_of_the_outer_products(data, row):
    logits, states = outputs(data)
    residual = logits - logits.mean(axis=1, keepdims=True)
    products = np.einsum("bv,bd->bvd", residual, states).reshape(len(logits), -1)
    lengths = np.square(residual).sum(1) * np.square(states).sum(1)
    expected = cdist(products, products[row : row + 1], "sqeuclidean")[:, 0]
    assert _distances(residual, states, lengths, row) == pytest.approx(expected, abs=1e-8)


def test_adding_a_constant_to_the_logits_changes_nothing():
    logits, states = outputs(1)
    assert np.array_equal(choose(logits, states, 7), choose(logits + 5.0, states, 7))


def test_the_first_text_is_one_of_which_the_student_is_not_sure():
    logits = np.array([[9.0, 0.0], [0.1, 0.0], [8.0, 0.0]])
    assert choose(logits, np.ones((3, 2)), 1).tolist() == [1]


def test_uncertain_texts_are_preferred_and_near_copies_avoided():
    rng = np.random.default_rng(0)
    unsure, states = rng.normal(size=(5, 2)) * 0.1, np.eye(5) * 3
    logits = np.concatenate([np.repeat(unsure, 20, axis=0), np.tile([12.0, 0.0], (300, 1))])
    every = np.concatenate([np.repeat(states, 20, axis=0), rng.normal(size=(300, 5))])
    found = choose(logits, every, 5)
    assert sorted(row // 20 for row in found) == [0, 1, 2, 3, 4]


def test_texts_that_look_the_same_follow_by_uncertainty():
    logits = np.array([[0.0, 3.0], [0.0, 3.0], [0.0, 9.0], [0.0, 3.0]])
    assert choose(logits, np.ones((4, 2)), 4).tolist() == [0, 1, 2, 3]
    sure = np.array([[0.0, 800.0], [0.0, 900.0], [0.0, 800.0]])
    assert len(choose(sure, np.ones((3, 2)), 2)) == 2


@pytest.mark.parametrize("count", [0, 31])
def test_more_texts_than_there_are_cannot_be_chosen(count):
    with pytest.raises(
        ConfigError, match=f"--choose must be between 1 and 30, the number of texts, got {count}"
    ):
        choose(*outputs(0), count)
