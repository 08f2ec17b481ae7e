"""Subsets: fewer training examples, the same ones for teacher and student; and rows held out for dev."""

import logging

import numpy as np
from datasets import Dataset
from jaxtyping import Int

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.core.seeding import generator
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.task_spec import TaskSpec

log = logging.getLogger("lmdistill")


def _labels(rows: Dataset) -> np.ndarray:
    """The label column, read in slices: gathering all rows of a selection at once takes 100 bytes a row."""
    slices = rows.select_columns("label").with_format("numpy").iter(batch_size=10_000)
    return np.concatenate([np.empty(0, dtype=np.int64), *(one["label"] for one in slices)])


def require_classes(rows: Dataset, spec: TaskSpec, source: str) -> None:
    """Refuse training data without examples, or with one class only.

    Raises:
        DataError: With what there is.
    """
    if not rows.num_rows:
        raise DataError(f"{source}: the training set is empty. Add examples.")
    if spec.kind == "classification":
        present = np.unique(_labels(rows))
        if len(present) < 2:
            name = spec.labels[int(present[0])] if 0 <= present[0] < len(spec.labels) else str(present[0])
            raise DataError(
                f"{source}: all {rows.num_rows} training examples have the label {name!r}; a classifier "
                f"needs two classes ({', '.join(spec.labels)}). Add another class, or take more rows."
            )


def _with_every_class(order: Int[np.ndarray, " n"], size: int, labels: np.ndarray) -> Int[np.ndarray, " k"]:
    """The first `size` rows of `order`; classes that are missing replace the last rows of frequent ones."""
    chosen, rest = order[:size].copy(), order[size:]
    counts = {value: int(np.sum(labels[chosen] == value)) for value in np.unique(labels)}
    for value in [value for value, count in counts.items() if count == 0]:
        spare = next((place for place in range(size - 1, -1, -1) if counts[labels[chosen[place]]] > 1), None)
        if spare is None:
            break
        counts[labels[chosen[spare]]] -= 1
        chosen[spare] = next(row for row in rest if labels[row] == value)
        counts[value] = 1
    return chosen


def _count(size: int | float, num_rows: int) -> int:
    """Rows that `size` asks for."""
    if isinstance(size, bool) or size <= 0 or (isinstance(size, float) and not size <= 1):
        raise ConfigError(f"a subset is a fraction in (0, 1] or a number of rows, 1 or more; got {size!r}.")
    count = round(size * num_rows) if isinstance(size, float) else size
    if count > num_rows:
        raise ConfigError(
            f"a subset of {count} rows was asked for, and there are {num_rows}. Ask for at most these."
        )
    if count == 0:
        raise ConfigError(f"{size} of {num_rows} rows is no row at all. Ask for a larger fraction.")
    return count


def subset(rows: Dataset, size: int | float, *, seed: int = 0, regression: bool = False) -> Dataset:
    """Some rows at random, in their old order: a function of the seed, the size and the labels alone.

    Plain random, not stratified, except that a class which would be missing gets one row as long as
    there is room. A larger subset with the same seed contains a smaller one (such exchanges apart).

    Args:
        rows: Examples with a column `label`.
        size: A float is a fraction in (0, 1], an int is a number of rows.
        seed: Seed of the draw.
        regression: Whether labels are scores, so that there are no classes to keep.

    Raises:
        ConfigError: A size out of range.
        DataError: A subset with one class only.
    """
    count = _count(size, rows.num_rows)
    order = generator(seed, "subset").permutation(rows.num_rows)
    if regression:
        return rows.select(np.sort(order[:count]))
    labels = _labels(rows)
    chosen = np.sort(_with_every_class(order, count, labels))
    if len(np.unique(labels[chosen])) < 2:
        raise DataError(
            f"a subset of {count} of {rows.num_rows} rows holds a single class; a classifier needs two. "
            "Take more rows."
        )
    return rows.select(chosen)


def with_train_subset(task: Task, size: int | float, *, seed: int = 0) -> Task:
    """The task with a subset of its training examples, noted and logged; see `subset`."""
    train = subset(task.train, size, seed=seed, regression=task.spec.kind == "regression")
    note = f"{train.num_rows} of {task.train.num_rows} training examples, drawn with seed {seed}"
    log.info("%s: %s", task.spec.name, note)
    missing = len(task.spec.labels) - len(np.unique(_labels(train))) if task.spec.labels else 0
    if missing:
        log.warning(
            "%s: %d of %d classes are not in the subset", task.spec.name, missing, len(task.spec.labels)
        )
    return task.with_train(train, note)


def hold_out_dev(rows: Dataset, fraction: float, *, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Training rows and held-out rows: a random share of at least one row, both in their old order.

    Args:
        rows: At least two examples.
        fraction: Share to hold out, in (0, 1).
        seed: Seed of the draw.

    Raises:
        DataError: Fewer than two rows.
    """
    if rows.num_rows < 2:
        raise DataError(
            f"{rows.num_rows} rows cannot be split into training and dev data. Add rows or a dev file."
        )
    count = min(max(1, round(fraction * rows.num_rows)), rows.num_rows - 1)
    order = generator(seed, "dev").permutation(rows.num_rows)
    labels = _labels(rows)
    kept = order[count:]
    if np.issubdtype(labels.dtype, np.integer):
        kept = _with_every_class(np.roll(order, -count), rows.num_rows - count, labels)
    held = np.setdiff1d(order, kept)
    return rows.select(np.sort(kept)), rows.select(held)
