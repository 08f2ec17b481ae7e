"""Curves of runs: losses, scores, reliability."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.ticker import FuncFormatter, NullFormatter

from lmdistill.analysis.metric_format import metric_format
from lmdistill.records.history import History
from lmdistill.records.schema import Calibration, TokenFacts
from lmdistill.report.plots.svg import INK, Mark, Plot, as_svg, canvas, draw, inked, joined, mark_of, number

POINTS = 200
"""A longer curve is drawn as the means of so many stretches."""

LOG_ABOVE = 30.0
"""A loss whose largest value is so many times its smallest gets a logarithmic axis."""

NEAR = 5.0
"""Points below the curves at which a constant answer is still drawn."""


def smoothed(values: np.ndarray, points: int = POINTS) -> np.ndarray:
    """Means of at most `points` stretches of nearly equal length; the values themselves if they are fewer.

    Examples:
        >>> smoothed(np.array([1.0, 3.0, 5.0, 7.0]), points=2).tolist()
        [2.0, 6.0]
    """
    stretches = np.array_split(values, min(points, max(1, len(values))))
    return np.array([stretch.mean() if len(stretch) else math.nan for stretch in stretches])


def loss_plot(history: History, *, name: str) -> Plot | None:
    """Every term of the loss and their sum over the steps; None without steps.

    Args:
        history: Of one run.
        name: Letters, digits and hyphens, another one for each picture on a page.
    """
    if not history.steps:
        return None
    terms = dict.fromkeys(term for step in history.steps for term in step.parts)
    figure, axes = canvas("step", "loss")
    steps = smoothed(np.array([step.step for step in history.steps], dtype=float))
    total = smoothed(np.array([step.loss for step in history.steps]))
    drawn = {
        term: smoothed(np.array([step.parts.get(term, math.nan) for step in history.steps])) for term in terms
    }
    marks = [mark_of(index, term) for index, term in enumerate(drawn)]
    if len(drawn) != 1:
        marks, drawn = [inked("sum", "solid"), *marks], {"": total, **drawn}
    for mark, curve in zip(marks, drawn.values(), strict=True):
        draw(axes, mark, steps.tolist(), curve.tolist(), 2.0 if mark.label == "sum" else 1.4)
    heights = np.concatenate(list(drawn.values()))
    heights = heights[np.isfinite(heights)]
    if len(heights) and heights.min() > 0 and heights.max() > LOG_ABOVE * heights.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))  # no powers of ten
        axes.yaxis.set_minor_formatter(NullFormatter())
    words = f"The loss goes from {_loss(total[0])} to {_loss(total[-1])} in {history.steps[-1].step:,} steps."
    if len(history.steps) >= 2 * POINTS:
        words += f" Each point is the mean of about {len(history.steps) / POINTS:.0f} steps."
    curves = {
        mark.label: zip(steps, curve, strict=True) for mark, curve in zip(marks, drawn.values(), strict=True)
    }
    return Plot(
        svg=as_svg(figure, name),
        title="Loss by term",
        alt=words,
        legend=tuple(marks),
        table=joined("step", curves),
    )


def _loss(value: float) -> str:
    """Three digits, where it is a number."""
    return f"{value:.3g}" if math.isfinite(value) else "no number"


def _evaluated(runs: Sequence[History], metric: str) -> dict[int, list[tuple[int, float]]]:
    """Steps and scores as they are shown, by the number of the run, from 1; runs without any are left out."""
    scale = metric_format(metric).scale
    curves = {
        place: [(one.step, scale * one.scores[metric]) for one in run.evaluations if metric in one.scores]
        for place, run in enumerate(runs, start=1)
    }
    return {place: curve for place, curve in curves.items() if curve}


def score_plot(
    histories: Mapping[str, Sequence[History]],
    metric: str,
    *,
    name: str,
    teacher: float | int | None = None,
    majority: float | int | None = None,
) -> Plot | None:
    """The dev score over the steps, one colour a row and one line a seed; None without evaluations.

    Args:
        histories: By the label of the row.
        metric: The headline.
        name: Letters, digits and hyphens, another one for each picture on a page.
        teacher: The teacher's score, drawn as a level line.
        majority: The score of a constant answer, drawn as a level line if a curve comes near.
    """
    shown = metric_format(metric)
    figure, axes = canvas("step", f"dev {shown.title.replace(', %', ' × 100')}")
    marks: list[Mark] = []
    ends: list[str] = []
    drawn: dict[str, list[tuple[int, float]]] = {}
    for label, runs in histories.items():
        mark = mark_of(len(marks), label)
        curves = _evaluated(runs, metric)
        for place, curve in curves.items():
            drawn[label if len(runs) == 1 else f"{label}, run {place}"] = curve
            draw(axes, mark, [step for step, _ in curve], [value for _, value in curve])
        if curves:
            marks.append(mark)
            last = [curve[-1][1] for curve in curves.values() if math.isfinite(curve[-1][1])]
            ends.append(f"{label} ends at {f'{np.mean(last):.{shown.digits}f}' if last else 'no number'}")
    if not marks:
        return None
    low, _ = axes.get_ylim()
    if majority is not None and 100 * majority < low - NEAR:
        majority = None  # it would press the curves flat
    levels = {"teacher": (teacher, "dashed"), "constant answer": (majority, "dotted")}
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
        table=joined("step", drawn),
    )


def uncertainty_plot(facts: TokenFacts, *, name: str) -> Plot:
    """How many scored tokens the teacher is how uncertain of."""
    figure, axes = canvas("teacher's uncertainty of the token", "tokens, %")
    total, parts = max(1, sum(facts.histogram)), len(facts.histogram)
    shares = [100 * count / total for count in facts.histogram]
    mark = mark_of(0, "all scored tokens")
    axes.bar([(i + 0.5) / parts for i in range(parts)], shares, width=0.9 / parts, color=mark.colour)
    words = (
        f"{shares[0]:.0f} % of the tokens have an uncertainty below {1 / parts:g}, "
        f"{shares[-1]:.0f} % one above {1 - 1 / parts:g}."
    )
    lines = [(f"{i / parts:g} to {(i + 1) / parts:g}", number(one)) for i, one in enumerate(shares)]
    return Plot(
        svg=as_svg(figure, name),
        title="Uncertainty",
        alt=words,
        legend=(mark,),
        table=(("uncertainty", "tokens, %"), *lines),
    )


def reliability_plot(student: Calibration, teacher: Calibration | None, *, name: str) -> Plot | None:
    """How often each network is right when it says so; None without bins.

    A point below the diagonal is overconfident. Its area grows with the number of predictions.
    """
    sides = {"student": student, "teacher": teacher}
    figure, axes = canvas("confidence × 100", "right × 100")
    axes.plot([0, 100], [0, 100], color=INK, alpha=0.5, linewidth=1, linestyle="dotted")
    marks: list[Mark] = []
    words: list[str] = []
    lines = [("", "confidence × 100", "right × 100", "predictions")]
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
    alt = f"Points on the dotted diagonal are as often right as they say; {'; '.join(words)}."
    marks.append(inked("as right as it says", "dotted"))
    return Plot(
        svg=as_svg(figure, name), title="Reliability", alt=alt, legend=tuple(marks), table=tuple(lines)
    )
