"""Plots of training losses, dev scores, token uncertainty and calibration."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.ticker import FuncFormatter, NullFormatter

from lmdistill.analysis.metric_format import metric_format
from lmdistill.records.calibration_facts import Calibration
from lmdistill.records.history import History
from lmdistill.records.schema import TokenFacts
from lmdistill.report.plots.svg import INK, Mark, Plot, as_svg, canvas, draw, inked, joined, mark_of, number

POINTS = 200
"""Largest number of points of a loss curve; longer curves are averaged over intervals of steps."""

LOG_ABOVE = 30.0
"""Ratio of the largest to the smallest loss above which the axis is logarithmic."""

NOT_FINITE = "a non-finite value"

NEAR = 5.0
"""Distance below the curves, in points of the score, up to which a constant prediction is drawn."""


def smoothed(values: np.ndarray, points: int = POINTS) -> np.ndarray:
    """Means of at most `points` intervals of nearly equal length; the values themselves if they are fewer.

    Examples:
        >>> smoothed(np.array([1.0, 3.0, 5.0, 7.0]), points=2).tolist()
        [2.0, 6.0]
    """
    intervals = np.array_split(values, min(points, max(1, len(values))))
    return np.array([interval.mean() if len(interval) else math.nan for interval in intervals])


def loss_plot(history: History, *, name: str) -> Plot | None:
    """Every term of the loss and their sum over the steps; None without steps.

    Args:
        history: The history of one run.
        name: See `trade_off.trade_off_plot`.
    """
    if not history.steps:
        return None
    terms = dict.fromkeys(term for step in history.steps for term in step.parts)
    figure, axes = canvas("step", "loss")
    steps = smoothed(np.array([step.step for step in history.steps], dtype=float))
    total = smoothed(np.array([step.loss for step in history.steps]))
    losses = {
        term: smoothed(np.array([step.parts.get(term, math.nan) for step in history.steps])) for term in terms
    }
    marks = [mark_of(index, term) for index, term in enumerate(losses)]
    if len(losses) != 1:
        marks, losses = [inked("sum", "solid"), *marks], {"": total, **losses}
    for mark, curve in zip(marks, losses.values(), strict=True):
        draw(axes, mark, steps.tolist(), curve.tolist(), 2.0 if mark.label == "sum" else 1.4)
    values = np.concatenate(list(losses.values()))
    values = values[np.isfinite(values)]
    if len(values) and values.min() > 0 and values.max() > LOG_ABOVE * values.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))  # no powers of ten
        axes.yaxis.set_minor_formatter(NullFormatter())
    words = f"The loss goes from {_loss(total[0])} to {_loss(total[-1])} in {history.steps[-1].step:,} steps."
    if len(history.steps) >= 2 * POINTS:
        words += f" Each point is the mean of about {len(history.steps) / POINTS:.0f} steps."
    curves = {
        mark.label: zip(steps, curve, strict=True) for mark, curve in zip(marks, losses.values(), strict=True)
    }
    return Plot(
        svg=as_svg(figure, name),
        title="Loss by term",
        alt=words,
        legend=tuple(marks),
        table=joined("step", curves),
    )


def _loss(value: float) -> str:
    """A loss with three significant digits, or words for one that is not finite."""
    return f"{value:.3g}" if math.isfinite(value) else NOT_FINITE


def _evaluated(runs: Sequence[History], metric: str) -> dict[int, list[tuple[int, float]]]:
    """Steps and scaled scores by the number of the run, from 1; runs without evaluations are left out."""
    scale = metric_format(metric).scale
    curves = {
        index: [(one.step, scale * one.scores[metric]) for one in run.evaluations if metric in one.scores]
        for index, run in enumerate(runs, start=1)
    }
    return {index: curve for index, curve in curves.items() if curve}


def score_plot(
    histories: Mapping[str, Sequence[History]],
    metric: str,
    *,
    name: str,
    teacher: float | int | None = None,
    majority: float | int | None = None,
) -> Plot | None:
    """The dev score over the steps, one colour per row and one line per seed; None without evaluations.

    Args:
        histories: Histories of the seeds by the label of the row.
        metric: Name of the headline metric.
        name: See `trade_off.trade_off_plot`.
        teacher: The teacher's score, drawn as a horizontal line.
        majority: The score of a constant prediction, drawn as a horizontal line unless it is more than
            `NEAR` points below all curves.
    """
    shown = metric_format(metric)
    figure, axes = canvas("step", f"dev {shown.title.replace(', %', ' × 100')}")
    marks: list[Mark] = []
    ends: list[str] = []
    lines: dict[str, list[tuple[int, float]]] = {}
    for label, runs in histories.items():
        mark = mark_of(len(marks), label)
        curves = _evaluated(runs, metric)
        for run, curve in curves.items():
            lines[label if len(runs) == 1 else f"{label}, run {run}"] = curve
            draw(axes, mark, [step for step, _ in curve], [value for _, value in curve])
        if curves:
            marks.append(mark)
            last = [curve[-1][1] for curve in curves.values() if math.isfinite(curve[-1][1])]
            ends.append(f"{label} ends at {f'{np.mean(last):.{shown.digits}f}' if last else NOT_FINITE}")
    if not marks:
        return None
    low, _ = axes.get_ylim()
    if majority is not None and 100 * majority < low - NEAR:
        majority = None  # showing it would flatten the curves
    levels = {"teacher": (teacher, "dashed"), "constant prediction": (majority, "dotted")}
    for label, (level, dash) in levels.items():
        if level is not None:
            axes.axhline(shown.scale * level, color=INK, linestyle=dash, linewidth=1.2)
            marks.append(inked(label, dash))
            ends.append(f"the {label} scores {shown.text(level)}")
    alt = "; ".join(ends) + "."
    return Plot(
        svg=as_svg(figure, name),
        title=f"Dev {metric} during training",
        alt=alt,
        legend=tuple(marks),
        table=joined("step", lines),
    )


def uncertainty_plot(facts: TokenFacts, *, name: str) -> Plot:
    """Histogram of the teacher's uncertainty of the scored tokens.

    Args:
        facts: Token scores of one run.
        name: See `trade_off.trade_off_plot`.
    """
    figure, axes = canvas("teacher's uncertainty of the token", "tokens, %")
    total, parts = max(1, sum(facts.histogram)), len(facts.histogram)
    shares = [100 * count / total for count in facts.histogram]
    mark = mark_of(0, "all scored tokens")
    axes.bar([(i + 0.5) / parts for i in range(parts)], shares, width=0.9 / parts, color=mark.colour)
    words = (
        f"{shares[0]:.0f} % of the tokens have an uncertainty below {1 / parts:g}, "
        f"{shares[-1]:.0f} % have one above {1 - 1 / parts:g}."
    )
    lines = [(f"{i / parts:g} to {(i + 1) / parts:g}", number(one)) for i, one in enumerate(shares)]
    return Plot(
        svg=as_svg(figure, name),
        title="Uncertainty",
        alt=words,
        legend=(mark,),
        table=(("uncertainty", "tokens, %"), *lines),
    )


def reliability_plot(
    student: Calibration, teacher: Calibration | None, *, name: str, of_labels: bool = False
) -> Plot | None:
    """Reliability diagram: accuracy over confidence of both networks; None without bins.

    Points below the diagonal are overconfident. Their area grows with the number of predictions.

    Args:
        student: Calibration of the student.
        teacher: Calibration of the teacher; None if it was not recorded.
        name: See `trade_off.trade_off_plot`.
        of_labels: Whether the bins are of the probability of each of several labels, against the share of
            texts that have it.
    """
    sides = {"student": student, "teacher": teacher}
    across_title, up_title = ("probability", "share of texts") if of_labels else ("confidence", "accuracy")
    figure, axes = canvas(f"{across_title} × 100", f"{up_title} × 100")
    axes.plot([0, 100], [0, 100], color=INK, alpha=0.5, linewidth=1, linestyle="dotted")
    marks: list[Mark] = []
    words: list[str] = []
    lines = [("", f"{across_title} × 100", f"{up_title} × 100", "predictions")]
    for label, side in sides.items():
        bins = [one for one in side.bins if one.count] if side is not None else []
        if side is None or not bins:
            continue
        mark = mark_of(len(marks), label)
        across, up = [100 * one.confidence for one in bins], [100 * one.accuracy for one in bins]
        share = [150 * one.count / sum(other.count for other in bins) + 6 for one in bins]
        axes.plot(across, up, color=mark.colour, linewidth=1.2, linestyle=mark.dash)
        axes.scatter(across, up, s=share, color=mark.colour, alpha=0.7)
        marks.append(mark)
        lines += [
            (label, number(x), number(y), str(one.count)) for x, y, one in zip(across, up, bins, strict=True)
        ]
        words += (
            [] if side.ece is None else [f"the {label} has a calibration error of {100 * side.ece:.2f} %"]
        )
    if not marks:
        return None
    bottom = min(
        50.0, *(100 * min(x.confidence, x.accuracy) for side in sides.values() if side for x in side.bins)
    )
    axes.set_xlim(bottom - 3, 103)
    axes.set_ylim(bottom - 3, 103)
    alt = f"On the dotted diagonal, {up_title} equals {across_title}; {'; '.join(words)}."
    marks.append(inked("perfect calibration", "dotted"))
    return Plot(
        svg=as_svg(figure, name), title="Reliability", alt=alt, legend=tuple(marks), table=tuple(lines)
    )
