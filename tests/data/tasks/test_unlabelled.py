"""Texts without labels: added after the labelled ones, and never what judges a model."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from lmdistill.core.errors import DataError
from lmdistill.data.files.table_format import TableFormat
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.task_spec import TaskSpec
from lmdistill.data.tasks.unlabelled import (
    labelled_rows,
    read_unlabelled,
    rest_of,
    with_extra_rows,
    with_unlabelled,
)

SPEC = TaskSpec(name="own", columns=("text",), labels=("bad", "good"))
LONG = "one two three four five six seven eight nine ten"


def rows(texts, labels=None, first=0, seconds=None):
    return Dataset.from_dict(
        {
            "sentence1": list(texts),
            "sentence2": list(seconds or [""] * len(texts)),
            "label": labels if labels is not None else [0] * len(texts),
            "index": list(range(first, first + len(texts))),
        }
    )


def task(**splits):
    given = {"train": rows(["a film", "a plot"], [0, 1]), "dev": rows(["the dev text", LONG], [0, 1])}
    return Task(spec=SPEC, splits={**given, **splits}, source="here")


def added(found):
    return found.train["sentence1"][2:]


def test_rows_come_after_the_labelled_ones_without_their_labels():
    given = task()
    found = with_unlabelled(given, [("more.csv", rows(["new", "other"], [1, 1]))])
    assert found.train["sentence1"][:] == ["a film", "a plot", "new", "other"]
    assert found.train["label"][:] == [0, 1, -1, -1]
    assert len(set(found.train["index"])) == 4
    assert labelled_rows(found.train).tolist() == [0, 1]
    assert found.dev["dev"]["sentence1"][:] == given.dev["dev"]["sentence1"][:]
    assert "2 of 2 texts without labels from more.csv" in found.notes


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("the dev text", "also in dev or test"),
        ("  The DEV text! ", "also in dev or test"),
        ("before " + LONG.upper() + " after", "share 8 consecutive words"),
        (" ".join(LONG.split()[1:9]), "share 8 consecutive words"),
        ("the test text", "also in dev or test"),
        ("A film.", "also labelled training texts"),
        ("kept", "repeat an earlier one"),
        ("'Kept'", "repeat an earlier one"),
    ],
)
def test_what_is_known_is_left_out_and_counted(text, why):
    given = task(test=rows(["the test text"], [-1]))
    found = with_unlabelled(given, [("m", rows(["kept", text, "also kept"]))])
    assert added(found) == ["kept", "also kept"]
    assert why in found.notes[-1]
    assert "left out 1" in found.notes[-1]


def test_seven_common_words_are_not_enough():
    text = " ".join([*LONG.split()[1:8], "else"])
    assert added(with_unlabelled(task(), [("m", rows([text]))])) == [text]


def test_a_pair_is_left_out_if_both_of_its_texts_are_known():
    spec = replace(SPEC, columns=("a", "b"))
    dev = rows(["p", "p2"], [0, 1], seconds=["h", "h2"])
    given = Task(spec=spec, splits={"train": rows(["x"], [0], seconds=["y"]), "dev": dev}, source="here")
    candidates = rows(["p", "p", "p", "x"], seconds=["h", "new", "h2", "y"])
    found = with_unlabelled(given, [("m", candidates)])
    assert list(zip(found.train["sentence1"], found.train["sentence2"], strict=True))[1:] == [("p", "new")]


def test_texts_that_are_all_in_dev_are_refused():
    with pytest.raises(
        DataError, match=r"none of the 2 texts without labels in m can be used; left out 2 that"
    ):
        with_unlabelled(task(), [("m", rows(["the dev text", LONG]))])


def test_scores_are_missing_as_numbers_that_are_none():
    scores = Task(
        spec=TaskSpec(name="own", kind="regression", columns=("text",), metrics=("pearson",)),
        splits={"train": rows(["a"], [0.5]), "dev": rows(["d"], [1.5])},
        source="here",
    )
    found = with_unlabelled(scores, [("m", rows(["b"], [9.0]))])
    assert np.isnan(found.train["label"][1])
    assert labelled_rows(found.train).tolist() == [0]


def test_the_rest_is_what_was_not_chosen():
    whole = rows(list("abcdef"))
    assert rest_of(whole, whole.select([1, 4]))["sentence1"][:] == ["a", "c", "d", "f"]


@pytest.mark.parametrize(("labels", "expected"), [("keep", 1), ("teacher", -1)])
def test_variants_keep_their_labels_or_leave_them_to_the_teacher(labels, expected):
    found = with_extra_rows(task(), rows(["variant", "of a text"], [1, -1]), "eda", labels=labels)
    assert found.train["label"][:] == [0, 1, expected, -1]
    counts = (1, 1) if labels == "keep" else (0, 2)
    assert found.notes[-1] == "{} training rows added by eda, and {} texts without labels".format(*counts)


@pytest.mark.parametrize("name", ["more.jsonl", "more.csv"])
def test_a_file_is_read_by_the_columns_of_the_task_and_its_labels_are_not(name, tmp_path):
    path = Path(tmp_path, name)
    lines = [{"text": "x", "label": "unknown"}, {"text": " ", "label": ""}, {"text": "y", "label": "good"}]
    if name.endswith("csv"):
        path.write_text("label,text\nunknown,x\n, \ngood,y\n")
    else:
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = read_unlabelled(path, SPEC, form=TableFormat())
    assert found["sentence1"][:] == ["x", "y"]
    assert set(found["label"]) == {-1}


def test_pairs_need_two_columns(tmp_path):
    path = Path(tmp_path, "x.csv")
    path.write_text("text\na\n")
    with pytest.raises(DataError, match=r"the texts are read from text, and own has pairs"):
        read_unlabelled(path, replace(SPEC, columns=("premise", "hypothesis")), form=TableFormat())


TEXTS = ["a film", "A film!", "new", " New ", "other", LONG, f"{LONG} and more", "the dev text", "x y z"]


@settings(max_examples=25)
@given(st.lists(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=6), min_size=1, max_size=3))
def test_what_is_left_out_is_what_a_loop_over_all_rows_leaves_out(sources):
    kept, seen, new = [], {"a film"}, []
    for source in sources:
        before = len(kept)
        for text in source:
            plain = " ".join(text.lower().strip("! ").split())
            if plain not in seen and plain != "the dev text" and not plain.startswith(LONG):
                kept.append(text)
                seen.add(plain)
        new.append(len(kept) - before)
    given_rows = [(f"{number}.csv", rows(source)) for number, source in enumerate(sources)]
    if 0 in new:  # a source of which nothing is left is refused
        with pytest.raises(DataError, match=f"in {new.index(0)}.csv can be used"):
            with_unlabelled(task(), given_rows)
    else:
        assert added(with_unlabelled(task(), given_rows))[:] == kept


def test_no_progress_bar_of_another_library_is_shown(capfd):
    with_unlabelled(task(), [("more.csv", rows([f"text {n}" for n in range(2000)] + ["a film"]))])
    assert capfd.readouterr().err == ""
