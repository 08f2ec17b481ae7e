"""The runs of a study, some at once, each in a process of its own, so that a crash takes only itself."""

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
from lmdistill.recipes.parsing import plain
from lmdistill.records.record import read_record
from lmdistill.runs.run_folder import RunFolder
from lmdistill.runs.write_report import write_pages
from lmdistill.studies.grid import StudyCell
from lmdistill.studies.schema import Study
from lmdistill.studies.study_folder import StudyFolder
from lmdistill.studies.subprocesses import Job, Launcher, jobs_at_once, launcher, stop

PAUSE = 0.1
"""Seconds between two looks at the processes."""

USERS = 2
"""Exit code of a process for a mistake that the user can mend."""

State = Literal["done", "waiting", "running", "elsewhere", "failed"]


@dataclass(kw_only=True)
class CellStatus:
    """How far a cell is."""

    cell: StudyCell
    """Which."""

    state: State = "waiting"
    """`elsewhere` where a process of another study, or of one that was killed just now, runs it."""

    score: str = ""
    """Its headline metric, once it is done."""

    seconds: float | None = None
    """Since its process was started; of its training, where it was done before."""

    message: str = ""
    """Why it failed, on one line."""

    log: Path | None = None
    """What its process said, where it failed."""

    code: int = 0
    """Exit code of its process, where it failed."""


Watch = Callable[[Sequence[CellStatus]], None]
"""Called often with all cells; a table or lines for the user."""

Tend = Callable[[list[CellStatus]], bool]
"""Called as often, and may add cells or drop waiting ones; whether more may come."""


def standings(cells: Sequence[StudyCell]) -> list[CellStatus]:
    """How far each cell is, as its folder says."""
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
    """Run what is not done; failing cells stop no others, and are tried again by the next call.

    Args:
        study: The whole.
        cells: Its cells.
        place: Its folder.
        command: What starts a run, up to its recipe.
        watch: Told how far everything is.

    Returns:
        All cells, each `done` or `failed`.

    Raises:
        RunError: If the folder holds another study.
        KeyboardInterrupt: If this process was asked to end; all others have ended by then.
    """
    place.require(study, cells)
    place.claim(study)
    board = standings(cells)
    work(board, place, command=command, jobs=jobs_at_once(study.jobs), watch=watch)
    done = [standing.cell for standing in board if standing.state == "done"]
    if done:
        write_pages(place.path, order=rows(cells), inside=[cell.folder for cell in done])
    return board


def rows(cells: Sequence[StudyCell]) -> tuple[str, ...]:
    """Labels of the rows of the table, in their order."""
    return tuple(dict.fromkeys(cell.row for cell in cells))


def exit_code(board: Sequence[CellStatus]) -> int:
    """0 if all is done, 2 if every cell that failed says that the user can mend it, else 1."""
    return code_of({standing.code for standing in board if standing.state == "failed"})


def code_of(codes: Set[int]) -> int:
    """0 if there are none, 2 if all are, else 1."""
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
    """Start, watch and settle until nothing is left to do; no process outlives this.

    Args:
        board: All cells; changed.
        place: Where they lie.
        command: What starts a run, up to its recipe.
        jobs: How many at once.
        watch: Told how far everything is.
        tend: May change the board.

    Raises:
        KeyboardInterrupt: If this process was asked to end; all others have ended by then.
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
    """Settle what has ended, start what there is room for; whether anything is left to do."""
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
    """Start a cell, unless another process runs it, or has just finished it.

    One that another command has begun meanwhile, with other settings, has failed.
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
    standing.state, standing.seconds = "running", 0.0
    return job


def _settled(standing: CellStatus, job: Job) -> bool:
    """Whether the process of a cell has ended; then what became of the cell is noted."""
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
    """Note that a cell is done, if it is."""
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
    """Collect Ctrl-C, the end of a terminal and a scheduler's word that time is up, and do not obey at once.

    An exception that comes while a process is asked whether it has ended can leave its lock held, and whoever
    waits for it then waits for ever. So the loop looks whether anything has come.
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
