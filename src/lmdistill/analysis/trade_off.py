"""MiniDisc's trade-off score of a candidate, and how well it ranks the students."""

from collections.abc import Sequence

from scipy import stats

from lmdistill.analysis.metric_format import Value
from lmdistill.records.schema import Candidate

LAMBDA = 0.2
"""The published weight of the sparsity, for records that have none; a test holds it to the schedules'."""


FEWEST = 3
"""Pairs below which a rank correlation says nothing."""


def share(kept: float) -> str:
    """A kept fraction in percent.

    Examples:
        >>> share(0.15), share(1 / 3)
        ('15 %', '33.3 %')
    """
    return f"{100 * kept:.3g} %"


def trade_off(one: Candidate) -> Value:
    r"""The score of a candidate: what its record says, else with the published weight.

    .. math:: t = m + \lambda (1 - s)

    References:
        Zhang et al., "MiniDisc: Minimal Distillation Schedule for Language Model Compression", 2022.
    """
    if one.score is not None or one.metric is None:
        return one.score
    return one.metric + LAMBDA * (1 - one.kept)


def rank_correlation(candidates: Sequence[Candidate]) -> tuple[float, int] | None:
    """Spearman's correlation of the trade-off with the students' metric, and of how many candidates.

    Returns:
        None where fewer than three have both, or where one of the two is the same for all.
    """
    pairs = [
        (score, one.student_metric)
        for one in candidates
        if (score := trade_off(one)) is not None and one.student_metric is not None
    ]
    if len(pairs) < FEWEST:
        return None
    scores, students = zip(*pairs, strict=True)
    if len(set(scores)) == 1 or len(set(students)) == 1:
        return None
    return float(stats.spearmanr(scores, students).statistic), len(pairs)
