"""Paired comparison of a row with the baseline and the teacher, from the predictions on dev examples."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmdistill.analysis.jackknife import (
    HEADLINE_METRICS,
    contributions,
    headline_metric,
    label_contributions,
)
from lmdistill.analysis.metric_format import metric_format
from lmdistill.analysis.seed_and_example_variance import LEVEL, Estimate, Interval, estimate, share
from lmdistill.analysis.significance import mcnemar
from lmdistill.core.fingerprint import fingerprint
from lmdistill.metrics.classification import predictions_of
from lmdistill.metrics.multi_label import MULTI_LABEL_METRICS, predicted_labels
from lmdistill.records.label_thresholds import LabelThresholds
from lmdistill.records.predictions import PREDICTIONS, Prediction, predictions_state, read_predictions
from lmdistill.records.record import RecordedRun


@dataclass(frozen=True, kw_only=True)
class ExampleScores:
    """Contributions of the headline split's examples to the headline metric of one run.

    `jackknife.contributions` defines a contribution.
    """

    examples: str
    """Fingerprint of the numbers and labels of all dev examples, on every split."""

    student: NDArray[np.float64]
    """Contributions of the student, in the order of the example numbers, (n,)."""

    teacher: NDArray[np.float64] | None
    """Contributions of its teacher, (n,); None without stored predictions of the teacher."""


@dataclass(frozen=True, kw_only=True)
class ComparisonStats:
    """Comparison of a row with the baseline and with the teacher; a field is None if it is not known."""

    seeds: int = 0
    """Number of seeds that the row and the baseline share; 0 for the baseline itself."""

    difference: Estimate | None = None
    """Headline metric of the row minus that of the baseline."""

    p_value: float | None = None
    """p-value in [0, 1] of the hypothesis that both are equally good, over seeds and examples."""

    p_holm: float | None = None
    """`p_value` with Holm's correction for all comparisons of the table."""

    p_runs: float | None = None
    """p-value in [0, 1] for these trained networks, over examples alone."""

    kept: Interval | None = None
    """The row's score divided by the teacher's."""

    closed: Interval | None = None
    """Share of the gap between baseline and teacher that the row closes; 1 at the teacher."""


NOTHING = ComparisonStats()
"""Statistics of a row without stored predictions or without a baseline."""


def judged(run: RecordedRun) -> ExampleScores | None:
    """The contributions of a run's dev examples to its headline metric.

    Returns:
        None without stored predictions, if one of them is not finite, or if the metric is not in
        `HEADLINE_METRICS`.
    """
    path = run.path / PREDICTIONS
    return _judged(path, predictions_state(path), *run.record.headline, run.record.thresholds)


@lru_cache(maxsize=512)
def _judged(
    path: Path,
    state: tuple[int, int] | None,
    split: str,
    metric: str,
    thresholds: LabelThresholds | None,
) -> ExampleScores | None:
    """What `judged` gives; kept until the file changes, since pages compare the same runs several times."""
    ours, theirs = (None, None) if thresholds is None else (thresholds.student, thresholds.teacher)
    predictions = read_predictions(path)
    headline = sorted((one for one in predictions if one.split == split), key=lambda one: one.example)
    student = _contributions(metric, headline, [one.student for one in headline], ours)
    if student is None:
        return None
    return ExampleScores(
        examples=fingerprint(sorted(map(_identity, predictions))),
        student=student,
        teacher=_contributions(
            metric, headline, [one.teacher for one in headline if one.teacher is not None], theirs
        ),
    )


def _identity(one: Prediction) -> tuple[str | int | float, ...]:
    """What two predictions share if they are for the same example with the same label or labels."""
    return (one.split, one.example, float(one.label), *(one.labels or ()))


def _contributions(
    metric: str,
    examples: Sequence[Prediction],
    logits: Sequence[Sequence[float]],
    thresholds: Sequence[float] | None,
) -> NDArray[np.float64] | None:
    """Contributions of the predicted classes or labels, or of the single values; None if some are missing."""
    if not examples or len(logits) != len(examples) or not np.isfinite(logits).all():
        return None
    if examples[0].labels is not None:
        if metric not in MULTI_LABEL_METRICS:
            return None
        rows = np.stack([one.label_row() for one in examples])
        return label_contributions(metric, rows, predicted_labels(np.array(logits), thresholds))
    if metric not in HEADLINE_METRICS:
        return None
    labels, values = np.array([one.label for one in examples], dtype=float), np.array(logits, dtype=float)
    function = headline_metric(metric, values.shape[1])
    return contributions(function, labels, predictions_of(values).astype(float))


def compare_rows(
    ours: Sequence[RecordedRun],
    theirs: Sequence[RecordedRun] | None,
    known: Mapping[Path, ExampleScores | None],
    *,
    teacher: float | None,
) -> ComparisonStats:
    """Compare the runs of a row with those of the baseline and with the teacher.

    Runs are paired by seed; seeds that only one side has do not count. `seed_and_example_variance.estimate`
    defines the p-value.

    Args:
        ours: The runs of the row.
        theirs: The runs of the baseline; None for the baseline itself.
        known: Result of `judged` for each run, by its folder.
        teacher: The teacher's score, taken as exact if its predictions were not stored.

    Returns:
        The statistics; a field is None if seeds or predictions are missing.
    """
    metric = ours[0].record.headline[1]
    row, baseline = _by_seed(ours, known), _by_seed(theirs or (), known)
    common = [
        seed for seed, one in row.items() if seed in baseline and baseline[seed].examples == one.examples
    ]
    student, ceiling = _stacked([*row.values()], teacher)
    kept = None
    if student is not None and ceiling is not None and not metric_format(metric).lower_is_better:
        kept = share(student, ceiling)
    if not common or student is None:
        return ComparisonStats(kept=kept)
    student, ceiling = _stacked([row[seed] for seed in common], teacher)
    baseline_scores, _ = _stacked([baseline[seed] for seed in common], None)
    if student is None or baseline_scores is None:
        return ComparisonStats(kept=kept)
    sign = metric_format(metric).sign
    return replace(
        paired(metric, student, baseline_scores),
        kept=kept,
        closed=None
        if ceiling is None
        else share(sign * (student - baseline_scores), sign * (ceiling - baseline_scores)),
    )


def _by_seed(
    runs: Sequence[RecordedRun], known: Mapping[Path, ExampleScores | None]
) -> dict[int, ExampleScores]:
    """Contributions of the runs that have some, by increasing seed."""
    scores = {run.record.seed: one for run in runs if (one := known.get(run.path)) is not None}
    return dict(sorted(scores.items()))


def paired(metric: str, ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> ComparisonStats:
    """Difference and p-values of two rows evaluated on the same examples with the same seeds.

    Args:
        metric: Name of the metric. For an accuracy, also of whole sets of labels, no p-value is below that of
            the exact McNemar test, which is also valid if few predictions differ.
        ours: Contributions of example i under seed s, (s, n).
        theirs: The same for the baseline, (s, n).

    Returns:
        Statistics without `p_holm`, `kept` and `closed`; only `seeds` for fewer than two examples.
    """
    is_share = metric in ("accuracy", "subset_accuracy")
    exact = mcnemar(ours > 0.5, theirs > 0.5) if is_share else 0.0
    over_both = estimate(ours - theirs)
    over_examples = estimate((ours - theirs).mean(axis=0, keepdims=True))
    if over_both is None or over_examples is None:
        return ComparisonStats(seeds=len(ours))
    p_value = max(over_both.p_value, exact)
    return ComparisonStats(
        seeds=len(ours),
        difference=_adjusted(over_both, ours - theirs, p_value) if is_share else over_both,
        p_value=p_value,
        p_runs=max(over_examples.p_value, exact),
    )


def _adjusted(difference: Estimate, values: NDArray[np.float64], p_value: float) -> Estimate:
    """The interval adjusted for few differing predictions; it contains 0 if the p-value is above 0.05.

    It adds half an example to each side, as Agresti and Min, "Simple improved confidence intervals for
    comparing matched proportions", 2005. Deviation: the centre stays, and the error is never smaller.
    """
    half = math.sqrt(0.5)
    pseudo_examples = np.tile([half, -half], (len(values), 1))
    widened = estimate(np.concatenate([values, pseudo_examples], axis=1))
    assert widened is not None  # there were two examples before
    half_width = max(difference.high - difference.value, widened.high - widened.value)
    low, high = difference.value - half_width, difference.value + half_width
    if p_value > 1 - LEVEL:
        low, high = min(low, 0.0), max(high, 0.0)
    return replace(difference, low=low, high=high)


def _stacked(
    scores: Sequence[ExampleScores], teacher: float | None
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Contributions of students and of teachers, each (s, n).

    Both are None if the dev examples differ; the teachers' if some are missing and `teacher` is None.
    """
    if not scores or len({one.examples for one in scores}) > 1:
        return None, None
    student = np.stack([one.student for one in scores])
    own = [one.teacher for one in scores if one.teacher is not None]
    if len(own) == len(scores):
        return student, np.stack(own)
    return student, None if teacher is None else np.full_like(student, teacher)
