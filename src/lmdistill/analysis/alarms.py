"""Alarms, which question the numbers of a row, and remarks on unusual but possible results."""

import math
from collections import Counter

import numpy as np

from lmdistill.analysis.grouping import PLACES, SEEDS, flat
from lmdistill.analysis.metric_format import metric_format
from lmdistill.analysis.result_table import Comparison, Row
from lmdistill.analysis.significance import ALPHA

DIVERGED = (
    "the score of a seed is not a finite number, for example because training diverged. The mean leaves it "
    "out. Lower the learning rate and run the seed again."
)
SCATTERED = (
    "the seeds vary by more than the effect: the differences to the baseline have a standard deviation over "
    "seeds that is larger than their mean. Run more seeds before you rely on this row."
)

LEARNED_NOTHING = "learned nothing of use"
"""Words of every alarm about a network that is no better than a constant answer."""
STUDENT, TEACHER = "the student ", "the teacher "
"""Beginnings of alarms about either network of a run."""


def row_alarms(row: Row, table: Comparison) -> tuple[str, ...]:
    """The recorded alarms about the row's networks without duplicates, then those that follow from the table.

    An alarm about a teacher stands in a student's record, and in the row of the teacher if there is one.

    The table adds an alarm for a score that is no better than a constant answer or not finite, for seeds that
    vary by more than the effect, and for a seed that occurs twice. A teacher's row has what the runs of its
    students say about the teacher.
    """
    split, metric = table.scores[0]
    alarms = _recorded(row, table)
    if is_constant(row) and not any(LEARNED_NOTHING in alarm for alarm in alarms):
        what = "guessing uniformly" if table.task.kind == "language" else "a constant answer"
        alarms.append(
            f"the mean {metric_format(metric).title} is no better than that of {what}: it has "
            f"{LEARNED_NOTHING}. Train longer, on more examples, or at another learning rate."
        )
    if any(run.record.metrics.get(split, {}).get(metric) is None for run in row.runs):
        alarms.append(DIVERGED)
    if _is_scattered(row, table):
        alarms.append(SCATTERED)
    alarms += _mixed(row)
    return tuple(dict.fromkeys(alarms))


def is_constant(row: Row) -> bool:
    """Whether the mean headline score of a row's runs is no better than that of a constant answer.

    Accuracy stands for F1, because always saying class 1 has a high F1. False if records do not know it.
    With several labels a text, the runs themselves say it: labels of many texts have a high F1 as well.
    """
    if row.runs and row.runs[0].record.task.multi_label:
        return all(any(map(_is_of_nothing, run.record.alarms)) for run in row.runs)
    pairs = []
    for record in (run.record for run in row.runs):
        split, headline = record.headline
        metric = "accuracy" if headline == "f1" else headline
        score = record.metrics[split].get(metric)
        floor = record.majority.get(split, {}).get(metric)
        if score is not None and floor is not None:
            sign = metric_format(metric).sign
            pairs.append((sign * score, sign * floor))
    return bool(pairs) and sum(ours for ours, _ in pairs) <= sum(floor for _, floor in pairs)


def _is_of_nothing(alarm: str) -> bool:
    """Whether an alarm is about a student that learned nothing."""
    return alarm.startswith(STUDENT) and LEARNED_NOTHING in alarm


def _recorded(row: Row, table: Comparison) -> list[str]:
    """The alarms of records that are about the networks of the row."""
    if row.role != "teacher":
        has_teacher = any(other.role == "teacher" for other in table.rows)
        alarms = [alarm for run in row.runs for alarm in run.record.alarms]
        return [alarm for alarm in alarms if not (has_teacher and alarm.startswith(TEACHER))]
    own = {network.fingerprint for network in row.networks}
    students = [run.record for run in table.learners]
    taught = [record for record in students if record.teacher and record.teacher.fingerprint in own]
    told = [alarm for record in taught for alarm in record.alarms if alarm.startswith(TEACHER)]
    tuned = [alarm for run in row.runs for alarm in run.record.alarms]  # where it was the student
    return [*told, *(alarm.replace(STUDENT, TEACHER, 1) for alarm in tuned)]


def _is_scattered(row: Row, table: Comparison) -> bool:
    """Whether the deviation over seeds exceeds the difference to the baseline and no test is significant."""
    baseline = table.floor_of(row)
    if baseline is None or row.role != "student":
        return False
    ours, theirs = _by_seed(row, table), _by_seed(baseline, table)
    differences = [ours[seed] - theirs[seed] for seed in ours if seed in theirs]
    p_value = row.evidence.p_holm
    if len(differences) < 2 or (p_value is not None and p_value < ALPHA):
        return False
    return bool(np.std(differences, ddof=1) > abs(np.mean(differences)) + 1e-12)


def _mixed(row: Row) -> list[str]:
    """An alarm if a seed occurs twice in a row; it names the settings in which the recipes differ."""
    counts = Counter(run.record.seed for run in row.runs)
    repeated = {seed for seed, count in counts.items() if count > 1}
    if not repeated:
        return []
    recipes = [flat(run.record.recipe) for run in row.runs]
    names = dict.fromkeys(name for recipe in recipes for name in recipe if name not in (*SEEDS, *PLACES))
    differ = [name for name in names if len({str(recipe.get(name)) for recipe in recipes}) > 1]
    cause = f"their recipes differ in {', '.join(differ)}" if differ else "a run may be listed twice"
    return [
        f"the row has several runs with the same seed ({_listed(repeated)}), and {cause}. Mean, deviation "
        "and p are not valid; report the runs separately."
    ]


def _by_seed(row: Row, table: Comparison) -> dict[int, float]:
    """The headline score of each seed that has a finite one."""
    split, metric = table.scores[0]
    scores = {run.record.seed: run.record.metrics.get(split, {}).get(metric) for run in row.runs}
    return {seed: value for seed, value in scores.items() if value is not None and math.isfinite(value)}


def remarks(table: Comparison) -> tuple[str, ...]:
    """Remarks on students better than their teacher, missing seeds and other sets of dev examples."""
    return (*_better_than_teacher(table), *_missing_seeds(table), *_apart(table))


def _better_than_teacher(table: Comparison) -> list[str]:
    """A remark that lists the students with a better mean than their teacher."""
    sign = metric_format(table.scores[0][1]).sign
    better = []
    for row in table.rows:
        ours = row.quality.get(table.scores[0])
        if ours is not None and row.ceiling is not None and sign * ours.mean > sign * row.ceiling:
            better.append(row.label)
    if not better:
        return []
    return [
        f"Better mean than the teacher: {', '.join(better)}. This is possible, but train the teacher longer "
        "or use a stronger one before you report shares of its score."
    ]


def _missing_seeds(table: Comparison) -> list[str]:
    """A remark that lists rows without a seed that others have; a run that diverged leaves no record."""
    seeds = {row.label: {run.record.seed for run in row.runs} for row in table.rows if row.role != "teacher"}
    every = set().union(*seeds.values())
    lacking = [f"{label} ({_listed(every - own)})" for label, own in seeds.items() if every - own]
    if not lacking:
        return []
    return [
        f"Missing seeds that other rows have: {', '.join(lacking)}. If their training diverged, the mean "
        "covers only the runs that finished. Run these seeds, or report that they are missing."
    ]


def _listed(seeds: set[int]) -> str:
    """Seeds in increasing order, separated by commas."""
    return ", ".join(str(seed) for seed in sorted(seeds))


def _apart(table: Comparison) -> list[str]:
    """A remark if other runs of the task were evaluated on other dev examples."""
    if not table.apart:
        return []
    return [
        f"Other runs of {table.task.name} were evaluated on other dev examples. They are in a separate table "
        "and are not compared with these."
    ]
