"""One holds a file at a time, and whoever ends lets go of it."""

import subprocess
import sys
import threading
from pathlib import Path

from lmdistill.core import file_lock
from lmdistill.core.file_lock import exclusive_file, hold

HOLDER = (
    "import fcntl, sys; f = open(sys.argv[1], 'ab'); fcntl.flock(f, 2); print('held', flush=True); input()"
)


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
    def refuse(file, how):
        raise OSError(file_lock.errno.ENOLCK, "no locks")

    monkeypatch.setattr(file_lock.fcntl, "flock", refuse)
    with hold(tmp_path / "a") as one, hold(tmp_path / "a") as two:
        assert Path(one.name) == Path(two.name)
