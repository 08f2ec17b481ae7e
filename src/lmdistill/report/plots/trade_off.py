"""Plot of the metric, the trade-off score and the student's metric of each candidate of a schedule."""

from collections.abc import Callable
from itertools import product

from matplotlib.axes import Axes

from lmdistill.analysis.metric_format import Value, metric_format
from lmdistill.analysis.number_format import percent_kept
from lmdistill.records.schema import Candidate, ScheduleFacts
from lmdistill.report.plots.svg import INK, Mark, Plot, as_svg, canvas, draw, inked, joined, mark_of

Curve = tuple[str, Callable[[Candidate], Value]]
"""Label of a line, and the function that returns its value for a candidate."""


def trade_off_plot(facts: ScheduleFacts, *, name: str) -> Plot | None:
    """Metric, score and students' metric over the kept fraction, one line each.

    Chosen candidates are marked by a dotted vertical line with a label, and by rings around their points.

    Args:
        facts: The schedule of one run.
        name: Prefix of SVG ids, of letters, digits and hyphens, unique on the page.

    Returns:
        None for fewer than two candidates with a metric.
    """
    if len({one.kept for one in facts.candidates if one.metric is not None}) < 2:
        return None
    figure, axes = canvas("kept × 100", metric_format(facts.metric).title.replace(", %", " × 100"))
    marks: list[Mark] = []
    lines: dict[str, list[tuple[float, float]]] = {}
    rounds = sorted({one.round for one in facts.candidates})
    for number, (label, get) in product(rounds, _curves(facts)):
        of_round = [one for one in facts.candidates if one.round == number]
        points = [(one, value) for one in of_round if (value := get(one)) is not None]
        mark = mark_of(len(marks), label if len(rounds) == 1 else f"{label}, round {number}")
        lines[mark.label] = [(100 * one.kept, 100 * value) for one, value in points]
        draw(axes, mark, [across for across, _ in lines[mark.label]], [up for _, up in lines[mark.label]])
        for one, value in points:
            if one.chosen:
                axes.plot(100 * one.kept, 100 * value, "o", color=INK, markersize=9, fillstyle="none")
        marks.append(mark)
    chosen = dict.fromkeys(one.kept for one in facts.candidates if one.chosen)
    for kept in chosen:
        _mark_chosen(axes, 100 * kept)
    legend = (*marks, *([inked("chosen", "dotted")] if chosen else []))
    return Plot(
        svg=as_svg(figure, name),
        title="Trade-off",
        alt=_description(facts),
        legend=legend,
        table=joined("kept × 100", lines),
    )


def _mark_chosen(axes: Axes, across: float) -> None:
    """Draw a dotted vertical line with the label `chosen` at its lower end."""
    axes.axvline(across, color=INK, linestyle="dotted", linewidth=1, alpha=0.7)
    axes.annotate(
        "chosen",
        (across, 0.02),
        xycoords=("data", "axes fraction"),
        xytext=(4, 0),
        textcoords="offset points",
        color=INK,
        fontsize="small",
    )


def _curves(facts: ScheduleFacts) -> tuple[Curve, ...]:
    """The lines for which the candidates have values, the metric first."""
    curves: tuple[Curve, ...] = (
        (facts.metric, lambda one: one.metric),
        ("trade-off", lambda one: one.score),
        (f"student's {facts.metric}", lambda one: one.student_metric),
    )
    return tuple(
        (label, get) for label, get in curves if any(get(one) is not None for one in facts.candidates)
    )


def _description(facts: ScheduleFacts) -> str:
    """A description of the plot for its alt text."""
    (first, metric), *others = _curves(facts)
    text = metric_format(facts.metric).text
    known = [one for one in facts.candidates if one.metric is not None]
    sentences = [
        f"The {first} goes from {text(metric(known[0]))} at {percent_kept(known[0].kept)} kept "
        f"to {text(metric(known[-1]))} at {percent_kept(known[-1].kept)}"
    ]
    for label, get in others:
        highest, kept = max((value, one.kept) for one in facts.candidates if (value := get(one)) is not None)
        sentences.append(f"the {label} is highest at {percent_kept(kept)} ({text(highest)})")
    chosen = ", then ".join(percent_kept(one.kept) for one in facts.candidates if one.chosen)
    return "; ".join([*sentences, f"chosen: {chosen or 'none'}"]) + "."
