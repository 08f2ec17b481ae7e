"""The metrics of a task are the user's choice, if they suit it."""

import csv
import logging

import pytest

from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.data.load_task import load_task
from lmdistill.data.tasks.metric_choice import metric_names
from lmdistill.data.tasks.task_spec import SYNTHETIC, TASKS


def _table(path, labels, dev=()):
    rows = [["text", "label"], *([f"text {number} {path.stem}", one] for number, one in enumerate(labels))]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def files(tmp_path, cache):
    train = _table(tmp_path / "train.csv", ["a", "b", "c", "a"])
    return {"data": train, "dev": _table(tmp_path / "dev.csv", ["a", "c", "c"])}


def test_the_metrics_of_an_own_task_are_those_that_are_named_headline_first(files, caplog):
    assert load_task("own", **files).spec.metrics == ("accuracy", "matthews")
    with caplog.at_level(logging.WARNING, "lmdistill"):
        task = load_task("own", **files, metrics=["macro_f1", "accuracy"])
    assert task.spec.metrics == ("macro_f1", "accuracy") == task.spec.chosen_metrics
    note = "1 of 3 classes have no dev example; they count with 0 in macro_f1"
    assert task.notes[-1] == note
    assert note in caplog.text
    assert load_task("own", **files, metrics="matthews").spec.metrics == ("matthews",)


def test_metrics_do_not_change_the_fingerprint_of_the_data(files):
    assert load_task("own", **files).fingerprint == load_task("own", **files, metrics="macro_f1").fingerprint


def test_metrics_can_be_chosen_for_tasks_whose_columns_are_known(cache, tmp_path):
    folder = tmp_path / "sst2"
    folder.mkdir()
    for split in ("train", "dev"):
        lines = ["sentence1\tsentence2\tlabel", *(f"{split} {n}\t\t{n % 2}" for n in range(4))]
        (folder / f"{split}.tsv").write_text("".join(f"{line}\n" for line in lines))
    assert load_task("sst2", tmp_path, metrics=["macro_f1"]).spec.metrics == ("macro_f1",)


def test_only_metrics_that_are_not_the_usual_ones_are_chosen():
    assert [spec.chosen_metrics for spec in (*TASKS.values(), SYNTHETIC)] == [()] * (len(TASKS) + 1)


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        (
            ["pearson"],
            r"^data\.metrics: pearson compares scores and own has 3 outputs; use accuracy, macro_f1, m",
        ),
        (["f1"], r"^data\.metrics: f1 is for 2 classes and own has 3; use macro_f1 instead\."),
        (["accuracy", "accuracy"], r"^data\.metrics has a duplicate: accuracy, accuracy\. Name each"),
    ],
)
def test_metrics_that_do_not_suit_the_task_are_refused(files, metrics, said):
    with pytest.raises(ConfigError, match=said) as caught:
        load_task("own", **files, metrics=metrics)
    assert "\n" not in str(caught.value)


def test_an_unknown_metric_is_refused_before_any_file_is_read():
    with pytest.raises(UnknownNameError, match="macro_f1"):
        load_task("own", "no-such-file.csv", metrics=["macrof1"])
    assert metric_names(None) == ()
