"""GLUE from a folder: the official download with its quirks, or one plain table a split."""

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
ENDINGS = (".tsv", ".tsv.gz", ".txt", ".txt.gz")


@dataclass(frozen=True, kw_only=True)
class TaskFiles:
    """Files of one task."""

    folder: Path
    """Where they lie."""

    layout: Layout
    """How they look."""

    files: Mapping[str, Path]
    """File by split, as far as there is one."""


def official_files(spec: TaskSpec) -> OfficialFiles:
    """How the official files of a GLUE task look."""
    if spec.official is None:
        raise DataError(f"{spec.name} is no GLUE task, so it has no official folder. Load it from a file.")
    return spec.official


def _stems(spec: TaskSpec, split: str) -> tuple[str, ...]:
    """Names that the file of a split may have, without ending; the first is the usual one."""
    if spec.name == "ax":
        return ("diagnostic", "test")
    return (split, f"msr_paraphrase_{split}") if spec.name == "mrpc" and split != "dev" else (split,)


def expected_splits(spec: TaskSpec) -> tuple[str, ...]:
    """All splits of a task; AX has no train."""
    return (*(("train",) if spec.splits else ()), *spec.splits, *spec.test_splits)


def _files(spec: TaskSpec, folder: Path) -> dict[str, Path]:
    """The existing file of each split."""
    files = {}
    for split in expected_splits(spec):
        names = [f"{stem}{ending}" for stem in _stems(spec, split) for ending in ENDINGS]
        found = next((folder / name for name in names if (folder / name).is_file()), None)
        if found is not None:
            files[split] = found
    if spec.name == "mrpc" and "dev" not in files and _dev_ids(folder) and "train" in files:
        files["dev"] = files["train"]
    return files


def find_files(spec: TaskSpec, data: Path) -> TaskFiles:
    """The files of a task below `data`, or in it, and their layout.

    The plain layout is told by its header `sentence1 sentence2 label`, not by the name of the folder.

    Raises:
        DataError: There are none; the message says where they were looked for and what is there.
    """
    if not data.is_dir():
        state = "is a file; name the folder that holds it" if data.is_file() else "does not exist"
        raise DataError(
            f"the data folder {data} {state} (it should hold {spec.name}/ or {official_files(spec).folder}/)."
        )
    others = {name.lower() for task in TASKS.values() for name in (task.name, official_files(task).folder)}
    others -= {spec.name, official_files(spec).folder.lower()}
    itself = () if data.resolve().name.lower() in others else (data,)  # not the files of another task
    for folder in (data / spec.name, data / official_files(spec).folder, *itself):
        files = _files(spec, folder)
        if files:
            headers = {_header(path) for path in files.values()}
            return TaskFiles(folder=folder, layout="plain" if PLAIN in headers else "official", files=files)
    there = ", ".join(sorted(entry.name for entry in data.iterdir())[:20]) or "nothing"
    file = f"{_stems(spec, 'train')[0]}.tsv[.gz]"
    raise DataError(
        f"{data} holds no files of {spec.name}: looked for {data / spec.name / file} and "
        f"{data / official_files(spec).folder / file}; there is: {there}. Name another folder."
    )


def _header(path: Path) -> tuple[str, ...]:
    """Fields of the first line."""
    with open_text(path, newline="\n") as file:
        return tuple(file.readline().rstrip("\r\n").split("\t"))


def _dev_ids(folder: Path) -> Path | None:
    """The file that says which rows of Microsoft's MRPC train file GLUE uses as dev."""
    return next((path for name in ENDINGS[:2] if (path := folder / f"dev_ids{name}").is_file()), None)


def _pairs(ids: Path) -> frozenset[tuple[str, str]]:
    """Pairs of sentence numbers."""
    with open_text(ids, newline="\n") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return frozenset((row[0], row[1]) for row in rows if len(row) > 1)


def _msr_part(rows: Rows, folder: Path, split: str) -> Rows:
    """The train or dev rows of Microsoft's MRPC train file."""
    ids = _dev_ids(folder)
    if ids is None:
        raise DataError(f"{rows.name} mixes train and dev rows of MRPC; put dev_ids.tsv of GLUE beside it.")
    held, wanted, read = _pairs(ids), split == "dev", rows.read

    def part() -> Iterator[Row]:
        return (row for row in read() if ((row.fields["#1 ID"], row.fields["#2 ID"]) in held) == wanted)

    return replace(rows, key=fingerprint(rows.key, sorted(held), wanted), read=part)


def _rows(spec: TaskSpec, found: TaskFiles, split: str) -> Rows:
    """Rows of one split."""
    path, look = found.files[split], official_files(spec)
    headless = bool(look.header) and not {*look.columns, *PLAIN} & set(_header(path))
    rows = unquoted_tsv_rows(
        path, header=look.header if headless else (), ragged=look.gaps and split not in spec.test_splits
    )
    if path.name.startswith("msr_paraphrase_train"):
        return _msr_part(rows, found.folder, split)
    return rows


def _reading(spec: TaskSpec, layout: Layout, rows: Rows, split: str) -> ColumnMapping:
    """How to read one split."""
    look, is_test = official_files(spec), split in spec.test_splits
    texts, label = (
        (look.columns, look.label) if layout == "official" else (PLAIN[: len(spec.columns)], "label")
    )
    for column in texts if is_test else (*texts, label):
        if column not in rows.fieldnames:
            raise DataError(
                f"{rows.name}, line 1: there is no column {column!r}; the columns are: "
                f"{', '.join(rows.fieldnames)}. Add it, as the {layout} layout of {spec.name} has it."
            )
    gaps: tuple[RowFlaw, ...] = ("cut", "empty") if look.gaps else ()
    numbered = "index" if "index" in rows.fieldnames else look.index
    return ColumnMapping(
        spec=spec,
        texts=texts,
        label=label if label in rows.fieldnames else None,
        index=numbered if is_test and numbered in rows.fieldnames else None,
        tolerated=("empty",) if is_test else gaps,
        drop=not is_test,
    )


def _size_note(spec: TaskSpec, split: str, rows: Dataset) -> tuple[str, ...]:
    """What to say of a split that is not the official one."""
    size = SIZES[spec.name][split]
    if rows.num_rows == size:
        return ()
    return (f"{split} has {rows.num_rows:,} rows where the official split has {size:,}",)


def load_folder(spec: TaskSpec, data: Path) -> Task:
    """A GLUE task from a folder in either layout, read without quoting; files end in `.tsv` or `.tsv.gz`.

    Labels may be names or official numbers. Splits without a file are left out, with a note. Rows with a
    wrong number of fields or an empty text stop the load, except in QQP and MNLI, whose official files are
    known to hold some: these are dropped and counted. Test rows are never dropped.

    Args:
        spec: A task of `TASKS`.
        data: The folder that holds the task's folder, or that folder itself.

    Raises:
        DataError: No files, or a file, column or row that cannot be used, with its place.
    """
    found = find_files(spec, data)
    splits: dict[str, Dataset] = {}
    notes: list[str] = []
    for split in found.files:
        rows = _rows(spec, found, split)
        splits[split], said = build_examples(rows, _reading(spec, found.layout, rows, split))
        notes += (*said, *_size_note(spec, split, splits[split]))
    missing = [
        split for split in expected_splits(spec) if split not in splits and split not in spec.test_splits
    ]
    if missing:
        notes.append(f"no file for {', '.join(missing)} in {found.folder}")
    if "train" in splits:
        require_classes(splits["train"], spec, str(found.files["train"]))
    return Task(
        spec=spec, splits=splits, source=f"{found.folder} ({found.layout} layout)", notes=tuple(notes)
    )
