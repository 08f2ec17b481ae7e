"""Evaluation of trained classifiers for the record: quality, agreement, calibration, risk."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Num

from lmdistill.core.seeding import generator
from lmdistill.data.tasks.label_matching import label_order_alarm
from lmdistill.data.tasks.task_spec import TaskSpec
from lmdistill.evaluation.agreement import agreement
from lmdistill.evaluation.calibration import calibration, reliability_bins
from lmdistill.evaluation.classification import is_at_chance, majority, score
from lmdistill.evaluation.generalization_gap import risk_interval, risks
from lmdistill.models.classifier import Network
from lmdistill.models.model_stats import fingerprint
from lmdistill.records.disagreements import Text, instructive, shortened
from lmdistill.records.predictions import Prediction
from lmdistill.records.schema import Calibration, Risk, TaskFacts
from lmdistill.runs.classification.dataset import EncodedTask

RISK_ROWS = 512
"""Training examples on which the empirical risk is measured, at most; the record has its interval."""

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


def scores(data: EncodedTask, logits: Mapping[str, Float[np.ndarray, "n v"]]) -> dict[str, dict[str, float]]:
    """The task's metrics on every dev split."""
    return {
        name: score(data.task.spec.metrics, data.dev[name].labels, values) for name, values in logits.items()
    }


def quality(data: EncodedTask, answers: DevOutputs) -> dict[str, Any]:
    """The quality fields of a record: metrics, agreement, calibration, alarms."""
    first = next(iter(data.dev))
    labels = data.dev[first].labels
    classes = data.task.spec.kind == "classification"
    ours, theirs = answers.student[first], None if answers.teacher is None else answers.teacher[first]
    return {
        "metrics": scores(data, answers.student),
        "teacher_metrics": None if answers.teacher is None else scores(data, answers.teacher),
        "majority": {
            name: majority(data.task.spec.metrics, split.labels, data.task.spec.num_classes)
            for name, split in data.dev.items()
        },
        "agreement": None if theirs is None else agreement(ours, theirs),
        "calibration": _calibration(labels, ours) if classes else None,
        "teacher_calibration": _calibration(labels, theirs) if classes and theirs is not None else None,
        "alarms": _alarms(data, answers),
    }


def _calibration(labels: Any, logits: Float[np.ndarray, "n v"]) -> Calibration:
    """Calibration errors and the bins that hold examples."""
    numbers = calibration(labels, logits)
    return Calibration(
        ece=numbers["expected_calibration_error"],
        brier=numbers["brier"],
        nll=numbers["negative_log_likelihood"],
        bins=tuple(
            {"confidence": b.confidence, "accuracy": b.accuracy, "count": b.count}  # type: ignore[misc]
            for b in reliability_bins(labels, logits)
            if b.count
        ),
    )


def _alarms(data: EncodedTask, answers: DevOutputs) -> tuple[str, ...]:
    """What is wrong with either network on each split, one sentence each."""
    networks = {"the student": answers.student, "the teacher": answers.teacher or {}}
    return tuple(
        alarm
        for who, logits in networks.items()
        for name, values in logits.items()
        for alarm in alarms_of(who, name, data.task.spec, data.dev[name].labels, values)
    )


def alarms_of(
    who: str, split: str, spec: TaskSpec, labels: Num[np.ndarray, " n"], logits: Float[np.ndarray, "n v"]
) -> Iterator[str]:
    """A sentence if the labels of a network look swapped, or if it is no better than a constant prediction.

    Args:
        who: The network in the sentences, which begin with it, such as "the student".
        split: Name of the split.
        spec: The task.
        labels: Class numbers or scores.
        logits: Of the network.
    """
    is_classifier = spec.kind == "classification"
    swapped = (
        label_order_alarm(logits, labels, spec.labels, model=f"{who} on {split}") if is_classifier else ""
    )
    if swapped:
        yield swapped
    elif is_at_chance(spec.metrics, labels, logits):
        constant = "the majority class" if is_classifier else "a constant score"
        yield (
            f"{who} is at or below {constant} on {split}: it has learned nothing of use. "
            "Train it longer, on more examples, or at another learning rate."
        )


def risk(data: EncodedTask, student: Network, dev: Float[np.ndarray, "n v"], device: str) -> Risk:
    """Mean loss on a random sample of labelled training examples against dev: the gap of MixKD's theorems.

    The sample is the same in every run on the same data.
    """
    labelled = data.train.with_labels()
    total = len(labelled.labels)
    rows = np.sort(generator(0, "risk").permutation(total)[:RISK_ROWS])
    sample, first = labelled.select(rows.tolist()), next(iter(data.dev.values()))
    logits = sample.logits(student, device)
    values = risks(train_labels=sample.labels, train_logits=logits, dev_labels=first.labels, dev_logits=dev)
    return Risk(
        train=values["train_risk"],
        dev=values["dev_risk"],
        gap=values["generalisation_gap"],
        train_error=values.get("train_error"),
        dev_error=values.get("dev_error"),
        sample_size=len(rows),
        train_interval=risk_interval(sample.labels, logits, total=total),
    )


def predictions(data: EncodedTask, answers: DevOutputs) -> list[Prediction]:
    """Logits of both networks for every dev example, for paired tests."""
    rows = []
    for name, split in data.dev.items():
        theirs = None if answers.teacher is None else answers.teacher[name]
        told = zip(split.labels, answers.student[name], split.lengths, strict=True)
        for row, (label, logits, tokens) in enumerate(told):
            rows.append(
                Prediction(
                    example=row,
                    split=name,
                    label=float(label),
                    student=tuple(round(float(x), DIGITS) for x in logits),
                    teacher=None if theirs is None else tuple(round(float(x), DIGITS) for x in theirs[row]),
                    tokens=int(tokens),
                )
            )
    return rows


def disagreements(data: EncodedTask, predictions: Iterable[Prediction]) -> list[Text]:
    """Texts of the first dev split on which the two networks disagree most, shortened."""
    name = next(iter(data.dev))
    rows = data.task.split(name)
    chosen = instructive(prediction for prediction in predictions if prediction.split == name)
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
        kind=task.spec.kind,
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
