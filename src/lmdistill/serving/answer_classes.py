"""Which labels an exported classifier gives to each text, and how such an answer is named."""

from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Float

from lmdistill.metrics.multi_label import predicted_labels
from lmdistill.serving.manifest import Answers

NO_LABEL = "(no label)"
"""Name of the answer that none of several labels applies."""


def answer_sets(answers: Answers, logits: Float[np.ndarray, "n v"]) -> list[frozenset[int]]:
    """Numbers of the labels of each answer: one for a class, any number for several labels.

    Examples:
        >>> answers = Answers(kind="multilabel", labels=("sport", "art"))
        >>> answer_sets(answers, np.array([[1.0, 2.0], [-1.0, -2.0]]))
        [frozenset({0, 1}), frozenset()]
    """
    if answers.kind == "multilabel":
        chosen = predicted_labels(logits, answers.thresholds)
        return [frozenset(np.flatnonzero(row).tolist()) for row in chosen]
    return [frozenset({number}) for number in logits.argmax(axis=1).tolist()]


def answer_class(chosen: Collection[int], labels: Sequence[str]) -> str:
    """Name of an answer as a class of its own; several labels stand in their order.

    Examples:
        >>> answer_class({1, 0}, ("sport", "art")), answer_class(set(), ("sport", "art"))
        ('sport, art', '(no label)')
    """
    return ", ".join(labels[number] for number in sorted(chosen)) or NO_LABEL
