import json
import os
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmdistill.core.errors import DataError
from lmdistill.serving.audit_file import AuditFile

ROWS = [
    {"time": "2026-11-30T10:00:00.000Z", "text": text, "predicted": "red", "confidence": 0.5, "defer": False,
     "graph": "onnx", "teacher": None}
    for text in ("a", "two\nlines", "é 😀", "")
]  # fmt: skip


def rows_in(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write(path, rows):
    file = AuditFile(path)
    for row in rows:
        file.write(row)
    file.close()


def test_rows_are_added_and_the_file_is_its_owners(tmp_path):
    path = tmp_path / "new" / "audit.jsonl"
    write(path, ROWS[:2])
    write(path, ROWS[2:])
    assert rows_in(path) == ROWS
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_rows_are_there_before_the_file_is_closed(tmp_path):
    file = AuditFile(tmp_path / "audit.jsonl")
    file.write(ROWS[0])
    assert rows_in(tmp_path / "audit.jsonl") == ROWS[:1]
    file.close()


@settings(max_examples=40)
@given(st.data())
def test_after_a_kill_at_any_byte_the_complete_rows_stay_and_new_ones_are_added(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    write(path, ROWS)
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    write(path, ROWS[:1])
    assert rows_in(path) == ROWS[: whole[:cut].count(b"\n")] + ROWS[:1]


def test_a_part_that_is_longer_than_what_is_read_at_once_is_removed(tmp_path):
    path = tmp_path / "audit.jsonl"
    write(path, ROWS[:1])
    with path.open("a") as file:
        file.write('{"time": "' + "x" * 200_000)
    write(path, ROWS[1:])
    assert rows_in(path) == ROWS


@pytest.mark.parametrize(
    "content",
    ["text,label\na,b\n", "a text without an end", '{"text": "a"}\n', "[]\n", "\n", '{"time": 1}\n'],
)
def test_a_file_of_something_else_is_left_as_it_is(tmp_path, content):
    path = tmp_path / "mine.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=r"mine\.jsonl holds other lines than those of an audit"):
        AuditFile(path)
    assert path.read_text() == content


@pytest.mark.parametrize("kept", [0, 10])
def test_of_a_row_that_cannot_be_written_nothing_stays(tmp_path, monkeypatch, kept):
    path = tmp_path / "audit.jsonl"
    file = AuditFile(path)
    file.write(ROWS[0])
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda number, line: real(number, line[:kept]))
        with pytest.raises(OSError, match="could be written"):
            file.write(ROWS[1])
    file.write(ROWS[2])
    file.close()
    assert rows_in(path) == [ROWS[0], ROWS[2]]
    assert file.rows == 2
