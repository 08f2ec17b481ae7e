"""Tables as CSV with unrounded numbers; mean, standard deviation and count have separate columns."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from lmdistill.analysis.grouping import flat
from lmdistill.analysis.metric_format import Value
from lmdistill.analysis.result_table import Comparison, Row
from lmdistill.analysis.seed_and_example_variance import Interval
from lmdistill.analysis.significance import Spread, spread
from lmdistill.core.printable import printable
from lmdistill.core.spreadsheet_cells import escaped
from lmdistill.records.record import RecordedRun
from lmdistill.report.grid import Grid
from lmdistill.report.tables.costs import figures, sizes
from lmdistill.report.tables.details import measured
from lmdistill.report.tables.overview import Overview
from lmdistill.report.tables.seeds import spreads

Item = str | Value


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """The header and lines of a CSV file."""

    header: tuple[str, ...]
    """One title per column."""

    lines: tuple[tuple[Item, ...], ...]
    """Texts and numbers, one item per column; None for an empty cell."""

    @property
    def text(self) -> str:
        """The CSV text, with the shortest decimal form that restores each number exactly.

        A text that a spreadsheet would run as a formula begins with an apostrophe.
        """
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        for line in (self.header, *self.lines):
            writer.writerow([escaped(printable(item)) if isinstance(item, str) else item for item in line])
        return buffer.getvalue()


def grid_sheet(grid: Grid) -> Sheet:
    """A table with the rounded texts of the page."""
    return Sheet(header=grid.header, lines=grid.rows)


def picture_sheet(table: Sequence[tuple[str, ...]]) -> Sheet:
    """The data table of a plot; its first line is the header."""
    return Sheet(header=table[0], lines=tuple(table[1:]))


def _over_seeds(scores: Spread | None) -> tuple[Item, Item, Item]:
    """Mean, standard deviation and count."""
    return (None, None, 0) if scores is None else (scores.mean, scores.sd, scores.count)


def _ends(interval: Interval | None) -> tuple[Item, Item, Item]:
    """Value, lower and upper end."""
    return (None, None, None) if interval is None else (interval.value, *(interval.ends or (None, None)))


def _titles(title: str, endings: Sequence[str]) -> list[str]:
    """One column title for each ending."""
    return [f"{title}{ending}" for ending in endings]


def quality_sheet(table: Comparison) -> Sheet:
    """Quality, cost and test results of one task, one line per row; scores and shares are fractions.

    Each numeric field in which the methods differ has a column, so the sheet also has the data of the
    sensitivity plots.
    """
    runs = [row.runs[0].record if row.runs else None for row in table.rows]
    methods = [{} if record is None else flat(record.method) for record in runs]
    varied = [
        field
        for field in dict.fromkeys(field for method in methods for field in method)
        if len({str(method[field]) for method in methods if field in method}) > 1
        and all(isinstance(method.get(field), int | float | None) for method in methods)
    ]
    scores = [f"{split} {metric}" for split, metric in table.scores]
    header = [
        *("row", "role", "layers", "training rows", *(f"method.{field}" for field in varied)),
        *(title for score in scores for title in _titles(score, (" mean", " sd", " n"))),
        *("parameters", "disk bytes", f"latency ms, batch {table.batch_size}", "speed-up"),
        *_titles("share kept", ("", " low", " high")),
        *_titles("gap closed", ("", " low", " high")),
        *_titles("difference", ("", " low", " high")),
        *("against", "paired seeds", "p", "p Holm", "dev-selected"),
    ]
    lines = (
        (*_row(row), *(method.get(field) for field in varied), *_numbers(row, table))
        for row, method in zip(table.rows, methods, strict=True)
    )
    return Sheet(header=tuple(header), lines=tuple(lines))


def _row(row: Row) -> tuple[Item, ...]:
    """Label, role, number of layers and number of training examples."""
    rows = row.runs[0].record.task.rows.get("train") if row.runs else None
    return row.label, row.role, row.networks[0].layers, rows


def _numbers(row: Row, table: Comparison) -> tuple[Item, ...]:
    """Scores, costs, shares and test results of the row."""
    evidence = row.evidence
    kept = _ends(evidence.kept) if evidence.kept is not None else (row.kept, None, None)
    closed = _ends(evidence.closed) if evidence.closed is not None else (row.closed, None, None)
    cost = row.cost
    return (
        *(item for score in table.scores for item in _over_seeds(row.quality.get(score))),
        *(cost.parameters, cost.disk_bytes, cost.latency_ms, cost.speedup),
        *(*kept, *closed, *_ends(evidence.difference)),
        *(row.floor, evidence.seeds, evidence.p_value, evidence.p_holm, "yes" if row.selected else "no"),
    )


def details_sheet(table: Comparison) -> Sheet:
    """All measurements of the details table: one line for each measurement of each row."""
    lines = [
        (row.label, title.removesuffix(", %"), _unit(title), *_over_seeds(over_seeds))
        for title, get in measured(table).items()
        for row in table.rows
        if (over_seeds := spread(list(get(row)))) is not None
    ]
    return Sheet(header=("row", "figure", "unit", "mean", "sd", "n"), lines=tuple(lines))


def _unit(title: str) -> str:
    """The unit of the stored number, if the title does not have it."""
    if title.endswith(", %"):
        return "fraction"
    return "s" if title == "training time" else "ms" if title.startswith("latency ") else ""


def seeds_sheet(table: Comparison) -> Sheet:
    """Mean, standard deviation, range and count of each score over seeds."""
    lines = tuple(
        (row.label, split, metric, over_seeds.mean, over_seeds.sd, known[0], known[-1], over_seeds.count)
        for row, (split, metric), over_seeds, known in spreads(table)
    )
    return Sheet(header=("row", "split", "metric", "mean", "sd", "lowest", "highest", "n"), lines=lines)


def costs_sheet(runs: Sequence[RecordedRun]) -> Sheet:
    """Size and cost of the networks, one line per architecture."""
    columns = figures(runs)
    lines = tuple(
        (size.label, len(size.records), *(get(size) for get, _ in columns.values())) for size in sizes(runs)
    )
    return Sheet(header=("network", "runs", *columns), lines=lines)


def overview_sheet(table: Overview) -> Sheet:
    """The table over all tasks, one line per cell."""
    lines = tuple(
        (
            *(cell.row, cell.role, cell.column, cell.metric, *_over_seeds(cell.quality)),
            *(cell.floor if cell.evidence.seeds else None, *_ends(cell.evidence.difference)),
            *(cell.evidence.seeds, cell.evidence.p_holm),
        )
        for cell in table.cells
    )
    titles = ("row", "role", "column", "metric", "mean", "sd", "n", "against")
    return Sheet(
        header=(*titles, *_titles("difference", ("", " low", " high")), "paired seeds", "p Holm"), lines=lines
    )
