"""A task with its examples."""

import pytest
from datasets import Dataset

from lmdistill.core.errors import DataError
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.task_spec import TASKS


def _task(**columns: list[object]) -> Task:
    rows = {"sentence1": ["a", "b"], "sentence2": ["", ""], "label": [0, 1], "index": [0, 1], **columns}
    return Task(spec=TASKS["sst2"], splits={"train": Dataset.from_dict(rows)}, source="here")


def test_the_fingerprint_follows_contents_and_nothing_else() -> None:
    same, other = _task(), _task(sentence1=["a", "c"])
    assert _task().fingerprint == same.fingerprint
    assert other.fingerprint != same.fingerprint
    assert _task(label=[1, 0]).fingerprint != same.fingerprint
    shuffled = Task(spec=same.spec, splits={"train": same.train.select([1, 0])}, source="here")
    back = Task(spec=same.spec, splits={"train": shuffled.train.select([1, 0])}, source="elsewhere")
    assert shuffled.fingerprint != same.fingerprint == back.fingerprint


def test_a_missing_split_is_named_with_those_that_exist() -> None:
    with pytest.raises(DataError, match=r"sst2 has no 'dev' split in here; it has: train"):
        _ = _task().dev
