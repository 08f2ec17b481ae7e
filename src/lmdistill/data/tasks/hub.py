"""Data sets of the hub, or of a local folder in a form that `datasets` reads."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datasets import Dataset

from lmdistill.core.errors import DataError
from lmdistill.data.files.hub import DEV_NAMES, hub_rows, load_dataset_dict
from lmdistill.data.tasks.build_examples import ColumnMapping, RowFlaw, build_examples
from lmdistill.data.tasks.custom_files import ColumnChoices, custom_task
from lmdistill.data.tasks.subsample import require_classes
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.task_spec import TaskSpec

GLUE = "nyu-mll/glue"


def glue_task(spec: TaskSpec, tables: Mapping[str, Dataset], source: str) -> Task:
    """A GLUE task from the splits of `nyu-mll/glue` (validation is called dev here).

    Args:
        spec: A task of `TASKS`.
        tables: Splits by their name on the hub.
        source: What messages and records call them.
    """
    gaps: tuple[RowFlaw, ...] = ("empty",) if spec.official and spec.official.gaps else ()
    splits: dict[str, Dataset] = {}
    notes: list[str] = []
    for split in ("train", *spec.splits, *spec.test_splits):
        theirs = re.sub("^dev", "validation", split)
        if theirs not in tables:
            continue
        is_test = split in spec.test_splits
        reading = ColumnMapping(
            spec=spec,
            texts=spec.columns,
            label=None if is_test else "label",
            index="idx" if "idx" in tables[theirs].column_names else None,
            tolerated=("empty",) if is_test else gaps,
            drop=not is_test,
        )
        splits[split], said = build_examples(hub_rows(f"{source}, {theirs}", tables[theirs]), reading)
        notes += said
    if "train" in splits:
        require_classes(splits["train"], spec, source)
    return Task(spec=spec, splits=splits, source=source, notes=tuple(notes))


def load_glue(spec: TaskSpec) -> Task:
    """A GLUE task from the hub or from its cache.

    Raises:
        DataError: It is neither on the hub nor in the cache, with what to do.
    """
    return glue_task(spec, load_dataset_dict(GLUE, spec.hub), f"{GLUE} ({spec.hub})")


def load_hub(name: str, choices: ColumnChoices) -> Task:
    """A task from any data set of the hub, or from a folder that `datasets` reads; columns inferred and said.

    Rows without a text or, in train and dev, without a label are dropped and counted.

    Args:
        name: "owner/name", "owner/name:config" or a folder.
        choices: What the user says of the columns.

    Raises:
        DataError: It cannot be had, or used.
    """
    repository, _, config = (name, "", "") if Path(name).is_dir() else name.partition(":")
    found: Mapping[Any, Dataset] = load_dataset_dict(repository, config or None)
    tables = {str(split): hub_rows(f"{name}, {split}", table) for split, table in found.items()}
    if "train" not in tables:
        raise DataError(f"{name} has no split 'train'; it has: {', '.join(tables)}. Save its rows to a file.")
    dev = next((split for split in DEV_NAMES if split in tables), None)
    used = {"train": tables["train"]} | ({"dev": tables[dev]} if dev else {})
    used |= {"test": tables["test"]} if "test" in tables else {}
    left = sorted(set(tables) - {"train", "test", dev})
    task = custom_task(used, name=name, source=name, choices=choices, tolerated=("empty", "unlabelled"))
    notes = [f"the split {dev!r} is used as dev"] if dev not in (None, "dev") else []
    notes += [f"splits left aside: {', '.join(left)}"] if left else []
    return task.with_train(task.train, *notes)
