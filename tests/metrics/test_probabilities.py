"""Laws of a softmax, and SciPy as a reference."""

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.metrics.probabilities import log_softmax, softmax

SHAPES = st.sampled_from([(5,), (1, 2), (7, 3), (2, 3, 4)])
EXACT = {"rtol": 1e-14, "atol": 0}


def _logits(seed, shape, scale=3.0):
    return scale * np.random.default_rng(seed).normal(size=shape)


@given(seed=st.integers(0, 500), shape=SHAPES, scale=st.sampled_from([0.1, 3.0, 300.0]))
def test_values_are_those_of_scipy(seed, shape, scale):
    logits = _logits(seed, shape, scale)
    np.testing.assert_allclose(softmax(logits), scipy.special.softmax(logits, axis=-1), **EXACT)
    np.testing.assert_allclose(log_softmax(logits), scipy.special.log_softmax(logits, axis=-1), **EXACT)


@given(seed=st.integers(0, 500), shape=SHAPES)
def test_probabilities_add_up_to_one_and_a_shift_changes_nothing(seed, shape):
    logits = _logits(seed, shape)
    np.testing.assert_allclose(softmax(logits).sum(axis=-1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(softmax(logits + 100.0), softmax(logits), rtol=1e-9)
    np.testing.assert_allclose(np.exp(log_softmax(logits)), softmax(logits), rtol=1e-12)


@pytest.mark.parametrize("function", [softmax, log_softmax])
def test_half_precision_is_computed_in_float64_and_the_argument_stays(function):
    logits = np.array([[1.0, 1000.0], [0.5, 0.25]], dtype=np.float32)
    found = function(logits)
    assert found.dtype == np.float64
    assert np.isfinite(found).all()
    assert logits.tolist() == [[1.0, 1000.0], [0.5, 0.25]]
