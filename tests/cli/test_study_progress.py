"""Where stderr is no terminal, a study says what its cells say, each line with the name of the cell."""

import logging

import pytest

from lmdistill.cli.study_progress import following
from lmdistill.core import progress
from lmdistill.core.progress import INTERVAL
from lmdistill.studies.grid import StudyCell
from lmdistill.studies.runner import CellStatus
from lmdistill.studies.subprocesses import last_line


def cell(name):
    """A cell of which only the name is looked at."""
    found = object.__new__(StudyCell)
    object.__setattr__(found, "name", name)
    return found


@pytest.fixture
def clock(monkeypatch):
    times = [100.0]
    monkeypatch.setattr(progress, "now", lambda: times[0])
    return times


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, logger="lmdistill")
    return lambda: caplog.messages


def test_the_last_line_of_a_log_is_that_of_the_newest_process(tmp_path):
    log = tmp_path / "cell.log"
    assert last_line(log) == ""
    log.write_text("")
    assert last_line(log) == ""
    log.write_text("KD (seed 0): step 5 of 9\n--- 2026-01-01 10:00:00 UTC\n")
    assert last_line(log) == ""
    with log.open("a") as file:
        file.write("x" * 9000 + "\n\x1b[1mKD (seed 0): step 6 of 9\x1b[0m, loss 0.3\n\n")
    assert last_line(log) == "KD (seed 0): step 6 of 9, loss 0.3"


def test_cells_at_work_are_told_apart_and_say_how_far_they_are(tmp_path, clock, said):
    logs = {name: tmp_path / f"{name}.log" for name in "AB"}
    logs["A"].write_text("--- now\nKD (seed 0): step 120 of 600, loss 0.412, 85 examples/s, 4 min left\n")
    logs["B"].write_text("--- now\n")
    board = [CellStatus(cell=cell(name), state="waiting") for name in "ABC"]
    with following() as watch:
        watch(board)
        for standing in board[:2]:
            standing.state, standing.log = "running", logs[standing.cell.name]
        watch(board)
        before = len(said())
        clock[0] += INTERVAL - 1
        watch(board)
        assert len(said()) == before
        clock[0] += 1
        watch(board)
        watch(board)
        assert said()[before:] == [
            "A: KD (seed 0): step 120 of 600, loss 0.412, 85 examples/s, 4 min left",
            "B: running",
        ]
        clock[0] += INTERVAL / 2
        board[0].state, board[0].score, board[0].seconds = "done", "0.9 (accuracy)", 60.0
        watch(board)
        assert said()[-1] == "A: done, 0.9 (accuracy), 1.0 min"
        clock[0] += 9 * INTERVAL
        watch(board)
        assert said()[-1] == "B: running"
        assert [line for line in said() if line.startswith("C")] == []


def test_a_cell_that_another_process_runs_is_not_forgotten(clock, said):
    board = [CellStatus(cell=cell("A"), state="elsewhere")]
    with following() as watch:
        watch(board)
        clock[0] += INTERVAL
        watch(board)
    assert said()[-2:] == ["A: running in another process; waiting for it"] * 2
