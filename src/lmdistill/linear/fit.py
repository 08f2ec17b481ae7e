"""Training of a linear model: logistic or ridge regression with soft targets, by L-BFGS."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import log_softmax

from lmdistill.core.seeding import generator
from lmdistill.linear.targets import Targets

log = logging.getLogger("lmdistill")

TOLERANCE = 1e-6
"""Largest entry of the gradient of the mean loss at the end; with many rows 1e-5 is too rough."""

ROUGH_TOLERANCE = 1e-5
"""The same while C is chosen."""

SMALLEST_GAIN = 64 * float(np.finfo(float).eps)
"""Relative decrease of the loss in one iteration below which training ends, as in scikit-learn."""

MOST_ITERATIONS = 1000
"""Iterations of L-BFGS, at most."""

FOLDS = 5
"""Parts of the training rows of which each is held out once when C is chosen."""

MANY_ROWS = 20_000
"""Number of rows from which on only the first part is held out."""


@dataclass(frozen=True, kw_only=True)
class Solution:
    """A trained linear map from features to logits or scores."""

    coefficients: Float[np.ndarray, "d m"]
    """One column for each class; one in all for two classes and for scores."""

    intercept: Float[np.ndarray, " m"]
    """Logit of each column without any feature."""

    iterations: int
    """Iterations of L-BFGS."""

    def outputs(self, features: csr_array, count: int) -> Float[np.ndarray, "n v"]:
        """Logits of `count` classes, or scores."""
        return logits_of(features @ self.coefficients + self.intercept, count)


def logits_of(columns: Float[np.ndarray, "n m"], count: int) -> Float[np.ndarray, "n v"]:
    """`count` logits from the columns of a linear map; one column z gives two classes -z/2 and z/2."""
    return columns if columns.shape[1] == count else np.concatenate([-columns, columns], axis=1) / 2


def losses(
    logits: Float[np.ndarray, "n v"], targets: Targets
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n v"]]:
    """The weighted loss of each row, and its gradient with respect to the logits.

    Cross-entropy in nats for two or more classes, half the squared error for one score.
    """
    weights, values = targets.weights, targets.values
    if values.shape[1] == 1:
        errors = logits - values
        return weights * 0.5 * np.square(errors[:, 0]), weights[:, None] * errors
    log_q = log_softmax(logits, axis=1)
    return -weights * (values * log_q).sum(1), weights[:, None] * (np.exp(log_q) - values)


def fit(
    features: csr_array,
    targets: Targets,
    *,
    C: float,
    start: Solution | None = None,
    tolerance: float = TOLERANCE,
) -> Solution:
    r"""Minimise the regularised loss; the intercept is not regularised.

    .. math:: \frac{1}{2} \lVert W \rVert^2 + C \sum_i w_i \, l(t_i, W x_i + b)

    With classes this is scikit-learn's `LogisticRegression(C=C)` on every row repeated once for each class,
    labelled with the class, with the weight :math:`w_i t_{ic}`; with a score it is `Ridge(alpha=1 / C)`. The
    repeated rows are not made, so that time and memory grow with the number of classes only where the logits
    are.

    Args:
        features: Features of the rows, shape (n, d).
        targets: A target and a weight for each row.
        C: Weight of the loss against the regularisation, > 0.
        start: Where to begin; zeros unless given.
        tolerance: Largest entry of the gradient of the mean loss at the end, > 0.
    """
    count, size = targets.values.shape[1], features.shape[1]
    columns = 1 if count <= 2 else count
    scale, transposed = 1 / (C * targets.weights.sum()), csr_array(features.T)

    def objective(flat: Float[np.ndarray, " p"]) -> tuple[float, Float[np.ndarray, " p"]]:
        weights = flat.reshape(size + 1, columns)
        values, slopes = losses(logits_of(features @ weights[:-1] + weights[-1], count), targets)
        slopes = slopes if slopes.shape[1] == columns else (slopes[:, 1:] - slopes[:, :1]) / 2
        gradient = np.concatenate([transposed @ slopes, slopes.sum(0, keepdims=True)]) * C * scale
        gradient[:-1] += scale * weights[:-1]
        penalty = 0.5 * scale * float(np.square(weights[:-1]).sum())
        return penalty + C * scale * float(values.sum()), gradient.ravel()

    first = (
        np.zeros((size + 1, columns))
        if start is None
        else np.concatenate([start.coefficients, start.intercept[None]])
    )
    found = minimize(
        objective,
        first.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={
            "maxiter": MOST_ITERATIONS,
            "maxls": 50,
            "gtol": tolerance,
            "ftol": SMALLEST_GAIN,
        },
    )
    if found.nit >= MOST_ITERATIONS:
        log.warning("the linear model has not converged in %d iterations at C=%g.", MOST_ITERATIONS, C)
    weights = found.x.reshape(size + 1, columns)
    return Solution(coefficients=weights[:-1], intercept=weights[-1], iterations=int(found.nit))


def held_out_losses(features: csr_array, targets: Targets, grid: Sequence[float]) -> dict[float, float]:
    """The mean loss on held-out rows for each C, in nats or as half the squared error.

    Rows are divided into `FOLDS` parts at random, the same in every run, and each part is held out once; from
    `MANY_ROWS` rows on only the first. Each C begins where the one before it ended.

    Args:
        features: Features of the rows, shape (n, d).
        targets: A target and a weight for each row.
        grid: The values of C.

    Returns:
        The losses; nothing if there is no choice, or a single row.
    """
    if len(grid) == 1 or features.shape[0] == 1:
        return {}
    rows, count = features.shape[0], targets.values.shape[1]
    parts = np.array_split(generator(0, "folds").permutation(rows), min(FOLDS, rows))
    sums = dict.fromkeys(sorted(grid), 0.0)
    for part in parts[: 1 if rows >= MANY_ROWS else None]:
        rest = np.setdiff1d(np.arange(rows), part)
        found: Solution | None = None
        for value in sums:
            found = fit(features[rest], targets.select(rest), C=value, start=found, tolerance=ROUGH_TOLERANCE)
            held_out = targets.select(part)
            of_row, _ = losses(found.outputs(features[part], count), held_out)
            sums[value] += float(of_row.sum() / held_out.weights.sum()) / len(parts)
    return sums
