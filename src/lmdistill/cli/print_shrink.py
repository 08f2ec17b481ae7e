"""The tables of a search for a student: the shapes, the trained students, and the choice."""

import shlex
from pathlib import Path

from rich.console import Console

from lmdistill.cli.console import say
from lmdistill.cli.print_tables import print_grid
from lmdistill.commands.shrink_tables import shapes_grid, students_grid
from lmdistill.studies.shrink.choice import reason
from lmdistill.studies.shrink.outcome import SearchOutcome


def show_shapes(console: Console, found: SearchOutcome) -> None:
    """Print every shape with what was measured, and which limits it misses."""
    print_grid(console, shapes_grid(found))


def show_choice(console: Console, found: SearchOutcome, out: Path) -> None:
    """Print the trained students, the chosen one and why, and how to train another shape.

    Args:
        console: Where tables go.
        found: With a choice.
        out: Folder of the search.
    """
    chosen = found.chosen
    assert chosen is not None
    print_grid(console, students_grid(found))
    if found.out_of_time:
        say(f"the hours ended first ({found.hours:.2f} used): the best so far. Raise --hours to go on.")
    say(f"chosen: {chosen.shape.name} as {chosen.graph}; {reason(chosen, found.students, found.limits)}.")
    for alarm in chosen.alarms:
        say(f"alarm: {alarm}")
    say(f"exported: {chosen.folder}")
    recipe = out / "recipes" / "SHAPE.yaml"
    words = shlex.join(["lmdistill", "distill", str(recipe), "--out", str(out / "SHAPE")])
    say(f"another shape in full: {words}")
