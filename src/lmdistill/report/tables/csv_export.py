"""Tables as numbers that nothing has rounded, for other programs: mean, deviation and count in columns."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from lmdistill.analysis.grouping import flat
from lmdistill.analysis.metric_format import Value
from lmdistill.analysis.result_table import Comparison, Row
from lmdistill.analysis.seed_and_example_variance import Interval
from lmdistill.analysis.significance import Spread, spread
from lmdistill.records.record import RecordedRun
from lmdistill.report.grid import Grid
from lmdistill.report.tables.costs import figures, sizes
from lmdistill.report.tables.details import measured
from lmdistill.report.tables.overview import Overview
from lmdistill.report.tables.seeds import spreads

Item = str | Value


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Titles and lines."""

    header: tuple[str, ...]
    """One title a column."""

    lines: tuple[tuple[Item, ...], ...]
    """Texts and numbers; None where there is none."""

    @property
    def text(self) -> str:
        """As CSV, with numbers as short as reading them back allows."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerows([self.header, *self.lines])
        return buffer.getvalue()


def grid_sheet(grid: Grid) -> Sheet:
    """A table of texts as it stands on the page."""
    return Sheet(header=grid.header, lines=grid.rows)


def picture_sheet(table: Sequence[tuple[str, ...]]) -> Sheet:
    """The numbers below a picture, as they are drawn."""
    return Sheet(header=table[0], lines=tuple(table[1:]))


def _over_seeds(found: Spread | None) -> tuple[Item, Item, Item]:
    """Mean, deviation and count."""
    return (None, None, 0) if found is None else (found.mean, found.sd, found.count)


def _ends(found: Interval | None) -> tuple[Item, Item, Item]:
    """A number and its interval."""
    return (None, None, None) if found is None else (found.value, *(found.ends or (None, None)))


def _three(title: str, endings: Sequence[str]) -> list[str]:
    """A title with an ending for each of its columns."""
    return [f"{title}{ending}" for ending in endings]


def quality_sheet(table: Comparison) -> Sheet:
    """Quality, cost and evidence of one task, a line a row; scores and shares are fractions.

    Numeric fields in which methods differ have a column each, so that the sheet also holds what curves and
    maps over settings show.
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
        *(title for score in scores for title in _three(score, (" mean", " sd", " n"))),
        *("parameters", "disk bytes", f"latency ms, batch {table.batch_size}", "speed-up"),
        *_three("share kept", ("", " low", " high")),
        *_three("gap closed", ("", " low", " high")),
        *_three("difference", ("", " low", " high")),
        *("against", "paired seeds", "p", "p Holm", "dev-selected"),
    ]
    lines = (
        (*_row(row), *(method.get(field) for field in varied), *_numbers(row, table))
        for row, method in zip(table.rows, methods, strict=True)
    )
    return Sheet(header=tuple(header), lines=tuple(lines))


def _row(row: Row) -> tuple[Item, ...]:
    """What the row is."""
    rows = row.runs[0].record.task.rows.get("train") if row.runs else None
    return row.label, row.role, row.networks[0].layers, rows


def _numbers(row: Row, table: Comparison) -> tuple[Item, ...]:
    """What was measured of the row."""
    found = row.evidence
    kept = _ends(found.kept) if found.kept is not None else (row.kept, None, None)
    closed = _ends(found.closed) if found.closed is not None else (row.closed, None, None)
    cost = row.cost
    return (
        *(item for score in table.scores for item in _over_seeds(row.quality.get(score))),
        *(cost.parameters, cost.disk_bytes, cost.latency_ms, cost.speedup),
        *(*kept, *closed, *_ends(found.difference)),
        *(row.floor, found.seeds, found.p_value, found.p_holm, "yes" if row.selected else "no"),
    )


def details_sheet(table: Comparison) -> Sheet:
    """What is known beside the score: a line for each figure of each row."""
    lines = [
        (row.label, title.removesuffix(", %"), _unit(title), *_over_seeds(found))
        for title, get in measured(table).items()
        for row in table.rows
        if (found := spread(list(get(row)))) is not None
    ]
    return Sheet(header=("row", "figure", "unit", "mean", "sd", "n"), lines=tuple(lines))


def _unit(title: str) -> str:
    """Of a figure as it is stored, where the page shows it in another one."""
    if title.endswith(", %"):
        return "fraction"
    return "s" if title == "training time" else "ms" if title.startswith(("p50,", "p95,")) else ""


def seeds_sheet(table: Comparison) -> Sheet:
    """How far seeds lie apart, unrounded."""
    lines = tuple(
        (row.label, split, metric, found.mean, found.sd, known[0], known[-1], found.count)
        for row, (split, metric), found, known in spreads(table)
    )
    return Sheet(header=("row", "split", "metric", "mean", "sd", "lowest", "highest", "n"), lines=lines)


def costs_sheet(runs: Sequence[RecordedRun]) -> Sheet:
    """What networks weigh and take, a line for each shape."""
    columns = figures(runs)
    lines = tuple(
        (size.label, len(size.records), *(get(size) for get, _ in columns.values())) for size in sizes(runs)
    )
    return Sheet(header=("network", "runs", *columns), lines=lines)


def overview_sheet(found: Overview) -> Sheet:
    """All tasks, a line for each cell."""
    lines = tuple(
        (
            *(cell.row, cell.role, cell.column, cell.metric, *_over_seeds(cell.quality)),
            *(cell.floor if cell.evidence.seeds else None, *_ends(cell.evidence.difference)),
            *(cell.evidence.seeds, cell.evidence.p_holm),
        )
        for cell in found.cells
    )
    titles = ("row", "role", "column", "metric", "mean", "sd", "n", "against")
    return Sheet(
        header=(*titles, *_three("difference", ("", " low", " high")), "paired seeds", "p Holm"), lines=lines
    )
