"""Precision, recall and F1 by class: scikit-learn as the reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from lmdistill.metrics.classification import macro_f1
from lmdistill.metrics.per_class import class_scores


def _classes(seed, num_classes, count):
    random = np.random.default_rng(seed)
    return random.integers(num_classes, size=count), random.integers(num_classes, size=count)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 1000), count=st.integers(1, 30), extra=st.integers(0, 2))
def test_they_are_those_of_scikit_learn_with_all_labels(seed, count, extra):
    labels, predictions = _classes(seed, 2 + seed % 3, count)
    num_classes = 2 + seed % 3 + extra
    expected = precision_recall_fscore_support(
        labels, predictions, labels=range(num_classes), zero_division=0.0
    )
    found = class_scores(labels, predictions, num_classes)
    names = ("precision", "recall", "f1", "support")
    for name, values in zip(names, expected, strict=True):
        assert [getattr(one, name) for one in found] == pytest.approx(values, rel=1e-13)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000))
def test_counts_add_up_and_the_mean_of_f1_is_macro_f1(seed):
    labels, predictions = _classes(seed, 4, 25)
    found = class_scores(labels, predictions, 4)
    assert sum(one.support for one in found) == sum(one.predicted for one in found) == 25
    assert np.mean([one.f1 for one in found]) == pytest.approx(macro_f1(labels, predictions, 4), rel=1e-13)
