"""Evaluation of several labels a text: chance, thresholds, calibration, agreement, against loops."""

import itertools

import numpy as np
import pytest
from scipy.special import expit, xlogy

from lmdistill.core.errors import DataError
from lmdistill.evaluation.generalization_gap import empirical_risk, risks
from lmdistill.evaluation.multi_label import (
    are_at_chance,
    calibration_by_label,
    choose_thresholds,
    constant_scores,
    label_agreement,
    label_calibration,
    pooled_bins,
    score_labels,
)
from lmdistill.evaluation.task_quality import task_scores
from lmdistill.metrics.multi_label import label_f1, multi_label_metric, predicted_labels


def drawn(seed=0, size=60, labels=4, noise=2.0):
    """Labels, and logits that tell something about them."""
    rng = np.random.default_rng(seed)
    rows = (rng.random((size, labels)) < rng.uniform(0.1, 0.6, labels)).astype(int)
    return rows, 2.0 * rows - 1 + rng.normal(scale=noise, size=rows.shape)


def test_scores_are_those_of_the_predicted_rows():
    labels, logits = drawn()
    found = task_scores(["micro_f1", "macro_f1"], labels, logits, [0.3] * 4)
    assert found == {
        name: multi_label_metric(name)(labels, expit(logits) >= 0.3) for name in ("micro_f1", "macro_f1")
    }
    assert found != score_labels(["micro_f1", "macro_f1"], labels, logits)


def test_rows_without_labels_and_outputs_that_are_no_numbers_are_refused():
    labels, logits = drawn(size=4)
    labels[1] = -1
    with pytest.raises(DataError, match=r"1 of 4 examples have no usable labels, first example 1"):
        score_labels(["micro_f1"], labels, logits)
    labels[1], logits[2, 0] = 0, np.nan
    with pytest.raises(DataError, match=r"not finite for 1 of 4 examples, first for example 2"):
        score_labels(["micro_f1"], labels, logits)


@pytest.mark.parametrize("name", ["micro_f1", "macro_f1", "subset_accuracy"])
@pytest.mark.parametrize("seed", range(5))
def test_no_constant_prediction_is_better_than_the_best_constant_one(name, seed):
    labels, _ = drawn(seed)
    answers = [np.tile(one, (len(labels), 1)) for one in itertools.product([0, 1], repeat=4)]
    best = max(multi_label_metric(name)(labels, answer) for answer in answers)
    assert constant_scores([name], labels) == {name: pytest.approx(best, abs=1e-15)}


def test_a_constant_prediction_and_random_ones_are_at_chance_and_good_ones_are_not():
    labels, logits = drawn(noise=0.5)
    assert not are_at_chance(labels, logits)
    for row in itertools.product([-5.0, 5.0], repeat=4):
        assert are_at_chance(labels, np.tile(row, (len(labels), 1)))
    assert are_at_chance(labels, -logits)
    careful = np.where(labels == 1, logits + 1.2, -9.0) * (np.arange(len(labels)) % 2 == 0)[:, None] - 1
    assert multi_label_metric("micro_f1")(labels, predicted_labels(careful)) < 0.8
    assert not are_at_chance(labels, careful)  # precise, with a low recall


def test_random_predictions_are_at_chance_half_of_the_time():
    rng = np.random.default_rng(0)
    labels, _ = drawn(size=200)
    found = [are_at_chance(labels, rng.normal(size=labels.shape)) for _ in range(400)]
    assert 0.4 < np.mean(found) < 0.6


@pytest.mark.parametrize("seed", range(8))
def test_no_threshold_has_a_better_f1_than_the_chosen_one(seed):
    labels, logits = drawn(seed, size=30)
    logits = logits.round(1)  # ties
    chosen = choose_thresholds(labels, logits)
    best = label_f1(labels, predicted_labels(logits, chosen))
    for one in np.unique(np.concatenate([expit(logits).ravel(), [0.0, 0.5, 1.0]])):
        for nearby in (one, np.nextafter(one, 0), np.nextafter(one, 1)):
            assert (label_f1(labels, predicted_labels(logits, [nearby] * 4)) <= best + 1e-15).all()
    assert task_scores(["macro_f1"], labels, logits, chosen)["macro_f1"] == pytest.approx(best.mean())


def test_a_threshold_stays_at_one_half_where_nothing_speaks_for_another():
    labels = np.array([[1, 0], [1, 0], [0, 0]])
    assert choose_thresholds(labels, np.array([[2.0, 1.0], [1.0, 1.0], [-1.0, 1.0]])) == (0.5, 0.5)
    low = choose_thresholds(labels, np.array([[-1.0, 1.0], [-2.0, 1.0], [-4.0, 1.0]]))
    assert low[0] == pytest.approx((expit(-2.0) + expit(-4.0)) / 2)


def test_calibration_is_that_of_a_loop_over_labels_and_bins():
    labels, logits = drawn(3, size=200)
    expected = []
    for label in range(4):
        p, y = expit(logits[:, label]), labels[:, label]
        inside = [(p > low / 15) & (p <= (low + 1) / 15) for low in range(15)]
        expected.append(sum(abs(p[at].sum() - y[at].sum()) for at in inside) / len(p))
    np.testing.assert_allclose(calibration_by_label(labels, logits), expected, atol=1e-12)
    found = label_calibration(labels, logits)
    assert found["expected_calibration_error"] == pytest.approx(np.mean(expected))
    assert found["brier"] == pytest.approx(np.mean((expit(logits) - labels) ** 2))
    assert found["negative_log_likelihood"] == pytest.approx(empirical_risk(labels, logits))
    assert sum(one.count for one in pooled_bins(labels, logits)) == labels.size


def test_agreement_is_1_with_itself_and_a_loop_otherwise():
    student, teacher = drawn(1)[1], drawn(2)[1]
    same = label_agreement(student, student)
    assert same == {"set_agreement": 1, "label_agreement": 1, "kl_nats": 0, "probability_difference": 0}
    found = label_agreement(student, teacher, ([0.4] * 4, None))
    q, p = expit(student), expit(teacher)
    unlike = (q >= 0.4) != (p >= 0.5)
    assert found["set_agreement"] == np.mean(~unlike.any(axis=1))
    assert found["label_agreement"] == pytest.approx(1 - unlike.mean())
    kl = xlogy(p, p / q) + xlogy(1 - p, (1 - p) / (1 - q))
    assert found["kl_nats"] == pytest.approx(kl.mean())


def test_the_error_of_a_row_is_any_wrong_label():
    labels, logits = np.array([[1, 0], [1, 1]]), np.array([[2.0, -1.0], [2.0, -1.0]])
    found = risks(train_labels=labels, train_logits=logits, dev_labels=labels[:1], dev_logits=logits[:1])
    assert found["train_error"] == 0.5
    assert found["dev_error"] == 0.0
    assert found["dev_risk"] == pytest.approx((np.log1p(np.exp(-2)) + np.log1p(np.exp(-1))) / 2)
