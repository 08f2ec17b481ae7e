"""How far the seeds of each row lie apart, score by score."""

from collections.abc import Iterator

from lmdistill.analysis.footnote_text import score_title
from lmdistill.analysis.metric_format import Value, metric_format
from lmdistill.analysis.result_table import Comparison, Row, Score
from lmdistill.analysis.significance import Spread
from lmdistill.report.grid import Grid


def spreads(table: Comparison) -> Iterator[tuple[Row, Score, Spread, tuple[float, ...]]]:
    """Every score that a row has of several seeds, with the scores of its runs in rising order."""
    for row in table.rows:
        for (split, metric), found in row.quality.items():
            values = [run.record.metrics.get(split, {}).get(metric) for run in row.runs]
            known = tuple(sorted(value for value in values if value is not None))
            if found.sd is not None and len(known) == found.count:
                yield row, (split, metric), found, known


def seeds_grid(table: Comparison) -> Grid | None:
    """Mean, deviation and ends of each score over its seeds; None where no row has two."""
    found = list(spreads(table))
    if not found:
        return None

    def line(row: Row, score: Score, over: Spread, known: tuple[float, ...]) -> tuple[str, ...]:
        """A score in one line."""
        values: tuple[Value, ...] = (over.mean, over.sd, known[0], known[-1])
        texts = (metric_format(score[1]).text(value) for value in values)
        return row.label, score_title(score, table.scores), *texts, str(over.count)

    return Grid(
        caption=f"How far seeds lie apart, {table.task.name}.",
        header=("", "score", "mean", "standard deviation", "lowest", "highest", "seeds"),
        rows=tuple(line(*one) for one in found),
        notes=("Standard deviation: of the sample. It is of students; their teacher is given.",),
        alarms=(),
        name="seeds",
    )
