"""JSON lists and lines with cells of any kind, with equal keys or with any."""

import gzip
import json
import re
from pathlib import Path

import pytest

from lmdistill.core.errors import DataError
from lmdistill.data.files.formats import open_rows

ROWS = [{"a": "x", "n": 1}, {"a": None, "m": [{"role": "user"}]}]


def _file(folder: Path, text: str, name: str) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["a.json", "a.json.gz", "a.jsonl"])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_and_lines_give_the_same_rows(tmp_path, name, indent):
    listed = open_rows(_file(tmp_path, "\n" + json.dumps(ROWS, indent=indent), name), same_keys=False)
    lines = open_rows(_file(tmp_path, "\n".join(map(json.dumps, ROWS)), "b.jsonl"), same_keys=False)
    for rows in (listed, lines):
        assert rows.fieldnames == ("a", "n", "m")
        assert [row.values for row in rows.read()] == ROWS
        assert [row.fields for row in rows.read()] == [
            {"a": "x", "n": "1"},
            {"a": "", "m": '[{"role": "user"}]'},
        ]
    assert (listed.unit, lines.unit) == ("row", "line")


def test_tables_are_read_as_before(tmp_path):
    rows = open_rows(_file(tmp_path, 'prompt,completion\n"a, b",c\n', "a.csv"), same_keys=False)
    assert [row.fields for row in rows.read()] == [{"prompt": "a, b", "completion": "c"}]


def test_the_first_object_names_the_columns_unless_any_keys_are_allowed(tmp_path):
    path = _file(tmp_path, '{"a": 1, "b": null}\n\n{"b": "x", "a": 2.5}\n', "a.jsonl")
    strict, lenient = open_rows(path), open_rows(path, same_keys=False)
    assert strict.fieldnames == lenient.fieldnames == ("a", "b")
    assert strict.key == lenient.key
    assert [row.values for row in strict.read()] == [row.values for row in lenient.read()]
    assert [list(row.fields.items()) for row in strict.read()] == [
        [("a", "1"), ("b", "")],
        [("a", "2.5"), ("b", "x")],
    ]
    assert [row.number for row in strict.read()] == [row.number for row in lenient.read()] == [1, 3]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1}\n{"b": 1}', "line 2: the object misses 'a'; the first one has a. Give all objects"),
        ('{"a": 1}\n{"a": 2, "b": 1}', "line 2: the object adds 'b'; the first one has a"),
        (
            '[{"a": 1}]',
            'line 1: a JSON list where an object is needed. Write one object a line, like {"text"',
        ),
        ('{"a": 1}\n{"a": ', "line 2: not JSON"),
        ("", "is empty. It needs a header line"),
    ],
)
def test_objects_of_other_keys_are_refused_where_a_table_is_asked_for(tmp_path, text, said):
    with pytest.raises(DataError, match=re.escape(said)):
        list(open_rows(_file(tmp_path, text, "a.json")).read())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"a": 1},\n{"a": 2]', "line 2: not JSON"),
        ('[\n{"a": 1},\n3]', "row 2: a JSON int"),
        ('{"a": 1}\n{"a": ', "line 2: not JSON"),
        ("[]", "holds no rows"),
        ("", "holds no rows"),
    ],
)
def test_broken_files_are_refused_with_their_place(tmp_path, text, said):
    with pytest.raises(DataError, match=said):
        open_rows(_file(tmp_path, text, "a.json"), same_keys=False)


def test_a_missing_file_is_named(tmp_path):
    _file(tmp_path, "[]", "train.json")
    with pytest.raises(DataError, match=r"Did you mean 'train\.json'"):
        open_rows(tmp_path / "trains.json", same_keys=False)
