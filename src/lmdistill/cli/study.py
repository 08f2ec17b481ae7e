"""lmdistill study: a base recipe, axes or a search, and seeds in; runs and one table out."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from lmdistill.cli.console import complain
from lmdistill.cli.print_tables import results, show
from lmdistill.cli.search import list_trials, search
from lmdistill.cli.study_progress import following
from lmdistill.cli.threads import Threads
from lmdistill.core.errors import ConfigError
from lmdistill.studies.grid import study_cells
from lmdistill.studies.runner import CellStatus, exit_code, rows, run_study, standings
from lmdistill.studies.schema import read_study
from lmdistill.studies.study_folder import StudyFolder

RUN = (sys.executable, "-P", "-m", "lmdistill", "distill")
"""What starts the run of a cell, up to its recipe; without -P a `queue.py` of the user would be imported."""


def study(
    file: Annotated[
        str, typer.Argument(help="A built-in study, or a YAML file with study, base, axes, seeds.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the study, runs/NAME unless given; the same command goes on."),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Print what there is and what is done.")] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="seeds=[0], scale=paper, jobs=2; a.b=value reaches every recipe."),
    ] = None,
    threads: Threads = None,
) -> None:
    """Run every cell or trial of a study that is not done, and compare them all."""
    _require_alone()
    chosen = read_study(file, set_ or [])
    place = StudyFolder(path=out or Path("runs") / chosen.study)
    if chosen.search is not None:
        if list_:
            list_trials(chosen, place)
            return
        raise typer.Exit(search(chosen, place, RUN))
    cells = study_cells(chosen, place.path)
    place.require(chosen, cells)
    if list_:
        _list(standings(cells))
        return
    with following() as watch:
        board = run_study(chosen, cells, place, command=RUN, watch=watch)
    done = [standing.cell.folder for standing in board if standing.state == "done"]
    if done:
        show(done, order=rows(cells), reports=[place.path])
    _complain(board)
    raise typer.Exit(exit_code(board))


def _require_alone() -> None:
    """A study starts its processes itself."""
    if os.name != "posix":
        raise ConfigError("a study needs Linux or macOS. Run its cells with lmdistill distill.")
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise ConfigError(
            f"a study starts its own processes, and this is one of {os.environ['WORLD_SIZE']}. Start it "
            "without a launcher, with jobs=N."
        )


def _list(board: Sequence[CellStatus]) -> None:
    """The cells, on stdout."""
    table = Table(show_edge=False, header_style="bold")
    for title in ("cell", "state", "score"):
        table.add_column(title)
    for standing in board:
        begun = standing.state == "waiting" and standing.cell.folder.exists()
        table.add_row(*map(Text, (standing.cell.name, "begun" if begun else standing.state, standing.score)))
    results().print(table)


def _complain(board: Sequence[CellStatus]) -> None:
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
