"""Table of the spread over seeds: mean, standard deviation, lowest and highest value of each score."""

from collections.abc import Iterator

from lmdistill.analysis.footnote_text import score_title
from lmdistill.analysis.metric_format import Value, metric_format
from lmdistill.analysis.result_table import Comparison, Row, Score
from lmdistill.analysis.significance import Spread
from lmdistill.report.grid import Grid


def spreads(table: Comparison) -> Iterator[tuple[Row, Score, Spread, tuple[float, ...]]]:
    """Each score that a row has for several seeds.

    Yields:
        Row, score, mean and deviation, and the values of the seeds in increasing order.
    """
    for row in table.rows:
        for (split, metric), over_seeds in row.quality.items():
            values = [run.record.metrics.get(split, {}).get(metric) for run in row.runs]
            known = tuple(sorted(value for value in values if value is not None))
            if over_seeds.sd is not None and len(known) == over_seeds.count:
                yield row, (split, metric), over_seeds, known


def seeds_grid(table: Comparison) -> Grid | None:
    """Mean, standard deviation and range of each score over seeds; None if no row has two seeds."""
    scores = list(spreads(table))
    if not scores:
        return None

    def line(row: Row, score: Score, over_seeds: Spread, known: tuple[float, ...]) -> tuple[str, ...]:
        values: tuple[Value, ...] = (over_seeds.mean, over_seeds.sd, known[0], known[-1])
        texts = (metric_format(score[1]).text(value) for value in values)
        return row.label, score_title(score, table.scores), *texts, str(over_seeds.count)

    return Grid(
        caption=f"Spread over seeds, {table.task.name}.",
        header=("", "score", "mean", "standard deviation", "lowest", "highest", "seeds"),
        rows=tuple(line(*one) for one in scores),
        notes=("Sample standard deviation over the seeds of the student; the teacher is fixed.",),
        alarms=(),
        name="seeds",
    )
