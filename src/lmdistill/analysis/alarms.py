"""What a reader must know before believing a row, and what is odd without being wrong."""

import math
from collections import Counter

import numpy as np

from lmdistill.analysis.grouping import SEEDS, flat
from lmdistill.analysis.metric_format import metric_format
from lmdistill.analysis.result_table import Comparison, Row
from lmdistill.analysis.significance import ALPHA

PLACES = ("teacher.model", "student.model", "data.source", "texts.source")
"""Fields of a recipe in which the runs of a row may differ beside its seeds: where things lie."""

DIVERGED = (
    "a seed has a score that is no number, as after a training that diverged, and the mean leaves it out. "
    "Lower its learning rate and run it again."
)
SCATTERED = (
    "the seeds differ by more than the effect: the differences to the baseline, seed by seed, have a "
    "standard deviation above their mean. Run more seeds before you believe it."
)


def row_alarms(row: Row, table: Comparison) -> tuple[str, ...]:
    """The alarms of its runs, each once, then those that only the table shows."""
    split, metric = table.scores[0]
    found = [alarm for run in row.runs for alarm in run.record.alarms]
    if any(run.record.metrics.get(split, {}).get(metric) is None for run in row.runs):
        found.append(DIVERGED)
    if _is_scattered(row, table):
        found.append(SCATTERED)
    found += _mixed(row)
    return tuple(dict.fromkeys(found))


def _is_scattered(row: Row, table: Comparison) -> bool:
    """Whether seeds hide the difference to the baseline, and no test has found it all the same."""
    floor = table.floor_of(row)
    if floor is None or row.role != "student":
        return False
    ours, theirs = _by_seed(row, table), _by_seed(floor, table)
    differences = [ours[seed] - theirs[seed] for seed in ours if seed in theirs]
    p_value = row.evidence.p_holm
    if len(differences) < 2 or (p_value is not None and p_value < ALPHA):
        return False
    return bool(np.std(differences, ddof=1) > abs(np.mean(differences)) + 1e-12)


def _mixed(row: Row) -> list[str]:
    """That the runs of a row cannot be draws of one thing: a seed is there twice, or recipes differ."""
    counts = Counter(run.record.seed for run in row.runs)
    twice = {seed for seed, count in counts.items() if count > 1}
    recipes = [flat(run.record.recipe) for run in row.runs]
    names = dict.fromkeys(name for recipe in recipes for name in recipe if name not in (*SEEDS, *PLACES))
    asked = [name for name in names if twice or all(name in recipe for recipe in recipes)]  # some are older
    differ = [name for name in asked if len({str(recipe.get(name)) for recipe in recipes}) > 1]
    if not twice and not differ:
        return []
    said = f"their recipes differ in {', '.join(differ)}" if differ else "one run may be there twice"
    what = (
        f"runs of one seed ({_listed(twice)}) are taken for several"
        if twice
        else "runs are taken for seeds of one thing"
    )
    return [f"{what}, and {said}. Mean, deviation and p do not hold; report on them apart."]


def _by_seed(row: Row, table: Comparison) -> dict[int, float]:
    """The headline score of each seed that has one."""
    split, metric = table.scores[0]
    found = {run.record.seed: run.record.metrics.get(split, {}).get(metric) for run in row.runs}
    return {seed: value for seed, value in found.items() if value is not None and math.isfinite(value)}


def remarks(table: Comparison) -> tuple[str, ...]:
    """What is odd without being wrong, one sentence or two each."""
    return (*_better_than_teacher(table), *_missing_seeds(table), *_apart(table))


def _better_than_teacher(table: Comparison) -> list[str]:
    """Students that have passed their teacher."""
    sign = metric_format(table.scores[0][1]).sign
    found = []
    for row in table.rows:
        ours = row.quality.get(table.scores[0])
        if ours is not None and row.ceiling is not None and sign * ours.mean > sign * row.ceiling:
            found.append(row.label)
    if not found:
        return []
    return [
        f"A better mean than the teacher's: {', '.join(found)}. That is no error, but train the teacher "
        "longer, or take a stronger one, before you speak of shares of it."
    ]


def _missing_seeds(table: Comparison) -> list[str]:
    """Rows without a seed that others have: a run that diverged leaves no record."""
    seeds = {row.label: {run.record.seed for run in row.runs} for row in table.rows if row.role != "teacher"}
    every = set().union(*seeds.values())
    lacking = [f"{label} ({_listed(every - own)})" for label, own in seeds.items() if every - own]
    if not lacking:
        return []
    return [
        f"Without a seed that others have: {', '.join(lacking)}. If its training diverged, the mean is that "
        "of the survivors; run it, or say so."
    ]


def _listed(seeds: set[int]) -> str:
    """Their numbers, rising."""
    return ", ".join(str(seed) for seed in sorted(seeds))


def _apart(table: Comparison) -> list[str]:
    """That the task has other dev sets."""
    if not table.apart:
        return []
    return [
        f"Other runs of {table.task.name} were judged on other dev examples; they have a table of their own "
        "and are not compared with these."
    ]
