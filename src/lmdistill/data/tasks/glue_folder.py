"""GLUE tasks from a folder: the official download, or one plain table per split."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from datasets import Dataset

from lmdistill.core.errors import DataError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.data.files.csv_tsv import unquoted_tsv_rows
from lmdistill.data.files.table import Row, Rows
from lmdistill.data.files.text import open_text
from lmdistill.data.tasks.build_examples import ColumnMapping, RowFlaw, build_examples
from lmdistill.data.tasks.subsample import require_classes
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.task_spec import SIZES, TASKS, OfficialFiles, TaskSpec

Layout = Literal["official", "plain"]

PLAIN = ("sentence1", "sentence2", "label")
"""Column names of the plain layout."""

ENDINGS = (".tsv", ".tsv.gz", ".txt", ".txt.gz")


@dataclass(frozen=True, kw_only=True)
class TaskFiles:
    """The files of one task."""

    folder: Path
    """The folder that contains them."""

    layout: Layout
    """Their format: "official" as downloaded, or "plain" with the columns `PLAIN`."""

    files: Mapping[str, Path]
    """Split -> file, for the splits that have one."""


def official_files(spec: TaskSpec) -> OfficialFiles:
    """The format of the official files of a GLUE task; `DataError` for other tasks."""
    if spec.official is None:
        raise DataError(f"{spec.name} is not a GLUE task, so it has no official folder. Load it from a file.")
    return spec.official


def _stems(spec: TaskSpec, split: str) -> tuple[str, ...]:
    """File names that a split may have, without suffix; the most common first."""
    if spec.name == "ax":
        return ("diagnostic", "test")
    return (split, f"msr_paraphrase_{split}") if spec.name == "mrpc" and split != "dev" else (split,)


def expected_splits(spec: TaskSpec) -> tuple[str, ...]:
    """Names of all splits of a task, train first; AX has no training set."""
    return (*(("train",) if spec.splits else ()), *spec.splits, *spec.test_splits)


def _files(spec: TaskSpec, folder: Path) -> dict[str, Path]:
    """Split -> file, for the splits whose file exists."""
    files = {}
    for split in expected_splits(spec):
        names = [f"{stem}{ending}" for stem in _stems(spec, split) for ending in ENDINGS]
        path = next((folder / name for name in names if (folder / name).is_file()), None)
        if path is not None:
            files[split] = path
    if spec.name == "mrpc" and "dev" not in files and _dev_ids(folder) and "train" in files:
        files["dev"] = files["train"]
    return files


def find_files(spec: TaskSpec, data: Path) -> TaskFiles:
    """Find the files of a task in `data` or in the task's folder inside it, and recognize their layout.

    The plain layout is recognized by its header `sentence1 sentence2 label`, not by the folder name.

    Raises:
        DataError: There are no such files; the message lists where they were looked for and what is there.
    """
    if not data.is_dir():
        state = "is a file; name the folder that holds it" if data.is_file() else "does not exist"
        raise DataError(
            f"the data folder {data} {state} (it should contain {spec.name}/ or "
            f"{official_files(spec).folder}/)."
        )
    others = {name.lower() for task in TASKS.values() for name in (task.name, official_files(task).folder)}
    others -= {spec.name, official_files(spec).folder.lower()}
    # `data` itself may be the folder of the task, but not that of another task
    data_itself = () if data.resolve().name.lower() in others else (data,)
    for folder in (data / spec.name, data / official_files(spec).folder, *data_itself):
        files = _files(spec, folder)
        if files:
            headers = {_header(path) for path in files.values()}
            return TaskFiles(folder=folder, layout="plain" if PLAIN in headers else "official", files=files)
    contents = ", ".join(sorted(entry.name for entry in data.iterdir())[:20]) or "nothing"
    file = f"{_stems(spec, 'train')[0]}.tsv[.gz]"
    raise DataError(
        f"{data} has no files of {spec.name}. Looked for {data / spec.name / file} and "
        f"{data / official_files(spec).folder / file}; it contains: {contents}. Name another folder."
    )


def _header(path: Path) -> tuple[str, ...]:
    """The fields of the first line."""
    with open_text(path, newline="\n") as file:
        return tuple(file.readline().rstrip("\r\n").split("\t"))


def _dev_ids(folder: Path) -> Path | None:
    """The file with the sentence numbers of the MRPC training rows that GLUE uses as dev set."""
    return next((path for name in ENDINGS[:2] if (path := folder / f"dev_ids{name}").is_file()), None)


def _pairs(ids: Path) -> frozenset[tuple[str, str]]:
    """The pairs of sentence numbers in a file of dev ids."""
    with open_text(ids, newline="\n") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return frozenset((row[0], row[1]) for row in rows if len(row) > 1)


def _msr_part(rows: Rows, folder: Path, split: str) -> Rows:
    """The train or dev rows of MRPC's original training file, which contains both."""
    ids = _dev_ids(folder)
    if ids is None:
        raise DataError(
            f"{rows.name} contains both train and dev rows of MRPC. Put dev_ids.tsv of GLUE beside it."
        )
    dev_pairs, is_dev, read = _pairs(ids), split == "dev", rows.read

    def read_part() -> Iterator[Row]:
        return (row for row in read() if ((row.fields["#1 ID"], row.fields["#2 ID"]) in dev_pairs) == is_dev)

    return replace(rows, key=fingerprint(rows.key, sorted(dev_pairs), is_dev), read=read_part)


def _rows(spec: TaskSpec, task_files: TaskFiles, split: str) -> Rows:
    """The rows of one split."""
    path, file_format = task_files.files[split], official_files(spec)
    headless = bool(file_format.header) and not {*file_format.columns, *PLAIN} & set(_header(path))
    rows = unquoted_tsv_rows(
        path,
        header=file_format.header if headless else (),
        ragged=file_format.gaps and split not in spec.test_splits,
    )
    if path.name.startswith("msr_paraphrase_train"):
        return _msr_part(rows, task_files.folder, split)
    return rows


def _column_mapping(spec: TaskSpec, layout: Layout, rows: Rows, split: str) -> ColumnMapping:
    """The columns of one split; an error if one is missing."""
    file_format, is_test = official_files(spec), split in spec.test_splits
    texts, label = (
        (file_format.columns, file_format.label)
        if layout == "official"
        else (PLAIN[: len(spec.columns)], "label")
    )
    for column in texts if is_test else (*texts, label):
        if column not in rows.fieldnames:
            raise DataError(
                f"{rows.name}, line 1: there is no column {column!r}; the columns are: "
                f"{', '.join(rows.fieldnames)}. Add it, since the {layout} layout of {spec.name} requires it."
            )
    tolerated: tuple[RowFlaw, ...] = ("cut", "empty") if file_format.gaps else ()
    index = "index" if "index" in rows.fieldnames else file_format.index
    return ColumnMapping(
        spec=spec,
        texts=texts,
        label=label if label in rows.fieldnames else None,
        index=index if is_test and index in rows.fieldnames else None,
        tolerated=("empty",) if is_test else tolerated,
        drop=not is_test,
    )


def _size_note(spec: TaskSpec, split: str, rows: Dataset) -> tuple[str, ...]:
    """A note if a split has another number of rows than the official one."""
    size = SIZES[spec.name][split]
    if rows.num_rows == size:
        return ()
    return (f"{split} has {rows.num_rows:,} rows where the official split has {size:,}",)


def load_folder(spec: TaskSpec, data: Path) -> Task:
    """Load a GLUE task from a folder in the official or the plain layout; files are TSV without quoting.

    Labels may be names or the official numbers. Splits without a file are left out, with a note. A row with a
    wrong number of fields or an empty text is an error, except in QQP and MNLI: their official files contain
    such rows, which are dropped and counted. Test rows are never dropped.

    Args:
        spec: A task of `TASKS`.
        data: The folder that contains the task's folder, or that folder itself.

    Raises:
        DataError: There are no files, or a file, column or row cannot be used; the message has its location.
    """
    task_files = find_files(spec, data)
    splits: dict[str, Dataset] = {}
    notes: list[str] = []
    for split in task_files.files:
        rows = _rows(spec, task_files, split)
        splits[split], split_notes = build_examples(
            rows, _column_mapping(spec, task_files.layout, rows, split)
        )
        notes += (*split_notes, *_size_note(spec, split, splits[split]))
    missing = [
        split for split in expected_splits(spec) if split not in splits and split not in spec.test_splits
    ]
    if missing:
        notes.append(f"no file for {', '.join(missing)} in {task_files.folder}")
    if "train" in splits:
        require_classes(splits["train"], spec, str(task_files.files["train"]))
    return Task(
        spec=spec,
        splits=splits,
        source=f"{task_files.folder} ({task_files.layout} layout)",
        notes=tuple(notes),
    )
