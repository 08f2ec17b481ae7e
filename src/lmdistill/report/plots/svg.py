"""What every picture is drawn on: inline SVG without files and scripts, legible on light and on dark pages.

Pictures hold no user text: names are in the legend and the caption, which the page writes and escapes.
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
"""Stands for the colour of the page's text; replaced by `currentColor` in the SVG."""

COLOURS = ("#3a86d4", "#d4691e", "#1f9a7a", "#b663b0", "#9a8414", "#d64f5f", "#6f7bd0", "#5d8f3a")
"""At least 3:1 against white and against the dark page; a test holds them to it."""

DASHES = ("solid", "dashed", "dashdot", "dotted")
WIDTH, HEIGHT = 4.6, 2.9
"""Inches; 72 SVG units each, so that text is still legible when the page is 360 pixels wide."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A line of the legend."""

    label: str
    """What the line shows."""

    colour: str
    """CSS colour."""

    dash: str
    """Style of the line, one of `DASHES`."""

    shape: str | None = None
    """An SVG path around a point, of what is shown by points and not by a line."""


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A picture and what belongs around it."""

    svg: str
    """One `<svg>` element, safe to put into a page."""

    title: str
    """Heading."""

    alt: str
    """The picture in words."""

    legend: tuple[Mark, ...]
    """One entry a line."""

    table: tuple[tuple[str, ...], ...]
    """The numbers that are drawn: titles, then one line of texts each."""


def number(value: float | int | None) -> str:
    """A number of a picture as text.

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
    """The table of curves: a line for each place that one of them has.

    Args:
        across: Title of the places.
        curves: Places and heights by title.

    Examples:
        >>> joined("step", {"KD": [(1, 0.5), (2, 0.25)], "FT": [(2, 1.0)]})
        (('step', 'KD', 'FT'), ('1', '0.5', '–'), ('2', '0.25', '1'))
    """
    heights = {title: dict(points) for title, points in curves.items()}
    places = sorted({place for points in heights.values() for place in points})
    lines = ((number(place), *(number(points.get(place)) for points in heights.values())) for place in places)
    return (across, *heights), *lines


def canvas(across: str, up: str) -> tuple[Figure, Axes]:
    """An empty picture in the page's ink."""
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
    """The picture as one element that refers to nothing outside and shares no id with other pictures."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', text, count=1
    )
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # names of groups, to which nothing refers
    text = re.sub(r"font-family: [^;]*; ", "", text)  # the page has its own
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = text.replace("xlink:href=", "href=").replace('href="#', f'href="#{name}-')
    return text.replace("url(#", f"url(#{name}-").replace(INK, "currentColor")


def mark_of(index: int, label: str) -> Mark:
    """Colour and dash of the n-th line; the dash alone tells the first few apart."""
    return Mark(label=label, colour=COLOURS[index % len(COLOURS)], dash=DASHES[index % len(DASHES)])


def inked(label: str, dash: str) -> Mark:
    """A line in the colour of the text."""
    return Mark(label=label, colour="currentColor", dash=dash)


def draw(
    axes: Axes, mark: Mark, across: Sequence[float | int], up: Sequence[float], width: float = 1.6
) -> None:
    """One line."""
    colour = INK if mark.colour == "currentColor" else mark.colour
    marker = "o" if len(up) <= 12 else None
    axes.plot(across, up, color=colour, linestyle=mark.dash, linewidth=width, marker=marker, markersize=3)
