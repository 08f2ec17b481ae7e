"""MiniDisc's trade-off score as records hold it, and how well it ranks the students."""

from collections.abc import Sequence

import numpy as np

from lmdistill.analysis.metric_format import Value
from lmdistill.metrics.classification import spearman
from lmdistill.records.schema import Candidate
from lmdistill.schedules.assistant_choice import trade_off

FEWEST = 3
"""Pairs below which a rank correlation says nothing."""


def recorded_trade_off(one: Candidate) -> Value:
    """The score that the record says, else with the published weight; None without a metric."""
    if one.score is not None or one.metric is None:
        return one.score
    return trade_off(one.metric, one.kept)


def score_correlation(candidates: Sequence[Candidate]) -> tuple[float, int] | None:
    """Rank correlation of the trade-off with the students' metric, and of how many candidates.

    Returns:
        None where `rank_correlation` is None for those that have both.
    """
    pairs = [
        (score, one.student_metric)
        for one in candidates
        if (score := recorded_trade_off(one)) is not None and one.student_metric is not None
    ]
    found = rank_correlation([score for score, _ in pairs], [student for _, student in pairs])
    return None if found is None else (found, len(pairs))


def rank_correlation(scores: Sequence[float], students: Sequence[float]) -> float | None:
    """Spearman's correlation of scores with the metrics of the students that they rank, in [-1, 1].

    Args:
        scores: Trade-off of each assistant.
        students: Metric of the student that learned from it, in the same order.

    Returns:
        None for fewer than three pairs, or where one side is constant.

    Examples:
        >>> round(rank_correlation([1.0, 1.1, 1.2], [0.7, 0.9, 0.8]), 3)
        0.5
    """
    if len(scores) < FEWEST or len(set(scores)) == 1 or len(set(students)) == 1:
        return None
    return spearman(np.array(scores, dtype=float), np.array(students, dtype=float))
