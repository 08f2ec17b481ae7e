"""Marks and titles that tables and their footnotes share."""

from collections.abc import Sequence

from lmdistill.analysis.metric_format import metric_format
from lmdistill.analysis.result_table import Comparison, Row, Score

BY_DEV, ONE_SEED = "†", "‡"


def score_title(score: Score, scores: Sequence[Score]) -> str:
    """Metric and unit, with the split where there are several.

    Examples:
        >>> score_title(("dev", "accuracy"), [("dev", "accuracy")])
        'accuracy, %'
    """
    split, metric = score
    several = len({name for name, _ in scores}) > 1
    title = metric_format(metric).title
    return f"{split.replace('_', ' ')} {title}" if several else title


def compared(table: Comparison) -> list[Row]:
    """The rows that were tested against the baseline."""
    return [row for row in table.rows if row.evidence.p_value is not None]


def floor_title(table: Comparison) -> str:
    """What rows are tested against, in the title of a column."""
    return table.floors[0] if len(table.floors) == 1 else "baseline"
