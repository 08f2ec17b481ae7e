"""Texts and labels of examples, for models that read texts and not tokens."""

import numpy as np
from datasets import Dataset
from jaxtyping import Num

Texts = tuple[list[str], list[str] | None]
"""The texts of examples and None, or the first and the second texts of pairs."""


def texts_of(rows: Dataset, *, pair: bool) -> Texts:
    """The texts of examples of a task; `pair` if each consists of two."""
    return list(rows["sentence1"]), list(rows["sentence2"]) if pair else None


def labels_of(rows: Dataset) -> Num[np.ndarray, "n *labels"]:
    """Class numbers, scores or rows of 0 and 1 of examples; -1 or NaN without a label."""
    return np.asarray(rows.with_format("numpy")["label"][:])
