"""Which labels the teacher sees: those of the students, or those of all training rows."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from lmdistill.core.errors import ConfigError
from lmdistill.recipes.classifier import Teacher
from lmdistill.recipes.files import read_recipe
from lmdistill.records.record import read_record
from lmdistill.records.text_hashes import read_text_hashes
from lmdistill.runs.run_recipe import run_recipe, train_teacher
from tests.tiny_recipe import write_recipe

LABELLED, ALL = 12, 43
"""Rows of the students, and all training rows: 48 without the dev rows."""


@pytest.fixture
def path(tmp_path, models):
    """A recipe whose teacher has no head for the task, and whose students see 12 labels."""
    return write_recipe(
        tmp_path / "given",
        epochs=1,
        teacher={"model": str(models / "encoder"), "training": {"epochs": 2, "batch_size": 8}},
        data={"source": str(tmp_path / "given" / "texts.csv"), "max_length": 32, "rows": LABELLED},
        method={"name": "kd"},
    )


def run(path, out, *changes):
    (folder,) = run_recipe(read_recipe(path, list(changes)), out, command="test")
    return folder


def weights(folder):
    return load_file(folder / "teacher" / "model.safetensors")


def test_the_teacher_of_all_rows_is_that_of_a_run_without_a_limit(path, tmp_path, no_pages):
    few = run(path, tmp_path / "few" / "run")
    every = run(path, tmp_path / "every" / "run", "teacher.rows=all", "data.unlabelled=[rest]")
    whole = run(path, tmp_path / "whole" / "run", "data.rows=null")
    assert read_record(every / "teacher").task.rows["train"] == ALL
    assert read_record(few / "teacher").task.rows["train"] == LABELLED
    one, two, other = (weights(folder) for folder in (every, whole, few))
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert not all(np.array_equal(one[name], other[name]) for name in one)
    seen = {name: read_text_hashes(folder) for name, folder in (("few", few), ("every", every))}
    assert {name: len(one) for name, one in seen["few"].items()} == {
        "train": LABELLED,
        "teacher": LABELLED + 5,
        "dev": 5,
    }
    assert len(seen["every"]["train"]) == LABELLED
    assert len(seen["every"]["unlabelled"]) == ALL - LABELLED
    assert len(seen["every"]["teacher"]) == ALL + 5  # its own dev rows chose its weights
    said = f"the teacher saw the labels of all {ALL} training rows, the students see those of {LABELLED}"
    assert said in read_record(every).task.notes
    assert not any("the teacher saw" in note for note in read_record(whole).task.notes)


def test_a_teacher_that_was_made_alone_is_used(path, tmp_path, no_pages):
    made = train_teacher(
        read_recipe(path, ["teacher.rows=all"]), tmp_path / "runs" / "teachers", command="test"
    )
    assert made == train_teacher(
        read_recipe(path, ["data.rows=null"]), tmp_path / "runs" / "teachers", command="test"
    )
    folder = run(path, tmp_path / "runs" / "run", "teacher.rows=all")
    assert [entry.name for entry in (tmp_path / "runs" / "teachers").glob("own-*")] == [made.parent.name]
    assert read_record(folder).task.rows["train"] == LABELLED


def test_what_is_not_fine_tuned_cannot_see_other_rows(path, tmp_path, models, no_pages):
    with pytest.raises(ConfigError, match=r"teacher\.rows is all, and the teacher .*model has a head"):
        run(path, tmp_path / "run", "teacher.rows=all", f"teacher.model={tmp_path / 'given' / 'model'}")
    with pytest.raises(ConfigError, match=r"rows is all, and answers or prompt is set, so no teacher"):
        Teacher(rows="all", answers="answers.csv")
    with pytest.raises(ConfigError, match=r"rows is all, and answers or prompt is set, so no teacher"):
        Teacher(rows="all", prompt="default")
