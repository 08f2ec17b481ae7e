"""Quality of trained classifiers for the record: metrics, agreement, calibration, thresholds, alarms."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Num

from lmdistill.core.errors import ConfigError
from lmdistill.data.tasks.task import Task
from lmdistill.evaluation.agreement import agreement
from lmdistill.evaluation.multi_label import (
    Thresholds,
    calibration_by_label,
    choose_thresholds,
    label_agreement,
)
from lmdistill.evaluation.task_quality import (
    constant_task_scores,
    task_calibration,
    task_scores,
)
from lmdistill.models.classifier import Network
from lmdistill.records.calibration_facts import Calibration
from lmdistill.records.class_facts import ClassFacts
from lmdistill.records.label_thresholds import LabelThresholds
from lmdistill.runs.classification.dataset import EncodedTask
from lmdistill.runs.classification.evaluation import DevOutputs
from lmdistill.runs.classification.split_alarms import alarms_of, facts_of

HALF = 0.5
"""The threshold of labels unless another is set."""

ThresholdSetting = float | Literal["dev"]
"""One threshold for all labels, or those with the best F1 of each label on dev."""


def thresholds_for(
    setting: ThresholdSetting, labels: Num[np.ndarray, "n *labels"], logits: Float[np.ndarray, "n v"]
) -> tuple[float, ...] | None:
    """The thresholds of a network; None for one label a text and for 0.5.

    Args:
        setting: One number, or "dev" to choose them.
        labels: Labels of the first dev split.
        logits: The network's logits there.
    """
    if labels.ndim == 1 or setting == HALF:
        return None
    return choose_thresholds(labels, logits) if setting == "dev" else (setting,) * logits.shape[1]


def require_labels_for(setting: ThresholdSetting, task: Task) -> None:
    """Check that thresholds are chosen only for a task with several labels a text, and are in range.

    Raises:
        ConfigError: They are set for another task, or are not between 0 and 1.
    """
    if setting != "dev" and not 0 < setting < 1:
        raise ConfigError(f"the threshold of labels must be in (0, 1), or dev, got {setting}.")
    if setting != HALF and task.spec.kind != "multilabel":
        said = "scores" if task.spec.kind == "regression" else "one class a text"
        raise ConfigError(
            f"student.threshold is {setting}, which is for several labels a text, and {task.spec.name} has "
            f"{said}. Leave it out."
        )


def label_thresholds(
    setting: ThresholdSetting, data: EncodedTask, answers: DevOutputs, teacher: Network | None
) -> LabelThresholds | None:
    """The thresholds of student and teacher for the record; None if both have 0.5.

    With "dev" the teacher's are chosen as the student's are, so that both are compared on the same terms;
    else a teacher keeps its own.

    Args:
        setting: One number for the student, or "dev".
        data: The encoded task.
        answers: Logits on dev.
        teacher: The network that the student is compared with.
    """
    first = next(iter(data.dev))
    labels = data.dev[first].labels
    ours = thresholds_for(setting, labels, answers.student[first])
    theirs = None if teacher is None else teacher.thresholds
    if setting == "dev" and answers.teacher is not None:
        theirs = thresholds_for(setting, labels, answers.teacher[first])
    if ours is None and theirs is None:
        return None
    return LabelThresholds(split=first if setting == "dev" else None, student=ours, teacher=theirs)


def scores(
    data: EncodedTask, logits: Mapping[str, Float[np.ndarray, "n v"]], thresholds: Thresholds = None
) -> dict[str, dict[str, float]]:
    """The task's metrics on every dev split."""
    metrics = data.task.spec.metrics
    return {
        name: task_scores(metrics, data.dev[name].labels, values, thresholds)
        for name, values in logits.items()
    }


def _class_facts(
    data: EncodedTask, logits: Mapping[str, Float[np.ndarray, "n v"]]
) -> dict[str, tuple[ClassFacts, ...]]:
    """The scores of each class by split; {} for a regression."""
    if data.task.spec.kind != "classification":
        return {}
    return {name: facts_of(data.task.spec, data.dev[name].labels, one) for name, one in logits.items()}


def quality(data: EncodedTask, answers: DevOutputs, thresholds: LabelThresholds | None) -> dict[str, Any]:
    """The quality fields of a record: metrics, agreement, calibration, thresholds, alarms."""
    first = next(iter(data.dev))
    labels = data.dev[first].labels
    classes = data.task.spec.kind != "regression"
    ours, theirs = answers.student[first], None if answers.teacher is None else answers.teacher[first]
    both = (None, None) if thresholds is None else (thresholds.student, thresholds.teacher)
    return {
        "metrics": scores(data, answers.student, both[0]),
        "teacher_metrics": None if answers.teacher is None else scores(data, answers.teacher, both[1]),
        "majority": {
            name: constant_task_scores(data.task.spec.metrics, split.labels, data.task.spec.num_classes)
            for name, split in data.dev.items()
        },
        "classes": _class_facts(data, answers.student),
        "teacher_classes": {} if answers.teacher is None else _class_facts(data, answers.teacher),
        "thresholds": thresholds,
        "agreement": None if theirs is None else _agreement(data, ours, theirs, both),
        "calibration": _calibration(labels, ours) if classes else None,
        "teacher_calibration": _calibration(labels, theirs) if classes and theirs is not None else None,
        "alarms": _alarms(data, answers, both),
    }


def _agreement(
    data: EncodedTask,
    student: Float[np.ndarray, "n v"],
    teacher: Float[np.ndarray, "n v"],
    thresholds: tuple[Thresholds, Thresholds],
) -> dict[str, float]:
    """Agreement of both networks on the first dev split."""
    if data.task.spec.kind == "multilabel":
        return label_agreement(student, teacher, thresholds)
    return agreement(student, teacher)


def _calibration(labels: Any, logits: Float[np.ndarray, "n v"]) -> Calibration:
    """Calibration errors and the bins that hold examples."""
    numbers, bins = task_calibration(labels, logits)
    return Calibration(
        ece=numbers["expected_calibration_error"],
        brier=numbers["brier"],
        nll=numbers["negative_log_likelihood"],
        bins=tuple(
            {"confidence": b.confidence, "accuracy": b.accuracy, "count": b.count}  # type: ignore[misc]
            for b in bins
            if b.count
        ),
        by_label=tuple(calibration_by_label(labels, logits).tolist()) if labels.ndim == 2 else (),
    )


def _alarms(
    data: EncodedTask, answers: DevOutputs, thresholds: tuple[Thresholds, Thresholds]
) -> tuple[str, ...]:
    """What is wrong with either network on each split, one sentence each."""
    networks = {
        "the student": (answers.student, thresholds[0]),
        "the teacher": (answers.teacher or {}, thresholds[1]),
    }
    return tuple(
        alarm
        for who, (logits, chosen) in networks.items()
        for name, values in logits.items()
        for alarm in alarms_of(who, name, data.task.spec, data.dev[name].labels, values, chosen)
    )
