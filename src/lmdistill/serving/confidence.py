"""How confident a student is of its answers, and which ones it leaves to its teacher."""

import numpy as np
from jaxtyping import Bool, Float

from lmdistill.core.errors import ModelError
from lmdistill.metrics.multi_label import predicted_labels, sigmoid
from lmdistill.metrics.probabilities import softmax
from lmdistill.serving.manifest import Answers


def probabilities(answers: Answers, logits: Float[np.ndarray, "n v"]) -> Float[np.ndarray, "n v"]:
    """Probability of each class, or of each of several labels, in float64.

    Raises:
        ModelError: For a score, which has none.
    """
    if answers.kind == "regression":
        raise ModelError("the model answers with a score, which has no probability. Use a model of classes.")
    return sigmoid(logits) if answers.kind == "multilabel" else softmax(logits)


def confidences(answers: Answers, logits: Float[np.ndarray, "n v"]) -> Float[np.ndarray, " n"]:
    """How confident each answer is, in [0, 1].

    With one class a text that is the probability of the most likely class. With several labels it is the
    probability of the least certain decision: p for a label that is predicted, and 1 - p for another.

    Raises:
        ModelError: For a score, which has none.

    Examples:
        >>> answers = Answers(kind="classification", labels=("no", "yes"))
        >>> confidences(answers, np.log([[1.0, 3.0]])).round(12).tolist()
        [0.75]
        >>> answers = Answers(kind="multilabel", labels=("sport", "art"))
        >>> confidences(answers, np.log([[9.0, 0.25]])).round(12).tolist()  # 0.9 and 1 - 0.2
        [0.8]
    """
    found = probabilities(answers, logits)
    if answers.kind == "classification":
        return np.asarray(found.max(axis=1))
    chosen = predicted_labels(logits, answers.thresholds)
    return np.asarray(np.where(chosen, found, 1 - found).min(axis=1))


def confidence_levels(confidence: Float[np.ndarray, " n"]) -> tuple[float, ...]:
    """The confidence that 1, 2, ... 99 % of texts have at least, from high to low.

    Args:
        confidence: Of each text; at least one.

    Examples:
        >>> confidence_levels(np.arange(1, 201) / 200)[:3]
        (0.995, 0.985, 0.975)
    """
    falling = np.sort(confidence)[::-1]
    places = -(-np.arange(1, 100) * len(falling) // 100) - 1  # rounded up, so that at least that share has it
    return tuple(falling[places].tolist())


def deferred(confidence: Float[np.ndarray, " n"], threshold: float) -> Bool[np.ndarray, " n"]:
    """Which texts the student leaves to its teacher: those below the threshold of a certificate."""
    return np.asarray(confidence < threshold)
