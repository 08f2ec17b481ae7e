"""What an evaluation of a classifier finds on one split, from labels and logits alone."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Num

from lmdistill.data.tasks.task_spec import TaskSpec
from lmdistill.evaluation.classification import require_finite_logits
from lmdistill.evaluation.multi_label import Thresholds
from lmdistill.evaluation.task_quality import constant_task_scores, task_calibration, task_scores
from lmdistill.records.class_facts import ClassFacts
from lmdistill.runs.classification.split_alarms import alarms_of, facts_of


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """Metrics on one dev split."""

    split: str
    """Name of the split."""

    examples: int
    """Number of examples."""

    metrics: dict[str, float]
    """The task's metrics, as fractions."""

    majority: dict[str, float]
    """The same metrics of a constant prediction."""

    calibration: dict[str, float]
    """Expected calibration error, Brier score and negative log-likelihood (nats); empty for a regression."""

    classes: tuple[ClassFacts, ...] = ()
    """Precision, recall and F1 of each class; empty for a regression."""

    alarms: tuple[str, ...] = ()
    """Why the numbers are to be doubted: labels that look swapped, or a network that learned nothing."""


def score_split(
    source: str,
    who: str,
    split: str,
    spec: TaskSpec,
    labels: Num[np.ndarray, "n *labels"],
    logits: Float[np.ndarray, "n v"],
    *,
    thresholds: Thresholds,
) -> Evaluated:
    """The metrics of a split.

    Args:
        source: Folder or hub id of the model, for messages.
        who: What to call it in alarms, such as "the student".
        split: Name of the split.
        spec: The task.
        labels: Class numbers, scores, or rows of 0 and 1.
        logits: Of the model.
        thresholds: Of several labels a text; None is 0.5 for all.

    Raises:
        ModelError: A logit is not finite.
    """
    require_finite_logits(source, logits)
    return Evaluated(
        split=split,
        examples=len(labels),
        metrics=task_scores(spec.metrics, labels, logits, thresholds),
        majority=constant_task_scores(spec.metrics, labels, spec.num_classes),
        calibration={} if spec.kind == "regression" else task_calibration(labels, logits)[0],
        classes=facts_of(spec, labels, logits) if spec.kind == "classification" else (),
        alarms=tuple(alarms_of(who, split, spec, labels, logits, thresholds)),
    )
