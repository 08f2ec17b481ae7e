"""All plots of a comparison, in the order of the page."""

from collections.abc import Iterator
from dataclasses import dataclass

from lmdistill.analysis.metric_format import metric_format
from lmdistill.analysis.result_table import Comparison, Row
from lmdistill.records.history import HISTORY, read_history
from lmdistill.report.plots.curves import loss_plot, reliability_plot, score_plot, uncertainty_plot
from lmdistill.report.plots.pareto import latency_plot, size_plot
from lmdistill.report.plots.representations import Maps, maps
from lmdistill.report.plots.svg import Plot
from lmdistill.report.plots.sweeps import data_plot, heat_plots


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """All plots of one task, except those of schedules."""

    trades: tuple[Plot, ...]
    """Quality against cost, number of training rows and settings."""

    maps: Maps | None
    """Maps of representations; None if no recipe asked for them."""

    curves: tuple[tuple[str, Plot], ...]
    """Label of a row, empty for all rows, and plot: scores, losses, calibration and token uncertainty."""


def pictures(table: Comparison, names: Iterator[str]) -> Pictures:
    """All plots of a comparison, except those of schedules.

    Args:
        table: The comparison of one task.
        names: Prefixes of SVG ids, of letters, digits and hyphens; one per plot, unique on the page.
    """
    return Pictures(trades=trades(table, names), maps=maps(table), curves=curves(table, names))


def students(table: Comparison) -> dict[str, Row]:
    """Rows of students by the label of their first run: the row's label, with the seed if it has several."""
    return {
        row.label if len(row.runs) == 1 else f"{row.label}, seed {row.runs[0].record.seed}": row
        for row in table.rows
        if row.runs and row.role != "teacher"
    }


def trades(table: Comparison, names: Iterator[str]) -> tuple[Plot, ...]:
    """Quality against latency, size, number of training rows and settings, as far as the rows differ in them.

    Args:
        table: The comparison of one task.
        names: See `pictures`.
    """
    plots = [
        latency_plot(table, name=next(names)),
        size_plot(table, name=next(names)),
        data_plot(table, name=next(names)),
        *heat_plots(table, names),
    ]
    return tuple(plot for plot in plots if plot is not None)


def curves(table: Comparison, names: Iterator[str]) -> tuple[tuple[str, Plot], ...]:
    """The dev scores of all rows, then losses, calibration and token uncertainty of first runs.

    Args:
        table: The comparison of one task.
        names: See `pictures`.

    Returns:
        Label of the row, empty for all rows, and plot.
    """
    return tuple((label, plot) for label, plot in _curves(table, names) if plot is not None)


def _curves(table: Comparison, names: Iterator[str]) -> Iterator[tuple[str, Plot | None]]:
    """Label of the row, empty for all rows, and plot, or None where data is missing."""
    split, metric = table.scores[0]
    shown = students(table)
    teachers = [row.quality.get(table.scores[0]) for row in table.rows if row.role == "teacher"]
    teacher = teachers[0] if len(teachers) == 1 else None
    histories = {row.label: [read_history(run.path / HISTORY) for run in row.runs] for row in shown.values()}
    yield (
        "",
        score_plot(
            histories,
            metric,
            name=next(names),
            teacher=None if teacher is None else teacher.mean,
            majority=None
            if metric_format(metric).lower_is_better
            else table.majority.get(split, {}).get(metric),
        ),
    )
    for label, row in shown.items():
        yield label, loss_plot(histories[row.label][0], name=next(names))
    for label, row in shown.items():
        record = row.runs[0].record
        if record.calibration is not None:
            yield (
                label,
                reliability_plot(
                    record.calibration,
                    record.teacher_calibration,
                    name=next(names),
                    of_labels=record.task.multi_label,
                ),
            )
    for label, row in shown.items():
        tokens = row.runs[0].record.tokens
        if tokens is not None:  # the teacher's uncertainty, so one plot is enough
            yield label, uncertainty_plot(tokens, name=next(names))
            break
