"""Files and folders exist whole or not at all."""

import json
import math
import os
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.atomic_io import (
    MACHINE,
    atomic_file,
    atomic_folder,
    read_json,
    remove_leftovers,
    write_json,
    write_text,
)


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


WRITER = """
import sys
from pathlib import Path
from lmdistill.core.atomic_io import atomic_file, atomic_folder

folder = Path(sys.argv[1])
with atomic_file(folder / "a.txt") as file, atomic_folder(folder / "run") as part:
    file.write_text("half")
    (part / "b.txt").write_text("half")
    print("inside", flush=True)
    input()
"""


def writer(folder):
    """Another process in the middle of writing `a.txt` and `run`."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"inside\n"
    return process


def test_leftovers_of_a_killed_process_go_and_files_of_a_living_one_stay(tmp_path):
    process = writer(tmp_path)
    try:
        half = names(tmp_path)
        assert len(half) == 2
        remove_leftovers(tmp_path)
        write_text(tmp_path / "a.txt", "ours")
        assert set(half) < set(names(tmp_path))
    finally:
        process.kill()
        process.communicate()
    remove_leftovers(tmp_path)
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "ours"


def test_the_next_write_of_the_same_file_removes_them_and_no_others(tmp_path):
    process = writer(tmp_path)
    process.kill()
    process.communicate()
    write_text(tmp_path / "b.txt", "other")
    assert len(names(tmp_path)) == 3
    write_text(tmp_path / "a.txt", "again")
    with atomic_folder(tmp_path / "run") as part:
        (part / "b.txt").write_text("again")
    assert names(tmp_path) == ["a.txt", "b.txt", "run"]


def ended_process():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("stays", ["0badc0de-{pid}-1.part", "{pid}-1.part", "{pid}.part", "7.part.txt"])
def test_files_of_another_machine_and_fresh_ones_of_version_0_1_stay(tmp_path, stays):
    name = f".a.txt.{stays.format(pid=ended_process())}"
    (tmp_path / name).write_text("half")
    remove_leftovers(tmp_path)
    assert names(tmp_path) == [name]


def test_old_ones_of_version_0_1_go(tmp_path):
    path = tmp_path / f".a.txt.{ended_process()}-1.part"
    path.write_text("half")
    long_ago = time.time() - 10 * 86_400
    os.utime(path, (long_ago, long_ago))
    remove_leftovers(tmp_path)
    assert names(tmp_path) == []


def test_a_folder_that_was_killed_between_its_two_renames_gets_its_name_back(tmp_path):
    old = tmp_path / f".run.{MACHINE}-{ended_process()}-1.old"
    old.mkdir()
    (old / "a.txt").write_text("years of work")
    remove_leftovers(tmp_path)
    assert (tmp_path / "run" / "a.txt").read_text() == "years of work"
    assert names(tmp_path) == ["run"]


def test_a_folder_that_cannot_take_its_name_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "run"
    path.mkdir()
    (path / "old.txt").write_text("old")
    replace = os.replace

    def refuse(source, target):
        if str(source).endswith(".part"):
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="No space left"), atomic_folder(path) as part:
        (part / "new.txt").write_text("new")
    assert names(tmp_path) == ["run"]
    assert names(path) == ["old.txt"]


def test_a_folder_that_is_missing_has_no_leftovers(tmp_path):
    remove_leftovers(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    remove_leftovers(tmp_path / "file")
