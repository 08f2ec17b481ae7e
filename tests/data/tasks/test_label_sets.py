"""Several labels for a text in files: every way to write them, what is inferred, what is refused and how."""

import csv
import json
import logging

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.data.load_task import load_task
from lmdistill.data.tasks.dev_split import equal_texts, hold_out_dev
from lmdistill.data.tasks.subsample import labels_of, strata_of, subset, with_train_subset
from lmdistill.data.tasks.task import has_label
from lmdistill.data.tasks.text_hashes import text_hashes
from lmdistill.data.tasks.unlabelled import labelled_rows, with_unlabelled

SETS = [["blame", "plot"], ["praise"], [], ["cast", "blame", "plot"], ["praise", "cast"], ["blame"]] * 4
NAMES = ("blame", "cast", "plot", "praise")
ROWS = [[int(name in one) for name in NAMES] for one in SETS]


def lines(path, sets=SETS, column="labels", **more):
    rows = [{"text": f"text {at}", column: one, **more} for at, one in enumerate(sets)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def table(path, cells, header=("text", "labels")):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *([f"text {at}", *one] for at, one in enumerate(cells))])
    return path


def rows_of(task):
    """Labels by text, over train and dev."""
    found = {}
    for split in ("train", "dev"):
        rows = task.split(split).with_format(None)[:]
        found |= dict(zip(rows["sentence1"], rows["label"], strict=True))
    return [found[f"text {at}"] for at in range(len(found))]


def refused(path, said, error=DataError, **options):
    with pytest.raises(error, match=said) as caught:
        load_task("own", path, **options)
    assert "\n" not in str(caught.value)


def written(tmp_path):
    """The same labels in every way that they can be written, with the settings that read them."""
    yield lines(tmp_path / "a.jsonl"), {}
    yield lines(tmp_path / "b.jsonl", [one * 2 for one in SETS]), {}  # a label twice is there once
    yield table(tmp_path / "c.csv", [[json.dumps(one)] for one in SETS]), {}
    yield table(tmp_path / "d.csv", [[repr(one)] for one in SETS]), {}
    yield (
        table(tmp_path / "e.csv", [["; ".join(one) or "[]"] for one in SETS]),
        {"label_separator": ";", "kind": "multilabel"},
    )
    yield table(tmp_path / "f.csv", ROWS, ("text", *NAMES)), {"label": NAMES}
    yield (
        table(tmp_path / "g.csv", [[float(x) for x in row] for row in ROWS], ("text", *NAMES)),
        {"label": NAMES},
    )
    yield lines(tmp_path / "h.jsonl", ROWS), {"labels": NAMES}
    numbers = [[NAMES.index(name) for name in one] for one in SETS]
    yield lines(tmp_path / "i.jsonl", numbers), {"labels": NAMES}
    yield lines(tmp_path / "j.jsonl", [[name.upper() for name in one] for one in SETS]), {"labels": NAMES}
    short = [[name[:2] for name in one] for one in SETS]
    yield lines(tmp_path / "k.jsonl", short), {"labels": {name[:2]: name for name in NAMES}}


@pytest.mark.parametrize("way", range(11))
def test_every_way_to_write_labels_gives_the_same_rows(tmp_path, cache, way):
    path, settings = list(written(tmp_path))[way]
    task = load_task("own", path, **settings)
    assert task.spec.kind == "multilabel"
    assert task.spec.labels == NAMES
    assert task.spec.num_classes == 4
    assert task.spec.metrics == ("micro_f1", "macro_f1", "subset_accuracy")
    assert rows_of(task) == ROWS
    assert any("4 of 24 rows have none of them" in note for note in task.notes)


def test_lists_are_inferred_and_that_is_said(tmp_path, cache):
    task = load_task("own", lines(tmp_path / "a.jsonl"))
    said = (
        "multi-label with 4 labels in this order: blame, cast, plot, praise (inferred: 'labels' holds lists)"
    )
    assert said in task.notes
    given = load_task("own", lines(tmp_path / "a.jsonl"), kind="multilabel", labels=NAMES[::-1])
    assert given.spec.labels == NAMES[::-1]
    assert [row[::-1] for row in rows_of(given)] == ROWS


def test_lists_of_class_labels_on_the_hub_are_read_by_name(tmp_path, cache):
    kinds = Features({"text": Value("string"), "labels": List(ClassLabel(names=list(NAMES[::-1])))})
    sets = [[NAMES[::-1].index(name) for name in one] for one in SETS]
    columns = {"text": [f"text {at}" for at in range(len(SETS))], "labels": sets}
    part = Dataset.from_dict(columns, features=kinds)
    DatasetDict({"train": part, "validation": part}).save_to_disk(str(tmp_path / "stored"))
    task = load_task(str(tmp_path / "stored"))
    assert task.spec.labels == NAMES[::-1]
    assert [row[::-1] for row in rows_of(task)] == ROWS


def test_an_unknown_label_in_dev_is_refused_with_its_row_and_the_known_ones(tmp_path, cache):
    dev = lines(tmp_path / "dev.jsonl", [["blame"], ["plto", "cast"]])
    said = (
        r"dev\.jsonl, line 2: the label 'plto' is unknown; known: blame, cast, plot, praise\. Correct the row"
    )
    refused(lines(tmp_path / "a.jsonl"), said, dev=dev)


@pytest.mark.parametrize(
    ("sets", "settings", "said", "error"),
    [
        ([["a"], None, ["b"]], {}, r"line 2: there is no label in 'labels'. Write \[\] for a text with none", DataError),
        ([["a"], "b", ["b"]], {}, r"line 2: 'labels' holds 'b', where a list .* \[\"b\"\], or set data\.label_separator", DataError),
        ([["a"], {"b": 1}, ["b"]], {}, r"line 2: 'labels' holds an object with the keys b, where a list", DataError),
        ([["a"], ["a", ["b"]], ["b"]], {}, r"line 2: 'labels' holds \['b'\] in its list of labels", DataError),
        ([["a"], ["a"]], {}, r"holds 1 different labels \(a\); a multi-label task needs two", DataError),
        ([[], []], {}, r"holds 0 different labels \(none\)", DataError),
        ([["a", "b"]] * 4, {}, r"all 4 training examples have the same labels", DataError),
        ([[1, 0, 0], [0, 1, 1]], {}, r"lists of 3 numbers 0 or 1, and data\.labels names none\. Set data\.labels", ConfigError),
        ([[1, 0, 0], [0, 1, 1]], {"labels": ["x", "y"]}, r"lists of 3 numbers 0 or 1, and data\.labels names 2", ConfigError),
        (["a", "b"], {"kind": "multilabel"}, r"line 1: 'labels' holds 'a', where a list of labels is needed", DataError),
        ([["a"], ["b"]], {"kind": "classification"}, r"line 1: 'labels' holds a list.* set data\.kind: multilabel", DataError),
        (["a", "b", ["a"]], {}, r"line 3: 'labels' holds a list.* set data\.kind: multilabel", DataError),
        ([["a"], ["b"]], {"label_separator": ";", "kind": "regression"}, r"label_separator is ';', .* data\.kind is regression", ConfigError),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path, cache, sets, settings, said, error):
    refused(lines(tmp_path / "a.jsonl", sets), said, error, **settings)


@pytest.mark.parametrize(
    ("cells", "settings", "said"),
    [
        (
            [[1, 0], [2, 1]],
            {},
            r"line 3: 'x' is '2', where 0 or 1 is needed: whether the text has this label",
        ),
        ([[1, 0], ["", 1]], {}, r"line 3: 'x' is '', where 0 or 1 is needed"),
        ([[1, 0], ["", ""]], {}, r"line 3: there is no label in 'x' and 'y'\. Write 0 for each or remove"),
        ([[1, 0], [0, 1]], {"label": ["x", "z"]}, r"there is no column 'z'"),
        ([[1, 0], [0, 1]], {"label": ["x", "x"]}, r"data\.label names x, x; name different columns"),
        ([[1, 0], [0, 1]], {"label": ["x", "text"], "text": "text"}, r"'text' cannot be both text and label"),
    ],
)
def test_columns_of_0_and_1_are_checked(tmp_path, cache, cells, settings, said):
    refused(table(tmp_path / "a.csv", cells, ("text", "x", "y")), said, **{"label": ["x", "y"], **settings})


def test_names_of_columns_and_their_kind_have_to_fit(tmp_path, cache):
    path = table(tmp_path / "a.csv", [[1, 0], [0, 1], [1, 1]], ("text", "x", "y"))
    refused(path, r"data\.label names 2 columns, .* data\.kind is classification", ConfigError,
            label=["x", "y"], kind="classification")  # fmt: skip
    refused(path, r"data\.labels names a, b, and the columns of data\.label are x, y", ConfigError,
            label=["x", "y"], labels=["a", "b"])  # fmt: skip
    task = load_task("own", path, label=["x", "y"], labels={"y": "why", "x": "ex"})
    assert task.spec.labels == ("why", "ex")


def test_no_label_and_none_of_the_labels_are_different(tmp_path, cache):
    sets = [["a"], [], None, ["b"], ["a", "b"], None, ["a"]]
    task = load_task("own", lines(tmp_path / "a.jsonl", sets), drop=("unlabelled",), dev=0.2)
    assert any("dropped 2 of 7 rows without a label" in note for note in task.notes)
    assert any("1 of 5 rows have none of them" in note for note in task.notes)
    assert has_label(np.array([[0, 0], [-1, -1], [1, 0]])).tolist() == [True, False, True]


def test_texts_without_labels_follow_the_others_with_rows_of_their_own(tmp_path, cache):
    task = load_task("own", lines(tmp_path / "a.jsonl"))
    more = Dataset.from_dict({"sentence1": ["new 1", "new 2"], "sentence2": ["", ""]})
    both = with_unlabelled(task, [("more", more)])
    labels = labels_of(both.train)
    assert labels.shape == (task.train.num_rows + 2, 4)
    assert labels[-2:].tolist() == [[-1] * 4] * 2
    assert labelled_rows(both.train).tolist() == list(range(task.train.num_rows))
    assert both.train.features == task.train.features


def test_test_rows_may_lack_labels(tmp_path, cache):
    kinds = Features({"text": Value("string"), "labels": List(Value("string"))})
    train = Dataset.from_dict({"text": [f"t {i}" for i in range(24)], "labels": SETS}, features=kinds)
    test = Dataset.from_dict({"text": ["x", "y"], "labels": [["blame"], None]}, features=kinds)
    DatasetDict({"train": train, "test": test}).save_to_disk(str(tmp_path / "stored"))
    task = load_task(str(tmp_path / "stored"))
    assert labels_of(task.split("test")).tolist() == [[1, 0, 0, 0], [-1] * 4]


# --- drawing of rows


def examples(rows, texts=None):
    texts = texts or [f"text {at}" for at in range(len(rows))]
    columns = {"sentence1": texts, "sentence2": [""] * len(rows), "label": rows, "index": range(len(rows))}
    kind = List(Value("int8"), length=len(rows[0]))
    return Dataset.from_dict(columns).cast_column("label", kind)


def test_a_row_counts_for_its_rarest_label():
    rows = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 1], [0, 0, 0], [1, 1, 1], [1, 1, 0]])
    assert strata_of(rows).tolist() == [1, 0, 2, -1, 2, 1]
    assert strata_of(np.array([3, 1])).tolist() == [3, 1]


def test_dev_has_a_share_of_each_label_and_train_keeps_each():
    rng = np.random.default_rng(0)
    rows = (rng.random((600, 6)) < [0.5, 0.3, 0.2, 0.1, 0.05, 0.02]).astype(int)
    train, dev = hold_out_dev(examples(rows.tolist()), 0.2)
    shares = labels_of(dev).mean(axis=0) / rows.mean(axis=0)
    assert dev.num_rows == 120
    assert (abs(shares - 1) < [0.15, 0.2, 0.25, 0.3, 0.4, 0.7]).all()
    assert labels_of(train).any(axis=0).all()
    plain = rng.permutation(600)[:120]
    assert abs(shares[3:] - 1).max() <= abs(rows[plain].mean(axis=0) / rows.mean(axis=0) - 1)[3:].max() + 0.3


def test_equal_texts_with_unlike_rows_are_counted():
    hashes = text_hashes(examples([[1, 0], [0, 1], [1, 0], [1, 0]], ["A b", "a  B", "c", "C"]))
    found = equal_texts(hashes, np.array([[1, 0], [0, 1], [1, 0], [1, 0]]))
    assert (found.repeats, found.unlike) == (2, 1)


def test_a_subset_has_a_row_of_each_label_and_says_what_is_missing(tmp_path, cache, caplog):
    rows = [[1, 0, 0]] * 60 + [[0, 1, 0]] * 39 + [[0, 0, 1]]
    for seed in range(5):
        assert labels_of(subset(examples(rows), 10, seed=seed)).any(axis=0).all()
    task = load_task("own", lines(tmp_path / "a.jsonl"))
    with caplog.at_level(logging.WARNING, "lmdistill"):
        with_train_subset(task, 2)
    assert "of 4 classes are not in the subset" in caplog.text
