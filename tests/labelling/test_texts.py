import json

import pytest

from lmdistill.core.errors import DataError
from lmdistill.labelling.texts import open_texts, read_human_labels

LABELS = ("not entailment", "entailment")


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_texts_are_those_of_the_file_whatever_its_format(tmp_path):
    (tmp_path / "a.csv").write_text('id,review\n1,"a, b"\n2,"c\nd"\n')
    (tmp_path / "a.txt").write_text("one\n\ntwo\n")
    pairs = write(tmp_path / "a.jsonl", {"premise": "p", "hypothesis": "h", "label": "x"})
    assert list(open_texts(tmp_path / "a.csv").all_texts()) == [("a, b",), ("c\nd",)]
    assert list(open_texts(tmp_path / "a.txt").all_texts()) == [("one",), ("two",)]
    assert open_texts(pairs).columns == ("premise", "hypothesis")
    assert list(open_texts(pairs, ["hypothesis"]).all_texts()) == [("h",)]


@pytest.mark.parametrize(
    ("row", "text", "match"),
    [
        ({"a": "x", "b": "y"}, (), r"^{path}: it is not clear which column holds the text; the columns are: a, b. Name it with --text"),
        ({"text": "x"}, ("txt",), r"^{path}: there is no column 'txt'. Did you mean 'text'"),
        ({"text": "x"}, ("text", "text"), r"^--text names text, text"),
        ({"a": "x"}, ("a", "b", "c"), r"^--text names a, b, c. Name one column, or the two of a pair"),
        ({"text": "x", "model": "y"}, ("text", "model"), r"^{path}: the text column 'model' has the name of a field"),
        ({"text": " "}, (), r"^{path}, line 1: the text in 'text' is empty"),
        ({"text": ["x"]}, (), r"^{path}, line 1: 'text' holds a list, where a text is needed"),
    ],
)  # fmt: skip
def test_texts_that_cannot_be_used_are_refused(row, text, match, tmp_path):
    path = write(tmp_path / "t.jsonl", row)
    with pytest.raises(DataError, match=match.replace("{path}", str(path))):
        list(open_texts(path, text).all_texts())


def test_human_labels_are_read_as_the_labels_of_data_are(tmp_path):
    path = write(
        tmp_path / "h.jsonl",
        {"text": "a", "label": "Not_Entailment"},
        {"text": "b", "label": " entailment "},
        {"text": "a", "label": "entailment"},
    )
    found = read_human_labels(path, LABELS)
    assert (found.labels, found.texts) == ((0, 1, 1), (("a",), ("b",), ("a",)))


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ({"text": "a", "label": "maybe"}, r"line 1: the human label 'maybe' is none of not entailment, entailment"),
        ({"text": "a", "label": None}, r"line 1: the human label '' is none of"),
        ({"text": "a", "label": {"x": 1}}, r"line 1: 'label' holds an object with the keys x, where one label"),
        ({"text": "a", "b": "x", "c": "y"}, r"it is not clear which column holds the label.* Name it with --audit-label"),
    ],
)  # fmt: skip
def test_human_labels_that_cannot_be_used_are_refused(row, match, tmp_path):
    with pytest.raises(DataError, match=match):
        read_human_labels(write(tmp_path / "h.jsonl", row), LABELS)


def test_an_audit_needs_rows(tmp_path):
    (tmp_path / "h.csv").write_text("text,label\n")
    with pytest.raises(DataError, match="no rows"):
        read_human_labels(tmp_path / "h.csv", LABELS)
