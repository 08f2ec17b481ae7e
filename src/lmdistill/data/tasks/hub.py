"""Tasks from data sets of the Hugging Face hub, or from a local folder that `datasets` can read."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datasets import Dataset

from lmdistill.core.errors import DataError
from lmdistill.data.files.hub import DEV_NAMES, hub_rows, load_dataset_dict
from lmdistill.data.tasks.build_examples import ColumnMapping, RowFlaw, build_examples
from lmdistill.data.tasks.column_choices import ColumnChoices
from lmdistill.data.tasks.custom_files import custom_task
from lmdistill.data.tasks.subsample import require_classes
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.task_spec import TaskSpec

GLUE = "nyu-mll/glue"


def glue_task(spec: TaskSpec, tables: Mapping[str, Dataset], source: str) -> Task:
    """Build a GLUE task from the splits of `nyu-mll/glue`; their validation split is called dev here.

    Args:
        spec: A task of `TASKS`.
        tables: Name of the split on the hub -> examples.
        source: Origin of the splits, for messages and records.
    """
    tolerated: tuple[RowFlaw, ...] = ("empty",) if spec.official and spec.official.gaps else ()
    splits: dict[str, Dataset] = {}
    notes: list[str] = []
    for split in ("train", *spec.splits, *spec.test_splits):
        hub_split = re.sub("^dev", "validation", split)
        if hub_split not in tables:
            continue
        is_test = split in spec.test_splits
        mapping = ColumnMapping(
            spec=spec,
            texts=spec.columns,
            label=None if is_test else "label",
            index="idx" if "idx" in tables[hub_split].column_names else None,
            tolerated=("empty",) if is_test else tolerated,
            drop=not is_test,
        )
        splits[split], split_notes = build_examples(
            hub_rows(f"{source}, {hub_split}", tables[hub_split]), mapping
        )
        notes += split_notes
    if "train" in splits:
        require_classes(splits["train"], spec, source)
    return Task(spec=spec, splits=splits, source=source, notes=tuple(notes))


def load_glue(spec: TaskSpec) -> Task:
    """Load a GLUE task from the hub or from its local cache.

    Raises:
        DataError: The data set is neither on the hub nor in the cache.
    """
    return glue_task(spec, load_dataset_dict(GLUE, spec.hub), f"{GLUE} ({spec.hub})")


def load_hub(name: str, choices: ColumnChoices, test: str | None = None) -> Task:
    """Load a task from any data set of the hub, or from a folder that `datasets` can read.

    Columns that the user did not name are inferred, with a note. Rows without a text or, in train and dev,
    without a label are dropped and counted.

    Args:
        name: "owner/name", "owner/name:config" or a folder.
        choices: What the user specified about the columns.
        test: Name of a split with labels that is scored and chooses nothing; None scores none. Without it a
            split `test` counts as one without labels.

    Raises:
        DataError: The data set cannot be loaded or used.
    """
    repository, _, config = (name, "", "") if Path(name).is_dir() else name.partition(":")
    loaded: Mapping[Any, Dataset] = load_dataset_dict(repository, config or None)
    tables = {str(split): hub_rows(f"{name}, {split}", table) for split, table in loaded.items()}
    if "train" not in tables:
        raise DataError(f"{name} has no split 'train'; it has: {', '.join(tables)}. Save its rows to a file.")
    if test is not None and (test not in tables or test == "train"):
        raise DataError(
            f"data.test is {test!r}, and {name} has these splits: {', '.join(tables)}. Name one with labels "
            "that is not train."
        )
    dev_split = next((split for split in DEV_NAMES if split in tables and split != test), None)
    test_split = test or "test"
    tables_used = {"train": tables["train"]} | ({"dev": tables[dev_split]} if dev_split else {})
    tables_used |= {"test": tables[test_split]} if test_split in tables else {}
    unused = sorted(set(tables) - {"train", test_split, dev_split})
    task = custom_task(
        tables_used,
        name=name,
        source=name,
        choices=choices,
        tolerated=("empty", "unlabelled"),
        scored_test=test is not None,
    )
    notes = [
        f"the split {found!r} is used as {split}"
        for found, split in ((dev_split, "dev"), (test, "test"))
        if found not in (None, split)
    ]
    notes += [f"splits not used: {', '.join(unused)}"] if unused else []
    return task.with_train(task.train, *notes)
