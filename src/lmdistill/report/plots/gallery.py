"""All pictures of a comparison, in the order of the page."""

from collections.abc import Iterator
from dataclasses import dataclass

from lmdistill.analysis.result_table import Comparison, Row
from lmdistill.records.history import HISTORY, read_history
from lmdistill.report.plots.curves import loss_plot, reliability_plot, score_plot, uncertainty_plot
from lmdistill.report.plots.pareto import latency_plot, size_plot
from lmdistill.report.plots.representations import Maps, maps
from lmdistill.report.plots.svg import Plot
from lmdistill.report.plots.sweeps import data_plot, heat_plots


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Everything that is drawn of one task, but its schedules."""

    trades: tuple[Plot, ...]
    """Quality against cost, data and settings."""

    maps: Maps | None
    """Where the networks put the same examples, where that was asked for."""

    curves: tuple[tuple[str, Plot], ...]
    """Scores, losses and reliability, with the row that they are about, empty for all."""


def pictures(table: Comparison, names: Iterator[str]) -> Pictures:
    """All pictures of a comparison.

    Args:
        table: Of one task.
        names: Letters, digits and hyphens, another one for each picture on a page.
    """
    return Pictures(trades=trades(table, names), maps=maps(table), curves=curves(table, names))


def students(table: Comparison) -> dict[str, Row]:
    """Students by what the first run of their row is called."""
    return {
        row.label if len(row.runs) == 1 else f"{row.label}, seed {row.runs[0].record.seed}": row
        for row in table.rows
        if row.runs and row.role != "teacher"
    }


def trades(table: Comparison, names: Iterator[str]) -> tuple[Plot, ...]:
    """Quality against cost, data and settings: each where the rows differ in it.

    Args:
        table: Of one task.
        names: Letters, digits and hyphens, another one for each picture on a page.
    """
    found = [
        latency_plot(table, name=next(names)),
        size_plot(table, name=next(names)),
        data_plot(table, name=next(names)),
        *heat_plots(table, names),
    ]
    return tuple(plot for plot in found if plot is not None)


def curves(table: Comparison, names: Iterator[str]) -> tuple[tuple[str, Plot], ...]:
    """The dev score of all rows, then the losses and the reliability of the first run of each.

    Args:
        table: Of one task.
        names: See `trades`.
    """
    return tuple((who, plot) for who, plot in _curves(table, names) if plot is not None)


def _curves(table: Comparison, names: Iterator[str]) -> Iterator[tuple[str, Plot | None]]:
    """With the row that a picture is about, empty for all."""
    split, metric = table.scores[0]
    shown = students(table)
    taught = [row.quality.get(table.scores[0]) for row in table.rows if row.role == "teacher"]
    teacher = taught[0] if len(taught) == 1 else None
    histories = {row.label: [read_history(run.path / HISTORY) for run in row.runs] for row in shown.values()}
    yield (
        "",
        score_plot(
            histories,
            metric,
            name=next(names),
            teacher=None if teacher is None else teacher.mean,
            majority=table.majority.get(split, {}).get(metric),
        ),
    )
    for who, row in shown.items():
        yield who, loss_plot(histories[row.label][0], name=next(names))
    for who, row in shown.items():
        record = row.runs[0].record
        if record.calibration is not None:
            yield who, reliability_plot(record.calibration, record.teacher_calibration, name=next(names))
    found = ((who, row.runs[0].record.tokens) for who, row in shown.items())
    facts = next(((who, tokens) for who, tokens in found if tokens is not None), None)
    if facts is not None:
        yield facts[0], uncertainty_plot(facts[1], name=next(names))
