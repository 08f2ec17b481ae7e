"""Runs to rows of numbers: seeds together, the teacher first, everything against the baseline."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from lmdistill.core.errors import UnknownNameError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.report.facts import NetworkFacts, Scores
from lmdistill.report.metrics import manner
from lmdistill.report.predictions import paired_test
from lmdistill.report.record import Record, RunFolder
from lmdistill.report.rows import Comparison, Cost, Row, Score
from lmdistill.report.statistics import Spread, gap_closed, share_kept, spread

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")

BASELINE_NAMES, BASELINE_METHODS = ("FT", "SFT"), ("finetune", "sft")


def _grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """Items by key, both in order of appearance."""
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _task_key(run: RunFolder) -> Hashable:
    """Equal for runs that are judged on the same examples."""
    task = run.record.task
    return task.name, task.metrics, tuple(sorted((k, n) for k, n in task.rows.items() if k != "train"))


def _row_key(run: RunFolder) -> Hashable:
    """Equal for runs that differ in the seed only."""
    record = run.record
    shape = record.student.layers, record.student.parameters.total
    return record.name, *shape, record.task.rows.get("train"), fingerprint(record.method)


def _quality(scores: Sequence[Score], sources: Sequence[Scores]) -> dict[Score, Spread]:
    """The spread of every score that some source has."""
    spreads = {
        (split, metric): spread([source.get(split, {}).get(metric) for source in sources])
        for split, metric in scores
    }
    return {score: value for score, value in spreads.items() if value is not None}


def _latency(network: NetworkFacts, batch_size: int) -> float | None:
    """Median milliseconds of one batch."""
    measured = network.latency.get(str(batch_size))
    return None if measured is None else measured.p50_ms


def _cost(networks: Sequence[NetworkFacts], batch_size: int) -> Cost:
    """The cost of a network of which there are several copies."""
    latencies = [ms for network in networks if (ms := _latency(network, batch_size)) is not None]
    disk = spread([network.disk_bytes for network in networks])
    return Cost(
        parameters=networks[0].parameters.total,
        disk_bytes=None if disk is None else disk.mean,
        latency_ms=float(np.median(latencies)) if latencies else None,
    )


def _speedup(runs: Sequence[RunFolder], cost: Cost, teacher: Row | None, batch_size: int) -> float | None:
    """Mean ratio within runs, since a run measures both networks at about the same time; else of the rows."""
    pairs = [
        (_latency(run.record.teacher, batch_size), _latency(run.record.student, batch_size))
        for run in runs
        if run.record.teacher is not None
    ]
    ratio = spread([slow / fast for slow, fast in pairs if slow is not None and fast is not None])
    if ratio is not None:
        return ratio.mean
    slow = None if teacher is None else teacher.cost.latency_ms
    return None if slow is None or cost.latency_ms is None else slow / cost.latency_ms


def _teacher_rows(
    runs: Sequence[RunFolder], own: Sequence[RunFolder], scores: Sequence[Score], batch_size: int
) -> dict[Hashable, Row]:
    """One row for each size of teacher; `own` are the runs that made the teachers."""
    taught = [(run.record, run.record.teacher) for run in runs if run.record.teacher is not None]
    sizes = _grouped(taught, lambda pair: (pair[1].layers, pair[1].parameters.total))
    rows: dict[Hashable, Row] = {}
    for size, pairs in sizes.items():
        made = {run.record.student.fingerprint: run for run in own}
        known = {t.fingerprint: made[t.fingerprint].record.metrics for _, t in pairs if t.fingerprint in made}
        known |= {t.fingerprint: r.teacher_metrics for r, t in pairs if r.teacher_metrics is not None}
        cost = _cost([teacher for _, teacher in pairs], batch_size)
        rows[size] = Row(
            label="Teacher" if len(sizes) == 1 else f"Teacher ({pairs[0][1].layers} layers)",
            role="teacher",
            runs=tuple(run for name, run in made.items() if name in {t.fingerprint for _, t in pairs}),
            networks=tuple({teacher.fingerprint: teacher for _, teacher in pairs}.values()),
            quality=_quality(scores, list(known.values())),
            cost=replace(cost, speedup=None if cost.latency_ms is None else 1.0),
            kept=None if manner(scores[0][1]).lower_is_better else 1.0,
        )
    return rows


def _labels(groups: Sequence[Sequence[RunFolder]]) -> list[str]:
    """The name of each group, and what tells it from others of the same name."""
    records = [group[0].record for group in groups]
    labels = []
    for record in records:
        twins = [other for other in records if other.name == record.name]
        facts: list[Callable[[Record], str]] = [
            lambda r: f"{r.student.layers} layers",
            lambda r: f"{r.student.parameters.total:,} parameters",
            lambda r: f"{r.task.rows.get('train', 0):,} examples",
            *(lambda r, field=field: f"{field}={r.method.get(field)}" for field in record.method),
        ]
        telling = [fact(record) for fact in facts if len({fact(twin) for twin in twins}) > 1]
        labels.append(f"{record.name} ({', '.join(telling)})" if telling else record.name)
    return labels


def _baseline(groups: Sequence[Sequence[RunFolder]], labels: Sequence[str], wanted: str | None) -> str | None:
    """The label of the row that the others are compared with, if there is one."""
    if wanted is not None:
        if wanted not in labels:
            raise UnknownNameError("row", wanted, labels)
        return wanted
    for name in BASELINE_NAMES:
        if name in labels:
            return name
    tuned = [
        label
        for label, group in zip(labels, groups, strict=True)
        if group[0].record.method.get("name") in BASELINE_METHODS
    ]
    return next(iter(tuned), None)


def _mean(row: Row | None, score: Score) -> float | None:
    """The mean of a score, if there is one."""
    return row.quality[score].mean if row is not None and score in row.quality else None


def _goodness(row: Row | None, score: Score) -> float | None:
    """The mean of a score, larger where it is better."""
    mean = _mean(row, score)
    return None if mean is None else manner(score[1]).sign * mean


def _compared(row: Row, headline: Score, baseline: Row | None, teacher: Row | None, batch_size: int) -> Row:
    """The row with its columns that need other rows."""
    ours, floor, ceiling = (_goodness(other, headline) for other in (row, baseline, teacher))
    is_baseline = baseline is not None and row.label == baseline.label
    return replace(
        row,
        role="baseline" if is_baseline else "student",
        cost=replace(row.cost, speedup=_speedup(row.runs, row.cost, teacher, batch_size)),
        kept=share_kept(ours, ceiling),
        closed=gap_closed(ours, floor, ceiling),
        p_value=None if is_baseline or baseline is None else paired_test(row.runs, baseline.runs),
    )


def _ordered(labels: Iterable[str], floor: str | None, order: Sequence[str]) -> list[str]:
    """The baseline, then what `order` names, then the rest as it came."""
    ranks = {label: rank for rank, label in enumerate(order)}
    return sorted(labels, key=lambda label: (label != floor, ranks.get(label, len(ranks))))


def _comparison(
    runs: Sequence[RunFolder], baseline: str | None, batch_size: int, order: Sequence[str]
) -> Comparison:
    """The rows of one task."""
    task = runs[0].record.task
    scores = tuple((split, m) for split in runs[0].record.metrics for m in task.metrics)
    prints = {run.record.teacher.fingerprint for run in runs if run.record.teacher is not None}
    own = [run for run in runs if run.record.kind == "finetune" and run.record.student.fingerprint in prints]
    students = [run for run in runs if run not in own]
    teachers = _teacher_rows(students, own, scores, batch_size)
    groups = list(_grouped(students, _row_key).values())
    labels = _labels(groups)
    floor = _baseline(groups, labels, baseline)
    plain = {
        label: Row(
            label=label,
            role="student",
            runs=tuple(group),
            networks=tuple(run.record.student for run in group),
            quality=_quality(scores, [run.record.metrics for run in group]),
            cost=_cost([run.record.student for run in group], batch_size),
        )
        for label, group in zip(labels, groups, strict=True)
    }
    rows = []
    for label in _ordered(plain, floor, order):
        theirs = plain[label].runs[0].record.teacher
        only = next(iter(teachers.values())) if len(teachers) == 1 else None
        teacher = only if theirs is None else teachers[theirs.layers, theirs.parameters.total]
        rows.append(_compared(plain[label], scores[0], plain.get(floor or ""), teacher, batch_size))
    return Comparison(
        task=task,
        scores=scores,
        rows=(*teachers.values(), *rows),
        batch_size=batch_size,
        majority=runs[0].record.majority,
    )


def compare(
    runs: Sequence[RunFolder], *, baseline: str | None = None, batch_size: int = 1, order: Sequence[str] = ()
) -> tuple[Comparison, ...]:
    """One comparison for each task, in the order of the runs.

    Runs of the same name, method, student shape and number of training examples are seeds of one row; a
    fine-tuning run whose network taught another run is that teacher's.

    Args:
        runs: What `find_records` found.
        baseline: Label of the row that the others are compared with; by default the one called FT, or the
            first that was only fine-tuned.
        batch_size: Of the latencies, one of those that were measured.
        order: Labels of rows in the order they shall have, after the teacher and the baseline; what it does
            not name follows in the order of the runs.

    Raises:
        UnknownNameError: If no row is called `baseline`.
    """
    return tuple(
        _comparison(group, baseline, batch_size, order) for group in _grouped(runs, _task_key).values()
    )
