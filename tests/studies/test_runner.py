"""Cells in processes of their own: killed, crashed, held by others, at once or one by one."""

import hashlib
import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from lmdistill.core.errors import RunError
from lmdistill.studies import subprocesses
from lmdistill.studies.runner import exit_code, standings
from tests.studies.child import STEPS
from tests.studies.parent import ended, started

NAMES = ["FT-seed0", "FT-seed1", "KD-seed0", "KD-seed1"]


def states(board):
    return {standing.cell.name: standing.state for standing in board}


def table(folder):
    """What the table is made of: names, seeds and metrics of all runs, as one number."""
    records = [json.loads((folder / name / "record.json").read_text()) for name in NAMES]
    kept = [(record["name"], record["seed"], record["metrics"]) for record in records]
    return hashlib.sha256(json.dumps(kept).encode()).hexdigest()


def is_alive(pid):
    """Whether a process still does anything; one that nobody has asked after yet is over too."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self").exists()


def until(true, seconds=20.0):
    """Wait for something, not for ever."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_everything_is_run_once_and_recorded(bench):
    assert states(bench.run()) == dict.fromkeys(NAMES, "done")
    folder = bench.folder / "out"
    assert {path.name for path in folder.iterdir()} == {*NAMES, "study.yaml", "cells", "logs", "README.md"}
    before = {name: (folder / name / "record.json").stat().st_mtime_ns for name in NAMES}
    board = bench.run()
    assert states(board) == dict.fromkeys(NAMES, "done")
    assert exit_code(board) == 0
    assert {name: (folder / name / "record.json").stat().st_mtime_ns for name in NAMES} == before
    assert len((folder / "logs" / "FT-seed0.log").read_text().splitlines()) == 1
    assert board[0].score == "20.00 (accuracy, %)"
    assert "| FT | 20.50 ± 0.71 | 2 |" in (folder / "README.md").read_text()


def test_a_cell_killed_after_its_record_is_completed(bench):
    bench.run()
    cell = bench.folder / "out" / "KD-seed1"
    (cell / "checkpoints").mkdir()
    before = (cell / "README.md").read_bytes()
    (cell / "README.md").unlink()
    bench.run()
    assert not (cell / "checkpoints").exists()
    assert (cell / "README.md").read_bytes() == before


def test_a_study_killed_twice_ends_with_the_table_of_one_left_alone(bench, monkeypatch):
    monkeypatch.setenv("STUDY_STEP", "0.05")
    bench.run(out="whole", jobs=4)
    seen = set()
    for name in ("FT-seed0", "KD-seed0"):  # what is at work when the killer comes
        process = started(bench.run)
        until(lambda name=name: len(bench.steps(name)) >= 2)
        process.kill()
        assert ended(process) == -signal.SIGKILL
        pids = {pid for cell in NAMES for _, pid in bench.steps(cell)}
        until(lambda pids=pids: not any(map(is_alive, pids)), seconds=3)
        assert "done" not in states(standings(bench.prepared()[1]))[name]
        seen |= pids
    bench.run()
    assert table(bench.folder / "out") == table(bench.folder / "whole")
    for name in NAMES:
        assert [step for step, _ in bench.steps(name)] == list(range(STEPS))  # none lost, none twice
    assert len({pid for _, pid in bench.steps("KD-seed0")}) == 2


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_who_is_asked_to_end_ends_all_others_first(bench, monkeypatch, sign):
    monkeypatch.setenv("STUDY_STEP", "0.05")

    def as_a_terminal_does():
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup
        bench.run(jobs=2)

    process = started(as_a_terminal_does)
    until(lambda: bench.steps("FT-seed0") and bench.steps("FT-seed1"))
    os.kill(process.pid, sign)
    assert ended(process) == 1
    assert not any(is_alive(pid) for name in NAMES[:2] for _, pid in bench.steps(name))
    assert bench.steps("KD-seed0") == []


def test_who_was_started_not_to_hear_a_terminal_close_goes_on(bench, monkeypatch):
    monkeypatch.setenv("STUDY_STEP", "0.05")

    def as_nohup_does():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        bench.run(seeds=[0])

    process = started(as_nohup_does)
    until(lambda: bench.steps("FT-seed0"))
    os.kill(process.pid, signal.SIGHUP)
    assert ended(process) == 0
    assert [step for step, _ in bench.steps("KD-seed0")] == list(range(STEPS))


def test_two_at_once_give_what_one_by_one_gives(bench, monkeypatch):
    monkeypatch.setenv("STUDY_STEP", "0.01")
    most = []
    bench.run(out="two", jobs=2, watch=lambda b: most.append(list(states(b).values()).count("running")))
    assert max(most) == 2
    most.clear()
    bench.run(out="one", watch=lambda b: most.append(list(states(b).values()).count("running")))
    assert max(most) == 1
    assert table(bench.folder / "one") == table(bench.folder / "two")


METHODS = {"A": {"name": "finetune"}, "B": {"name": "kd"}, "C": {"name": "mixkd"}}


@pytest.mark.parametrize(
    ("trouble", "code", "message"),
    [
        ("mistake", 2, "the teacher is ill. See a doctor."),
        ("crash", 1, "the process was ended by SIGSEGV."),
        pytest.param(
            "a signal without a name",
            1,
            "the process was ended by signal 35.",
            marks=pytest.mark.skipif(not hasattr(signal, "SIGRTMIN"), reason="all signals here have names"),
        ),
        ("silence", 1, "the process left with code 0 and no record."),
    ],
)
def test_a_failing_cell_between_two_good_ones_is_listed_and_tried_again(
    bench, monkeypatch, trouble, code, message
):
    keys = {"axes": {"method": METHODS}, "seeds": [0]}
    monkeypatch.setenv("STUDY_B", trouble)
    board = bench.run(**keys)
    assert states(board) == {"A-seed0": "done", "B-seed0": "failed", "C-seed0": "done"}
    failed = board[1]
    assert failed.message == message
    assert failed.log == bench.folder / "out" / "logs" / "B-seed0.log"
    assert exit_code(board) == code
    monkeypatch.delenv("STUDY_B")
    assert exit_code(bench.run(**keys)) == 0


def test_the_log_of_a_cell_is_known_while_it_runs(bench):
    logs = {}
    bench.run(watch=lambda board: logs.update({s.cell.name: s.log for s in board if s.state == "running"}))
    assert logs == {name: bench.folder / "out" / "logs" / f"{name}.log" for name in NAMES}


def test_mistakes_of_the_user_and_of_ours_together_are_ours(bench, monkeypatch):
    monkeypatch.setenv("STUDY_A", "mistake")
    monkeypatch.setenv("STUDY_B", "crash")
    assert exit_code(bench.run(axes={"method": METHODS}, seeds=[0])) == 1


def test_an_old_message_is_not_taken_for_that_of_this_try(bench, monkeypatch):
    monkeypatch.setenv("STUDY_FT", "mistake")
    bench.run()
    monkeypatch.setenv("STUDY_FT", "silence")
    assert bench.run()[0].message == "the process left with code 0 and no record."


def test_a_cell_that_another_process_runs_is_waited_for(bench):
    _, cells, place = bench.prepared()
    held, seen = place.hold(cells[0]), []

    def watch(board):
        seen.append(states(board))
        if all(state == "done" for name, state in seen[-1].items() if name != "FT-seed0"):
            held.close()

    assert states(bench.run(watch=watch)) == dict.fromkeys(NAMES, "done")
    assert {"FT-seed0": "elsewhere", "FT-seed1": "done", "KD-seed0": "done", "KD-seed1": "done"} in seen


def test_two_studies_at_once_share_the_work(bench, monkeypatch):
    monkeypatch.setenv("STUDY_STEP", "0.02")
    bench.prepared()
    boards = []
    threads = [threading.Thread(target=lambda: boards.append(bench.run())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [states(board) for board in boards] == [dict.fromkeys(NAMES, "done")] * 2
    for name in NAMES:
        assert [step for step, _ in bench.steps(name)] == list(range(STEPS))
        assert len({pid for _, pid in bench.steps(name)}) == 1


def test_a_study_may_grow(bench):
    bench.run(seeds=[0])
    before = (bench.folder / "out" / "FT-seed0" / "record.json").stat().st_mtime_ns
    assert len(bench.run(seeds=[0, 1])) == 4
    assert (bench.folder / "out" / "FT-seed0" / "record.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"study": "other"}, "out holds another study: study is 'small' there and 'other' here"),
        ({"seeds": [1]}, "out holds another study: FT-seed0 was run there and is no cell of this one"),
        (
            {"set": {"training.epochs": 9}},
            "FT-seed0 holds another run: training.epochs is 4 there and 9 here",
        ),
    ],
)
def test_another_study_is_refused_before_anything_runs(bench, keys, message):
    bench.run(seeds=[0])
    written = {path: path.stat().st_mtime_ns for path in (bench.folder / "out").rglob("*")}
    with pytest.raises(RunError, match=message):
        bench.run(**keys)
    assert {path: path.stat().st_mtime_ns for path in (bench.folder / "out").rglob("*")} == written


def test_other_files_are_left_alone(bench):
    (bench.folder / "out").mkdir()
    (bench.folder / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match="out exists and is no study"):
        bench.run()
    assert [path.name for path in (bench.folder / "out").iterdir()] == ["thesis.txt"]


def test_threads_and_jobs_share_the_cores(monkeypatch):
    monkeypatch.setattr(subprocesses, "cores", lambda: 12)
    monkeypatch.setattr(subprocesses, "on_cpu", lambda: True)
    monkeypatch.delenv(subprocesses.THREADS, raising=False)
    assert subprocesses.jobs_at_once(5) == 5
    assert subprocesses.jobs_at_once("auto") == 12
    monkeypatch.setenv(subprocesses.THREADS, "4")
    assert subprocesses.jobs_at_once("auto") == 3
    monkeypatch.setattr(subprocesses, "on_cpu", lambda: False)
    assert subprocesses.jobs_at_once("auto") == 1
