"""A finished table of text, and its Markdown."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A finished table; the first column is text, the others are numbers."""

    caption: str
    """What the table is about, in one line."""

    header: tuple[str, ...]
    """One title a column."""

    rows: tuple[tuple[str, ...], ...]
    """One text a cell."""

    notes: tuple[str, ...]
    """What a reader needs to read the numbers, one sentence each."""

    alarms: tuple[str, ...]
    """What a reader must know before believing them."""

    name: str = "table"
    """What files call it after the name of the task: letters and hyphens."""


def _cell(text: str) -> str:
    """`text` where a bar or a newline would end the cell."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def markdown(table: Grid) -> str:
    """The table in GitHub's Markdown, with its caption above and its notes below."""
    lines = [table.header, ["---", *["---:"] * (len(table.header) - 1)], *table.rows]
    body = "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)
    below = [*(f"Alarm: {alarm}" for alarm in table.alarms), *table.notes]
    return "\n".join(
        [
            f"**{_cell(table.caption)}**",
            "",
            body,
            *(["", *(f"- {_cell(x)}" for x in below)] if below else []),
            "",
        ]
    )
