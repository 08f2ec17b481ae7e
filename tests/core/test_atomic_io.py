"""Files and folders exist whole or not at all."""

import json
import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.atomic_io import atomic_file, atomic_folder, read_json, write_json, write_text


class StoppedError(Exception):
    pass


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_the_block_ends_and_not_before(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    with atomic_file(path) as part:
        part.write_text("new")
        assert not path.exists()
        assert part.parent == path.parent  # one file system, so that one rename does it
    assert names(path.parent) == ["a.txt"]
    assert path.read_text() == "new"


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("error", [StoppedError, KeyboardInterrupt, OSError])
def test_a_block_that_raises_leaves_the_old_file_and_no_part(tmp_path, written, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), atomic_file(path) as part:  # noqa: PT012
        if written:
            part.write_text("half of the ne")
        raise error
    assert names(tmp_path) == ["a.txt"]
    assert path.read_text() == "old"


def test_a_block_that_raises_leaves_nothing_where_nothing_was(tmp_path):
    with pytest.raises(StoppedError), atomic_file(tmp_path / "a.txt") as part:  # noqa: PT012
        part.write_text("half")
        raise StoppedError
    assert names(tmp_path) == []


def test_a_rename_that_fails_leaves_the_old_file_and_no_part(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_text(path, "new")
    assert names(tmp_path) == ["a.txt"]
    assert path.read_text() == "old"


def test_a_folder_takes_the_place_of_the_old_one_whole(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    (path / "old.txt").write_text("old")
    with atomic_folder(path) as part:
        (part / "new.txt").write_text("new")
        assert names(path) == ["old.txt"]
    assert names(path) == ["new.txt"]
    assert names(tmp_path) == ["run"]


@pytest.mark.parametrize("error", [StoppedError, KeyboardInterrupt])
def test_a_folder_whose_block_raises_leaves_the_old_one_and_no_part(tmp_path, error):
    path = tmp_path / "run"
    path.mkdir()
    (path / "old.txt").write_text("old")
    with pytest.raises(error), atomic_folder(path) as part:  # noqa: PT012
        (part / "new.txt").write_text("half")
        raise error
    assert names(tmp_path) == ["run"]
    assert names(path) == ["old.txt"]


def test_what_a_killed_process_left_behind_does_not_get_into_a_new_folder(tmp_path):
    with atomic_folder(tmp_path / "run") as part:
        left = part
        (part / "a.txt").write_text("a")
    left.mkdir()
    (left / "rubbish").write_text("of a process that had the same number")
    with atomic_folder(tmp_path / "run") as part:
        (part / "b.txt").write_text("b")
    assert names(tmp_path / "run") == ["b.txt"]


def test_text_is_utf8_with_line_ends_as_given(tmp_path):
    write_text(tmp_path / "a.txt", "café 😀\n")
    assert (tmp_path / "a.txt").read_bytes() == "café 😀\n".encode()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
).filter(lambda value: "\\ud" not in json.dumps(value))  # lone surrogates are no text


@given(value=values)
def test_json_comes_back_as_it_was(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("json") / "a.json"
    write_json(path, value)
    assert read_json(path) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": [-math.inf]}])
def test_json_without_numbers_for_it_is_refused_and_nothing_is_written(tmp_path, value):
    (tmp_path / "a.json").write_text("1")
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", value)
    assert names(tmp_path) == ["a.json"]
    assert read_json(tmp_path / "a.json") == 1
