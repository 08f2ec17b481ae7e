"""How good and how small candidates are, against what their students came to: numbers and a picture."""

from collections.abc import Callable
from itertools import product

from matplotlib.axes import Axes

from lmdistill.analysis.metric_format import Value, metric_format
from lmdistill.analysis.number_format import percent_kept
from lmdistill.records.schema import Candidate, ScheduleFacts
from lmdistill.report.plots.svg import INK, Mark, Plot, as_svg, canvas, draw, inked, joined, mark_of

Curve = tuple[str, Callable[[Candidate], Value]]
"""What a line shows, and where its heights come from."""


def trade_off_plot(facts: ScheduleFacts, *, name: str) -> Plot | None:
    """Metric, score and students' metric over the kept fraction, one line each; None below two candidates.

    What was chosen has a dotted line, a ring around each of its points, and the word beside it.

    Args:
        facts: Of one run.
        name: Letters, digits and hyphens, another one for each picture on a page.
    """
    if len({one.kept for one in facts.candidates if one.metric is not None}) < 2:
        return None
    figure, axes = canvas("kept × 100", metric_format(facts.metric).title.replace(", %", " × 100"))
    marks: list[Mark] = []
    drawn: dict[str, list[tuple[float, float]]] = {}
    rounds = sorted({one.round for one in facts.candidates})
    for number, (label, height) in product(rounds, _curves(facts)):
        held = [one for one in facts.candidates if one.round == number]
        points = [(one, value) for one in held if (value := height(one)) is not None]
        mark = mark_of(len(marks), label if len(rounds) == 1 else f"{label}, round {number}")
        drawn[mark.label] = [(100 * one.kept, 100 * value) for one, value in points]
        draw(axes, mark, [across for across, _ in drawn[mark.label]], [up for _, up in drawn[mark.label]])
        for one, value in points:
            if one.chosen:
                axes.plot(100 * one.kept, 100 * value, "o", color=INK, markersize=9, fillstyle="none")
        marks.append(mark)
    chosen = dict.fromkeys(one.kept for one in facts.candidates if one.chosen)
    for kept in chosen:
        _point_out(axes, 100 * kept)
    legend = (*marks, *([inked("chosen", "dotted")] if chosen else []))
    return Plot(
        svg=as_svg(figure, name),
        title="Trade-off",
        alt=_words(facts),
        legend=legend,
        table=joined("kept × 100", drawn),
    )


def _point_out(axes: Axes, across: float) -> None:
    """A dotted line upwards, with the word for it at its foot."""
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
    """The lines that a record has numbers for, metric first."""
    curves: tuple[Curve, ...] = (
        (facts.metric, lambda one: one.metric),
        ("trade-off", lambda one: one.score),
        (f"student's {facts.metric}", lambda one: one.student_metric),
    )
    return tuple(
        (label, get) for label, get in curves if any(get(one) is not None for one in facts.candidates)
    )


def _words(facts: ScheduleFacts) -> str:
    """The picture in words."""
    (first, metric), *others = _curves(facts)
    text = metric_format(facts.metric).text
    known = [one for one in facts.candidates if one.metric is not None]
    said = [
        f"The {first} goes from {text(metric(known[0]))} at {percent_kept(known[0].kept)} kept "
        f"to {text(metric(known[-1]))} at {percent_kept(known[-1].kept)}"
    ]
    for label, get in others:
        height, kept = max((value, one.kept) for one in facts.candidates if (value := get(one)) is not None)
        said.append(f"the {label} is highest at {percent_kept(kept)} ({text(height)})")
    chosen = ", then ".join(percent_kept(one.kept) for one in facts.candidates if one.chosen)
    return "; ".join([*said, f"chosen: {chosen or 'none'}"]) + "."
