import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lmdistill.analysis.jackknife import HEADLINE_METRICS, contributions, headline_metric, label_contributions
from lmdistill.metrics.classification import METRICS
from lmdistill.metrics.multi_label import MULTI_LABEL_METRICS

CLASSES = ["accuracy", "f1", "macro_f1", "matthews"]


def example(metric: str, seed: int, size: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Labels and answers of a network that is mostly right."""
    draw = np.random.default_rng(seed)
    if metric in CLASSES:
        labels = draw.integers(2 if metric == "f1" else 3, size=size)
        wrong = draw.integers(2 if metric == "f1" else 3, size=size)
        return labels.astype(float), np.where(draw.random(size) < 0.7, labels, wrong).astype(float)
    if metric == "nats":
        counts = draw.integers(5, 60, size=size).astype(float)
        return counts, counts * draw.gamma(4.0, 0.5, size=size)
    labels = draw.integers(6, size=size).astype(float)
    return labels, labels + 1.5 * draw.normal(size=size)


def test_every_metric_of_the_evaluation_can_be_a_tested_headline() -> None:
    assert dict(HEADLINE_METRICS) == {**METRICS, "nats": HEADLINE_METRICS["nats"]}


def test_nats_a_token_weigh_passages_by_their_tokens() -> None:
    assert HEADLINE_METRICS["nats"](np.array([1.0, 3.0]), np.array([2.0, 10.0])) == 3.0  # 12 nats, 4 tokens


@settings(deadline=None, max_examples=30)
@given(metric=st.sampled_from(sorted(HEADLINE_METRICS)), seed=st.integers(0, 1000))
def test_their_mean_is_the_metric_and_order_does_not_matter(metric: str, seed: int) -> None:
    labels, answers = example(metric, seed)
    found = contributions(HEADLINE_METRICS[metric], labels, answers)
    assert found.mean() == pytest.approx(HEADLINE_METRICS[metric](labels, answers), rel=1e-9)
    order = np.random.default_rng(seed).permutation(len(labels))
    again = contributions(HEADLINE_METRICS[metric], labels[order], answers[order])
    np.testing.assert_allclose(again, found[order], rtol=1e-7, atol=1e-9)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40))
def test_of_an_accuracy_they_are_whether_an_answer_is_right(pairs: list[tuple[bool, bool]]) -> None:
    labels, answers = np.array(pairs, dtype=float).T
    found = contributions(HEADLINE_METRICS["accuracy"], labels, answers)
    np.testing.assert_allclose(found, labels == answers, atol=1e-9)


@pytest.mark.parametrize("metric", sorted(HEADLINE_METRICS))
def test_their_scatter_is_that_of_drawing_the_examples_again(metric: str) -> None:
    labels, answers = example(metric, seed=1, size=120)
    found = contributions(HEADLINE_METRICS[metric], labels, answers)
    drawn = stats.bootstrap(
        (labels, answers), HEADLINE_METRICS[metric], paired=True, vectorized=False, n_resamples=500, rng=0
    )
    assert found.std(ddof=1) / np.sqrt(len(found)) == pytest.approx(drawn.standard_error, rel=0.15)


def test_f1_by_hand() -> None:
    # labels 1 1 0 0, answers 1 0 1 0: F1 = 2/4. Without each in turn: 0/2, 2/3, 2/3, 2/4, mean 11/24.
    # 1/2 + 3 * (11/24 - each) = 15/8, -1/8, -1/8, 3/8
    found = contributions(
        HEADLINE_METRICS["f1"], np.array([1.0, 1.0, 0.0, 0.0]), np.array([1.0, 0.0, 1.0, 0.0])
    )
    np.testing.assert_allclose(found, [15 / 8, -1 / 8, -1 / 8, 3 / 8], atol=1e-12)


def test_a_single_example_is_the_metric_itself() -> None:
    assert contributions(HEADLINE_METRICS["accuracy"], np.array([1.0]), np.array([1.0])).tolist() == [1.0]


def test_contributions_to_macro_f1_count_all_classes_of_the_task():
    labels, answers = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0])
    found = contributions(headline_metric("macro_f1", 4), labels, answers)
    assert found.mean() == pytest.approx((2 / 3 + 2 / 3 + 0 + 0) / 4)
    assert headline_metric("nats", 2) is HEADLINE_METRICS["nats"]


@pytest.mark.parametrize("name", MULTI_LABEL_METRICS)
def test_contributions_of_several_labels_have_the_metric_as_mean_and_its_jackknife_variance(name):
    rng = np.random.default_rng(0)
    labels = (rng.random((40, 4)) < 0.4).astype(int)
    answers = labels ^ (rng.random((40, 4)) < 0.2)
    metric = MULTI_LABEL_METRICS[name]
    values = label_contributions(name, labels, answers)
    assert values.mean() == pytest.approx(metric(labels, answers))
    without = np.array([metric(np.delete(labels, i, 0), np.delete(answers, i, 0)) for i in range(40)])
    variance = 39 / 40 * ((without - without.mean()) ** 2).sum()
    assert values.var(ddof=1) / 40 == pytest.approx(variance)
    if name == "subset_accuracy":
        assert values == pytest.approx((labels == answers).all(axis=1).astype(float))


def test_one_example_contributes_the_metric():
    assert label_contributions("micro_f1", np.array([[1, 0]]), np.array([[1, 1]])).tolist() == [2 / 3]
