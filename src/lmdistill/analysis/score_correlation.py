"""MiniDisc's trade-off score in records, and its rank correlation with the metrics of the students."""

from collections.abc import Sequence

import numpy as np

from lmdistill.analysis.metric_format import Value
from lmdistill.metrics.classification import spearman
from lmdistill.records.schema import Candidate
from lmdistill.schedules.trade_off import trade_off

FEWEST = 3
"""Smallest number of pairs for which a rank correlation is computed."""


def recorded_trade_off(one: Candidate) -> Value:
    """The candidate's recorded score, else its trade-off with the published lambda; None without a metric."""
    if one.score is not None or one.metric is None:
        return one.score
    return trade_off(one.metric, one.kept)


def score_correlation(candidates: Sequence[Candidate]) -> tuple[float, int] | None:
    """Rank correlation of the candidates' trade-off scores with their students' metrics.

    Returns:
        The correlation in [-1, 1] and the number of candidates that have both values; None if
        `rank_correlation` is None for them.
    """
    pairs = [
        (score, one.student_metric)
        for one in candidates
        if (score := recorded_trade_off(one)) is not None and one.student_metric is not None
    ]
    correlation = rank_correlation([score for score, _ in pairs], [student for _, student in pairs])
    return None if correlation is None else (correlation, len(pairs))


def rank_correlation(scores: Sequence[float], students: Sequence[float]) -> float | None:
    """Spearman's rank correlation of scores with the metrics of the students.

    Args:
        scores: Trade-off score of each assistant.
        students: Metric of the student of each assistant, in the same order.

    Returns:
        A number in [-1, 1]; None for fewer than three pairs, or if one side is constant.

    Examples:
        >>> round(rank_correlation([1.0, 1.1, 1.2], [0.7, 0.9, 0.8]), 3)
        0.5
    """
    if len(scores) < FEWEST or len(set(scores)) == 1 or len(set(students)) == 1:
        return None
    return spearman(np.array(scores, dtype=float), np.array(students, dtype=float))
