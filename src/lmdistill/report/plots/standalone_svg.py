"""A picture of a page as a file of its own: light ground, own colours, legend and words inside."""

from collections.abc import Sequence
from html import escape
from re import findall, sub

from lmdistill.report.plots.svg import Mark, Plot

GROUND, TEXT = "#ffffff", "#1d2126"
FONT = "system-ui, 'DejaVu Sans', Verdana, sans-serif"
SIZE, LINE = 10, 15
"""Of letters and of lines of text, in SVG units."""

MARGIN, SWATCH = 8, 24
"""Around everything, and the length of a line in the legend."""

LETTER = 5.6
"""Width of a letter on average; text is placed by it, since a file cannot measure fonts."""

NOT_XML = r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]"
"""What an XML file may not hold, not even escaped (XML 1.0, 2.2); a page may."""

DASHED = {"solid": "none", "dashed": "6 3", "dashdot": "7 2 1.5 2", "dotted": "1.5 2.5"}


def standalone(plot: Plot, title: str = "") -> str:
    """The text of an SVG file that needs neither a page nor a style sheet.

    It has the same lines as on the page. Below them are the legend, and the picture in words as its
    description. The same plot gives the same bytes.

    Args:
        plot: Of a page.
        title: What stands above the picture, the plot's own unless given.

    Examples:
        >>> plot = Plot(svg='<svg viewBox="0 0 9 9"></svg>', title="T", alt="A < B", legend=(), table=())
        >>> "<desc>A &lt; B</desc>" in standalone(plot)
        True
    """
    width, height = (float(size) for size in findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', plot.svg)[0])
    above = MARGIN + LINE
    legend = _legend(plot.legend, width)
    below = above + height + LINE
    whole = below + LINE * len(legend) + MARGIN
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
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + 2 * MARGIN:g} {whole:g}" '
        f'width="{width + 2 * MARGIN:g}" height="{whole:g}" role="img" font-family="{FONT}" '
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
    """Marks in lines that are no wider than the picture, each with its place in the line."""
    lines: list[list[tuple[float, Mark]]] = []
    across = 0.0
    for mark in marks:
        room = SWATCH + 6 + LETTER * len(mark.label) + 12
        if not lines or across + room > width:
            lines.append([])
            across = 0.0
        lines[-1].append((across, mark))
        across += room
    return lines


def _entry(mark: Mark, across: float, down: float) -> str:
    """A line or a point of the legend with its label."""
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
