"""Random subsets of the training examples."""

import logging

import numpy as np
from datasets import Dataset
from jaxtyping import Int, Num

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.core.seeding import generator
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.task_spec import TaskSpec

log = logging.getLogger("lmdistill")


def labels_of(rows: Dataset) -> np.ndarray:
    """The label column, read in slices: reading all rows of a selection at once takes 100 bytes per row.

    Class numbers or scores, (n,); or 0 and 1 for each of several labels, (n, v).
    """
    slices = rows.select_columns("label").with_format("numpy").iter(batch_size=10_000)
    parts = [np.asarray(part["label"]) for part in slices]
    if parts and parts[0].ndim == 2:
        return np.concatenate([part.astype(np.int8) for part in parts])
    return np.concatenate([np.empty(0, dtype=np.int64), *parts])


def strata_of(labels: Num[np.ndarray, "n *labels"]) -> Num[np.ndarray, " n"]:
    """A number for each row, equal for rows that count as one class when rows are drawn.

    Of several labels of a row the rarest counts, since rows with the same set of labels are often too few.

    Args:
        labels: Class numbers, or 0 and 1 for each of several labels.

    Returns:
        The class numbers; or the column of the row's label that the fewest rows have, and -1 without any.

    References:
        Sechidis et al., "On the Stratification of Multi-Label Data", 2011: rows are dealt out by their rarest
        label. Deviation: rarity is counted once, not again after each label.
    """
    if labels.ndim == 1:
        return labels
    has = labels > 0
    rarity = np.where(has, has.sum(axis=0), len(labels) + 1)
    return np.where(has.any(axis=1), rarity.argmin(axis=1), -1)


def require_classes(rows: Dataset, spec: TaskSpec, source: str) -> None:
    """Check that training data have examples and, for classification, at least two classes.

    Args:
        rows: The training examples.
        spec: The task.
        source: Origin of the examples, for the error message.

    Raises:
        DataError: There are no examples, or only one class.
    """
    if not rows.num_rows:
        raise DataError(f"{source}: the training set is empty. Add examples.")
    if spec.kind == "multilabel":
        _require_unlike_sets(labels_of(rows), source)
    if spec.kind == "classification":
        present = np.unique(labels_of(rows))
        if len(present) < 2:
            name = spec.labels[int(present[0])] if 0 <= present[0] < len(spec.labels) else str(present[0])
            raise DataError(
                f"{source}: all {rows.num_rows} training examples have the label {name!r}; a classifier "
                f"needs two classes ({', '.join(spec.labels)}). Add another class, or use more rows."
            )


def _require_unlike_sets(labels: Int[np.ndarray, "n v"], source: str) -> None:
    """Check that not all rows have the same labels."""
    if (labels == labels[0]).all():
        raise DataError(
            f"{source}: all {len(labels)} training examples have the same labels, so nothing can be learned. "
            "Add others."
        )


def _with_every_class(order: Int[np.ndarray, " n"], size: int, labels: np.ndarray) -> Int[np.ndarray, " k"]:
    """The first `size` rows of `order`; a row of each missing class replaces a late row of a frequent one."""
    chosen, rest = order[:size].copy(), order[size:]
    counts = {label: int(np.sum(labels[chosen] == label)) for label in np.unique(labels)}
    for missing in [label for label, count in counts.items() if count == 0]:
        replaced = next((i for i in range(size - 1, -1, -1) if counts[labels[chosen[i]]] > 1), None)
        if replaced is None:
            break
        counts[labels[chosen[replaced]]] -= 1
        chosen[replaced] = next(row for row in rest if labels[row] == missing)
        counts[missing] = 1
    return chosen


def _count(size: int | float, num_rows: int) -> int:
    """The number of rows for `size`, which is a fraction or a number of rows."""
    if isinstance(size, bool) or size <= 0 or (isinstance(size, float) and not size <= 1):
        raise ConfigError(f"a subset is a fraction in (0, 1] or a number of rows, 1 or more; got {size!r}.")
    count = round(size * num_rows) if isinstance(size, float) else size
    if count > num_rows:
        raise ConfigError(
            f"a subset of {count} rows was asked for, and there are {num_rows}. Ask for {num_rows} or fewer."
        )
    if count == 0:
        raise ConfigError(f"the fraction {size} of {num_rows} rows is 0 rows. Ask for a larger fraction.")
    return count


def subset(rows: Dataset, size: int | float, *, seed: int = 0, regression: bool = False) -> Dataset:
    """A random subset of rows in their original order; it depends only on the seed, the size and the labels.

    The subset is not stratified, except that a class which would be missing gets one row if there is room; of
    several labels the rarest of a row counts as its class.
    Apart from such replacements, a larger subset with the same seed contains a smaller one.

    Args:
        rows: Examples with a column `label`.
        size: A fraction in (0, 1] if it is a float, a number of rows >= 1 if it is an int.
        seed: Random seed.
        regression: Whether labels are scores, so that there are no classes to keep.

    Raises:
        ConfigError: `size` is out of range.
        DataError: The subset would have only one class.
    """
    count = _count(size, rows.num_rows)
    order = generator(seed, "subset").permutation(rows.num_rows)
    if regression:
        return rows.select(np.sort(order[:count]))
    labels = strata_of(labels_of(rows))
    chosen = np.sort(_with_every_class(order, count, labels))
    if len(np.unique(labels[chosen])) < 2:
        raise DataError(
            f"a subset of {count} of {rows.num_rows} rows holds a single class; a classifier needs two. "
            "Use more rows."
        )
    return rows.select(chosen)


def with_train_subset(task: Task, size: int | float, *, seed: int = 0) -> Task:
    """The task with a random subset of its training examples, which is noted and logged.

    Args:
        task: The whole task.
        size: See `subset`.
        seed: See `subset`.

    Raises:
        ConfigError: `size` is out of range.
        DataError: The subset would have only one class.
    """
    train = subset(task.train, size, seed=seed, regression=task.spec.kind == "regression")
    note = f"{train.num_rows} of {task.train.num_rows} training examples, drawn with seed {seed}"
    log.info("%s: %s", task.spec.name, note)
    labels = labels_of(train)
    found = int((labels > 0).any(axis=0).sum()) if labels.ndim == 2 else len(np.unique(labels))
    missing = len(task.spec.labels) - found if task.spec.labels else 0
    if missing:
        log.warning(
            "%s: %d of %d classes are not in the subset", task.spec.name, missing, len(task.spec.labels)
        )
    return task.with_train(train, note)
