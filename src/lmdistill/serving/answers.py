"""Logits of an exported classifier as answers, and which of them are deferred."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float

from lmdistill.core.errors import ModelError
from lmdistill.metrics.multi_label import predicted_labels
from lmdistill.serving.confidence import confidences, deferred, probabilities
from lmdistill.serving.manifest import Answers

KEY: Mapping[str, str] = MappingProxyType(
    {"classification": "label", "multilabel": "labels", "regression": "score"}
)
"""Kind of a model: key of its answer in JSON."""

DECIMALS = 6
"""Decimals of probabilities and scores."""

Value = str | list[str] | float
"""A label, any number of labels, or a score."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a student says of a text."""

    value: Value
    """Its label, its labels, or its score."""

    confidence: float | None = None
    """How confident it is, in [0, 1]; None for a score."""

    probabilities: Mapping[str, float] = field(default_factory=dict)
    """Probability of each label; {} for a score."""

    deferred: bool = False
    """Whether its certificate leaves the text to the teacher."""


def answers_of(
    answers: Answers, logits: Float[np.ndarray, "n v"], threshold: float | None = None
) -> list[Answer]:
    """The answer to each text.

    Args:
        answers: What the outputs mean.
        logits: One row a text.
        threshold: Confidence of a certificate below which a text is deferred; None defers none.

    Raises:
        ModelError: If a logit is NaN or infinite.

    Examples:
        >>> kind = Answers(kind="classification", labels=("no", "yes"))
        >>> answers_of(kind, np.log([[1.0, 3.0]]), threshold=0.8)[0].deferred
        True
    """
    if not np.isfinite(logits).all():
        raise ModelError("the model gives a logit that is no number, of which no answer can be made.")
    if answers.kind == "regression":
        return [Answer(value=round(float(value), DECIMALS)) for (value,) in logits]
    sure = confidences(answers, logits)
    left = np.zeros(len(logits), dtype=bool) if threshold is None else deferred(sure, threshold)
    return [
        Answer(
            value=_value(answers, row),
            confidence=round(float(confidence), DECIMALS),
            probabilities={
                label: round(float(share), DECIMALS)
                for label, share in zip(answers.labels, shares, strict=True)
            },
            deferred=bool(is_left),
        )
        for row, shares, confidence, is_left in zip(
            logits, probabilities(answers, logits), sure, left, strict=True
        )
    ]


def _value(answers: Answers, row: Float[np.ndarray, " v"]) -> Value:
    """The label or the labels of a text."""
    if answers.kind == "classification":
        return answers.labels[int(row.argmax())]
    chosen = predicted_labels(row[None], answers.thresholds)[0]
    return [label for label, is_chosen in zip(answers.labels, chosen, strict=True) if is_chosen]


def read_value(answers: Answers, found: Any) -> Value:
    """The answer that another server gives to a text, an object with the key of the model's kind.

    Raises:
        ValueError: If it has none, or one of a model with other labels; the message has no text of it.
    """
    key = KEY[answers.kind]
    value = found.get(key) if isinstance(found, dict) else None
    if value is None:
        raise ValueError(f"gives an answer without {key}")
    if answers.kind == "regression":
        if type(value) in (int, float) and math.isfinite(value):
            return float(value)
    elif answers.kind == "classification":
        if value in answers.labels:
            return str(value)
    elif isinstance(value, list) and all(one in answers.labels for one in value):
        return [label for label in answers.labels if label in value]
    raise ValueError(f"gives a {key} that the model does not have")
