"""A table whose cells are text, and its Markdown."""

from dataclasses import dataclass

from lmdistill.core.printable import one_line


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table of text; the first column has labels, the others have numbers."""

    caption: str
    """Caption in one line."""

    header: tuple[str, ...]
    """One title per column; the first one may be empty."""

    rows: tuple[tuple[str, ...], ...]
    """One text per cell, as many in each row as in `header`."""

    notes: tuple[str, ...]
    """Explanations below the table, in whole sentences."""

    alarms: tuple[str, ...]
    """Warnings about the numbers, each beginning with the rows that it is about."""

    name: str = "table"
    """Last part of the names of exported files, of letters and hyphens."""


def _cell(text: str) -> str:
    """`text` on one line, with the characters escaped that would end a Markdown cell or make a link."""
    escaped = one_line(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return escaped.replace("](", "]\\(")


def markdown(table: Grid) -> str:
    """The table in GitHub's Markdown, with its caption above and its alarms and notes below."""
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
