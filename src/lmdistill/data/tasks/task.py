"""A loaded task: its definition and its examples."""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from datasets import Dataset
from jaxtyping import Bool, Num

from lmdistill.core.errors import DataError
from lmdistill.core.fingerprint import LENGTH
from lmdistill.data.tasks.task_spec import TaskSpec

log = logging.getLogger("lmdistill")


def has_label(labels: Num[np.ndarray, "n *labels"]) -> Bool[np.ndarray, " n"]:
    """Whether each label is one: class numbers and rows of labels are -1 and scores NaN where there is none.

    A row of labels that are all 0 is known to have none of them.
    """
    if labels.ndim == 2:
        return np.asarray(labels[:, 0] >= 0)
    return ~np.isnan(labels) if np.issubdtype(labels.dtype, np.floating) else labels >= 0


def texts_fingerprint(rows: Dataset) -> str:
    """Fingerprint (16 hexadecimal digits) of the texts of examples and of their order."""
    digest = hashlib.sha256()
    for batch in rows.select_columns(["sentence1", "sentence2"]).with_format(None).iter(batch_size=1000):
        digest.update(json.dumps([batch["sentence1"], batch["sentence2"]]).encode())
    return digest.hexdigest()[:LENGTH]


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task with its examples.

    Every split has the columns sentence1 (str), sentence2 (str, "" for single texts), label and index (int64,
    the official index or the row number from 0). A label is an int64 class number in the order of
    `spec.labels`, -1 if there is none; or a float64 score, in train NaN if there is none; or, of several
    labels, a list of int8, 0 or 1 for each, all -1 if nothing is known about them.
    """

    spec: TaskSpec
    """Definition of the task."""

    splits: Mapping[str, Dataset] = field(repr=False)
    """Name of a split -> examples: train, `spec.splits` and `spec.test_splits`, as far as there are files."""

    source: str
    """Origin of the examples, for messages and records."""

    notes: tuple[str, ...] = ()
    """What was inferred, dropped or counted, one sentence each."""

    @property
    def is_pair(self) -> bool:
        """Whether an example consists of two texts."""
        return len(self.spec.columns) == 2

    @property
    def train(self) -> Dataset:
        """The training examples; `DataError` if there are none."""
        return self.split("train")

    @property
    def dev(self) -> dict[str, Dataset]:
        """The splits to evaluate on, as name -> examples; `DataError` if one is missing."""
        return {name: self.split(name) for name in self.spec.splits}

    def split(self, name: str) -> Dataset:
        """The examples of one split; `DataError` with the names of the existing splits if it is missing."""
        if name not in self.splits:
            have = ", ".join(self.splits) or "none"
            raise DataError(
                f"{self.spec.name} has no {name!r} split in {self.source}; it has: {have}. Add its file."
            )
        return self.splits[name]

    @cached_property
    def fingerprint(self) -> str:
        """Fingerprint (16 hexadecimal digits) of the kind of task, the labels and the examples.

        The origin of the examples is left out.
        """
        digest = hashlib.sha256(
            json.dumps([self.spec.kind, self.spec.labels, len(self.spec.columns)]).encode()
        )
        for name in sorted(self.splits):
            digest.update(f"\n{name}".encode())
            columns = self.splits[name].select_columns(["sentence1", "sentence2", "label", "index"])
            for batch in columns.with_format(None).iter(batch_size=1000):
                digest.update(json.dumps(batch, sort_keys=True)[1:-1].encode())
        return digest.hexdigest()[:LENGTH]

    def with_train(self, train: Dataset, *notes: str) -> "Task":
        """A copy with other training examples, and with `notes` added."""
        return replace(self, splits={**self.splits, "train": train}, notes=(*self.notes, *notes))

    def log_notes(self) -> "Task":
        """Log every note and return the task."""
        for note in self.notes:
            log.info("%s: %s", self.spec.name, note)
        return self
