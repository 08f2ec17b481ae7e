"""Basics of all plots: inline SVG without files and scripts, legible on light and dark pages.

The SVG contains no text of the user: labels are in the legend and the caption, which the page escapes.
"""

import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lmdistill.analysis.metric_format import NONE

INK = "#010203"
"""Placeholder for the text colour of the page; replaced by `currentColor` in the SVG."""

COLOURS = ("#3a86d4", "#d4691e", "#1f9a7a", "#b663b0", "#9a8414", "#d64f5f", "#6f7bd0", "#5d8f3a")
"""Colours with a contrast of at least 3:1 against the light and the dark page, which a test checks."""

DASHES = ("solid", "dashed", "dashdot", "dotted")
WIDTH, HEIGHT = 4.6, 2.9
"""Size in inches of 72 SVG units, chosen so that text is legible on a page 360 pixels wide."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """An entry of the legend."""

    label: str
    """Text of the entry."""

    colour: str
    """CSS colour."""

    dash: str
    """Line style, one of `DASHES`."""

    shape: str | None = None
    """For data shown as points, the SVG path of the marker around a point; None for a line."""


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A plot with its title, description, legend and data."""

    svg: str
    """One `<svg>` element that can be inserted into a page without escaping."""

    title: str
    """Heading of the plot."""

    alt: str
    """Description of the plot in words, for the caption and screen readers."""

    legend: tuple[Mark, ...]
    """One entry per line or marker."""

    table: tuple[tuple[str, ...], ...]
    """The data of the plot as text: a header, then one line per row."""


def number(value: float | int | None) -> str:
    """A number of a plot as text, with four significant digits, or six from 100; a dash if not finite.

    Examples:
        >>> number(1234.5), number(0.123456), number(None), number(float("nan"))
        ('1234.5', '0.1235', '–', '–')
    """
    if value is None or not math.isfinite(value):
        return NONE
    return f"{value:.6g}" if abs(value) >= 100 else f"{value:.4g}"


def joined(
    across: str, curves: Mapping[str, Iterable[tuple[float | int, float]]]
) -> tuple[tuple[str, ...], ...]:
    """The data table of several curves, with one line for each x value.

    Args:
        across: Title of the x values.
        curves: Points (x, y) of each curve, by its title.

    Examples:
        >>> joined("step", {"KD": [(1, 0.5), (2, 0.25)], "FT": [(2, 1.0)]})
        (('step', 'KD', 'FT'), ('1', '0.5', '–'), ('2', '0.25', '1'))
    """
    by_title = {title: dict(points) for title, points in curves.items()}
    positions = sorted({x for points in by_title.values() for x in points})
    lines = ((number(x), *(number(points.get(x)) for points in by_title.values())) for x in positions)
    return (across, *by_title), *lines


def canvas(across: str, up: str) -> tuple[Figure, Axes]:
    """An empty figure and its axes in the text colour of the page.

    Args:
        across: Label of the x axis.
        up: Label of the y axis.
    """
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    axes.set_xlabel(across, color=INK)
    axes.set_ylabel(up, color=INK)
    axes.tick_params(which="both", colors=INK)
    axes.grid(color=INK, alpha=0.15, linewidth=0.6)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(INK)
    return figure, axes


def as_svg(figure: Figure, name: str) -> str:
    """The figure as one `<svg>` element without external references, with `name` before all of its ids."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', text, count=1
    )
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # ids of groups that nothing refers to
    text = re.sub(r"font-family: [^;]*; ", "", text)  # the page sets the font
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = text.replace("xlink:href=", "href=").replace('href="#', f'href="#{name}-')
    return text.replace("url(#", f"url(#{name}-").replace(INK, "currentColor")


def mark_of(index: int, label: str) -> Mark:
    """Legend entry with the colour and the line style for the line with this index, from 0."""
    return Mark(label=label, colour=COLOURS[index % len(COLOURS)], dash=DASHES[index % len(DASHES)])


def inked(label: str, dash: str) -> Mark:
    """Legend entry for a line in the text colour of the page."""
    return Mark(label=label, colour="currentColor", dash=dash)


def draw(
    axes: Axes, mark: Mark, across: Sequence[float | int], up: Sequence[float], width: float = 1.6
) -> None:
    """Draw one line, with markers if it has at most 12 points.

    Args:
        axes: Axes to draw on.
        mark: Colour and line style.
        across: x values.
        up: y values, as many as x values.
        width: Line width in points.
    """
    colour = INK if mark.colour == "currentColor" else mark.colour
    marker = "o" if len(up) <= 12 else None
    axes.plot(across, up, color=colour, linestyle=mark.dash, linewidth=width, marker=marker, markersize=3)
