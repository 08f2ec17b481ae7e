"""Runs the cells of a study, several at a time; each has a process, so a crash ends only that cell."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lmdistill.analysis.metric_format import metric_format
from lmdistill.core.errors import RunError
from lmdistill.recipes.serialization import plain
from lmdistill.records.record import read_record
from lmdistill.runs.run_folder import RunFolder
from lmdistill.studies.grid import StudyCell
from lmdistill.studies.schema import Study
from lmdistill.studies.study_folder import StudyFolder
from lmdistill.studies.subprocesses import Job, Launcher, jobs_at_once, launcher, stop

PAUSE = 0.1
"""Seconds between two polls of the processes."""

USERS = 2
"""Exit code of a process for an error that the user can correct."""

State = Literal["done", "waiting", "running", "elsewhere", "failed"]


@dataclass(kw_only=True)
class CellStatus:
    """Progress of a cell."""

    cell: StudyCell
    """Which one, with its recipe and folder."""

    state: State = "waiting"
    """State of the cell; `elsewhere` if a process of another command runs it."""

    score: str = ""
    """Headline metric of a finished cell."""

    seconds: float | None = None
    """Seconds since its process started; seconds of training if it was finished before."""

    message: str = ""
    """Error message of a failed cell, one line."""

    log: Path | None = None
    """Log file of its process, once started."""

    code: int = 0
    """Exit code of the process of a failed cell."""


Watch = Callable[[Sequence[CellStatus]], None]
"""Called at every poll with all cells, to show progress."""

Tend = Callable[[list[CellStatus]], bool]
"""Called at every poll; may add cells or remove waiting ones, and returns whether more may come."""


def standings(cells: Sequence[StudyCell]) -> list[CellStatus]:
    """Progress of each cell according to its run folder."""
    board = [CellStatus(cell=cell) for cell in cells]
    for standing in board:
        _look(standing)
    return board


def run_study(
    study: Study,
    cells: Sequence[StudyCell],
    place: StudyFolder,
    *,
    command: Sequence[str],
    watch: Watch = lambda board: None,
) -> list[CellStatus]:
    """Run every unfinished cell; failing cells do not stop others and are tried again by the next call.

    Args:
        study: The study.
        cells: Its cells.
        place: Its folder.
        command: Command line that starts a run, up to its recipe.
        watch: Called with the progress of all cells.

    Returns:
        All cells, each `done` or `failed`.

    Raises:
        RunError: If the folder holds another study.
        KeyboardInterrupt: If this process was told to end; its child processes have ended by then.
    """
    place.require(study, cells)
    place.claim(study)
    board = standings(cells)
    work(board, place, command=command, jobs=jobs_at_once(study.jobs), watch=watch)
    done = [standing.cell for standing in board if standing.state == "done"]
    if done:
        from lmdistill.runs.write_report import complete, write_pages

        for cell in done:
            complete(cell.folder)
        write_pages(place.path, order=rows(cells), inside=[cell.folder for cell in done])
    return board


def rows(cells: Sequence[StudyCell]) -> tuple[str, ...]:
    """Labels of the rows of the table, in order."""
    return tuple(dict.fromkeys(cell.row for cell in cells))


def exit_code(board: Sequence[CellStatus]) -> int:
    """0 if all cells are done, 2 if all failed cells have errors that the user can correct, else 1."""
    return code_of({standing.code for standing in board if standing.state == "failed"})


def code_of(codes: Set[int]) -> int:
    """0 if there are no codes, 2 if all codes are 2, else 1."""
    return 0 if not codes else USERS if codes == {USERS} else 1


def work(
    board: list[CellStatus],
    place: StudyFolder,
    *,
    command: Sequence[str],
    jobs: int,
    watch: Watch,
    tend: Tend = lambda board: False,
) -> None:
    """Run cells until none is left; all child processes have ended when this returns.

    Args:
        board: Progress of all cells; updated.
        place: Folder of the study.
        command: Command line that starts a run, up to its recipe.
        jobs: Number of cells at a time, >= 1.
        watch: Called with the progress of all cells.
        tend: May add cells or remove waiting ones.

    Raises:
        KeyboardInterrupt: If this process was told to end; its child processes have ended by then.
    """
    working: dict[str, Job] = {}
    with _asked_to_end() as asked, launcher(command, place, jobs) as start:
        try:
            while _goes_on(board, working, start, jobs, watch, tend):
                time.sleep(PAUSE)
                if asked:
                    raise KeyboardInterrupt
        finally:
            stop(list(working.values()))


def _goes_on(
    board: list[CellStatus], working: dict[str, Job], start: Launcher, jobs: int, watch: Watch, tend: Tend
) -> bool:
    """Update ended cells and start waiting ones; whether anything is left to do."""
    for standing in board:
        job = working.get(standing.cell.name)
        if job is not None and _settled(standing, job):
            del working[standing.cell.name]
    more = tend(board)
    for standing in board:
        if standing.state in ("waiting", "elsewhere") and len(working) < jobs:
            begun = _begin(standing, start)
            working |= {} if begun is None else {standing.cell.name: begun}
    watch(board)
    return more or bool(working) or any(standing.state not in ("done", "failed") for standing in board)


def _begin(standing: CellStatus, start: Launcher) -> Job | None:
    """Start a cell, unless another process runs it or has just finished it.

    A cell that another command has started meanwhile with other settings has failed.
    """
    cell = standing.cell
    _look(standing)
    try:
        if standing.state == "done":
            RunFolder(path=cell.folder).require(plain(cell.recipe))
            return None
        job = start.start(cell)
    except RunError as error:
        standing.state, standing.code = "failed", USERS
        standing.message, standing.log = str(error), start.place.log(cell)
        return None
    if job is None:
        standing.state = "elsewhere"
        return None
    standing.state, standing.seconds, standing.log = "running", 0.0, job.log
    return job


def _settled(standing: CellStatus, job: Job) -> bool:
    """Whether the process of a cell has ended; if so, its state is updated."""
    standing.seconds = seconds = time.monotonic() - job.began
    if not job.is_over():
        return False
    job.end(signal.SIGKILL)  # what it has started, if it was killed itself
    _look(standing)
    standing.seconds = seconds
    if standing.state != "done":
        standing.state, standing.code = "failed", job.process.returncode
        standing.message, standing.log = job.reason(), job.log
    return True


def _look(standing: CellStatus) -> None:
    """Update the state of a cell from its run folder."""
    folder = standing.cell.folder
    if not RunFolder(path=folder).is_finished:
        return
    record = read_record(folder)
    split, metric = record.headline
    how = metric_format(metric)
    standing.state, standing.seconds = "done", record.training.seconds
    standing.score = f"{how.text(record.metrics[split].get(metric))} ({how.title})"


@contextlib.contextmanager
def _asked_to_end() -> Iterator[list[int]]:
    """Collect signals of Ctrl-C, a closed terminal and a scheduler, for the loop between two polls.

    An exception inside `Popen.poll` can leave its lock held, and a later `wait` would then never return.
    """
    asked: list[int] = []
    is_main = threading.current_thread() is threading.main_thread()
    signs = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if is_main else ()
    heard = [sign for sign in signs if signal.getsignal(sign) is not signal.SIG_IGN]  # nohup ignores one
    before = {sign: signal.signal(sign, lambda number, frame: asked.append(number)) for sign in heard}
    try:
        yield asked
    finally:
        for sign, old in before.items():
            signal.signal(sign, old)
