"""A labelled test split: scored beside dev, never first, and apart from what is learned."""

import csv

import pytest
from datasets import Dataset, DatasetDict

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.data.files.table_format import TableFormat
from lmdistill.data.load_task import load_task
from lmdistill.data.tasks.unlabelled import read_unlabelled, with_unlabelled


def _table(path, texts, labels="ab"):
    rows = [["text", "label"], *([one, labels[number % 2]] for number, one in enumerate(texts))]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def files(tmp_path, cache):
    return {
        "data": _table(tmp_path / "train.csv", [f"train {number}" for number in range(20)]),
        "test": _table(tmp_path / "test.csv", ["test 0", "TRAIN  3", "train 4", "test 3"]),
    }


def test_dev_stays_first_and_test_is_scored_too(files, tmp_path):
    task = load_task("own", **files)
    assert task.spec.splits == ("dev", "test")
    assert task.spec.test_splits == ()
    assert list(task.dev) == ["dev", "test"]
    assert task.dev["test"]["label"][:] == [0, 1, 0, 1]
    assert task.source == f"{files['data']}, test {files['test']}"
    dev = _table(tmp_path / "dev.csv", ["dev 0", "dev 1"])
    assert load_task("own", **files, dev=dev).dev["dev"].num_rows == 2
    assert load_task("own", files["data"]).spec.splits == ("dev",)


def test_training_rows_that_are_in_test_are_counted_or_dropped(files):
    task = load_task("own", **files)
    assert "the texts of 2 training rows are also in test, so test scores are too good" in task.notes
    dropped = load_task("own", **files, drop=["duplicates"])
    assert "the texts of 2 training rows are also in test and are dropped there" in dropped.notes
    texts = [text for rows in (dropped.train, dropped.dev["dev"]) for text in rows["sentence1"][:]]
    assert len(texts) == 18
    assert {"train 3", "train 4"}.isdisjoint(texts)


def test_dev_rows_that_are_in_test_are_counted(files, tmp_path):
    dev = _table(tmp_path / "dev.csv", ["dev 0", "test 3"])
    task = load_task("own", **files, dev=dev)
    assert "the texts of 1 dev rows are also in test, so dev knows them" in task.notes


def test_texts_of_test_are_no_texts_without_labels(files, tmp_path):
    task = load_task("own", **files)
    more = _table(tmp_path / "more.csv", ["test 0", "new text"])
    rows = read_unlabelled(more, task.spec, form=TableFormat())
    assert with_unlabelled(task, [("more", rows)]).train["sentence1"][:][-1] == "new text"


def test_a_test_row_without_a_label_or_with_an_unknown_one_is_refused(files, tmp_path):
    with pytest.raises(DataError, match=r"test2\.csv.*there is no label"):
        load_task("own", files["data"], test=_table(tmp_path / "test2.csv", ["x", "y"], labels=("a", "")))
    with pytest.raises(DataError, match=r"test3\.csv.*the label 'c' is unknown"):
        load_task("own", files["data"], test=_table(tmp_path / "test3.csv", ["x", "y"], labels="ac"))


@pytest.fixture
def folder(tmp_path, cache):
    def rows(name, count, label=True):
        found = {"text": [f"{name} {number}" for number in range(count)]}
        return Dataset.from_dict(
            found | {"label": ["ab"[number % 2] if label else None for number in range(count)]}
        )

    splits = {"train": rows("train", 8), "validation": rows("dev", 4), "test": rows("test", 6)}
    DatasetDict({**splits, "secret": rows("secret", 3, label=False)}).save_to_disk(tmp_path / "set")
    return str(tmp_path / "set")


def test_a_split_of_a_data_set_is_named(folder):
    assert load_task(folder).spec.splits == ("dev",)
    task = load_task(folder, test="test")
    assert task.spec.splits == ("dev", "test")
    assert task.dev["test"]["sentence1"][:] == [f"test {number}" for number in range(6)]
    other = load_task(folder, test="validation", dev=0.25)
    assert other.dev["test"].num_rows == 4
    assert "the split 'validation' is used as test" in other.notes
    assert other.dev["dev"].num_rows == 2


def test_splits_that_are_not_there_or_have_no_labels_are_refused(folder):
    for name in ("tset", "train"):
        with pytest.raises(
            DataError, match=rf"data\.test is '{name}', and .* has these splits: train, valid"
        ):
            load_task(folder, test=name)
    with pytest.raises(DataError, match="none of the 3 rows can be used"):
        load_task(folder, test="secret")


def test_tasks_with_known_splits_take_no_test():
    with pytest.raises(ConfigError, match=r"generates its texts, so data\.test 'a\.csv' has no effect"):
        load_task("synthetic", test="a.csv")
    with pytest.raises(ConfigError, match=r"data\.test cannot be set"):
        load_task("sst2", "glue", test="a.csv")
