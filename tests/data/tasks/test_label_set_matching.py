"""Outputs and labels of multi-label models, matched by correlation: every order is found, chance is not."""

import itertools

import numpy as np
import pytest

from lmdistill.core.errors import MismatchError
from lmdistill.data.tasks.label_set_matching import (
    best_output_order,
    output_order_alarm,
    require_output_order,
)

NAMES = ("blame", "cast", "plot", "praise")


def drawn(seed=0, size=80, noise=0.5):
    rng = np.random.default_rng(seed)
    labels = (rng.random((size, 4)) < [0.5, 0.3, 0.2, 0.1]).astype(int)
    return labels, 3.0 * labels - 1.5 + rng.normal(scale=noise, size=labels.shape)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::5])
def test_the_best_order_is_found_whatever_it_is(order):
    labels, logits = drawn()
    moved = np.empty_like(logits)
    moved[:, order] = logits
    found, here, best = best_output_order(moved, labels)
    assert found == order
    assert best == pytest.approx(best_output_order(logits, labels)[1])
    assert best > 0.9
    assert here == pytest.approx(best) if order == (0, 1, 2, 3) else here < best


def test_the_correlation_is_that_of_numpy_and_0_for_a_constant_label():
    labels, logits = drawn()
    p = 1 / (1 + np.exp(-logits))
    expected = np.mean([np.corrcoef(labels[:, at], p[:, at])[0, 1] for at in range(4)])
    assert best_output_order(logits, labels)[1] == pytest.approx(expected)
    labels[:, 3] = 0
    expected = np.mean([*(np.corrcoef(labels[:, at], p[:, at])[0, 1] for at in range(3)), 0.0])
    assert best_output_order(logits, labels)[1] == pytest.approx(expected)


def test_another_order_is_refused_and_an_alarm_and_names_the_labels():
    labels, logits = drawn()
    swapped = logits[:, [3, 1, 2, 0]]
    with pytest.raises(
        MismatchError, match=r"the teacher has no label names.* as praise, cast, plot, blame\. Put"
    ):
        require_output_order(swapped, labels, NAMES)
    said = output_order_alarm(swapped, labels, NAMES, model="the student on dev")
    assert said.startswith(
        "the student on dev fits another order of the labels much better: mean correlation"
    )
    assert require_output_order(logits, labels, NAMES) > 0.9
    assert output_order_alarm(logits, labels, NAMES, model="x") == ""


def test_outputs_that_say_nothing_raise_no_alarm_nor_do_few_examples():
    for seed in range(50):
        labels, _ = drawn(seed, size=20 + 4 * seed)
        noise = np.random.default_rng(seed).normal(size=labels.shape)
        assert output_order_alarm(noise, labels, NAMES, model="x") == ""
    labels, logits = drawn(size=19)
    assert output_order_alarm(logits[:, [3, 1, 2, 0]], labels, NAMES, model="x") == ""
