"""Confidence of answers against scipy, and the levels that thresholds come from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, softmax

from lmdistill.core.errors import ModelError
from lmdistill.serving.confidence import confidence_levels, confidences, deferred, probabilities
from lmdistill.serving.manifest import Answers

seeds = st.integers(0, 2**32 - 1)


def logits(seed, size=40, outputs=3):
    return np.random.default_rng(seed).normal(scale=4, size=(size, outputs))


@given(seeds)
def test_the_confidence_of_a_class_is_its_softmax(seed):
    answers = Answers(kind="classification", labels=("a", "b", "c"))
    np.testing.assert_allclose(confidences(answers, logits(seed)), softmax(logits(seed), axis=1).max(axis=1))


@given(seeds, st.none() | st.tuples(*[st.floats(0.05, 0.95)] * 3))
def test_the_confidence_of_labels_is_that_of_the_least_certain_decision(seed, thresholds):
    answers = Answers(kind="multilabel", labels=("a", "b", "c"), thresholds=thresholds)
    limits = thresholds or (0.5, 0.5, 0.5)
    for row, found in zip(logits(seed), confidences(answers, logits(seed)), strict=True):
        shares = [float(expit(value)) for value in row]
        parts = [one if one >= limit else 1 - one for one, limit in zip(shares, limits, strict=True)]
        assert found == pytest.approx(min(parts))


def test_a_score_has_none():
    with pytest.raises(ModelError, match=r"answers with a score, which has no probability"):
        probabilities(Answers(kind="regression", labels=()), np.zeros((2, 1)))


def test_a_text_at_the_threshold_is_answered():
    assert deferred(np.array([0.79, 0.8, 0.81]), 0.8).tolist() == [True, False, False]
    assert not deferred(np.array([0.0, 1.0]), 0.0).any()


@given(seeds, st.integers(1, 400), st.booleans())
def test_so_many_texts_reach_each_level_and_not_a_level_more(seed, size, has_ties):
    draw = np.random.default_rng(seed)
    confidence = draw.integers(0, 6, size) / 6 if has_ties else draw.random(size)
    levels = confidence_levels(confidence)
    assert len(levels) == 99
    for percent, level in enumerate(levels, 1):
        assert 100 * (confidence >= level).sum() >= percent * size
        assert 100 * (confidence > level).sum() < percent * size
        assert level in confidence
