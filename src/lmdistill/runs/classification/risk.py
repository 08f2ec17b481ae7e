"""Mean loss on training examples against dev: the gap of MixKD's theorems."""

import numpy as np
from jaxtyping import Float, Int, Num

from lmdistill.core.seeding import generator
from lmdistill.evaluation.generalization_gap import risk_interval, risks
from lmdistill.models.classifier import Network
from lmdistill.records.schema import Risk
from lmdistill.runs.classification.dataset import EncodedTask

RISK_ROWS = 512
"""Training examples on which the empirical risk is measured, at most; the record has its interval."""


def risk(data: EncodedTask, student: Network, dev: Float[np.ndarray, "n v"], device: str) -> Risk:
    """Mean loss on a random sample of labelled training examples against dev: the gap of MixKD's theorems.

    The sample is the same in every run on the same data.
    """
    labelled = data.train.with_labels()
    sample = labelled.select(risk_rows(len(labelled.labels)).tolist())
    return risk_of(data, sample.labels, sample.logits(student, device), dev)


def risk_rows(total: int) -> Int[np.ndarray, " k"]:
    """Which of `total` labelled training examples are the sample."""
    return np.sort(generator(0, "risk").permutation(total)[:RISK_ROWS])


def risk_of(
    data: EncodedTask,
    labels: Num[np.ndarray, "k *labels"],
    logits: Float[np.ndarray, "k v"],
    dev: Float[np.ndarray, "n v"],
) -> Risk:
    """The risk from labels and logits of the sample, and logits for the first dev split."""
    total, first = len(data.train.with_labels().labels), next(iter(data.dev.values()))
    values = risks(train_labels=labels, train_logits=logits, dev_labels=first.labels, dev_logits=dev)
    return Risk(
        train=values["train_risk"],
        dev=values["dev_risk"],
        gap=values["generalisation_gap"],
        train_error=values.get("train_error"),
        dev_error=values.get("dev_error"),
        sample_size=len(labels),
        train_interval=risk_interval(labels, logits, total=total),
    )
