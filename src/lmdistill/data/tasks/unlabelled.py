"""Texts without labels as further training examples, kept apart from the texts that judge a model."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from datasets import Dataset, List, Value, concatenate_datasets
from jaxtyping import Int, Num

from lmdistill.core.errors import DataError
from lmdistill.data.files.formats import open_rows
from lmdistill.data.files.progress_bars import without_bars
from lmdistill.data.files.table import Rows
from lmdistill.data.files.table_format import TableFormat
from lmdistill.data.tasks.build_examples import ColumnMapping, build_examples
from lmdistill.data.tasks.column_inference import text_columns
from lmdistill.data.tasks.subsample import labels_of
from lmdistill.data.tasks.task import Task, has_label
from lmdistill.data.tasks.task_spec import TaskSpec

log = logging.getLogger("lmdistill")

RUN = 8
"""Number of consecutive words that two texts share if one counts as nearly the other."""

REASONS = JUDGED, NEAR, TRAINED, REPEATED = (
    "that are also in dev or test",
    f"that share {RUN} consecutive words with dev or test",
    "that are also labelled training texts",
    "that repeat an earlier one",
)
"""Why a row is left out, as notes say it, in the order in which the reasons are tried."""


@dataclass(frozen=True, kw_only=True)
class SeenTexts:
    """Texts of labelled rows that rows without labels must not repeat, as sets of hashes."""

    judged: frozenset[int]
    """Whole texts of dev and test."""

    runs: frozenset[int]
    """Each `RUN` consecutive words of dev and test texts."""

    trained: frozenset[int]
    """Whole labelled training examples; of a pair both texts together."""

    def reasons(
        self, rows: Dataset, earlier: Int[np.ndarray, " e"]
    ) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " k"]]:
        """Why each row is left out, as a place in `REASONS`, -1 if it is kept; and hashes of the kept ones.

        Args:
            rows: Columns sentence1 and sentence2.
            earlier: Hashes of the rows that were kept before, of other sources.
        """
        reasons = np.empty(rows.num_rows, dtype=np.int8)
        hashes = np.empty(rows.num_rows, dtype=np.int64)  # 8 bytes a row; a set of them takes ten times that
        for number, texts in enumerate(_texts(rows)):
            words = [_words(text) for text in texts]
            hashes[number] = hash(tuple(map(tuple, words)))
            reasons[number] = self._reason(words, int(hashes[number]))
        kept = np.flatnonzero(reasons < 0)
        distinct, first = np.unique(hashes[kept], return_index=True)
        first = first[~np.isin(distinct, earlier)]
        reasons[kept] = REASONS.index(REPEATED)
        reasons[kept[first]] = -1
        return reasons, hashes[kept[first]]

    def _reason(self, words: Sequence[Sequence[str]], whole: int) -> int:
        """Why a row is left out, but for repetitions.

        Of a pair both texts have to be known from dev or test, since many pairs share one of them.

        Args:
            words: The words of the one or two texts of a row.
            whole: Their hash.
        """
        known = [hash(tuple(one)) in self.judged for one in words]
        if all(known):
            return REASONS.index(JUDGED)
        near = [
            is_known or any(run in self.runs for run in _runs(one))
            for is_known, one in zip(known, words, strict=True)
        ]
        if all(near):
            return REASONS.index(NEAR)
        return REASONS.index(TRAINED) if whole in self.trained else -1


def _words(text: str) -> list[str]:
    """Words in lower case without punctuation at their ends; all of it counts if nothing else is left."""
    words = [word.strip(".,;:!?\"'()[]`-") for word in text.casefold().split()]
    return [word for word in words if word] or text.casefold().split()


def _runs(words: Sequence[str]) -> Iterator[int]:
    """A hash of each `RUN` consecutive words."""
    return (hash(tuple(words[at : at + RUN])) for at in range(len(words) - RUN + 1))


def seen_texts(task: Task) -> SeenTexts:
    """The texts of a task that judge a model, and those that it learns with their labels."""
    judged: set[int] = set()
    runs: set[int] = set()
    for name, rows in task.splits.items():
        if name != "train":
            for texts in _texts(rows):
                for words in map(_words, texts):
                    judged.add(hash(tuple(words)))
                    runs.update(_runs(words))
    trained = {hash(tuple(tuple(_words(text)) for text in texts)) for texts in _texts(task.train)}
    return SeenTexts(judged=frozenset(judged), runs=frozenset(runs), trained=frozenset(trained))


def _texts(rows: Dataset) -> Iterator[list[str]]:
    """The one or two texts of each row."""
    for batch in rows.select_columns(["sentence1", "sentence2"]).with_format(None).iter(batch_size=1000):
        for pair in zip(batch["sentence1"], batch["sentence2"], strict=True):
            yield [text for text in pair if text]


def read_unlabelled(
    path: Path, spec: TaskSpec, *, text: Sequence[str] = (), join: str | None = None, form: TableFormat
) -> Dataset:
    """The rows of a file of texts; a label column in it is not read.

    Args:
        path: CSV, TSV, JSON or Parquet, also gzip'd.
        spec: The task.
        text: Text columns of the labelled file, if the user named them.
        join: What stands between the texts of several columns that are one text.
        form: Encoding, delimiter, quotes and header.

    Returns:
        Rows with the columns of every task, without labels. Those with an empty text are left out.

    Raises:
        DataError: The file, a column or a row cannot be used.
    """
    rows = open_rows(path, form, same_keys=False)
    columns = text_columns_like(rows, spec, text, join)
    mapping = ColumnMapping(spec=spec, texts=columns, join=join, label=None, tolerated=("empty",))
    found, notes = build_examples(rows, mapping)
    for note in notes:
        log.info("%s", note)
    return found


def text_columns_like(rows: Rows, spec: TaskSpec, text: Sequence[str], join: str | None) -> tuple[str, ...]:
    """The text columns of another file of a task: those of its labelled rows, or inferred.

    Args:
        rows: The other table.
        spec: The task.
        text: Text columns of the labelled file, if the user named them.
        join: What stands between the texts of several columns that are one text.

    Raises:
        DataError: They cannot be inferred, or are not as many as the texts of an example of the task.
    """
    wanted = tuple(text) or spec.columns
    named = wanted if all(name in rows.fieldnames for name in wanted) else None
    try:
        columns = text_columns(rows.fieldnames, named, joined=join is not None)
    except DataError as error:
        raise DataError(f"{rows.name}: {error}") from None
    if join is None and len(columns) != len(spec.columns):
        kind = "pairs" if len(spec.columns) == 2 else "single texts"
        raise DataError(
            f"{rows.name}: the texts are read from {' and '.join(columns)}, and {spec.name} has {kind}. Name "
            "the columns as in the labelled file."
        )
    return columns


def with_unlabelled(task: Task, sources: Sequence[tuple[str, Dataset]]) -> Task:
    """The task with rows without labels after its training examples.

    Left out and counted are rows that are also in dev or test, nearly so, that repeat each other, or whose
    texts are labelled training examples. Case, spaces and punctuation around words do not count.

    Args:
        task: The task with its labelled training examples.
        sources: Name and rows of each source; their labels are not read.

    Raises:
        DataError: No row of a source is left.
    """
    seen, notes = seen_texts(task), list[str]()
    earlier = np.empty(0, dtype=np.int64)
    parts = [task.train]
    first = 1 + highest_index(task.train)
    for name, rows in sources:
        reasons, hashes = seen.reasons(rows, earlier)
        earlier = np.concatenate([earlier, hashes])
        counts = np.bincount(reasons[reasons >= 0], minlength=len(REASONS))
        kept = rows.select(np.flatnonzero(reasons < 0))
        left_out = "".join(f"; left out {n} {why}" for n, why in zip(counts, REASONS, strict=True) if n)
        if not kept.num_rows:
            raise DataError(
                f"none of the {rows.num_rows} texts without labels in {name} can be used{left_out}. Name "
                "other texts in data.unlabelled."
            )
        parts.append(without_labels(kept, task.train, first))
        first += kept.num_rows
        notes.append(f"{kept.num_rows} of {rows.num_rows} texts without labels from {name}{left_out}")
    for note in notes:
        log.info("%s: %s", task.spec.name, note)
    return task.with_train(concatenate_datasets(parts), *notes)


def with_extra_rows(task: Task, new: Dataset, by: str, *, labels: Literal["keep", "teacher"]) -> Task:
    """The task with rows after its training examples, and a note that counts those with and without a label.

    Args:
        task: The task.
        new: Rows with texts and labels, such as variants of training examples; some may have no label.
        by: Name of what made them.
        labels: "keep" theirs, or leave them to the "teacher": they have none then.
    """
    if labels == "teacher":
        new = without_labels(new, task.train, 1 + highest_index(task.train))
    known = len(labelled_rows(new))
    others = new.num_rows - known
    note = f"{known} training rows added by {by}" + (f", and {others} texts without labels" if others else "")
    return task.with_train(concatenate_datasets([task.train.select_columns(new.column_names), new]), note)


def highest_index(rows: Dataset) -> int:
    """The largest index number of the rows, -1 if there are none."""
    parts: Iterator[Any] = rows.select_columns("index").with_format("numpy").iter(batch_size=10_000)
    return max((int(part["index"].max()) for part in parts), default=-1)


def without_labels(rows: Dataset, like: Dataset, first: int) -> Dataset:
    """The rows with no label and with index numbers from `first`, in the types of other rows.

    Args:
        rows: Rows with the texts of examples; their labels and numbers are replaced.
        like: Rows that they are to be appended to.
        first: Number of the first row.
    """
    kind = like.features["label"]
    missing: Any = [[-1] * kind.length] * rows.num_rows if isinstance(kind, List) else _missing(kind, rows)
    plain = rows.remove_columns(
        [name for name in rows.column_names if name not in ("sentence1", "sentence2")]
    )
    feature = kind if isinstance(kind, List) else None
    with without_bars():
        plain = plain.add_column("label", missing, feature=feature)
        plain = plain.add_column("index", np.arange(first, first + rows.num_rows))
        return plain.select_columns(list(like.column_names)).cast(like.features)


def _missing(kind: Value, rows: Dataset) -> Num[np.ndarray, " n"]:
    """A class number or a score for each row that stands for none."""
    return np.full(rows.num_rows, np.nan if kind.dtype.startswith("float") else -1)


def unlabelled_sources(
    names: Sequence[str],
    whole: Task,
    task: Task,
    *,
    text: Sequence[str] = (),
    join: str | None = None,
    form: TableFormat,
) -> list[tuple[str, Dataset]]:
    """Name and rows of each source of texts without labels.

    Args:
        names: Files, or "rest".
        whole: The task with all its training rows, of which "rest" are those that are not in `task`.
        task: The task with the training rows that keep their labels.
        text: See `read_unlabelled`.
        join: See `read_unlabelled`.
        form: See `read_unlabelled`.
    """
    return [
        (f"the rest of {whole.source}", rest_of(whole.train, task.train))
        if name == "rest"
        else (name, read_unlabelled(Path(name), task.spec, text=text, join=join, form=form))
        for name in names
    ]


def rest_of(rows: Dataset, chosen: Dataset) -> Dataset:
    """The rows whose index is not among those of the chosen ones."""
    all_numbers, taken = (np.asarray(part.with_format("numpy")["index"][:]) for part in (rows, chosen))
    return rows.select(np.flatnonzero(~np.isin(all_numbers, taken)))


def labelled_rows(rows: Dataset) -> Int[np.ndarray, " k"]:
    """Numbers of the rows that have a label."""
    return np.flatnonzero(has_label(labels_of(rows)))
