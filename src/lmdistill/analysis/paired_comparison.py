"""What the answers to dev examples say of a row: its difference to the baseline and its shares, with ends."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmdistill.analysis.jackknife import HEADLINE_METRICS, contributions
from lmdistill.analysis.metric_format import metric_format
from lmdistill.analysis.seed_and_example_variance import LEVEL, Estimate, Interval, estimate, share
from lmdistill.analysis.significance import mcnemar
from lmdistill.core.fingerprint import fingerprint
from lmdistill.metrics.classification import predictions_of
from lmdistill.records.predictions import PREDICTIONS, Prediction, read_predictions
from lmdistill.records.record import RecordedRun


@dataclass(frozen=True, kw_only=True)
class ExampleScores:
    """What the dev examples of the headline split contribute to the headline metric of one run."""

    examples: str
    """Fingerprint of the numbers and labels of all its dev examples."""

    student: NDArray[np.float64]
    """Of the student, in the order of the example numbers, (n,)."""

    teacher: NDArray[np.float64] | None
    """Of its teacher, where its answers were kept, (n,)."""


@dataclass(frozen=True, kw_only=True)
class ComparisonStats:
    """A row against the baseline and against the teacher."""

    seeds: int = 0
    """Seeds that the row and the baseline share; 0 for the baseline itself."""

    difference: Estimate | None = None
    """Of the headline metric: row minus baseline."""

    p_value: float | None = None
    """Of the two being equally good, over seeds and examples."""

    p_holm: float | None = None
    """The same, corrected for all comparisons of the table."""

    p_runs: float | None = None
    """Of these very runs being equally good, over examples alone."""

    kept: Interval | None = None
    """Share of the teacher's score."""

    closed: Interval | None = None
    """Share of the way from the baseline to the teacher."""


NOTHING = ComparisonStats()
"""Of a row without answers or without a baseline."""


def judged(run: RecordedRun) -> ExampleScores | None:
    """The contributions of a run; None without stored predictions, or where one is no number."""
    split, metric = run.record.headline
    found = read_predictions(run.path / PREDICTIONS)
    chosen = sorted((one for one in found if one.split == split), key=lambda one: one.example)
    student = _contributions(metric, chosen, [one.student for one in chosen])
    if student is None:
        return None
    return ExampleScores(
        examples=fingerprint(sorted((one.split, one.example, float(one.label)) for one in found)),
        student=student,
        teacher=_contributions(metric, chosen, [one.teacher for one in chosen if one.teacher is not None]),
    )


def _contributions(
    metric: str, chosen: Sequence[Prediction], logits: Sequence[Sequence[float]]
) -> NDArray[np.float64] | None:
    """Of classes where there are several logits, else of the one value; None where some are missing."""
    if not chosen or metric not in HEADLINE_METRICS or len(logits) != len(chosen):
        return None
    if not np.isfinite(logits).all():
        return None
    labels, values = np.array([one.label for one in chosen], dtype=float), np.array(logits, dtype=float)
    return contributions(HEADLINE_METRICS[metric], labels, predictions_of(values).astype(float))


def compare_rows(
    ours: Sequence[RecordedRun],
    theirs: Sequence[RecordedRun] | None,
    known: Mapping[Path, ExampleScores | None],
    *,
    teacher: float | None,
) -> ComparisonStats:
    """The evidence about one row.

    Seeds are paired by their number, and only those count that both sides have. What the p-value says and
    for what it holds is in `seed_and_example_variance.estimate`.

    Args:
        ours: The runs of the row.
        theirs: Those of the baseline; None for the baseline itself.
        known: `judged` of each run, by its folder.
        teacher: The teacher's score, taken as exact where its answers were not kept.

    Returns:
        What can be said; a field is None where seeds or answers are missing.
    """
    metric = ours[0].record.headline[1]
    mine, floors = _by_seed(ours, known), _by_seed(theirs or (), known)
    common = [seed for seed, one in mine.items() if seed in floors and floors[seed].examples == one.examples]
    student, ceiling = _stacked([*mine.values()], teacher)
    kept = None
    if student is not None and ceiling is not None and not metric_format(metric).lower_is_better:
        kept = share(student, ceiling)
    if not common or student is None:
        return ComparisonStats(kept=kept)
    student, ceiling = _stacked([mine[seed] for seed in common], teacher)
    floor, _ = _stacked([floors[seed] for seed in common], None)
    if student is None or floor is None:
        return ComparisonStats(kept=kept)
    sign = metric_format(metric).sign
    return replace(
        paired(metric, student, floor),
        kept=kept,
        closed=None if ceiling is None else share(sign * (student - floor), sign * (ceiling - floor)),
    )


def _by_seed(
    runs: Sequence[RecordedRun], known: Mapping[Path, ExampleScores | None]
) -> dict[int, ExampleScores]:
    """The runs whose answers are known, by rising seed."""
    found = {run.record.seed: one for run in runs if (one := known.get(run.path)) is not None}
    return dict(sorted(found.items()))


def paired(metric: str, ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> ComparisonStats:
    """Difference and p-values of two sides that answered the same examples under the same seeds.

    Args:
        metric: Name of the metric. Of an accuracy, no p is below that of the exact McNemar test, which also
            holds where few answers differ.
        ours: Contributions of example i under seed s, (s, n).
        theirs: The same of the baseline, (s, n).
    """
    exact = mcnemar(ours > 0.5, theirs > 0.5) if metric == "accuracy" else 0.0
    whole = estimate(ours - theirs)
    these = estimate((ours - theirs).mean(axis=0, keepdims=True))
    if whole is None or these is None:
        return ComparisonStats(seeds=len(ours))
    p_value = max(whole.p_value, exact)
    return ComparisonStats(
        seeds=len(ours),
        difference=_of_few(whole, ours - theirs, p_value) if metric == "accuracy" else whole,
        p_value=p_value,
        p_runs=max(these.p_value, exact),
    )


def _of_few(found: Estimate, differences: NDArray[np.float64], p_value: float) -> Estimate:
    """An interval that also holds where few answers differ, and has 0 in it where the p-value says so.

    As if half an example more had gone to each side: Agresti and Min, "Simple improved confidence intervals
    for comparing matched proportions", 2005. Deviation: the centre stays, and the error is never smaller.
    """
    half = math.sqrt(0.5)
    extra = np.tile([half, -half], (len(differences), 1))
    more = estimate(np.concatenate([differences, extra], axis=1))
    assert more is not None  # there were two examples before
    reach = max(found.high - found.value, more.high - more.value)
    low, high = found.value - reach, found.value + reach
    if p_value > 1 - LEVEL:
        low, high = min(low, 0.0), max(high, 0.0)
    return replace(found, low=low, high=high)


def _stacked(
    found: Sequence[ExampleScores], teacher: float | None
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Contributions of students and teachers by seed, (s, n); None where they are missing or do not fit."""
    if not found or len({one.examples for one in found}) > 1:
        return None, None
    student = np.stack([one.student for one in found])
    own = [one.teacher for one in found if one.teacher is not None]
    if len(own) == len(found):
        return student, np.stack(own)
    return student, None if teacher is None else np.full_like(student, teacher)
