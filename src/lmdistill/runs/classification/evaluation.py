"""Evaluation of trained classifiers for the record: outputs on dev, predictions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from lmdistill.models.classifier import Network
from lmdistill.models.model_stats import fingerprint
from lmdistill.records.disagreements import Text, instructive, shortened
from lmdistill.records.label_thresholds import LabelThresholds
from lmdistill.records.predictions import Prediction
from lmdistill.records.schema import TaskFacts
from lmdistill.runs.classification.dataset import EncodedTask

LATENCY_RUNS = 30
"""Timed passes of each network and batch size, at most."""

LATENCY_PRECISION = 0.02
"""Timing stops earlier once the 95 % interval of each median lies within this fraction of it."""

DIGITS = 6
"""Decimals of the logits in `predictions.jsonl`."""


@dataclass(frozen=True, kw_only=True)
class DevOutputs:
    """Logits of both networks on every dev split."""

    student: Mapping[str, Float[np.ndarray, "n v"]]
    """Student logits by split."""

    teacher: Mapping[str, Float[np.ndarray, "n v"]] | None
    """Teacher logits by split; None without a teacher."""


KnownLogits = dict[str, Mapping[str, Float[np.ndarray, "n v"]]]
"""Dev logits by split of networks that were evaluated before, by the network's fingerprint."""


def predict_dev(
    data: EncodedTask, student: Network, teacher: Network | None, device: str, known: KnownLogits
) -> DevOutputs:
    """Run both networks over the dev splits.

    Args:
        data: The encoded task.
        student: On `device`.
        teacher: On `device`, or None.
        device: Where they run.
        known: Logits of networks on the same splits, so that the runs of a recipe share them; filled here.
            A student enters it too, since it may be a teacher that was just fine-tuned.
    """
    logits = {name: split.logits(student, device) for name, split in data.dev.items()}
    if all(split.teacher is None for split in data.dev.values()):  # one tokenizer, so the same batches
        known[fingerprint(student)] = logits
    if teacher is None:
        return DevOutputs(student=logits, teacher=None)
    name = fingerprint(teacher)
    if name not in known:
        known[name] = {
            split: rows.logits(teacher, device, as_teacher=True) for split, rows in data.dev.items()
        }
    return DevOutputs(student=logits, teacher=known[name])


def predictions(data: EncodedTask, answers: DevOutputs) -> list[Prediction]:
    """Logits of both networks for every dev example, for paired tests."""
    rows, several = [], data.task.spec.kind == "multilabel"
    for name, split in data.dev.items():
        theirs = None if answers.teacher is None else answers.teacher[name]
        told = zip(split.labels, answers.student[name], split.lengths, strict=True)
        for row, (label, logits, tokens) in enumerate(told):
            rows.append(
                Prediction(
                    example=row,
                    split=name,
                    label=-1 if several else float(label),
                    labels=tuple(np.flatnonzero(label).tolist()) if several else None,
                    student=tuple(round(float(x), DIGITS) for x in logits),
                    teacher=None if theirs is None else tuple(round(float(x), DIGITS) for x in theirs[row]),
                    tokens=int(tokens),
                )
            )
    return rows


def disagreements(
    data: EncodedTask, predictions: Iterable[Prediction], thresholds: LabelThresholds | None
) -> list[Text]:
    """Texts of the first dev split on which the two networks disagree most, shortened."""
    name = next(iter(data.dev))
    rows = data.task.split(name)
    chosen = instructive((one for one in predictions if one.split == name), thresholds=thresholds)
    return [
        Text(
            example=prediction.example,
            split=name,
            texts=tuple(shortened(text) for text in (row["sentence1"], row["sentence2"]) if text),
        )
        for prediction in chosen
        for row in (rows[prediction.example],)
    ]


def task_facts(data: EncodedTask) -> TaskFacts:
    """The task fields of a record."""
    task, labelled = data.task, len(data.train.with_labels().student.rows)
    return TaskFacts(
        name=task.spec.name,
        kind="regression" if task.spec.kind == "regression" else "classification",
        multi_label=task.spec.kind == "multilabel",
        labels=task.spec.labels,
        columns=task.spec.columns,
        metrics=task.spec.metrics,
        source=task.source,
        fingerprint=task.fingerprint,
        dev_fingerprint=replace(task, splits=task.dev).fingerprint,
        rows={
            "train": labelled,
            **{k: len(v.student.rows) for k, v in data.dev.items()},
        },
        unlabelled_rows=len(data.train.student.rows) - labelled,
        truncated={"train": data.train.truncated, **{k: v.truncated for k, v in data.dev.items()}},
        synthetic=task.spec.name == "synthetic",
        notes=task.notes,
    )
