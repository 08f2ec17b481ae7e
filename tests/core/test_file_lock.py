"""One holds a file at a time, and whoever ends lets go of it."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lmdistill.core import file_lock
from lmdistill.core.atomic_io import MACHINE
from lmdistill.core.errors import RunError
from lmdistill.core.file_lock import exclusive_file, hold, lock_of, sole_writer

HOLDER = """
import sys
from filelock import FileLock

lock = FileLock(sys.argv[1])
lock.acquire()
print("held", flush=True)
input()
"""


def holder(path):
    """Another process that holds `path` until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"held\n"
    return process


def test_what_another_process_holds_is_not_given_until_it_is_killed(tmp_path):
    path = tmp_path / "a.lock"
    process = holder(path)
    try:
        assert hold(path, wait=False) is None
    finally:
        process.kill()
        process.communicate()
    with hold(path, wait=False) as file:
        assert not file.closed


@pytest.mark.skipif(sys.platform == "win32", reason="children inherit no descriptors there")
def test_a_child_that_has_inherited_the_file_holds_it_on(tmp_path):
    path, wait = tmp_path / "a.lock", [sys.executable, "-c", "input()"]
    with hold(path) as file:
        child = subprocess.Popen(wait, stdin=subprocess.PIPE, pass_fds=(file.fileno(),))
    try:
        assert hold(path, wait=False) is None
    finally:
        child.communicate(b"\n")
    with hold(path, wait=False) as file:
        assert not file.closed


def test_an_error_in_the_block_lets_go_and_removes_the_file(tmp_path):
    path = tmp_path / "a.lock"
    with pytest.raises(ZeroDivisionError), exclusive_file(path):
        1 / 0  # noqa: B018
    assert not path.exists()
    with exclusive_file(path):
        assert path.exists()


def test_where_open_files_cannot_be_removed_it_goes_after_it_is_closed(tmp_path, monkeypatch):
    """As on Windows; where somebody else has it open by then, it stays for them."""
    path, tries, unlink = tmp_path / "a.lock", [], Path.unlink

    def refuse_the_first(self, **settings):
        tries.append(self)
        if len(tries) % 2:
            raise PermissionError
        unlink(self, **settings)

    monkeypatch.setattr(Path, "unlink", refuse_the_first)
    with exclusive_file(path):
        pass
    assert tries == [path, path]
    assert not path.exists()


def test_whoever_waits_gets_it_when_it_is_free(tmp_path):
    path, order = tmp_path / "deep" / "a.lock", []
    inside, leave = threading.Event(), threading.Event()

    def first():
        with exclusive_file(path):
            inside.set()
            leave.wait()
            order.append("first")

    def second():
        with exclusive_file(path):
            order.append("second")

    threads = [threading.Thread(target=work) for work in (first, second)]
    threads[0].start()
    inside.wait()
    threads[1].start()
    threads[1].join(0.1)
    assert order == []
    leave.set()
    for thread in threads:
        thread.join()
    assert order == ["first", "second"]
    assert list(path.parent.iterdir()) == []


def test_many_never_meet(tmp_path):
    """The file is removed by each: those that waited for a removed one must begin again."""
    path, inside, most = tmp_path / "a.lock", [], []

    def work():
        for _ in range(30):
            with exclusive_file(path):
                inside.append(0)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 120
    assert set(most) == {1}


def test_where_there_are_no_locks_nobody_waits(tmp_path, monkeypatch):
    def refuse(number, *, blocking):
        raise OSError(file_lock.errno.ENOLCK, "no locks")

    monkeypatch.setattr(file_lock, "lock_descriptor", refuse)
    with hold(tmp_path / "a") as one, hold(tmp_path / "a") as two:
        assert Path(one.name) == Path(two.name)


def test_other_errors_of_locks_are_raised_and_the_file_is_closed(tmp_path, monkeypatch):
    numbers = []

    def fail(number, *, blocking):
        numbers.append(number)
        raise OSError(file_lock.errno.EIO, "broken disk")

    monkeypatch.setattr(file_lock, "lock_descriptor", fail)
    with pytest.raises(OSError, match="broken disk"):
        hold(tmp_path / "a")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(numbers[0])


WRITER = """
import sys
from pathlib import Path
from lmdistill.core.file_lock import sole_writer

with sole_writer(Path(sys.argv[1])):
    print("writing", flush=True)
    input()
"""


def writer(path):
    """Another process that writes `path` until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"writing\n"
    return process


def test_a_second_writer_is_refused_at_once_and_told_who_writes_until_that_one_is_killed(tmp_path):
    path = tmp_path / "run"
    process = writer(path)
    try:
        with pytest.raises(RunError) as caught, sole_writer(path):
            raise AssertionError("both write")
        said = str(caught.value)
        assert said.startswith(f"{path} is being written by another command (process {process.pid} on ")
        assert said.endswith("Wait until it has ended, stop it, or choose another --out.")
        assert "\n" not in said
    finally:
        process.kill()
        process.communicate()
    assert lock_of(path).exists()  # nobody could remove it
    with sole_writer(path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_one_place_has_one_lock_whatever_it_is_called(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to("run")
    monkeypatch.chdir(tmp_path / "run")
    assert {lock_of(Path(name)) for name in (".", "../run", "../link", tmp_path / "run")} == {
        tmp_path.resolve() / ".run.lock"
    }


def test_a_writer_that_wrote_nothing_leaves_no_folders(tmp_path):
    with sole_writer(tmp_path / "new" / "deep" / "run"):
        assert (tmp_path / "new" / "deep").is_dir()
    assert list(tmp_path.iterdir()) == []
    with sole_writer(tmp_path / "new" / "deep" / "run"):
        (tmp_path / "new" / "deep" / "run").mkdir()
    assert (tmp_path / "new" / "deep" / "run").is_dir()


def test_a_writer_removes_what_a_killed_one_has_left_in_the_folder(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = tmp_path / "run" / f".record.json.{MACHINE}-{ended.pid}-1.part"
    left.parent.mkdir()
    left.write_text("half")
    with sole_writer(tmp_path / "run"):
        assert not left.exists()
