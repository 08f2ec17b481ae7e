"""Checks of exported graphs, from logits alone: which answers are the same, and how sure each number is."""

import numpy as np
import pytest
from scipy.stats import beta
from sklearn.metrics import accuracy_score, f1_score

from lmdistill.commands import export_checks
from lmdistill.commands.export_checks import CheckTexts, agreement, bootstrap, quality, same_answers
from lmdistill.data.tasks.task_spec import TaskSpec
from lmdistill.evaluation.calibration import expected_calibration_error
from lmdistill.serving.manifest import Answers

CLASSES = Answers(kind="classification", labels=("a", "b"))
SCORES = Answers(kind="regression", labels=())
SEVERAL = Answers(kind="multilabel", labels=("a", "b"), thresholds=(0.5, 0.8))


def spec(kind, metrics, labels=("a", "b")):
    return TaskSpec(name="own", kind=kind, labels=labels, columns=("text",), metrics=metrics)


def test_the_same_answer_is_the_same_class_labels_or_nearly_the_same_score():
    one, other = np.array([[1.0, 0], [0, 1]]), np.array([[0.1, 0], [2, 1]])
    assert same_answers(one, other, CLASSES).tolist() == [True, False]
    # probabilities of 0.75 and 0.85: only the second passes a threshold of 0.8
    below, above = np.log(3.0), np.log(17.0 / 3)
    one, other = np.array([[1.0, below], [1.0, above]]), np.array([[2.0, below], [1.0, below]])
    assert same_answers(one, other, SEVERAL).tolist() == [True, False]
    scores = np.array([[0.0], [2.0]])  # their standard deviation is 1
    assert same_answers(scores, scores + np.array([[0.09], [-0.11]]), SCORES).tolist() == [True, False]


@pytest.mark.parametrize("same", [0, 3, 20])
def test_the_interval_of_an_agreement_is_clopper_and_pearsons(same):
    logits = np.tile([[1.0, 0.0]], (20, 1))
    other = np.where(np.arange(20)[:, None] < same, logits, -logits)
    found = agreement(logits, other, CLASSES)
    low = beta.ppf(0.025, same, 21 - same) if same else 0.0
    high = beta.ppf(0.975, same + 1, 20 - same) if same < 20 else 1.0
    assert (found.value, found.low, found.high) == pytest.approx((same / 20, low, high))


def test_quality_is_that_of_scikit_learn_inside_its_interval():
    draw = np.random.default_rng(0)
    labels = draw.integers(2, size=300)
    logits = draw.normal(size=(300, 2)) + np.eye(2)[labels]
    texts = CheckTexts(
        first=["x"] * 300,
        second=None,
        source="rows",
        spec=spec("classification", ("accuracy", "f1")),
        labels=labels,
    )
    scores, error = quality(texts, logits, None)
    predicted = logits.argmax(1)
    assert scores["accuracy"].value == pytest.approx(accuracy_score(labels, predicted))
    assert scores["f1"].value == pytest.approx(f1_score(labels, predicted))
    assert error.value == pytest.approx(expected_calibration_error(labels, logits))
    width = 2 * 1.96 * np.sqrt(scores["accuracy"].value * (1 - scores["accuracy"].value) / 300)
    assert scores["accuracy"].high - scores["accuracy"].low == pytest.approx(width, rel=0.15)


def test_scores_have_no_calibration_and_texts_without_labels_no_quality():
    labels = np.linspace(0, 5, 30)
    texts = CheckTexts(
        first=["x"] * 30,
        second=["y"] * 30,
        source="rows",
        spec=spec("regression", ("pearson",), ()),
        labels=labels,
    )
    scores, error = quality(texts, labels[:, None] * 2.0, None)
    assert scores["pearson"].value == pytest.approx(1)
    assert error is None
    assert quality(CheckTexts(first=["x"], second=None, source="file"), labels[:1, None], None) == ({}, None)
    assert texts.chosen([2]) == (["x"], ["y"])


def test_a_bootstrap_of_a_mean_covers_it_95_times_in_100(monkeypatch):
    monkeypatch.setattr(export_checks, "RESAMPLES", 400)
    draw = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        values = draw.normal(size=60)
        (found,) = bootstrap(lambda rows, values=values: [float(values[rows].mean())], 60)
        covered += found.low <= 0 <= found.high
    assert 179 <= covered <= 198  # 95 % of 200, give or take three standard deviations


def test_networks_are_compared_on_the_same_draws(monkeypatch):
    monkeypatch.setattr(export_checks, "RESAMPLES", 10)
    seen = []
    for _ in range(2):
        bootstrap(lambda rows: [float(seen.append(rows.tolist()) is None)], 5)
    assert seen[:11] == seen[11:]
