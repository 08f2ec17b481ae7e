"""Two rows in one setting: how far they lie apart, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from docs.build.record_fields import Measure
from lmdistill.analysis.grouping import same_dev_set
from lmdistill.analysis.paired_comparison import compare_rows, judged
from lmdistill.analysis.significance import Spread, seeds_interval, spread
from lmdistill.core.errors import ConfigError
from lmdistill.records.record import RecordedRun

EQUAL = 1e-12
"""Deviation below which differences are equal but for rounding."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Ours minus theirs, positive is better."""

    value: float
    """The mean over the seeds that both have."""

    low: float | None
    """Lower end of the 95 % interval; None where there are no answers, and one seed or equal differences."""

    high: float | None
    """Upper end."""

    p_value: float | None
    """Of there being no difference."""

    seeds: int
    """Those that both have."""

    @property
    def ends(self) -> tuple[float, float] | None:
        """The interval, if there is one."""
        return None if self.low is None or self.high is None else (self.low, self.high)


@dataclass(frozen=True, kw_only=True)
class Envelope(Difference):
    """Several differences to one row, as one: the largest, with the outermost ends of all intervals."""

    farthest: tuple[float, float] | None
    """The one interval that lies farthest from 0; the p-value is its own, times the number of differences."""


def envelope(found: Sequence[Difference]) -> Envelope:
    """Several differences to one row, at least one; without an interval unless all have one."""
    ends = [one.ends for one in found if one.ends is not None]
    value, seeds = max((one.value for one in found), key=abs), min(one.seeds for one in found)
    if len(ends) < len(found):
        return Envelope(value=value, low=None, high=None, p_value=None, seeds=seeds, farthest=None)
    far = max(zip(ends, found, strict=True), key=lambda pair: max(pair[0][0], -pair[0][1]))[1]
    return Envelope(
        value=value,
        low=min(low for low, _ in ends),
        high=max(high for _, high in ends),
        p_value=None if far.p_value is None else min(1.0, far.p_value * len(found)),
        seeds=seeds,
        farthest=far.ends,
    )


def spread_text(found: Spread | None, measure: Measure) -> str:
    """Mean, deviation and number of seeds."""
    if found is None:
        return "–"
    deviation = "" if found.sd is None else f" ± {measure.text(found.sd)}"
    return f"{measure.text(found.mean)}{deviation} ({found.count})"


def difference(
    mine: Sequence[RecordedRun], others: Sequence[RecordedRun], measure: Measure, *, is_headline: bool
) -> Difference | None:
    """Ours minus theirs over the seeds of both; of the headline with the luck of examples, if known.

    Returns:
        None without a seed that both have.

    Raises:
        ConfigError: If the two were judged on different dev examples.
    """
    runs = (*mine, *others)
    known = {run.path: judged(run) if is_headline else None for run in runs}
    if len(groups := same_dev_set(runs, known)) > 1:
        raise ConfigError(
            f"{groups[0][0].path} and {groups[1][0].path} were judged on different dev examples, so they "
            "cannot be compared. Judge both on the same ones."
        )
    if is_headline:
        found = compare_rows(mine, others, known, teacher=None)
        if found.difference is not None:
            ends = sorted((measure.sign * found.difference.low, measure.sign * found.difference.high))
            return Difference(
                value=measure.sign * found.difference.value,
                low=ends[0],
                high=ends[1],
                p_value=found.p_value,
                seeds=found.seeds,
            )
    ours, theirs = ({run.record.seed: measure.read(run.record) for run in runs} for runs in (mine, others))
    gaps = [
        measure.sign * (value - other)
        for seed, value in ours.items()
        if value is not None and (other := theirs.get(seed)) is not None
    ]
    return _over_seeds(gaps, is_headline=is_headline)


def _over_seeds(gaps: Sequence[float], *, is_headline: bool) -> Difference | None:
    """Mean of paired differences with Student's interval.

    Equal counts leave no doubt. Equal differences of a headline are chance: a score of few examples takes
    few values, so seeds that agree say nothing of how far others may lie apart.
    """
    found = spread(gaps)
    if found is None:
        return None
    is_equal = found.sd is not None and found.sd < EQUAL
    reach = None if is_headline and is_equal else seeds_interval(found)
    p_value = None
    if reach is not None:
        p_value = float(abs(found.mean) < EQUAL) if is_equal else float(stats.ttest_1samp(gaps, 0).pvalue)
    low, high = reach or (None, None)
    return Difference(value=found.mean, low=low, high=high, p_value=p_value, seeds=found.count)
