"""Training of a linear model: laws, then scikit-learn and the engine's KD loss as references."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression, Ridge

from lmdistill.core.batch import Batch, Inputs, KnownPositions, Outputs, StoredAnswers
from lmdistill.core.errors import DataError
from lmdistill.linear import fit as module
from lmdistill.linear.fit import fit, held_out_losses, logits_of, losses
from lmdistill.linear.targets import Targets, mixed_targets
from lmdistill.methods import KD

ROWS, SIZE = 60, 12


def drawn(classes, seed=0):
    """Sparse features, and targets with weights."""
    g = np.random.default_rng(seed)
    dense = g.normal(size=(ROWS, SIZE)) * (g.random((ROWS, SIZE)) < 0.4)
    values = g.dirichlet(np.ones(classes), ROWS) if classes > 1 else g.normal(size=(ROWS, 1)) * 3 + 1
    return csr_array(dense), Targets(values=values, weights=g.random(ROWS) + 0.1)


def tight(monkeypatch):
    monkeypatch.setattr(module, "SMALLEST_GAIN", 0.0)
    return {"tolerance": 1e-10}


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("C", [0.3, 4.0])
def test_soft_targets_are_weighted_repeated_rows_of_logistic_regression(classes, C, monkeypatch):
    features, targets = drawn(classes)
    ours = fit(features, targets, C=C, **tight(monkeypatch))
    repeated = csr_array(np.repeat(features.toarray(), classes, axis=0))
    weights = (targets.weights[:, None] * targets.values).ravel()
    theirs = LogisticRegression(C=C, tol=1e-12, max_iter=10_000)
    theirs.fit(repeated, np.tile(np.arange(classes), ROWS), sample_weight=weights)
    q = np.exp(ours.outputs(features, classes))
    np.testing.assert_allclose(q / q.sum(1, keepdims=True), theirs.predict_proba(features), atol=2e-6)
    np.testing.assert_allclose(ours.coefficients.T, theirs.coef_, atol=2e-5)


def test_scores_are_ridge_regression(monkeypatch):
    features, targets = drawn(1)
    ours = fit(features, targets, C=2.0, **tight(monkeypatch))
    theirs = Ridge(alpha=0.5, solver="lsqr", tol=1e-14)
    theirs.fit(features.toarray(), targets.values[:, 0], sample_weight=targets.weights)
    np.testing.assert_allclose(ours.outputs(features, 1)[:, 0], theirs.predict(features.toarray()), atol=1e-6)


@pytest.mark.parametrize("classes", [1, 2, 4])
def test_the_gradient_is_that_of_float64_autograd(classes, monkeypatch):
    features, targets = drawn(classes)
    columns = 1 if classes <= 2 else classes
    caught = {}

    def one_look(function, start, **options):
        flat = np.random.default_rng(1).normal(size=start.shape)
        caught["point"], (caught["value"], caught["gradient"]) = flat, function(flat)
        return type("Found", (), {"x": flat, "nit": 0})

    monkeypatch.setattr(module, "minimize", one_look)
    fit(features, targets, C=0.7)
    flat = torch.tensor(caught["point"], requires_grad=True)
    weights = flat.reshape(SIZE + 1, columns)
    z = torch.tensor(features.toarray()) @ weights[:-1] + weights[-1]
    z = torch.cat([-z / 2, z / 2], 1) if classes == 2 else z
    values, rows = torch.tensor(targets.values), torch.tensor(targets.weights)
    each = 0.5 * (z - values).square().sum(1) if classes == 1 else -(values * z.log_softmax(1)).sum(1)
    loss = 0.5 * weights[:-1].square().sum() + 0.7 * (rows * each).sum()
    loss = loss / (0.7 * rows.sum())
    loss.backward()
    assert caught["value"] == pytest.approx(loss.item(), rel=1e-12)
    np.testing.assert_allclose(caught["gradient"], flat.grad.numpy(), rtol=1e-9, atol=1e-12)


def batch_of(labels, answers):
    """A batch of all rows as the collator makes it: each term has the factor of its own rows."""
    labelled, answered = labels >= 0, ~torch.isnan(answers[:, 0])

    def known(mask):
        return KnownPositions(mask=mask, weight=torch.tensor(len(labels) / mask.sum().item()).double())

    return Batch(
        inputs=Inputs(
            ids=torch.zeros(len(labels), 1, dtype=torch.long), mask=torch.ones(len(labels), 1).long()
        ),
        labels=labels.clamp(min=0),
        scored=torch.ones(len(labels), dtype=torch.bool),
        labelled=known(labelled),
        stored=StoredAnswers(logits=answers.nan_to_num(), answered=known(answered)),
    )


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_the_loss_is_that_of_kd_at_temperature_1(alpha):
    """Up to the teacher's entropy, which is no part of a cross-entropy: so losses of two models differ alike."""
    labels = torch.tensor([0, 1, 2, -1, -1, 1, 0, -1])
    answers = torch.randn(8, 3, dtype=torch.float64) * 2
    answers[2] = torch.nan
    gold = np.full((8, 3), np.nan)
    gold[labels >= 0] = np.eye(3)[labels[labels >= 0]]
    targets = mixed_targets(gold, answers.softmax(1).numpy(), alpha=alpha)
    method, batch = KD(alpha=alpha, temperature=1.0), batch_of(labels, answers)
    ours, theirs = [], []
    for seed in (1, 2):
        logits = torch.tensor(np.random.default_rng(seed).normal(size=(8, 3)))
        teacher = Outputs(logits=batch.stored.logits)
        parts = method.compare(Outputs(logits=logits), teacher, batch)
        theirs.append(sum(parts.values()).item() / 8)
        ours.append(losses(logits.numpy(), targets)[0].sum() / targets.weights.sum())
    assert ours[0] - ours[1] == pytest.approx(theirs[0] - theirs[1], rel=1e-5)


def test_two_classes_have_one_column():
    z = np.array([[0.4], [-2.0]])
    assert logits_of(z, 2).tolist() == [[-0.2, 0.2], [1.0, -1.0]]
    assert logits_of(z, 1) is z
    features, targets = drawn(2)
    assert fit(features, targets, C=1.0).coefficients.shape == (SIZE, 1)


def test_a_weight_of_two_is_a_row_twice(monkeypatch):
    features, targets = drawn(3)
    weights = np.ones(ROWS)
    weights[:10] = 2
    one = fit(features, Targets(values=targets.values, weights=weights), C=1.0, **tight(monkeypatch))
    rows = np.r_[np.arange(ROWS), np.arange(10)]
    twice = Targets(values=targets.values[rows], weights=np.ones(ROWS + 10))
    two = fit(features[rows], twice, C=1.0, **tight(monkeypatch))
    np.testing.assert_allclose(one.coefficients, two.coefficients, atol=1e-6)


def test_more_regularisation_gives_smaller_weights_and_a_larger_loss():
    features, targets = drawn(3)
    sizes, values = [], []
    for C in (0.01, 0.1, 1.0, 10.0):
        found = fit(features, targets, C=C)
        sizes.append(np.linalg.norm(found.coefficients))
        values.append(losses(found.outputs(features, 3), targets)[0].sum())
    assert sizes == sorted(sizes)
    assert values == sorted(values, reverse=True)


def test_c_is_judged_on_rows_that_were_held_out():
    """With targets that are noise the smallest C is best there, although the largest fits the rows best."""
    g = np.random.default_rng(3)
    features = csr_array(g.normal(size=(200, 80)))
    targets = Targets(values=np.eye(2)[g.integers(0, 2, 200)], weights=np.ones(200))
    found = held_out_losses(features, targets, (10.0, 0.001, 0.1))
    assert list(found) == [0.001, 0.1, 10.0]
    assert found[0.001] < found[0.1] < found[10.0]
    assert found[0.001] == pytest.approx(np.log(2), rel=0.05)
    assert held_out_losses(features, targets, (10.0, 0.001, 0.1)) == found


def test_terms_without_rows_are_refused():
    none, gold = np.full((4, 2), np.nan), np.eye(2)[[0, 1, 0, 1]]
    with pytest.raises(
        DataError,
        match=r"^50% of the loss is for answers of the teacher, and no training row has any\. Set alpha to 0",
    ):
        mixed_targets(gold, None, alpha=0.5)
    with pytest.raises(
        DataError, match=r"^100% of the loss is for gold labels, and no training row has any\. Set alpha to 1"
    ):
        mixed_targets(none, gold, alpha=0.0)
    assert mixed_targets(none, gold, alpha=1.0).weights.tolist() == [1.0] * 4


def test_rows_with_a_label_and_an_answer_have_the_mean_of_both():
    gold = np.array([[0.0, 1.0], [np.nan, np.nan]])
    answers = np.array([[0.5, 0.5], [0.2, 0.8]])
    targets = mixed_targets(gold, answers, alpha=0.5)
    # gold: half of the loss on 1 of 2 rows, so weight 1; answers: half on both, so 1/2 each
    assert targets.weights.tolist() == [1.5, 0.5]
    np.testing.assert_allclose(targets.values, [[0.25 / 1.5, 1.25 / 1.5], [0.2, 0.8]])


def test_class_weights_of_labels_are_those_of_logistic_regression_and_leave_answers_alone(monkeypatch):
    features, labels = drawn(2)[0], np.repeat([0, 1], [50, 10])
    gold, weights = np.eye(2)[labels], np.where(labels == 1, ROWS / 20, ROWS / 100)
    targets = mixed_targets(gold, None, alpha=0.0, gold_weights=weights)
    found = fit(features, targets, C=2.0, **tight(monkeypatch))
    theirs = LogisticRegression(C=2.0, class_weight="balanced", tol=1e-12, max_iter=10_000)
    theirs.fit(features, labels)
    np.testing.assert_allclose(found.coefficients.T, theirs.coef_, atol=2e-5)
    answers = np.full((ROWS, 2), 0.5)
    both = mixed_targets(gold, answers, alpha=0.25, gold_weights=weights)
    assert both.weights == pytest.approx(0.75 * weights + 0.25)
    assert both.values * both.weights[:, None] == pytest.approx(0.75 * weights[:, None] * gold + 0.125)
