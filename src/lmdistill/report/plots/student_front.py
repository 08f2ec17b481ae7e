"""Plots of a search for a student: quality against latency and against size, with the limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.axes import Axes

from lmdistill.report.plots.pareto import undominated
from lmdistill.report.plots.svg import COLOURS, INK, Mark, Plot, as_svg, canvas, inked, number

Kind = Literal["chosen", "trained", "short"]
"""What became of a shape: it was chosen, trained in full, or only for a short time."""

MARKERS: dict[Kind, tuple[str, str, str]] = {
    "chosen": (COLOURS[1], "D", "m0-4l4 4l-4 4l-4-4z"),
    "trained": (COLOURS[0], "o", "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0"),
    "short": (COLOURS[6], "s", "m-4-4h8v8h-8z"),
}
"""Colour, marker, and its path in the legend."""

WORDS: dict[Kind, str] = {
    "chosen": "chosen",
    "trained": "trained in full",
    "short": "trained for a short time, may gain with more",
}
"""Entries of the legend."""


@dataclass(frozen=True, kw_only=True)
class FrontPoint:
    """A student on the plots."""

    label: str
    """Shape and graph."""

    latency_ms: float
    """Median milliseconds from one text to its logits."""

    megabytes: float
    """Size of the graph in millions of bytes."""

    quality: float
    """Headline score on dev, in percent."""

    low: float | None
    """Lower end of its 95 % interval; None without one."""

    high: float | None
    """Upper end of its 95 % interval."""

    kind: Kind
    """What became of it."""


def front_plots(
    points: Sequence[FrontPoint], *, score: str, latency_limit: float | None, size_limit: float | None
) -> tuple[Plot, Plot]:
    """Quality against latency, and against size.

    Args:
        points: At least one student.
        score: Name of the score, with its unit.
        latency_limit: Most milliseconds; None draws no line.
        size_limit: Most millions of bytes.
    """
    latencies = [one.latency_ms for one in points]
    sizes = [one.megabytes for one in points]
    return (
        _plot(points, latencies, ("latency p50, ms", score), latency_limit, "Quality and latency"),
        _plot(points, sizes, ("size, MB", score), size_limit, "Quality and size"),
    )


def _plot(
    points: Sequence[FrontPoint],
    costs: Sequence[float],
    axes_titles: tuple[str, str],
    limit: float | None,
    title: str,
) -> Plot:
    """One of the two plots."""
    across, up = axes_titles
    figure, axes = canvas(across, up)
    for one, cost in zip(points, costs, strict=True):
        _draw(axes, one, cost)
    is_full = [one.kind != "short" for one in points]
    best = undominated(
        [
            (cost, one.quality) if full else (float("inf"), 0.0)
            for one, cost, full in zip(points, costs, is_full, strict=True)
        ]
    )
    front = sorted(
        (cost, one.quality)
        for one, cost, on, full in zip(points, costs, best, is_full, strict=True)
        if on and full
    )
    axes.plot([x for x, _ in front], [y for _, y in front], color=INK, linestyle="dashed", linewidth=1)
    kinds = [kind for kind in MARKERS if any(one.kind == kind for one in points)]
    marks = [
        Mark(label=WORDS[kind], colour=MARKERS[kind][0], dash="solid", shape=MARKERS[kind][2])
        for kind in kinds
    ]
    marks.append(inked("front of the fully trained", "dashed"))
    if limit is not None:
        axes.axvline(limit, color=INK, linestyle="dotted", linewidth=1.2)
        marks.append(inked(f"limit, {number(limit)}", "dotted"))
    axes.margins(0.12)
    chosen = next((one for one in points if one.kind == "chosen"), points[0])
    lines = [
        (one.label, number(cost), number(one.quality), _range(one), WORDS[one.kind])
        for one, cost in zip(points, costs, strict=True)
    ]
    return Plot(
        svg=as_svg(figure, title.replace(" ", "-").lower()),
        title=title,
        alt=f"Chosen: {chosen.label}. Bars are 95 % intervals over the dev texts.",
        legend=tuple(marks),
        table=(("", across, up, "95 % interval", ""), *lines),
    )


def _draw(axes: Axes, one: FrontPoint, cost: float) -> None:
    """A student and its interval."""
    colour, marker, _ = MARKERS[one.kind]
    if one.low is not None and one.high is not None:
        axes.plot([cost, cost], [one.low, one.high], color=colour, linewidth=1.4)
    is_short = one.kind == "short"
    axes.plot(
        [cost],
        [one.quality],
        color=colour,
        marker=marker,
        markersize=5 if is_short else 7,
        markerfacecolor="none" if is_short else colour,
    )


def _range(one: FrontPoint) -> str:
    """The interval as text."""
    if one.low is None or one.high is None:
        return "–"
    return f"{number(one.low)} to {number(one.high)}"
