"""Whose a folder is."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.errors import RunError
from lmdistill.records.record import RECIPE, RECORD
from lmdistill.runs.run_folder import INPUTS, RunFolder, first_difference

RECIPE_A = {"task": "own", "training": {"epochs": 2}, "seeds": [0]}
INPUTS_A = {"data": "aaaa", "student": "bbbb"}

trees = st.recursive(
    st.integers(0, 2) | st.none() | st.text("ab", max_size=2) | st.lists(st.integers(0, 2), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=5,
)


@given(one=trees, other=trees)
def test_there_is_a_difference_exactly_where_trees_differ(one, other):
    found = first_difference(one, other)
    if one == other:
        assert found is None
        return
    assert found is not None
    where, old, new = found
    assert old != new
    for tree, value in ((one, old), (other, new)):
        for part in where.split(".") if where else ():
            tree = tree.get(part)
        assert tree == value
    assert first_difference(other, one) is not None


def test_the_first_difference_is_named_by_its_path():
    assert first_difference({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3}}) == ("b.c", 2, 3)
    assert first_difference({"a": 1}, {"a": 1, "b": 2}) == ("b", None, 2)
    assert first_difference({"a": [1]}, {"a": [1, 2]}) == ("a", [1], [1, 2])


def files(folder):
    return (
        sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")) if folder.exists() else []
    )


def test_a_free_folder_becomes_the_runs_and_stays_it(tmp_path):
    place = RunFolder(path=tmp_path / "deep" / "run")
    place.require(RECIPE_A, INPUTS_A)
    assert files(tmp_path) == []  # asking writes nothing
    place.claim(RECIPE_A, INPUTS_A)
    assert yaml.safe_load((place.path / RECIPE).read_text()) == RECIPE_A
    assert json.loads((place.path / INPUTS).read_text()) == INPUTS_A
    before = {name: (place.path / name).stat().st_mtime_ns for name in (RECIPE, INPUTS)}
    place.require(RECIPE_A, INPUTS_A)
    place.claim(RECIPE_A, INPUTS_A)
    assert {name: (place.path / name).stat().st_mtime_ns for name in (RECIPE, INPUTS)} == before
    assert not place.is_finished


@pytest.mark.parametrize(
    "left", [(), ("teacher",), (INPUTS,), (".recipe.yaml.77.part",), ("teacher", INPUTS)]
)
def test_a_teacher_and_what_a_kill_left_do_not_take_a_folder(tmp_path, left):
    for name in left:
        (tmp_path / name).mkdir() if name == "teacher" else (tmp_path / name).write_text("{}")
    place = RunFolder(path=tmp_path)
    place.require(RECIPE_A, INPUTS_A)
    place.claim(RECIPE_A, INPUTS_A)
    assert json.loads((tmp_path / INPUTS).read_text()) == INPUTS_A
    place.require(RECIPE_A, INPUTS_A)


@pytest.mark.parametrize("name", ["thesis.txt", "student", RECORD])
def test_anything_else_does(tmp_path, name):
    (tmp_path / name).write_text("years of work")
    with pytest.raises(
        RunError, match=r"exists and is no run of lmdistill\. Choose another --out, or remove it\."
    ):
        RunFolder(path=tmp_path).require(RECIPE_A, INPUTS_A)
    assert files(tmp_path) == [name]


@pytest.mark.parametrize(
    ("recipe", "inputs", "match"),
    [
        ({**RECIPE_A, "training": {"epochs": 3}}, INPUTS_A, "training.epochs is 2 there and 3 here"),
        ({**RECIPE_A, "training": {"epochs": 3}}, None, "training.epochs is 2 there and 3 here"),
        ({**RECIPE_A, "seeds": [1]}, INPUTS_A, r"seeds is \[0\] there and \[1\] here"),
        ({**RECIPE_A, "new": 1}, INPUTS_A, "new is None there and 1 here"),
        (RECIPE_A, {**INPUTS_A, "data": "cccc"}, "data is 'aaaa' there and 'cccc' here"),
    ],
)
def test_another_run_is_told_by_the_first_setting_that_differs(tmp_path, recipe, inputs, match):
    place = RunFolder(path=tmp_path / "run")
    place.claim(RECIPE_A, INPUTS_A)
    with pytest.raises(
        RunError, match=f"run holds another run: {match}. Choose another --out, or remove the folder."
    ):
        place.require(recipe, inputs)


def test_a_recipe_that_cannot_be_read_is_named(tmp_path):
    place = RunFolder(path=tmp_path / "run")
    place.claim(RECIPE_A, INPUTS_A)
    (place.path / RECIPE).write_text("a: [")
    with pytest.raises(RunError, match=r"recipe\.yaml cannot be read .*line [12]"):
        place.require(RECIPE_A, INPUTS_A)


def test_several_runs_are_no_single_one(tmp_path):
    (tmp_path / RECIPE).write_text("task: own\n")
    with pytest.raises(RunError, match=r"holds several runs\. Choose another --out"):
        RunFolder(path=tmp_path).require(RECIPE_A, INPUTS_A)


def test_cleaning_takes_the_checkpoints_and_nothing_else(tmp_path):
    place = RunFolder(path=tmp_path / "run")
    place.claim(RECIPE_A, INPUTS_A)
    (place.checkpoints / "step-1").mkdir(parents=True)
    place.clean()
    place.clean()
    assert files(place.path) == sorted([INPUTS, RECIPE])
