"""Evaluation of a trained classifier on the dev splits of a task."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Num

from lmdistill.commands.evaluated import Evaluated, score_split
from lmdistill.commands.open_model import Opened, open_model, warn_of_other_examples
from lmdistill.commands.text_model import tell_other_columns
from lmdistill.core.errors import ConfigError
from lmdistill.data.tasks.plain_rows import labels_of, texts_of
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.task_spec import TASKS
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.training_settings import Training
from lmdistill.evaluation.multi_label import Thresholds
from lmdistill.linear.classifier import LinearClassifier
from lmdistill.runs.classification.data import load_whole
from lmdistill.runs.classification.dataset import read_split
from lmdistill.runs.classification.linear_model import linear_logits, matched_linear
from lmdistill.runs.classification.teacher import matched

log = logging.getLogger("lmdistill")

AnswersOf = Callable[[str], tuple[Float[np.ndarray, "n v"], Num[np.ndarray, "n *labels"]]]
"""Logits and labels of a split by its name."""


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
        found.append(
            score_split(opened.place, opened.who, name, task.spec, labels, logits, thresholds=thresholds)
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
