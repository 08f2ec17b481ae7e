"""What a linear model learns for each row: gold labels and a teacher's answers in one target."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from lmdistill.core.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Targets:
    """A target and a weight for each row."""

    values: Float[np.ndarray, "n v"]
    """Probabilities of the classes, which add up to 1, or a score."""

    weights: Float[np.ndarray, " n"]
    """Weight of the row's loss, >= 0; 0 where nothing is known."""

    def select(self, rows: Int[np.ndarray, " k"]) -> "Targets":
        """Those of some rows."""
        return Targets(values=self.values[rows], weights=self.weights[rows])


def mixed_targets(
    gold: Float[np.ndarray, "n v"],
    answers: Float[np.ndarray, "n v"] | None,
    *,
    alpha: float,
    gold_weights: Float[np.ndarray, " n"] | None = None,
) -> Targets:
    r"""The targets of knowledge distillation, as `methods.kd` has it at temperature 1.

    .. math:: L = \frac{1 - \alpha}{n_{gold}} \sum_{gold} l(y, g(x)) + \frac{\alpha}{n_{answered}}
        \sum_{answered} l(f(x), g(x))

    Cross-entropy is linear in its target, and the sum of two squared errors is one squared error to the mean
    target plus a constant. So both terms of a row are one term with the weighted mean of both targets, and
    the weights add up to the number of rows that have a label or an answer.

    Args:
        gold: Labels: 1 for the class and 0 for the others, or the score; NaN without a label.
        answers: Probabilities or scores of the teacher, NaN without an answer; None without a teacher.
        alpha: Weight of the teacher term, in [0, 1].
        gold_weights: Factor of each row's label loss, the weight of its class; None is 1.

    Raises:
        DataError: If a term with a weight has no row.
    """
    none = np.full_like(gold, np.nan)
    terms = [
        (1 - alpha, gold, "gold labels"),
        (alpha, none if answers is None else answers, "answers of the teacher"),
    ]
    terms = [term for term in terms if term[0] > 0]
    known = [~np.isnan(values[:, 0]) for _, values, _ in terms]
    for (share, _, what), rows in zip(terms, known, strict=True):
        if not rows.any():
            raise DataError(
                f"{share:.0%} of the loss is for {what}, and no training row has any. Set alpha to "
                f"{0 if what.startswith('answers') else 1}, or add some."
            )
    total = np.logical_or.reduce(known).sum()
    weights = [share * total / rows.sum() * rows for (share, _, _), rows in zip(terms, known, strict=True)]
    if gold_weights is not None and alpha < 1:
        weights[0] = weights[0] * gold_weights
    summed = sum(
        weight[:, None] * np.where(rows[:, None], values, 0.0)
        for weight, rows, (_, values, _) in zip(weights, known, terms, strict=True)
    )
    weight = np.asarray(sum(weights), dtype=np.float64)
    return Targets(values=summed / np.maximum(weight, 1e-300)[:, None], weights=weight)
