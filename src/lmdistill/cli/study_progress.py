"""How far a study is: a table on a terminal, elsewhere a line for each change and for each running cell."""

import logging
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lmdistill.cli.console import complain, results
from lmdistill.core import progress
from lmdistill.studies.runner import CellStatus
from lmdistill.studies.subprocesses import last_line

log = logging.getLogger("lmdistill")

ROOM = 8
"""Lines of the terminal that the table leaves free."""

STYLES = {"done": "green", "running": "bold", "failed": "bold red", "elsewhere": "yellow", "waiting": "dim"}
AT_WORK = ("running", "elsewhere")
URGENT = ("running", "failed", "elsewhere", "waiting", "done")
"""What is shown first, where there is not room for all."""


@contextmanager
def following(*, grows: bool = False) -> Iterator[Callable[[Sequence[CellStatus]], None]]:
    """Yield what shows how far a study is: in a changing table, or in lines where stderr is no terminal.

    Args:
        grows: Whether cells are added while it runs, so that their number says nothing in the beginning.
    """
    if not progress.on_terminal():
        yield _Lines(grows=grows).watch
        return
    console = Console(stderr=True)
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield lambda board: live.update(_table(board, console.height - ROOM))


class _Lines:
    """A line for each change, and every `progress.INTERVAL` seconds one for each cell at work."""

    def __init__(self, *, grows: bool) -> None:
        self._grows = grows
        self._last: dict[str, str] | None = None
        self._spoken: dict[str, float] = {}

    def watch(self, board: Sequence[CellStatus]) -> None:
        """Say what has changed since the last look, and how far cells are that were silent for a while."""
        if self._last is None:
            ready = sum(standing.state == "done" for standing in board)
            if self._grows:
                log.info("%d runs were done before", ready)
            else:
                log.info("%d cells, %d of them done before", len(board), ready)
            self._last = {s.cell.name: s.state if s.state == "done" else "waiting" for s in board}
        for standing in board:
            name, before = standing.cell.name, self._last.get(standing.cell.name, "waiting")
            if standing.state != before:
                self._last[name] = standing.state
                self._say(name, _said(standing))
            elif standing.state in AT_WORK and progress.now() - self._spoken[name] >= progress.INTERVAL:
                self._say(name, (last_line(standing.log) if standing.log else "") or _said(standing))

    def _say(self, name: str, text: str) -> None:
        """A line that begins with the name of a cell."""
        self._spoken[name] = progress.now()
        log.info("%s: %s", name, text)


def _said(standing: CellStatus) -> str:
    """The state of a cell in words."""
    if standing.state == "done":
        return f"done, {standing.score}, {_minutes(standing)} min"
    if standing.state == "failed":
        return f"failed, {standing.message}"
    return "another process runs it, waiting" if standing.state == "elsewhere" else standing.state


def _minutes(standing: CellStatus) -> str:
    """Time, for a table."""
    return "" if standing.seconds is None else f"{standing.seconds / 60:.1f}"


def _table(board: Sequence[CellStatus], room: int) -> Table:
    """All cells, or, where there is not room for them, those that are not done first."""
    count = {state: sum(standing.state == state for standing in board) for state in URGENT}
    title = ", ".join(f"{number} {state}" for state, number in count.items() if number)
    table = Table(title=title, title_justify="left", show_edge=False, header_style="bold")
    for name, side in (("cell", "left"), ("state", "left"), ("score", "left"), ("minutes", "right")):
        table.add_column(name, justify="right" if side == "right" else "left", no_wrap=True)
    ranked = sorted(range(len(board)), key=lambda place: URGENT.index(board[place].state))
    if (hidden := len(ranked) - max(room, 1)) > 0:
        table.caption = f"and {hidden} more"
    for place in sorted(ranked[: max(room, 1)]):
        standing = board[place]
        cells = (standing.cell.name, standing.state, standing.score, _minutes(standing))
        table.add_row(*(Text(cell) for cell in cells), style=STYLES[standing.state])
    return table


def list_cells(board: Sequence[CellStatus]) -> None:
    """The cells, on stdout."""
    table = Table(show_edge=False, header_style="bold")
    for title in ("cell", "state", "score"):
        table.add_column(title)
    for standing in board:
        begun = standing.state == "waiting" and standing.cell.folder.exists()
        table.add_row(*map(Text, (standing.cell.name, "begun" if begun else standing.state, standing.score)))
    results().print(table)


def complain_of_failed(board: Sequence[CellStatus]) -> None:
    """What failed, why, and where to read on; what several cells say alike is said once."""
    failed = [standing for standing in board if standing.state == "failed"]
    for message in dict.fromkeys(standing.message for standing in failed):
        first, *others = (standing for standing in failed if standing.message == message)
        more = f" and {len(others)} more" if others else ""
        complain(f"{first.cell.name}{more}: {message} Log: {shlex.quote(str(first.log))}")
    if failed:
        complain(
            f"{len(failed)} of {len(board)} cells failed. The same command tries them again, and no others."
        )
