"""Plots of quality against latency and size, with the Pareto front."""

from collections.abc import Sequence

from lmdistill.analysis.metric_format import metric_format
from lmdistill.analysis.result_table import Comparison, Row
from lmdistill.report.plots.svg import COLOURS, INK, Mark, Plot, as_svg, canvas, number

Point = tuple[float, float]
"""Cost, where lower is better, and quality, where higher is better."""


def undominated(points: Sequence[Point]) -> tuple[bool, ...]:
    """Whether each point is on the Pareto front.

    It is if no other point is at least as good in both values and better in one.

    Examples:
        >>> undominated([(1.0, 0.8), (2.0, 0.9), (3.0, 0.85)])
        (True, True, False)
    """
    return tuple(
        not any(
            cost <= own_cost and quality >= own_quality and (cost, quality) != (own_cost, own_quality)
            for cost, quality in points
        )
        for own_cost, own_quality in points
    )


def size_plot(table: Comparison, *, name: str) -> Plot | None:
    """Headline score against millions of parameters; None if all rows have the same size.

    Args:
        table: The comparison of one task.
        name: See `trade_off.trade_off_plot`.
    """
    sizes = [(row, row.cost.parameters / 1e6) for row in table.rows]
    return _frontier_plot(table, sizes, "parameters, M", "Quality and size", name)


def latency_plot(table: Comparison, *, name: str) -> Plot | None:
    """Headline score against the median latency in milliseconds; None for fewer than two latencies.

    Args:
        table: The comparison of one task.
        name: See `trade_off.trade_off_plot`.
    """
    times = [(row, row.cost.latency_ms) for row in table.rows if row.cost.latency_ms is not None]
    across = f"latency p50, batch {table.batch_size}, ms"
    return _frontier_plot(table, times, across, "Quality and latency", name)


def _frontier_plot(
    table: Comparison, costs: Sequence[tuple[Row, float]], across: str, title: str, name: str
) -> Plot | None:
    """A numbered point with error bars for each row, and a dashed line through the Pareto front."""
    shown, score = metric_format(table.scores[0][1]), table.scores[0]
    points = [(row, cost, row.quality[score]) for row, cost in costs if score in row.quality]
    if len({cost for _, cost, _ in points}) < 2:
        return None
    best = undominated([(cost, shown.sign * quality.mean) for _, cost, quality in points])
    figure, axes = canvas(across, shown.title.replace(", %", " × 100"))
    marks = [
        Mark(label=f"{index + 1} {row.label}", colour=COLOURS[index % len(COLOURS)], dash="solid")
        for index, (row, _, _) in enumerate(points)
    ]
    for index, (mark, (_, cost, quality)) in enumerate(zip(marks, points, strict=True)):
        up, sd = shown.scale * quality.mean, shown.scale * (quality.sd or 0.0)
        axes.errorbar(cost, up, yerr=sd or None, fmt="o", color=mark.colour, markersize=6, linewidth=1.2)
        axes.annotate(str(index + 1), (cost, up), (5, 4), textcoords="offset points", color=INK)
    front = sorted(
        (cost, shown.scale * quality.mean) for (_, cost, quality), on in zip(points, best, strict=True) if on
    )
    axes.plot([x for x, _ in front], [y for _, y in front], color=INK, linestyle="dashed", linewidth=1)
    axes.margins(0.12)
    lines = [
        (row.label, number(cost), shown.text(quality.mean), shown.text(quality.sd), "yes" if on else "no")
        for (row, cost, quality), on in zip(points, best, strict=True)
    ]
    on_front = ", ".join(row.label for (row, _, _), on in zip(points, best, strict=True) if on)
    return Plot(
        svg=as_svg(figure, name),
        title=title,
        alt=f"Best trade-offs: {on_front}. Error bars: standard deviation over seeds.",
        legend=(*marks, Mark(label="Pareto front", colour="currentColor", dash="dashed")),
        table=(("", across, shown.title, "± over seeds", "on the Pareto front"), *lines),
    )
