"""The user's own files: formats, inference, and what is refused."""

import csv
import gzip
import json
import logging
from pathlib import Path

import pytest
from datasets import ClassLabel, Dataset, Features, Value
from datasets.exceptions import DatasetGenerationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.data.files.formats import open_rows, read_rows
from lmdistill.data.load_task import load_task
from lmdistill.data.tasks.custom_files import load_custom_files

NASTY = [
    'commas, and "quotes"',
    "two\nlines",
    "emoji 🎬 and ünïcode",
    "tab\there",
    " spaces ",
    '"',
    "semi;colon",
    "'",
]


_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def _csv(path: Path, rows: list[list[str]], **options: str) -> Path:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8", newline="") as file:
        csv.writer(file, **options).writerows(rows)  # type: ignore[arg-type]
    return path


def _text(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _three_classes(copies: int = 4) -> list[list[str]]:
    return [["text", "label"], *([text, "abc"[i % 3]] for i, text in enumerate(NASTY * copies))]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.tsv", "a.tsv.gz", "a.jsonl", "a.json", "a.parquet"])
def test_every_format_gives_the_same_texts_in_order(name: str, tmp_path: Path, cache: Path) -> None:
    path, rows = tmp_path / name, _three_classes()
    dicts = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    if ".json" in name:
        _text(path, "".join(json.dumps(row) + "\n" for row in dicts))
    elif name.endswith("parquet"):
        Dataset.from_list(dicts).to_parquet(path)
    else:
        _csv(path, rows, delimiter="\t" if ".tsv" in name else ",")
    assert list(read_rows(path)) == dicts
    task = load_custom_files(path, path)
    assert task.train["sentence1"][:] == [row["text"] for row in dicts]
    assert task.spec.labels == ("a", "b", "c")
    assert task.train["label"][:] == ["abc".index(row["label"]) for row in dicts]
    assert not task.is_pair


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(_TEXTS, _TEXTS), min_size=1, max_size=5), ending=st.sampled_from([".csv", ".tsv"])
)
def test_what_csv_writes_is_what_is_read(rows: list[tuple[str, str]], ending: str, tmp_path: Path) -> None:
    rows = [(f"{first}.", second) for first, second in rows]  # an empty line at the end is no row
    path = _csv(
        tmp_path / f"x{ending}", [["a", "b"], *map(list, rows)], delimiter="\t" if ending == ".tsv" else ","
    )
    assert [tuple(row.values()) for row in read_rows(path)] == rows


def test_quotes_of_a_plain_tsv_stay_in_the_text(tmp_path: Path) -> None:
    path = _text(tmp_path / "a.tsv", 'text\tlabel\n" The start .\tx\n" A" b\ty\nhe said "no"\tx\n')
    assert [row["text"] for row in read_rows(path)] == ['" The start .', '" A" b', 'he said "no"']


def test_a_semicolon_is_found_and_said(tmp_path: Path, cache: Path) -> None:
    path = _text(tmp_path / "a.csv", "text;label\na,b;x\nc;y\n")
    assert next(read_rows(path)) == {"text": "a,b", "label": "x"}
    assert "columns are separated by ';' in a.csv" in load_custom_files(path, path).notes


def test_reading_rows_takes_no_more_than_it_needs(tmp_path: Path) -> None:
    path = _text(tmp_path / "a.csv", "text,label\na,x\nbroken\n")
    rows = read_rows(path)
    assert next(rows) == {"text": "a", "label": "x"}
    with pytest.raises(
        DataError, match=r"a\.csv, line 3: too few fields, 1 where the header has 2 \(text, label\)"
    ):
        next(rows)


def test_a_row_after_a_text_of_several_lines_is_named_by_its_line(tmp_path: Path) -> None:
    path = _text(tmp_path / "a.csv", 'text,label\n"one\ntwo\nthree",x\nshort\n')
    with pytest.raises(DataError, match=r"a\.csv, line 5: too few fields"):
        list(read_rows(path))


def test_very_long_texts_are_read(tmp_path: Path) -> None:
    path = _csv(tmp_path / "a.csv", [["text", "label"], ["x" * 300_000, "y"]])
    assert len(next(read_rows(path))["text"]) == 300_000


def test_what_is_inferred_is_said_aloud(
    tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = _csv(
        tmp_path / "a.csv",
        [["id", "review", "stars"], *([str(i), f"r{i}", "neg" if i % 3 else "pos"] for i in range(40))],
    )
    with caplog.at_level(logging.INFO, "lmdistill"):
        task = load_custom_files(path, seed=3)
    for said in (
        "text from 'review' (inferred)",
        "label from 'stars' (inferred)",
        "classification with 2 classes in this order: neg, pos (inferred)",
        "4 of the 40 training rows are held out at random (fraction 0.1, seed 3)",
    ):
        assert any(said in note for note in task.notes), said
        assert said in caplog.text


def test_named_columns_and_labels_are_obeyed(tmp_path: Path, cache: Path) -> None:
    path = _csv(tmp_path / "a.csv", [["a", "b", "c", "label"], ["p", "q", "yes", "9"], ["r", "s", "no", "8"]])
    task = load_custom_files(path, path, text=["b", "a"], label="c", labels=["yes", "no"])
    assert task.train[0] == {"sentence1": "q", "sentence2": "p", "label": 0, "index": 0}
    assert task.is_pair
    assert task.spec.labels == ("yes", "no")


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (["0", "1", "2"], "classification"),
        (["1.0", "2.0"], "classification"),
        (["0.5", "1", "2"], "regression"),
        ([str(i) for i in range(30)], "classification"),
        ([str(2 * i) for i in range(30)], "regression"),
        (["1", "2", "x"], "classification"),
    ],
)
def test_numbers_are_scores_when_they_have_decimals_or_are_many(
    labels: list[str], kind: str, tmp_path: Path, cache: Path
) -> None:
    path = _csv(tmp_path / "a.csv", [["text", "y"], *(["t", label] for label in labels)])
    task = load_custom_files(path, path)
    assert task.spec.kind == kind
    if kind == "regression":
        assert task.train["label"][:] == [float(label) for label in labels]
        assert task.spec.metrics == ("pearson", "spearman")
    assert load_custom_files(path, path, kind="classification").spec.kind == "classification"


def test_number_labels_are_ordered_by_value(tmp_path: Path, cache: Path) -> None:
    path = _csv(tmp_path / "a.csv", [["text", "label"], ["t", "10"], ["t", "9"], ["t", "-1"]])
    assert load_custom_files(path, path).spec.labels == ("-1", "9", "10")


def test_a_second_text_that_is_always_empty_makes_single_texts(tmp_path: Path, cache: Path) -> None:
    path = _text(tmp_path / "a.tsv", "sentence1\tsentence2\tlabel\na\t\tx\nb\t\ty\n")
    task = load_custom_files(path, path)
    assert not task.is_pair
    assert any("'sentence2' is empty in every row" in note for note in task.notes)


def test_the_rows_held_out_depend_on_the_seed_alone(tmp_path: Path, cache: Path) -> None:
    path = _csv(tmp_path / "a.csv", [["text", "label"], *([f"t{i}", "xy"[i % 2]] for i in range(50))])
    one, again, other = (
        load_custom_files(path, 0.2, seed=1),
        load_custom_files(path, 0.2, seed=1),
        load_custom_files(path, 0.2, seed=2),
    )
    assert one.fingerprint == again.fingerprint != other.fingerprint
    held, kept = set(one.dev["dev"]["sentence1"]), set(one.train["sentence1"])
    assert (len(held), len(kept), held & kept) == (10, 40, set())


def test_a_class_with_one_example_stays_in_training(tmp_path: Path, cache: Path) -> None:
    path = _csv(
        tmp_path / "a.csv",
        [["text", "label"], *([f"t{i}", "rare" if i == 7 else "xy"[i % 2]] for i in range(20))],
    )
    for seed in range(8):
        assert set(load_custom_files(path, 0.5, seed=seed).train["label"]) == {0, 1, 2}


def test_class_names_of_a_parquet_file_keep_their_order(tmp_path: Path, cache: Path) -> None:
    features = Features({"text": Value("string"), "label": ClassLabel(names=["zeta", "alpha"])})
    Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]}, features=features).to_parquet(
        tmp_path / "a.parquet"
    )
    task = load_custom_files(tmp_path / "a.parquet", tmp_path / "a.parquet")
    assert (task.spec.labels, task.train["label"][:]) == (("zeta", "alpha"), [0, 1])


def test_memory_is_mapped_from_disk(tmp_path: Path, cache: Path) -> None:
    path = _csv(tmp_path / "a.csv", _three_classes())
    files = load_custom_files(path, path).train.cache_files
    assert files
    assert all(Path(file["filename"]).is_relative_to(cache) for file in files)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "", r"a\.csv is empty\. It needs a header line"),
        ("a.csv", "text,label\n", r"a\.csv has a header \(text, label\) and no rows\. Add examples"),
        ("a.jsonl", "", r"a\.jsonl holds no rows"),
        ("a.csv", "text,label\na,x\nb,x\n", r"'label' holds a single class \(x\); a classifier needs two"),
        ("a.csv", "text,label\na,\nb,\n", r"'label' holds a single class \(no label at all\)"),
        ("a.csv", "text,label\na,x\n,y\n", r"a\.csv, line 3: the text in 'text' is empty"),
        ("a.csv", "text,label\na,x\nb,y\nc,\n", r"a\.csv, line 4: there is no label in 'label'"),
        (
            "a.csv",
            "text,y\na,0.5\nb,nan\n",
            r"a\.csv, line 3: there is no label in 'y' \('nan' stands for a missing one\)",
        ),
        ("a.csv", "text,text\na,x\n", r"the columns are: text \(column 1\), text \(column 2\)"),
        (
            "a.csv",
            "a,b,label\n1,2,x\n",
            r"not clear which column holds the text; the columns are: a, b, label\. Set data\.text",
        ),
        (
            "a.csv",
            "text,b,c\n1,2,x\n",
            r"not clear which column holds the label; the columns are: text, b, c\. Set data\.label",
        ),
        (
            "a.csv",
            'text,label\n"a"b,x\n',
            r"a\.csv, line 2: ',' expected after '\"'\. Put a text with quotes",
        ),
        ("a.csv", 'text,label\na,x\n"b,y\n', r"a\.csv, line 3: unexpected end of data"),
        (
            "a.jsonl",
            '{"text": "a", "label": "x"}\n{"text": \n',
            r"a\.jsonl, line 2: not JSON \(.*\)\. Write one object a line",
        ),
        ("a.json", '[{"text": "a"}, 3]\n', r"a\.json, row 2: a JSON int where an object is needed"),
        (
            "a.jsonl",
            '{"text":"a","label":"x"}\n{"text":"c","label":"y"}\n{"text":"b"}\n',
            r"line 3: there is no label in 'label'",
        ),
        (
            "a.xlsx",
            "x",
            r"a\.xlsx: '\.xlsx' names no format that can be read\. Save it as one of: \.csv, \.tsv",
        ),
        ("a", "x", r"'no suffix' names no format"),
        ("a.parquet", "x", r"a\.parquet cannot be read as Parquet"),
    ],
)
def test_bad_files_are_refused_in_one_line(
    name: str, text: str, message: str, tmp_path: Path, cache: Path
) -> None:
    path = _text(tmp_path / name, text)
    with pytest.raises(DataError, match=message) as caught:
        load_custom_files(path, path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    _text(tmp_path / "reviews.csv", "text,label\na,x\n")
    with pytest.raises(DataError, match=r"review\.csv does not exist\. Did you mean 'reviews\.csv'\?"):
        load_custom_files(tmp_path / "review.csv")
    with pytest.raises(DataError, match=r"does not exist: .* has no folder 'no'"):
        load_custom_files(tmp_path / "no" / "such" / "a.csv")
    with pytest.raises(DataError, match=r"is a folder; name one of the files in it"):
        open_rows(tmp_path)


def test_a_column_that_is_not_there_is_named_with_the_known_ones(tmp_path: Path, cache: Path) -> None:
    path = _text(tmp_path / "a.csv", "text,label\na,x\nb,y\n")
    with pytest.raises(
        DataError, match=r"there is no column 'txt'\. Did you mean 'text'\? The columns are: text, label"
    ):
        load_custom_files(path, text="txt")
    with pytest.raises(DataError, match=r"there is no column 'stars'\. The columns are: text, label"):
        load_custom_files(path, label="stars")
    with pytest.raises(DataError, match=r"'text' cannot be both text and label"):
        load_custom_files(path, text="text", label="text")
    dev = _text(tmp_path / "dev.csv", "text,class\na,x\n")
    with pytest.raises(
        DataError, match=r"dev\.csv: there is no column 'label' as in the training data\. It has: text, class"
    ):
        load_custom_files(path, dev)


def test_a_label_of_dev_that_training_lacks_is_refused(tmp_path: Path, cache: Path) -> None:
    path = _text(tmp_path / "a.csv", "text,label\na,x\nb,y\n")
    dev = _text(tmp_path / "dev.csv", "text,label\na,x\nb,z\n")
    with pytest.raises(DataError, match=r"dev\.csv, line 3: the label 'z' is unknown; known: x, y"):
        load_custom_files(path, dev)
    task = load_custom_files(path, dev, labels=["x", "y", "z"])
    assert any("no training example has the label z" in note for note in task.notes)


def test_wrong_encoding_names_line_and_byte(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("text,label\nok,x\ncafé,y\n".encode("latin-1"))
    with pytest.raises(
        DataError, match=r"a\.csv, line 3: byte 19 is 0xe9, which is not UTF-8; save the file as UTF-8"
    ):
        load_custom_files(path)


def test_settings_out_of_range_are_refused(tmp_path: Path, cache: Path) -> None:
    path = _text(tmp_path / "a.csv", "text,label\na,x\nb,y\n")
    with pytest.raises(ConfigError, match=r"must be between 0 and 1, got 1\.5"):
        load_custom_files(path, 1.5)
    with pytest.raises(
        ConfigError, match=r"kind is 'class'; it must be one of 'classification', 'multilabel', 'regression'"
    ):
        load_custom_files(path, kind="class")
    with pytest.raises(ConfigError, match=r"labels has a duplicate"):
        load_custom_files(path, labels=["x", "x"])


def test_a_label_column_of_free_text_is_refused(tmp_path: Path, cache: Path) -> None:
    path = _csv(tmp_path / "a.csv", [["text", "label"], *(["t", f"free text {i}"] for i in range(1100))])
    with pytest.raises(DataError, match=r"'label' holds more than 1000 different labels \(free text 0"):
        load_custom_files(path)


def test_load_task_reads_own_files_and_refuses_their_options_for_glue(tmp_path: Path, cache: Path) -> None:
    path = _text(tmp_path / "a.csv", "text,label\na,x\nb,y\n")
    assert load_task("own", path, dev=path).spec.labels == ("x", "y")
    with pytest.raises(ConfigError, match=r"the task 'own' needs a file .* Set data\.source to it"):
        load_task("own")
    with pytest.raises(
        ConfigError,
        match=r"rte is a GLUE task whose columns are known, so data\.text, data\.labels cannot be set",
    ):
        load_task("rte", tmp_path, text="text", labels=["a", "b"])


def test_a_full_disk_is_said_in_one_line(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _text(tmp_path / "a.csv", "text,label\na,x\nb,y\n")

    def full(*_: object, **__: object) -> None:
        raise DatasetGenerationError from OSError(28, "No space left on device")

    monkeypatch.setattr(Dataset, "from_generator", full)
    with pytest.raises(
        DataError, match=r"cannot be stored \(\[Errno 28\] No space left on device\)\. Free space, or"
    ):
        load_custom_files(path, path)
