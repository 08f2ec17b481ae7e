"""lmdistill study: run a recipe with many settings and seeds, and compare the results in one table."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.distill import AllowCode
from lmdistill.cli.threads import Threads
from lmdistill.core.errors import ConfigError

log = logging.getLogger("lmdistill")

RUN = (sys.executable, "-P", "-m", "lmdistill", "distill")
"""Command line that runs a cell, up to its recipe; -P prevents the import of a user's `queue.py`."""


def study(
    file: Annotated[
        str,
        typer.Argument(help="Name of a built-in study, or path of a YAML file of your own."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the study; the same command continues it. Default: runs/NAME."),
    ] = None,
    list_: Annotated[
        bool,
        typer.Option(
            "--list",
            help="Print the cells or trials, their states, and what differs from the publication; run none.",
        ),
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Set a key of the study, as in seeds=[0], scale=paper or jobs=2; or a field of all recipes, "
            "as in training.epochs=3. Can be repeated.",
        ),
    ] = None,
    allow_code: AllowCode = False,
    threads: Threads = None,
) -> None:
    """Run all cells of a study, or all trials of its search, that are not finished, and compare them."""
    _require_single_process()
    from lmdistill.recipes.code_policy import FLAG, Code
    from lmdistill.studies.schema import read_study

    chosen = read_study(file, set_ or [])
    from lmdistill.cli.study_progress import complain_of_failed, following, list_cells
    from lmdistill.studies.grid import study_cells
    from lmdistill.studies.runner import exit_code, rows, run_study, standings
    from lmdistill.studies.study_folder import StudyFolder

    if list_:
        _tell_notes(file)
    folder = StudyFolder(path=out or Path("runs") / chosen.study)
    command = (*RUN, FLAG) if allow_code else RUN
    if chosen.search is not None:
        from lmdistill.cli.search import list_trials, search

        if list_:
            list_trials(chosen, folder)
            return
        raise typer.Exit(search(chosen, folder, command, allow_code=allow_code))
    code: Code = "name" if list_ else "run" if allow_code else "refuse"
    cells = study_cells(chosen, folder.path, code=code)
    folder.require(chosen, cells)
    if list_:
        list_cells(standings(cells))
        return
    with following() as watch:
        board = run_study(chosen, cells, folder, command=command, watch=watch)
    done = [standing.cell.folder for standing in board if standing.state == "done"]
    if done:
        from lmdistill.cli.print_tables import show

        show(done, order=rows(cells), reports=[folder.path])
    complain_of_failed(board)
    raise typer.Exit(exit_code(board))


def _tell_notes(name: str) -> None:
    """Log what a built-in study is at each scale, and what differs there from the publication."""
    from lmdistill.commands.catalog import study_notes

    for line in study_notes(name):
        log.info("%s", line)


def _require_single_process() -> None:
    """Check that the system is supported and that no launcher started several processes of this command."""
    if os.name != "posix":
        raise ConfigError("a study needs Linux or macOS. Run its cells with lmdistill distill.")
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise ConfigError(
            f"a study starts its own processes, and this is one of {os.environ['WORLD_SIZE']} that a "
            "launcher started. Run it without a launcher, with jobs=N."
        )
