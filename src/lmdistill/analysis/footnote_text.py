"""Marks and column titles that tables and their footnotes share."""

from collections.abc import Sequence

from lmdistill.analysis.metric_format import metric_format
from lmdistill.analysis.result_table import Comparison, Row, Score

BY_DEV, ONE_SEED = "†", "‡"
"""Marks of a score whose weights the dev set selected, and of a score with one seed."""


def score_title(score: Score, scores: Sequence[Score]) -> str:
    """Metric and unit, preceded by the split if `scores` has several splits.

    Examples:
        >>> score_title(("dev", "accuracy"), [("dev", "accuracy")])
        'accuracy, %'
    """
    split, metric = score
    several = len({name for name, _ in scores}) > 1
    title = metric_format(metric).title
    return f"{split.replace('_', ' ')} {title}" if several else title


def compared(table: Comparison) -> list[Row]:
    """The rows that were tested against a baseline."""
    return [row for row in table.rows if row.evidence.p_value is not None]


def floor_title(table: Comparison) -> str:
    """Label of the baseline for column titles; `baseline` if the table has several."""
    return table.floors[0] if len(table.floors) == 1 else "baseline"
