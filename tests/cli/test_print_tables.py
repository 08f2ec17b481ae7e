"""Tables in terminals of any width: in parts where they do not fit, and never with a number cut."""

import io

import pytest
from rich.console import Console

from lmdistill.cli.print_tables import print_grid
from lmdistill.report.grid import Grid

GRID = Grid(
    caption="nine columns",
    header=("", *(f"a rather long title {place}" for place in range(9))),
    rows=tuple((name, *(f"{100 * place + 0.25:.2f} ± 0.50" for place in range(9))) for name in ("FT", "KD")),
    notes=("a note",),
    alarms=("an alarm",),
)


def shown(width: int) -> list[str]:
    said = io.StringIO()
    print_grid(Console(file=said, force_terminal=True, width=width, color_system=None), GRID)
    return said.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 80, 120, 300])
def test_no_number_is_cut_and_each_part_names_its_rows(width: int) -> None:
    lines = shown(width)
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    rows = [line for line in lines if line.startswith(" KD")]
    numbers = [cell.strip() for line in rows for cell in line.split("│")[1:]]
    assert numbers == list(GRID.rows[1][1:])
    assert (len(rows) == 1) == (width == 300)
    assert sum(line.startswith(" FT") for line in lines) == len(rows)


def test_the_caption_and_the_notes_are_said_once() -> None:
    text = "\n".join(shown(60))
    assert [text.count(part) for part in ("nine columns", "a note", "alarm: an alarm")] == [1, 1, 1]
