"""Subsets: laws of size, seed and classes."""

import logging

import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.data.tasks.subsample import require_classes, subset, with_train_subset
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.task_spec import TASKS


def _rows(labels: list[int]) -> Dataset:
    num_rows = len(labels)
    columns = {"sentence1": [f"t{i}" for i in range(num_rows)], "sentence2": [""] * num_rows}
    return Dataset.from_dict({**columns, "label": labels, "index": list(range(num_rows))})


@settings(deadline=None, max_examples=50)
@given(labels=st.lists(st.integers(0, 4), min_size=6, max_size=60), seed=st.integers(0, 9), data=st.data())
def test_a_subset_has_its_size_its_order_and_every_class_that_fits(
    labels: list[int], seed: int, data: st.DataObject
) -> None:
    labels = [0, 1, *labels]
    size = data.draw(st.integers(2, len(labels)))
    drawn = subset(_rows(labels), size, seed=seed)
    assert drawn.num_rows == size
    assert drawn["index"][:] == sorted(set(drawn["index"]))
    assert len(set(drawn["label"])) == len(set(labels)) or len(set(drawn["label"])) == size
    assert drawn["index"][:] == subset(_rows(labels), size, seed=seed)["index"][:]


def test_other_seeds_draw_other_rows_and_larger_subsets_contain_smaller_ones() -> None:
    rows = _rows([i % 2 for i in range(200)])
    small, large = subset(rows, 0.1, seed=1), subset(rows, 0.5, seed=1)
    assert (small.num_rows, large.num_rows) == (20, 100)
    assert set(small["index"]) <= set(large["index"])
    assert small["index"][:] != subset(rows, 0.1, seed=2)["index"][:]
    assert subset(rows, 20, seed=1)["index"][:] == small["index"][:]


def test_rows_are_drawn_from_everywhere() -> None:
    drawn = subset(_rows([i % 2 for i in range(1000)]), 0.1)["index"][:]
    assert min(drawn) < 100
    assert max(drawn) >= 900


def test_the_whole_set_is_a_fraction_of_one() -> None:
    assert subset(_rows([0, 1, 1]), 1.0)["index"][:] == [0, 1, 2]


@pytest.mark.parametrize("size", [0, -1, 0.0, 1.5, -0.5, float("nan")])
def test_sizes_out_of_range_are_refused(size: float) -> None:
    with pytest.raises(ConfigError, match=r"a fraction in \(0, 1\] or a number of rows, 1 or more; got"):
        subset(_rows([0, 1]), size)


def test_impossible_subsets_are_refused_with_both_values() -> None:
    with pytest.raises(ConfigError, match=r"a subset of 3 rows was asked for, and there are 2"):
        subset(_rows([0, 1]), 3)
    with pytest.raises(ConfigError, match=r"the fraction 0\.1 of 3 rows is 0 rows"):
        subset(_rows([0, 1, 1]), 0.1)
    with pytest.raises(DataError, match=r"a subset of 1 of 2 rows holds a single class; a"):
        subset(_rows([0, 1]), 1)


def test_scores_have_no_classes_to_keep() -> None:
    assert subset(_rows([3, 3, 3]), 2, regression=True).num_rows == 2


def test_a_limited_task_says_so_and_keeps_its_dev_set(caplog: pytest.LogCaptureFixture) -> None:
    spec = TASKS["mnli"]
    whole = _rows([i % 3 for i in range(90)])
    task = Task(spec=spec, splits={"train": whole, "dev_matched": whole}, source="here")
    with caplog.at_level(logging.INFO, "lmdistill"):
        few = with_train_subset(task, 0.1, seed=4)
    assert few.train.num_rows == 9
    assert few.splits["dev_matched"].num_rows == 90
    assert few.notes == ("9 of 90 training examples, drawn with seed 4",)
    assert "9 of 90 training examples" in caplog.text
    assert (
        few.fingerprint
        == with_train_subset(task, 9, seed=4).fingerprint
        != with_train_subset(task, 9, seed=5).fingerprint
    )
    with_train_subset(task, 2)
    assert "1 of 3 classes are not in the subset" in caplog.text


def test_training_data_without_examples_or_with_one_class_is_refused() -> None:
    with pytest.raises(DataError, match=r"here: the training set is empty"):
        require_classes(_rows([0]).select([]), TASKS["sst2"], "here")
    with pytest.raises(DataError, match=r"here: all 2 training examples have the label 'positive'"):
        require_classes(_rows([1, 1]), TASKS["sst2"], "here")
