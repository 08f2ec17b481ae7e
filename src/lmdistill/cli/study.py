"""lmdistill study: a base recipe, axes or a search, and seeds in; runs and one table out."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.threads import Threads
from lmdistill.core.errors import ConfigError

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
    from lmdistill.studies.schema import read_study

    chosen = read_study(file, set_ or [])
    from lmdistill.cli.study_progress import complain_of_failed, following, list_cells
    from lmdistill.studies.grid import study_cells
    from lmdistill.studies.runner import exit_code, rows, run_study, standings
    from lmdistill.studies.study_folder import StudyFolder

    place = StudyFolder(path=out or Path("runs") / chosen.study)
    if chosen.search is not None:
        from lmdistill.cli.search import list_trials, search

        if list_:
            list_trials(chosen, place)
            return
        raise typer.Exit(search(chosen, place, RUN))
    cells = study_cells(chosen, place.path)
    place.require(chosen, cells)
    if list_:
        list_cells(standings(cells))
        return
    with following() as watch:
        board = run_study(chosen, cells, place, command=RUN, watch=watch)
    done = [standing.cell.folder for standing in board if standing.state == "done"]
    if done:
        from lmdistill.cli.print_tables import show

        show(done, order=rows(cells), reports=[place.path])
    complain_of_failed(board)
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
