"""Plots of an audit of a student in use: agreement by week, and histograms of the texts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from matplotlib.axes import Axes

from lmdistill.analysis.count_tests import exact_interval
from lmdistill.analysis.drift import WEEK, InputTest
from lmdistill.report.audit_report import AuditReport, percent_text
from lmdistill.report.plots.svg import INK, Mark, Plot, as_svg, canvas, inked, mark_of, number

TICKS = 6
"""Most names of weeks on the axis."""

APART = 0.12
"""Distance of the two points of a week from its middle, in weeks."""


def week_plot(report: AuditReport, *, name: str) -> Plot:
    """Agreement by week with 95 % intervals, of all texts and of those that the student answers itself.

    Args:
        report: The audit.
        name: Beginning of the ids in the SVG, different for each plot of a page.
    """
    figure, axes = canvas("week", "agreement, %")
    weeks = [one.name for one in report.slices_of(WEEK)]
    series = {
        "answered by the student": dict(report.answered_weeks),
        "all texts": {one.name: (one.texts, one.agreed) for one in report.slices_of(WEEK)},
    }
    marks = [_solid(index, label) for index, label in enumerate(series)]
    for mark, counts, shift in zip(marks, series.values(), (-APART, APART), strict=True):
        _draw_weeks(axes, mark, weeks, counts, shift)
    promised = report.certificate.agreement
    axes.axhline(100 * promised, color=INK, linestyle="dashed", linewidth=1.2)
    marks.append(inked("promised for answered texts", "dashed"))
    expected = report.overall.expected
    if expected is not None:
        axes.axhline(100 * expected, color=INK, linestyle="dotted", linewidth=1.2)
        marks.append(inked("all texts of the certificate", "dotted"))
    step = -(-len(weeks) // TICKS)
    axes.set_xticks(range(0, len(weeks), step), [week.partition("-")[2] for week in weeks[::step]])
    axes.set_xlim(-0.6, len(weeks) - 0.4)
    lines = [[week, *(_cell(counts.get(week)) for counts in series.values())] for week in weeks]
    return Plot(
        svg=as_svg(figure, name),
        title="Agreement by week",
        alt=_week_words(report),
        legend=tuple(marks),
        table=(("week", *series), *map(tuple, lines)),
    )


def _solid(index: int, label: str) -> Mark:
    """Legend entry of points or bars, which have no line style."""
    return replace(mark_of(index, label), dash="solid")


def _draw_weeks(
    axes: Axes, mark: Mark, weeks: Sequence[str], counts: Mapping[str, tuple[int, int]], shift: float
) -> None:
    """A point and its interval for each week with texts."""
    for position, week in enumerate(weeks):
        texts, agreed = counts.get(week, (0, 0))
        if texts:
            low, high = exact_interval(agreed, texts)
            across, share = position + shift, agreed / texts
            axes.plot([across, across], [100 * low, 100 * high], color=mark.colour, linewidth=1.6)
            axes.plot([across], [100 * share], color=mark.colour, marker="o", markersize=4)


def _cell(counts: tuple[int, int] | None) -> str:
    """Agreement of a week in percent, with the number of texts."""
    if counts is None or not counts[0]:
        return "–"
    return f"{number(100 * counts[1] / counts[0])} of {counts[0]:,}"


def _week_words(report: AuditReport) -> str:
    """What the plot shows, in words."""
    weeks = [one for one in report.slices_of(WEEK) if one.rate is not None]
    worst = min(weeks, key=lambda one: one.rate or 0.0)
    return (
        f"Bars are 95 % intervals. The lowest agreement on all texts is {percent_text(worst.rate)} in "
        f"{worst.name} ({worst.texts:,} texts)."
    )


def input_plot(test: InputTest, *, title: str, name: str) -> Plot:
    """Share of the texts in each bin, beside that of the certificate's texts.

    Args:
        test: The histograms.
        title: Name of the quantity.
        name: See `week_plot`.
    """
    figure, axes = canvas("share of texts, %", "")
    marks = [_solid(0, "this audit"), _solid(1, "certificate")]
    shares = [one for one in test.shares if one[1] or one[2]]
    for side, mark in enumerate(marks):
        places = [index + (side - 0.5) * 0.4 for index in range(len(shares))]
        axes.barh(places, [100 * one[side + 1] for one in shares], height=0.38, color=mark.colour)
    axes.set_yticks(range(len(shares)), [one[0] for one in shares])
    axes.invert_yaxis()
    bin_name, now, before = max(shares, key=lambda one: abs(one[1] - one[2]))
    lines = [(one[0], number(100 * one[1]), number(100 * one[2])) for one in shares]
    return Plot(
        svg=as_svg(figure, name),
        title=title[0].upper() + title[1:],
        alt=f"The shares differ most in {bin_name}: {percent_text(now)} here, {percent_text(before)} there.",
        legend=tuple(marks),
        table=(("", "this audit, %", "certificate, %"), *lines),
    )
