"""The table of tasks."""

import pytest

from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.data.tasks.task_spec import SIZES, TASKS, TaskSpec, task_named


def test_all_nine_glue_tasks_and_ax_are_there() -> None:
    glue = {"cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte", "wnli"}
    assert set(TASKS) >= {*glue, "ax"}


def test_labels_stand_in_the_order_of_the_hub() -> None:
    assert {name: spec.labels for name, spec in TASKS.items()} == {
        "cola": ("unacceptable", "acceptable"),
        "sst2": ("negative", "positive"),
        "mrpc": ("not_equivalent", "equivalent"),
        "qqp": ("not_duplicate", "duplicate"),
        "stsb": (),
        "mnli": ("entailment", "neutral", "contradiction"),
        "qnli": ("entailment", "not_entailment"),
        "rte": ("entailment", "not_entailment"),
        "wnli": ("not_entailment", "entailment"),
        "ax": ("entailment", "neutral", "contradiction"),
    }


def test_headline_metrics_are_those_of_the_leaderboard() -> None:
    special = {"cola": "matthews", "ax": "matthews", "stsb": "pearson", "mrpc": "f1", "qqp": "f1"}
    assert {name: spec.metrics[0] for name, spec in TASKS.items()} == {
        name: special.get(name, "accuracy") for name in TASKS
    }
    assert TASKS["stsb"].metrics == ("pearson", "spearman")
    assert TASKS["mrpc"].metrics == TASKS["qqp"].metrics == ("f1", "accuracy")


def test_mnli_has_two_dev_splits_and_scores_have_a_range() -> None:
    assert TASKS["mnli"].splits == ("dev_matched", "dev_mismatched")
    assert TASKS["stsb"].score_range == (0, 5)
    assert TASKS["stsb"].num_classes == 1
    assert TASKS["mnli"].num_classes == 3


@pytest.mark.parametrize("name", TASKS)
def test_every_split_has_an_official_size(name: str) -> None:
    spec = TASKS[name]
    train = ("train",) if spec.splits else ()
    assert set(SIZES[name]) == {*train, *spec.splits, *spec.test_splits}


def test_an_unknown_task_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(
        UnknownNameError, match=r"no task is called 'sts-b'\. Did you mean 'stsb'\? Known: ax, cola"
    ):
        task_named("sts-b")


def test_a_spec_with_one_label_or_three_texts_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"classification needs two or more label names"):
        TaskSpec(name="own", columns=("text",), labels=("good",))
    with pytest.raises(ConfigError, match=r"one or two text columns, got 3"):
        TaskSpec(name="own", columns=("a", "b", "c"), labels=("x", "y"))
