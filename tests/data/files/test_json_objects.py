"""JSON lists and lines with cells of any kind."""

import gzip
import json
from pathlib import Path

import pytest

from lmdistill.core.errors import DataError
from lmdistill.data.files.json_objects import open_records

ROWS = [{"a": "x", "n": 1}, {"a": None, "m": [{"role": "user"}]}]


def _file(folder: Path, text: str, name: str) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["a.json", "a.json.gz", "a.jsonl"])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_and_lines_give_the_same_rows(tmp_path, name, indent):
    listed = open_records(_file(tmp_path, "\n" + json.dumps(ROWS, indent=indent), name))
    lines = open_records(_file(tmp_path, "\n".join(map(json.dumps, ROWS)), "b.jsonl"))
    for rows in (listed, lines):
        assert rows.fieldnames == ("a", "n", "m")
        assert [row.values for row in rows.read()] == ROWS
        assert [row.fields for row in rows.read()] == [
            {"a": "x", "n": "1"},
            {"a": "", "m": '[{"role": "user"}]'},
        ]
    assert (listed.unit, lines.unit) == ("row", "line")


def test_tables_are_read_as_before(tmp_path):
    rows = open_records(_file(tmp_path, 'prompt,completion\n"a, b",c\n', "a.csv"))
    assert [row.fields for row in rows.read()] == [{"prompt": "a, b", "completion": "c"}]


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
        open_records(_file(tmp_path, text, "a.json"))


def test_a_missing_file_is_named(tmp_path):
    _file(tmp_path, "[]", "train.json")
    with pytest.raises(DataError, match=r"Did you mean 'train\.json'"):
        open_records(tmp_path / "trains.json")
