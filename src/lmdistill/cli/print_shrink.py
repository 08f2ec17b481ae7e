"""The tables of a search for a student: the shapes, the trained students, and the choice."""

from pathlib import Path

from rich.console import Console

from lmdistill.cli.console import say
from lmdistill.cli.print_tables import print_grid
from lmdistill.commands.shrink_page import choice_text, other_shapes
from lmdistill.commands.shrink_tables import shapes_grid, students_grid
from lmdistill.records.record import REPORT
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
    text = choice_text(found)
    say(f"{text[0].lower()}{text[1:]}")
    for alarm in chosen.alarms:
        say(f"alarm: {alarm}")
    say(f"another shape in full: {other_shapes(out)}")
    say(f"report: {out / REPORT}")
    say(f"exported: {chosen.folder}, also as {out / 'student'}")
