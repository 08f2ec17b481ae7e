"""Evaluation of a trained classifier on the dev splits of a task."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Num

from lmdistill.commands.open_model import Opened, open_model, warn_of_other_examples
from lmdistill.core.errors import ConfigError
from lmdistill.data.tasks.plain_rows import labels_of, texts_of
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.task_spec import TASKS
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.training_settings import Training
from lmdistill.evaluation.inference import require_finite_logits
from lmdistill.evaluation.multi_label import Thresholds
from lmdistill.evaluation.task_quality import constant_task_scores, task_calibration, task_scores
from lmdistill.linear.classifier import LinearClassifier
from lmdistill.records.class_facts import ClassFacts
from lmdistill.runs.classification.class_facts import facts_of
from lmdistill.runs.classification.data import load_whole
from lmdistill.runs.classification.dataset import read_split
from lmdistill.runs.classification.linear_model import linear_logits, matched_linear
from lmdistill.runs.classification.quality import alarms_of
from lmdistill.runs.classification.teacher import matched

log = logging.getLogger("lmdistill")

AnswersOf = Callable[[str], tuple[Float[np.ndarray, "n v"], Num[np.ndarray, "n *labels"]]]
"""Logits and labels of a split by its name."""


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


def evaluate(target: str | Path, overrides: Sequence[str] = ()) -> list[Evaluated]:
    """The task's metrics of a run's student, or of any classifier, on every dev split.

    A text column that the run was not trained on is logged.

    Args:
        target: A run folder; or a model folder or hub id, with `task=` and `data.source=` among the
            overrides.
        overrides: `a.b=value` for the recipe, to evaluate on other data than the run's.

    Raises:
        ConfigError: If `target` is a model, and no task is set.
        MismatchError: If the model predicts other classes than the task's.
        ModelError: If the model gives no number for an example.
        RunError: If the files of the run are not as it wrote them.
    """
    opened = open_model(target, overrides)
    if opened.task is None:
        raise ConfigError(
            f"{target} is no run, so its task is not known. Add --set task=NAME, and "
            "--set data.source=... for a folder or a file."
        )
    task = load_whole(opened.task, opened.data)
    if opened.task not in TASKS:
        tell_other_columns(task.spec.columns, opened.columns, "data.text")
    if not overrides:
        warn_of_other_examples(target, replace(task, splits=task.dev).fingerprint)
    answers_of, thresholds = _answering(opened, task)
    found = []
    for name in task.spec.splits:
        logits, labels = answers_of(name)
        require_finite_logits(opened.place, logits)
        classes = task.spec.kind != "regression"
        found.append(
            Evaluated(
                split=name,
                examples=len(labels),
                metrics=task_scores(task.spec.metrics, labels, logits, thresholds),
                majority=constant_task_scores(task.spec.metrics, labels, task.spec.num_classes),
                calibration=task_calibration(labels, logits)[0] if classes else {},
                classes=facts_of(task.spec, labels, logits) if task.spec.kind == "classification" else (),
                alarms=tuple(alarms_of(opened.who, name, task.spec, labels, logits, thresholds)),
            )
        )
    return found


def _answering(opened: Opened, task: Task) -> tuple[AnswersOf, Thresholds]:
    """A function that gives logits and labels of a split by its name, and the thresholds of labels."""
    if isinstance(opened.model, LinearClassifier):
        model = matched_linear(opened.model, task)
        splits = {name: task.split(name) for name in task.spec.splits}
        return lambda name: (
            linear_logits(model, texts_of(splits[name], pair=task.is_pair)),
            labels_of(splits[name]),
        ), None
    length, device = opened.data.max_length, str(make_accelerator(Training()).device)
    network = matched(opened.model, task, length, who=opened.who).to(device)
    if network.thresholds is not None:
        told = ", ".join(
            f"{label} {t:.3g}" for label, t in zip(network.labels, network.thresholds, strict=True)
        )
        log.info("labels are predicted from these probabilities on: %s", told)

    def read(name: str) -> tuple[Float[np.ndarray, "n v"], Num[np.ndarray, "n *labels"]]:
        split = read_split(task, name, network, max_length=length)
        return split.logits(network, device), split.labels

    return read, network.thresholds


def tell_other_columns(columns: Sequence[str], trained: Sequence[str], setting: str) -> None:
    """Log it if the text is read from other columns than those that a run was trained on.

    Args:
        columns: Where the text is read.
        trained: What the run was trained on; empty if that is not known.
        setting: The option or the key that names the columns.
    """
    if trained and list(columns) != list(trained):
        log.warning(
            "the text is read from %s, and the run was trained on %s. Set %s if another column is meant.",
            " and ".join(columns),
            " and ".join(trained),
            setting,
        )
