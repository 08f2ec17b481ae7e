"""Progress of a study: a live table on a terminal; otherwise a line per change and per running cell."""

import logging
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.live import Live
from rich.table import Table
from rich.text import Text

from lmdistill.cli.console import complain, results
from lmdistill.core import progress
from lmdistill.core.terminal import Terminal
from lmdistill.studies.runner import CellStatus
from lmdistill.studies.subprocesses import last_line

log = logging.getLogger("lmdistill")

ROOM = 8
"""Number of terminal lines that the live table leaves free."""

STYLES = {"done": "green", "running": "bold", "failed": "bold red", "elsewhere": "yellow", "waiting": "dim"}
AT_WORK = ("running", "elsewhere")
URGENT = ("running", "failed", "elsewhere", "waiting", "done")
"""States in order of priority: if not all cells fit on the terminal, those of the first states are shown."""


@contextmanager
def following(*, grows: bool = False) -> Iterator[Callable[[Sequence[CellStatus]], None]]:
    """Yield a function that shows the progress of cells: in a live table, or in log lines without a terminal.

    Args:
        grows: Whether cells are added during the study, so that their initial number is not shown.
    """
    if not progress.on_terminal():
        yield _Lines(grows=grows).watch
        return
    console = Terminal(stderr=True)
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield lambda board: live.update(_table(board, console.height - ROOM))


class _Lines:
    """Logs every change of a cell's state, and every `progress.INTERVAL` seconds each running cell."""

    def __init__(self, *, grows: bool) -> None:
        self._grows = grows
        self._states: dict[str, str] | None = None
        self._logged_at: dict[str, float] = {}

    def watch(self, board: Sequence[CellStatus]) -> None:
        """Log the changes since the last call, and the progress of running cells if it is due."""
        if self._states is None:
            num_done = sum(standing.state == "done" for standing in board)
            if self._grows:
                log.info("%d runs are already done", num_done)
            else:
                log.info("%d cells, %d of them already done", len(board), num_done)
            self._states = {s.cell.name: s.state if s.state == "done" else "waiting" for s in board}
        for standing in board:
            name, before = standing.cell.name, self._states.get(standing.cell.name, "waiting")
            if standing.state != before:
                self._states[name] = standing.state
                self._log(name, _state_text(standing))
            elif standing.state in AT_WORK and progress.now() - self._logged_at[name] >= progress.INTERVAL:
                self._log(name, (last_line(standing.log) if standing.log else "") or _state_text(standing))

    def _log(self, name: str, text: str) -> None:
        """Log one line that begins with the name of a cell."""
        self._logged_at[name] = progress.now()
        log.info("%s: %s", name, text)


def _state_text(standing: CellStatus) -> str:
    """The state of a cell with its score or its error."""
    if standing.state == "done":
        return f"done, {standing.score}, {_minutes(standing)} min"
    if standing.state == "failed":
        return f"failed, {standing.message}"
    return "running in another process; waiting for it" if standing.state == "elsewhere" else standing.state


def _minutes(standing: CellStatus) -> str:
    """Duration of a cell in minutes, with one decimal; empty if it is not known."""
    return "" if standing.seconds is None else f"{standing.seconds / 60:.1f}"


def _table(board: Sequence[CellStatus], max_rows: int) -> Table:
    """A table of at most `max_rows` cells, those of the first states in `URGENT`."""
    count = {state: sum(standing.state == state for standing in board) for state in URGENT}
    title = ", ".join(f"{number} {state}" for state, number in count.items() if number)
    table = Table(title=title, title_justify="left", show_edge=False, header_style="bold")
    for name, side in (("cell", "left"), ("state", "left"), ("score", "left"), ("minutes", "right")):
        table.add_column(name, justify="right" if side == "right" else "left", no_wrap=True)
    ranked = sorted(range(len(board)), key=lambda index: URGENT.index(board[index].state))
    if (hidden := len(ranked) - max(max_rows, 1)) > 0:
        table.caption = f"and {hidden} more"
    for index in sorted(ranked[: max(max_rows, 1)]):
        standing = board[index]
        cells = (standing.cell.name, standing.state, standing.score, _minutes(standing))
        table.add_row(*(Text(cell) for cell in cells), style=STYLES[standing.state])
    return table


def list_cells(board: Sequence[CellStatus]) -> None:
    """Print all cells with their states and scores. An unfinished cell with a folder is "begun"."""
    table = Table(show_edge=False, header_style="bold")
    for title in ("cell", "state", "score"):
        table.add_column(title)
    for standing in board:
        has_begun = standing.state == "waiting" and standing.cell.folder.exists()
        state = "begun" if has_begun else standing.state
        table.add_row(*map(Text, (standing.cell.name, state, standing.score)))
    results().print(table)


def complain_of_failed(board: Sequence[CellStatus]) -> None:
    """Print the error and the log file of failed cells; an error that several cells share is printed once."""
    failed = [standing for standing in board if standing.state == "failed"]
    for message in dict.fromkeys(standing.message for standing in failed):
        first, *others = (standing for standing in failed if standing.message == message)
        more = f" and {len(others)} more" if others else ""
        complain(f"{first.cell.name}{more}: {message} Log: {shlex.quote(str(first.log))}")
    if failed:
        complain(
            f"{len(failed)} of {len(board)} cells failed. The same command tries them again, and no others."
        )
