"""Runs to rows of numbers: seeds together, the teacher first, everything against the baseline."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from lmdistill.analysis.baselines import baselines
from lmdistill.analysis.costs import cost_of, shared_costs, speedup_of
from lmdistill.analysis.grouping import (
    Known,
    comparison_key,
    grouped,
    numbered,
    row_key,
    row_labels,
    same_dev_set,
    shared_settings,
    teaching,
    without,
)
from lmdistill.analysis.metric_format import metric_format
from lmdistill.analysis.paired_comparison import compare_rows, judged
from lmdistill.analysis.result_table import Comparison, Row, Score, own_teacher
from lmdistill.analysis.significance import Spread, gap_closed, holm, mean_of, share_kept, spread
from lmdistill.analysis.teachers import chosen_by_dev, teacher_labels, teachers_of
from lmdistill.core.errors import MismatchError, UnknownNameError
from lmdistill.records.record import RecordedRun
from lmdistill.records.schema import Scores


def _quality(scores: Sequence[Score], sources: Sequence[Scores]) -> dict[Score, Spread]:
    """The spread of every score that some source has."""
    spreads = {
        (split, metric): spread([source.get(split, {}).get(metric) for source in sources])
        for split, metric in scores
    }
    return {score: value for score, value in spreads.items() if value is not None}


def _speedup(row: Row, teacher: Row | None, batch_size: int) -> float | None:
    """Of the networks that a run has timed together; else of the rows."""
    together = speedup_of([run.record for run in row.runs], batch_size)
    slow, fast = None if teacher is None else teacher.cost.latency_ms, row.cost.latency_ms
    return slow / fast if together is None and slow is not None and fast is not None else together


def _teacher_rows(
    runs: Sequence[RecordedRun], own: Sequence[RecordedRun], scores: Sequence[Score], batch_size: int
) -> list[Row]:
    """One row for each kind of teacher; `own` are the runs that made the teachers."""
    kinds = teachers_of(runs)
    labels = teacher_labels(kinds)
    made = {run.record.student.fingerprint: run for run in own}
    rows = []
    for label, pairs in zip(labels, kinds, strict=True):
        known = {t.fingerprint: made[t.fingerprint].record.metrics for _, t in pairs if t.fingerprint in made}
        known |= {t.fingerprint: r.teacher_metrics for r, t in pairs if r.teacher_metrics is not None}
        cost = cost_of([teacher for _, teacher in pairs], batch_size)
        row = Row(
            label=label,
            role="teacher",
            runs=tuple(run for name, run in made.items() if name in {t.fingerprint for _, t in pairs}),
            networks=tuple({teacher.fingerprint: teacher for _, teacher in pairs}.values()),
            quality=_quality(scores, list(known.values())),
            cost=replace(cost, speedup=None if cost.latency_ms is None else 1.0),
            chosen=any(chosen_by_dev(record, teacher) for record, teacher in pairs),
        )
        own_score = _goodness(row, scores[0])
        rows.append(replace(row, kept=share_kept(own_score, own_score)))
    return rows


def _mean(row: Row | None, score: Score) -> float | None:
    """The mean of a score, if there is one."""
    return row.quality[score].mean if row is not None and score in row.quality else None


def _goodness(row: Row | None, score: Score) -> float | None:
    """The mean of a score, larger where it is better."""
    mean = _mean(row, score)
    return None if mean is None else metric_format(score[1]).sign * mean


def _scored(runs: Sequence[RecordedRun], headline: Score) -> float | None:
    """The mean over the runs that have a score."""
    split, metric = headline
    return mean_of(run.record.metrics.get(split, {}).get(metric) for run in runs)


def _ceiling(runs: Sequence[RecordedRun], teacher: Row | None, headline: Score) -> float | None:
    """What the runs' own teachers scored, run by run; what `teacher` did, where they do not say."""
    split, metric = headline
    own = spread([(run.record.teacher_metrics or {}).get(split, {}).get(metric) for run in runs])
    return _mean(teacher, headline) if own is None else own.mean


def _closed(row: Row, baseline: Row | None, teacher: Row | None, headline: Score) -> float | None:
    """The share of the gap over the seeds of which row and baseline have a score; over all, where none is."""
    if baseline is None:
        return None
    seeds = [
        {run.record.seed for run in one.runs if _scored([run], headline) is not None}
        for one in (row, baseline)
    ]
    common = seeds[0] & seeds[1] or seeds[0] | seeds[1]
    ours, theirs = ([run for run in one.runs if run.record.seed in common] for one in (row, baseline))
    scores = _scored(ours, headline), _scored(theirs, headline), _ceiling(ours, teacher, headline)
    sign = metric_format(headline[1]).sign
    return gap_closed(*(None if score is None else sign * score for score in scores))


def _compared(
    row: Row,
    headline: Score,
    known: Known,
    *,
    baseline: Row | None,
    teacher: Row | None,
    batch_size: int,
) -> Row:
    """The row with its columns that need other rows."""
    ceiling = _ceiling(row.runs, teacher, headline)
    goal = None if ceiling is None else metric_format(headline[1]).sign * ceiling
    is_baseline = baseline is not None and row.label == baseline.label
    return replace(
        row,
        role="baseline" if is_baseline else "student",
        floor=None if is_baseline or baseline is None else baseline.label,
        cost=replace(row.cost, speedup=_speedup(row, teacher, batch_size)),
        ceiling=ceiling,
        kept=share_kept(_goodness(row, headline), goal),
        closed=_closed(row, baseline, teacher, headline),
        evidence=compare_rows(
            row.runs,
            None if is_baseline or baseline is None else baseline.runs,
            known,
            teacher=ceiling,
        ),
    )


def _corrected(rows: Sequence[Row]) -> list[Row]:
    """The rows with p-values that hold for all of them together."""
    values = holm([row.evidence.p_value for row in rows])
    return [
        replace(row, evidence=replace(row.evidence, p_holm=value))
        for row, value in zip(rows, values, strict=True)
    ]


def _ordered(labels: Iterable[str], floors: Mapping[str, str | None], order: Sequence[str]) -> list[str]:
    """The baseline if there is one for all, then what `order` names, then the rest as it came."""
    ranks = {label: rank for rank, label in enumerate(order)}
    several = len(set(floors.values())) > 1
    return sorted(labels, key=lambda x: (not several and x != floors[x], ranks.get(x, len(ranks))))


def _comparison(
    runs: Sequence[RecordedRun],
    known: Known,
    shared: Sequence[str],
    *,
    baseline: str | None,
    batch_size: int,
    order: Sequence[str],
) -> Comparison:
    """The rows of one task."""
    task = runs[0].record.task
    metrics = dict.fromkeys(metric for run in runs for metric in run.record.task.metrics)
    scores = tuple((split, metric) for split in runs[0].record.metrics for metric in metrics)
    own = teaching(runs)
    students = [run for run in runs if run not in own]
    teachers = _teacher_rows(students, own, scores, batch_size)
    groups = list(grouped(students, row_key).values())
    labels = numbered(without(label, shared) for label in row_labels(groups))
    floors = baselines(list(zip(labels, groups, strict=True)), baseline)
    plain = {
        label: Row(
            label=label,
            role="student",
            runs=tuple(group),
            networks=tuple(run.record.student for run in group),
            quality=_quality(scores, [run.record.metrics for run in group]),
            cost=cost_of([run.record.student for run in group], batch_size),
        )
        for label, group in zip(labels, groups, strict=True)
    }
    rows = [
        _compared(
            plain[label],
            scores[0],
            known,
            baseline=plain.get(floors[label] or ""),
            teacher=own_teacher(plain[label], teachers),
            batch_size=batch_size,
        )
        for label in _ordered(plain, floors, order)
    ]
    return Comparison(
        task=task,
        scores=scores,
        rows=(*teachers, *_corrected(shared_costs(rows, batch_size))),
        batch_size=batch_size,
        majority=runs[0].record.majority,
        shared=tuple(shared),
    )


def compare(
    runs: Sequence[RecordedRun],
    *,
    baseline: str | None = None,
    batch_size: int = 1,
    order: Sequence[str] = (),
    shared: Sequence[str] | None = None,
) -> tuple[Comparison, ...]:
    """One comparison for each task and set of dev examples, in the order of the runs.

    Runs of the same name, method, student shape and number of training examples are seeds of one row; a
    fine-tuning run whose network taught another run is that teacher's. Runs of one task that were judged on
    different dev examples are kept apart: their number, their contents or their labels differ. Settings in
    the names of all rows are left out of their labels, and stand in `Comparison.shared`.

    Args:
        runs: What `find_records` found; the predictions beside them are read.
        baseline: Label of the row that all others are compared with; by default each is with the fine-tuned
            one of its size and amount of data, see `baselines.baselines`.
        batch_size: Of the latencies, one of those that were measured.
        order: Labels of rows in the order they shall have, after the teacher and the baseline; what it does
            not name follows in the order of the runs.
        shared: What to leave out of labels, as in `layers=3`, where `runs` are some of a larger whole.

    Raises:
        UnknownNameError: If no row of any table is called `baseline`.
    """
    known = {run.path: judged(run) for run in runs}
    less = shared_settings(runs) if shared is None else shared
    wanted = None if baseline is None else without(baseline, less)
    ranked = [without(label, less) for label in order]
    tables = [
        replace(
            _comparison(group, known, less, baseline=wanted, batch_size=batch_size, order=ranked),
            apart=len(groups) > 1,
        )
        for asked in grouped(runs, comparison_key).values()
        for groups in [same_dev_set(asked, known)]
        for group in groups
    ]
    labels = {row.label for table in tables for row in table.rows if row.role != "teacher"}
    if baseline is not None and wanted not in labels:
        raise UnknownNameError("row", baseline, labels)
    return tuple(tables)


def require_alike(tables: Iterable[Comparison]) -> None:
    """Refuse runs of one task that were judged on different dev examples: their scores cannot be compared.

    Raises:
        MismatchError: If there are such runs; names one of each kind.
    """
    for task, found in grouped((table for table in tables if table.apart), lambda one: one.task.name).items():
        runs = [table.runs[0] for table in found]
        said = " and ".join(f"{run.path} on {_dev(run)}" for run in runs[:2])
        raise MismatchError(
            f"runs of {task} were judged on different dev examples: {said}. Report on them one by one, or "
            "with --apart in tables of their own."
        )


def _dev(run: RecordedRun) -> str:
    """How many dev examples a run was judged on, and which."""
    task = run.record.task
    rows = ", ".join(f"{count:,} of {name}" for name, count in task.rows.items() if name != "train")
    return f"{rows} ({task.dev_fingerprint or 'of unknown contents'})"
