"""Files as they come from spreadsheets and scripts: what is read, what is said, what is refused and how."""

import csv
import json
import logging
import re

import pytest
from datasets import Dataset, Features, Value

from lmdistill.core.errors import ConfigError, DataError, UnknownNameError
from lmdistill.data.load_task import load_task
from lmdistill.data.tasks import build_examples
from lmdistill.recipes.classifier import Data
from lmdistill.recipes.parsing import parse
from lmdistill.runs.classification.data import load_whole


def table(path, rows, header=("text", "label")):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows] if header else rows)
    return path


def lines(path, objects):
    path.write_text("".join(json.dumps(value) + "\n" for value in objects), encoding="utf-8")
    return path


def words(labels, copies=4):
    return [[f"text {number}", label] for number, label in enumerate(labels * copies)]


def noted(task, said):
    return any(said in note for note in task.notes)


def refused(path, said, **options):
    with pytest.raises((DataError, ConfigError), match=said) as caught:
        load_task("own", path, **options)
    assert "\n" not in str(caught.value)


# --- cells that are no text and no label


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"title": "a", "body": "b"}, r"line 1: 'data' holds an object with the keys title, body, where a text is needed"),
        (["a", "b"], r"line 1: 'data' holds a list, where a text is needed. .* set data\.text to that"),
    ],
)  # fmt: skip
def test_a_text_column_of_objects_is_refused(tmp_path, cache, value, said):
    refused(lines(tmp_path / "a.jsonl", [{"data": value, "label": "x"}, {"data": value, "label": "y"}]), said)


def test_probabilities_are_refused_in_one_line(tmp_path, cache):
    rows = [{"text": "a", "probabilities": {"x": 0.9, "y": 0.1}}, {"text": "b", "probabilities": {"x": 1}}]
    refused(lines(tmp_path / "a.jsonl", rows), r"line 1: 'probabilities' holds an object with the keys x, y")


def test_a_json_list_of_objects_is_read_and_unused_keys_may_differ(tmp_path, cache):
    rows = [
        {"text": f"t{n}", "intent": "ab"[n % 2], **({"slots": {"n": n}} if n % 3 else {})} for n in range(20)
    ]
    (tmp_path / "a.json").write_text(json.dumps(rows, indent=1))
    listed = load_task("own", tmp_path / "a.json")
    assert listed.spec.labels == ("a", "b")
    assert listed.fingerprint == load_task("own", lines(tmp_path / "b.jsonl", rows)).fingerprint


def test_a_key_that_a_row_lacks_is_an_empty_cell(tmp_path, cache):
    rows = [{"text": f"t{n}", "label": "ab"[n % 2]} for n in range(20)]
    path = lines(tmp_path / "a.jsonl", [*rows, {"text": "c"}])
    refused(path, r"line 21: there is no label in 'label'.* or set data\.drop to \[unlabelled\]")
    task = load_task("own", path, drop=["unlabelled"])
    assert noted(task, "dropped 1 of 21 rows without a label")
    assert sorted(task.train["sentence1"][:] + task.dev["dev"]["sentence1"][:]) == sorted(
        f"t{n}" for n in range(20)
    )
    path = lines(tmp_path / "b.jsonl", [*rows, {"label": "a"}])
    refused(path, r"line 21: the text in 'text' is empty.* or set data\.drop to \[empty\]")
    task = load_task("own", path, drop=["empty"])
    assert noted(task, "dropped 1 of 21 rows with an empty text")
    assert task.train.num_rows + task.dev["dev"].num_rows == 20
    assert "" not in task.train["sentence1"][:] + task.dev["dev"]["sentence1"][:]


@pytest.mark.parametrize("columns", [("text", "label"), ()])
def test_a_parquet_file_without_rows_or_columns_is_refused(tmp_path, cache, columns):
    features = Features(dict.fromkeys(columns, Value("string")))
    Dataset.from_dict({name: [] for name in columns}, features=features).to_parquet(tmp_path / "a.parquet")
    refused(tmp_path / "a.parquet", r"a\.parquet has .*no rows.* Add examples\.$")


# --- labels


@pytest.mark.parametrize("first", [0, 1])
def test_whole_numbers_without_gaps_are_class_ids_and_the_reason_is_said(tmp_path, cache, first):
    path = table(tmp_path / "a.csv", words([str(first + n) for n in range(30)]))
    task = load_task("own", path)
    assert task.spec.labels == tuple(str(first + n) for n in range(30))
    assert noted(task, f"the whole numbers from {first} to {first + 29} without gaps; data.kind: regression")
    assert load_task("own", path, kind="regression").spec.kind == "regression"


def test_whole_numbers_with_gaps_and_decimals_are_scores_and_the_reason_is_said(tmp_path, cache):
    path = table(tmp_path / "a.csv", words([str(2 * n) for n in range(30)]))
    task = load_task("own", path)
    assert (task.spec.kind, noted(task, "data.kind: classification makes them classes")) == (
        "regression",
        True,
    )
    assert load_task("own", path, kind="classification").spec.num_classes == 30
    assert noted(load_task("own", table(tmp_path / "b.csv", words(["0.5", "1"]))), "numbers with decimals")


@pytest.mark.parametrize(
    ("spellings", "labels"),
    [
        (["0", "0.0", "1", "1.0", "1.0"], ("0", "1")),
        (["pos", "Pos", "pos", " neg", "neg", "NEG", "neg"], ("neg", "pos")),
        (["very good", "very_good", "very good", "bad"], ("bad", "very good")),
    ],
)
def test_labels_of_several_spellings_are_one_class_and_that_is_said(tmp_path, cache, spellings, labels):
    task = load_task("own", table(tmp_path / "a.csv", words(spellings)))
    assert task.spec.labels == labels
    assert noted(task, "labels of several spellings are one class")


def test_labels_that_differ_in_a_sign_or_are_named_apart_stay_apart(tmp_path, cache):
    assert load_task("own", table(tmp_path / "a.csv", words(["-1", "0", "1"]))).spec.labels == (
        "-1",
        "0",
        "1",
    )
    assert load_task("own", table(tmp_path / "b.csv", words(["A", "A-", "B"]))).spec.labels == (
        "A",
        "A-",
        "B",
    )
    task = load_task("own", table(tmp_path / "c.csv", words(["Co", "CO"])), labels=["CO", "Co"])
    assert task.spec.labels == ("CO", "Co")
    assert sorted(task.train["label"][:] + task.dev["dev"]["label"][:]) == [0] * 4 + [1] * 4


def test_dev_labels_in_another_spelling_are_the_same_ones(tmp_path, cache):
    path = table(tmp_path / "a.csv", words(["0", "1"]))
    dev = table(tmp_path / "dev.csv", [["a", "1.0"], ["b", "0.0"]])
    assert load_task("own", path, dev=dev).dev["dev"]["label"][:] == [1, 0]


@pytest.mark.parametrize("text", ["nan", "NaN", "<NA>", "None", "null", "N/A"])
def test_what_stands_for_a_missing_number_is_a_missing_label(tmp_path, cache, text):
    path = table(tmp_path / "a.csv", [*words(["0", "1"]), ["last", text]])
    refused(
        path,
        rf"a\.csv, line 10: there is no label in 'label' \('{re.escape(text)}' stands for a missing one\)",
    )
    task = load_task("own", path, drop=["unlabelled"])
    assert task.spec.labels == ("0", "1")
    assert noted(task, "dropped 1 of 9 rows without a label")


def test_none_is_a_class_among_words_and_a_named_label_is_never_missing(tmp_path, cache):
    path = table(tmp_path / "a.csv", words(["praise", "None"]))
    assert load_task("own", path).spec.labels == ("None", "praise")
    path = table(tmp_path / "b.csv", words(["nan", "yue"]))  # codes of languages
    assert load_task("own", path, labels=["yue", "nan"]).spec.labels == ("yue", "nan")


@pytest.mark.parametrize(
    ("labels", "numbers"),
    [
        (["bad", "good"], {"0": 0, "1": 1}),
        ({"1": "good", "0": "bad"}, {"0": 1, "1": 0}),
        ({0: "bad", 1: "good"}, {"0": 0, "1": 1}),
        (["1", "0"], {"0": 1, "1": 0}),
        ([1, 0], {"0": 1, "1": 0}),
    ],
)
def test_names_and_order_of_labels_can_be_set(tmp_path, cache, labels, numbers):
    path = table(tmp_path / "a.csv", words(["0", "1"]))
    task = load_task("own", path, dev=path, labels=labels)
    assert task.train["label"][:] == [numbers[label] for label in ["0", "1"] * 4]
    names = list(labels.values()) if isinstance(labels, dict) else [str(name) for name in labels]
    assert list(task.spec.labels) == names
    recipe = parse(Data, {"source": str(path), "dev": str(path), "labels": labels}, "data")
    assert load_whole("own", recipe).fingerprint == task.fingerprint


def test_several_labels_can_become_one_class(tmp_path, cache):
    path = table(tmp_path / "a.csv", words(["1", "2", "4", "5"]))
    task = load_task("own", path, dev=path, labels={1: "bad", 2: "bad", 4: "good", 5: "good"})
    assert (task.spec.labels, task.train["label"][:4]) == (("bad", "good"), [0, 0, 1, 1])


def test_a_label_without_a_name_is_refused(tmp_path, cache):
    path = table(tmp_path / "a.csv", words(["x", "y", "z"]))
    refused(
        path,
        r"line 4: the label 'z' is unknown; known: x, y\. .* or name all labels in data\.labels",
        labels=["x", "y"],
    )
    refused(
        path, r"data\.labels names classes and data\.kind is regression", labels=["x", "y"], kind="regression"
    )


# --- texts


@pytest.mark.parametrize(
    ("join", "first", "second"), [(" ", "t0 d0", ""), (": ", "t0: d0", ""), (None, "t0", "d0")]
)
def test_two_columns_are_one_text_or_a_pair(tmp_path, cache, join, first, second):
    rows = [["ab"[n % 2], f"t{n}", f"d{n}"] for n in range(12)]
    path = table(tmp_path / "a.csv", rows, ("class", "title", "description"))
    refused(path, r"data\.text: \[title, description\], which is a pair, or one text with data\.join")
    task = load_task("own", path, dev=path, text=["title", "description"], join=join)
    assert (task.train[0]["sentence1"], task.train[0]["sentence2"]) == (first, second)
    assert task.is_pair == (join is None)


def test_three_columns_are_joined_without_the_blank_ones(tmp_path, cache):
    path = table(tmp_path / "a.csv", [["a", "", "c", "x"], ["d", "e", "f", "y"]], ("p", "q", "r", "label"))
    task = load_task("own", path, dev=path, text=["p", "q", "r"], join="|")
    assert task.train["sentence1"][:] == ["a|c", "d|e|f"]
    refused(path, r"data\.text names 3 columns \(p, q, r\), .* or set data\.join", text=["p", "q", "r"])
    with pytest.raises(ConfigError, match=r"data\.join is ' ' and data\.text names no two columns"):
        load_task("own", path, text="p", join=" ")


def test_blank_texts_stop_the_run_or_are_dropped_and_counted(tmp_path, cache):
    path = table(tmp_path / "a.csv", [*words(["x", "y"]), ["  ", "x"]])
    refused(
        path,
        r"a\.csv, line 10: the text in 'text' is empty\. Fill it in or remove the row, or set data\.drop to \[empty\]",
    )
    assert noted(load_task("own", path, drop=["empty"]), "dropped 1 of 9 rows with an empty text")
    with pytest.raises(UnknownNameError, match=r"no kind of row to drop is called 'blank'"):
        load_task("own", path, drop=["blank"])


def test_a_text_that_no_model_reads_is_cut_and_counted(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(build_examples, "MOST_CHARACTERS", 100)
    path = table(tmp_path / "a.csv", [*words(["x", "y"]), ["a " * 10_000, "x"]])
    task = load_task("own", path, dev=path)
    assert max(map(len, task.train["sentence1"])) == 100
    assert noted(task, "cut 1 of 9 rows to 100 characters a text")


# --- files


def test_a_file_without_a_header_proposes_the_key_that_reads_it(tmp_path, cache):
    path = table(
        tmp_path / "a.csv", [["ab"[n % 2], f"title {n}", f"text {n}"] for n in range(20)], header=None
    )
    refused(
        path,
        r"set data\.delimiter; if the first line is a row already, set data\.header to false and name columns by number",
    )
    task = load_task("own", path, header=False, text=3, label=1)
    assert task.spec.labels == ("a", "b")
    assert task.train.num_rows + task.dev["dev"].num_rows == 20
    recipe = parse(Data, {"source": str(path), "header": False, "text": 3, "label": 1}, "data")
    assert load_whole("own", recipe).fingerprint == task.fingerprint


def test_a_latin_1_file_with_semicolons_is_read(tmp_path, cache):
    path = tmp_path / "a.csv"
    rows = "".join(f"{'ab'[n % 2]};très bien {n}, «oui»\n" for n in range(20))
    path.write_bytes(f"étiquette;Texte\n{rows}".encode("latin-1"))
    refused(path, r"a\.csv, line 1: byte 0 is 0xe9, which is not UTF-8; .* or set data\.encoding")
    task = load_task("own", path, encoding="latin-1", text="Texte", label="étiquette")
    assert noted(task, "columns are separated by ';' in a.csv")
    assert all(text.startswith("très bien") for text in task.train["sentence1"])


def test_a_recipe_reads_a_file_as_python_does_and_every_setting_counts(tmp_path, cache):
    for name, count in (("a.csv", 24), ("dev.csv", 3)):
        rows = [f"'{name} | très bien {n % 11}'|{'xy'[n % 2]}" for n in range(count)]
        (tmp_path / name).write_bytes("\n".join(["text|label", *rows, ""]).encode("latin-1"))
    source, dev = str(tmp_path / "a.csv"), str(tmp_path / "dev.csv")
    given = {
        "encoding": "latin-1", "delimiter": "|", "quote": "'", "labels": ["y", "x"], "drop": ["duplicates"],
    }  # fmt: skip
    task = load_task("own", source, dev=dev, **given)
    assert task.train["sentence1"][:2] == ["a.csv | très bien 0", "a.csv | très bien 1"]

    def loaded(settings):
        return load_whole("own", parse(Data, {"source": source, "dev": dev, **settings}, "data"))

    assert loaded(given).fingerprint == task.fingerprint
    for name in given:
        fewer = {key: value for key, value in given.items() if key != name}
        try:
            found = loaded(fewer)
        except DataError:
            continue
        assert (found.fingerprint, found.spec.labels) != (task.fingerprint, task.spec.labels), name


def test_columns_that_nobody_uses_are_no_reason_to_refuse(tmp_path, cache):
    path = tmp_path / "a.csv"
    path.write_text("v1,v2,,,\n" + "".join(f"{'ab'[n % 2]},text {n},,,\n" for n in range(20)))
    assert load_task("own", path, text="v2", label="v1").spec.labels == ("a", "b")


def test_settings_of_files_are_refused_where_there_is_no_file(cache):
    with pytest.raises(ConfigError, match=r"synthetic is no file of yours, so data\.encoding"):
        load_task("synthetic", encoding="latin-1")
    with pytest.raises(ConfigError, match=r"so data\.labels, data\.drop cannot be set"):
        load_task("rte", "x", labels=["a", "b"], drop=["empty"])


# --- repeated texts


def test_repeated_texts_are_counted_and_on_one_side(tmp_path, cache, caplog):
    rows = [[f"text {n % 15}" if n < 30 else f"Text  {n % 15}", "ab"[n % 2]] for n in range(45)]
    with caplog.at_level(logging.INFO, "lmdistill"):
        task = load_task("own", table(tmp_path / "a.csv", rows), dev=0.3)
    held = {" ".join(text.lower().split()) for text in task.dev["dev"]["sentence1"]}
    kept = {" ".join(text.lower().split()) for text in task.train["sentence1"]}
    assert held
    assert not held & kept
    said = "30 of the 45 training rows repeat the text of an earlier row (case and spaces aside); 15 of these texts have unlike labels"
    assert said in caplog.text


def test_repeated_texts_can_be_dropped_from_training(tmp_path, cache):
    path = table(tmp_path / "a.csv", [*words(["x", "y"], 10), ["text 3", "y"], ["TEXT 4", "x"]])
    task = load_task("own", path, drop=["duplicates"])
    assert task.train.num_rows + task.dev["dev"].num_rows == 20
    dev = table(tmp_path / "dev.csv", [["text 0", "x"], ["new", "y"]])
    assert noted(
        load_task("own", path, dev=dev), "the texts of 1 training rows are also in dev, so dev scores are too"
    )
    clean = load_task("own", path, dev=dev, drop=["duplicates"])
    assert clean.train.num_rows == 19
    assert noted(clean, "the texts of 1 training rows are also in dev and are dropped there")


# --- recipe keys


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"labels": [True, False]}, r"data\.labels has True, which YAML reads for words such as yes\. Put it in quotes"),
        ({"labels": {False: "a"}}, r"data\.labels has False, which YAML reads for words such as no"),
        ({"labels": 3}, r"data\.labels must be a valid list of names or a table of keys and values, got 3\. Write \[bad, good\]"),
        ({"text": [True]}, r"data\.text has True"),
        ({"label": True}, r"data\.label must be "),
        ({"drop": ["blank"]}, r"no choice for data\.drop\[0\] is called 'blank'"),
        ({"encoding": "utf-99"}, r"data\.encoding is 'utf-99'"),
        ({"delimiter": "||"}, r"data\.delimiter must be one character"),
        ({"max_length": 10**30}, r"data\.max_length must be below 2\^63, got 1000000000000000000000000000000"),
        ({"rows": 1e30}, r"data\.rows must be below 2\^63"),
    ],
)  # fmt: skip
def test_recipe_keys_out_of_range_are_refused(value, said):
    with pytest.raises((ConfigError, UnknownNameError), match=said):
        parse(Data, value, "data")
