"""A plot as a separate SVG file with background, title, legend and description."""

from collections.abc import Sequence
from html import escape
from re import findall, sub

from lmdistill.report.plots.svg import Mark, Plot

GROUND, TEXT = "#ffffff", "#1d2126"
FONT = "system-ui, 'DejaVu Sans', Verdana, sans-serif"
SIZE, LINE = 10, 15
"""Font size and line height, in SVG units."""

MARGIN, SWATCH = 8, 24
"""Margin around the content, and length of a line in the legend, in SVG units."""

LETTER = 5.6
"""Average width of a letter in SVG units, from which the widths of legend entries are estimated."""

NOT_XML = r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]"
"""Characters that XML does not allow, even escaped (XML 1.0, 2.2)."""

DASHED = {"solid": "none", "dashed": "6 3", "dashdot": "7 2 1.5 2", "dotted": "1.5 2.5"}


def standalone(plot: Plot, title: str = "") -> str:
    """The content of an SVG file that needs neither a page nor a style sheet.

    The title is above the plot and the legend is below it; the alt text is the description. The same plot
    gives the same bytes.

    Args:
        plot: The plot.
        title: Title of the file; by default the title of the plot.

    Examples:
        >>> plot = Plot(svg='<svg viewBox="0 0 9 9"></svg>', title="T", alt="A < B", legend=(), table=())
        >>> "<desc>A &lt; B</desc>" in standalone(plot)
        True
    """
    width, height = (float(size) for size in findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', plot.svg)[0])
    above = MARGIN + LINE
    legend = _legend(plot.legend, width)
    below = above + height + LINE
    total_height = below + LINE * len(legend) + MARGIN
    heading = escape(title or plot.title)
    inner = sub(
        r"<svg [^>]*>",
        f'<svg x="{MARGIN}" y="{above}" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}">',
        plot.svg,
        count=1,
    ).replace("currentColor", TEXT)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + 2 * MARGIN:g} {total_height:g}" '
        f'width="{width + 2 * MARGIN:g}" height="{total_height:g}" role="img" font-family="{FONT}" '
        f'font-size="{SIZE}" fill="{TEXT}">',
        f"<title>{heading}</title>",
        f"<desc>{escape(plot.alt)}</desc>",
        f'<rect width="100%" height="100%" fill="{GROUND}"/>',
        f'<text x="{MARGIN}" y="{MARGIN + SIZE}" font-weight="600">{heading}</text>',
        "\n".join(line.rstrip() for line in inner.strip().splitlines() if line.strip()),
        *(
            _entry(mark, MARGIN + across, below + LINE * row)
            for row, marks in enumerate(legend)
            for across, mark in marks
        ),
        "</svg>",
    ]
    return sub(NOT_XML, "\N{REPLACEMENT CHARACTER}", "\n".join(lines)) + "\n"


def _legend(marks: Sequence[Mark], width: float) -> list[list[tuple[float, Mark]]]:
    """Legend entries in lines that are not wider than the plot, each with its x position."""
    lines: list[list[tuple[float, Mark]]] = []
    across = 0.0
    for mark in marks:
        entry_width = SWATCH + 6 + LETTER * len(mark.label) + 12
        if not lines or across + entry_width > width:
            lines.append([])
            across = 0.0
        lines[-1].append((across, mark))
        across += entry_width
    return lines


def _entry(mark: Mark, across: float, down: float) -> str:
    """SVG of a legend entry at an x and y position: its line or marker and its label."""
    colour = TEXT if mark.colour == "currentColor" else mark.colour
    line = (
        f'<line x1="{across:g}" y1="{down:g}" x2="{across + SWATCH:g}" y2="{down:g}" stroke="{colour}" '
        f'stroke-width="2.5" stroke-dasharray="{DASHED[mark.dash]}"/>'
    )
    point = (
        f'<path d="M{across + SWATCH / 2:g} {down:g}{mark.shape}" fill="none" stroke="{colour}" '
        'stroke-width="1.4"/>'
    )
    return (
        f"{point if mark.shape else line}"
        f'<text x="{across + SWATCH + 6:g}" y="{down + 3.5:g}">{escape(mark.label)}</text>'
    )
