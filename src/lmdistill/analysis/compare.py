"""Comparison tables: groups the seeds of each method into rows and compares the rows with a baseline."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from lmdistill.analysis.baselines import baselines
from lmdistill.analysis.costs import cost_of, shared_costs, speedup_of
from lmdistill.analysis.grouping import (
    Known,
    comparison_key,
    grouped,
    numbered,
    row_labels,
    rows_of_seeds,
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
from lmdistill.records.number_ranges import Scores
from lmdistill.records.record import RecordedRun


def _quality(scores: Sequence[Score], sources: Sequence[Scores]) -> dict[Score, Spread]:
    """Mean and deviation of each score over `sources`, without scores that no source has."""
    spreads = {
        (split, metric): spread([source.get(split, {}).get(metric) for source in sources])
        for split, metric in scores
    }
    return {score: value for score, value in spreads.items() if value is not None}


def _speedup(row: Row, teacher: Row | None, batch_size: int) -> float | None:
    """Speed-up measured within the runs; if no run timed both networks, the ratio of the rows' latencies."""
    within_runs = speedup_of([run.record for run in row.runs], batch_size)
    teacher_ms, student_ms = None if teacher is None else teacher.cost.latency_ms, row.cost.latency_ms
    if within_runs is None and teacher_ms is not None and student_ms is not None:
        return teacher_ms / student_ms
    return within_runs


def _teacher_rows(
    runs: Sequence[RecordedRun], own: Sequence[RecordedRun], scores: Sequence[Score], batch_size: int
) -> list[Row]:
    """One row for each kind of teacher; `own` are the runs that trained the teachers."""
    kinds = teachers_of(runs)
    labels = teacher_labels(kinds)
    teacher_runs = {run.record.student.fingerprint: run for run in own}
    rows = []
    for label, pairs in zip(labels, kinds, strict=True):
        fingerprints = {teacher.fingerprint for _, teacher in pairs}
        metrics = {
            teacher.fingerprint: teacher_runs[teacher.fingerprint].record.metrics
            for _, teacher in pairs
            if teacher.fingerprint in teacher_runs
        }
        metrics |= {t.fingerprint: r.teacher_metrics for r, t in pairs if r.teacher_metrics is not None}
        cost = cost_of([teacher for _, teacher in pairs], batch_size)
        row = Row(
            label=label,
            role="teacher",
            runs=tuple(run for name, run in teacher_runs.items() if name in fingerprints),
            networks=tuple({teacher.fingerprint: teacher for _, teacher in pairs}.values()),
            quality=_quality(scores, list(metrics.values())),
            cost=replace(cost, speedup=None if cost.latency_ms is None else 1.0),
            chosen=any(chosen_by_dev(record, teacher) for record, teacher in pairs),
        )
        own_score = _signed_mean(row, scores[0])
        rows.append(replace(row, kept=share_kept(own_score, own_score)))
    return rows


def _mean(row: Row | None, score: Score) -> float | None:
    """The mean of a score over seeds; None if the row does not have it."""
    return row.quality[score].mean if row is not None and score in row.quality else None


def _signed_mean(row: Row | None, score: Score) -> float | None:
    """The mean of a score, negated if lower is better."""
    mean = _mean(row, score)
    return None if mean is None else metric_format(score[1]).sign * mean


def _mean_over_runs(runs: Sequence[RecordedRun], headline: Score) -> float | None:
    """The mean over the runs that have the score; None if no run has it."""
    split, metric = headline
    return mean_of(run.record.metrics.get(split, {}).get(metric) for run in runs)


def _ceiling(runs: Sequence[RecordedRun], teacher: Row | None, headline: Score) -> float | None:
    """Mean score of the runs' own teachers; the score of `teacher` if the records do not contain it."""
    split, metric = headline
    own = spread([(run.record.teacher_metrics or {}).get(split, {}).get(metric) for run in runs])
    return _mean(teacher, headline) if own is None else own.mean


def _closed(row: Row, baseline: Row | None, teacher: Row | None, headline: Score) -> float | None:
    """The share of the gap closed, over the seeds that both rows have; over all seeds if they share none."""
    if baseline is None:
        return None
    seeds = [
        {run.record.seed for run in one.runs if _mean_over_runs([run], headline) is not None}
        for one in (row, baseline)
    ]
    common = seeds[0] & seeds[1] or seeds[0] | seeds[1]
    ours, theirs = ([run for run in one.runs if run.record.seed in common] for one in (row, baseline))
    ceiling = _ceiling(ours, teacher, headline)
    scores = _mean_over_runs(ours, headline), _mean_over_runs(theirs, headline), ceiling
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
    """The row with the columns that depend on the teacher and the baseline."""
    ceiling = _ceiling(row.runs, teacher, headline)
    signed_ceiling = None if ceiling is None else metric_format(headline[1]).sign * ceiling
    is_baseline = baseline is not None and row.label == baseline.label
    return replace(
        row,
        role="baseline" if is_baseline else "student",
        floor=None if is_baseline or baseline is None else baseline.label,
        cost=replace(row.cost, speedup=_speedup(row, teacher, batch_size)),
        ceiling=ceiling,
        kept=share_kept(_signed_mean(row, headline), signed_ceiling),
        closed=_closed(row, baseline, teacher, headline),
        evidence=compare_rows(
            row.runs,
            None if is_baseline or baseline is None else baseline.runs,
            known,
            teacher=ceiling,
        ),
    )


def _corrected(rows: Sequence[Row]) -> list[Row]:
    """The rows with p-values corrected for the number of comparisons (Holm)."""
    values = holm([row.evidence.p_value for row in rows])
    return [
        replace(row, evidence=replace(row.evidence, p_holm=value))
        for row, value in zip(rows, values, strict=True)
    ]


def _ordered(labels: Iterable[str], baseline_of: Mapping[str, str | None], order: Sequence[str]) -> list[str]:
    """The baseline if all rows share one, then the labels in `order`, then the others as they came."""
    ranks = {label: rank for rank, label in enumerate(order)}
    several = len(set(baseline_of.values())) > 1
    return sorted(labels, key=lambda x: (not several and x != baseline_of[x], ranks.get(x, len(ranks))))


def _comparison(
    runs: Sequence[RecordedRun],
    known: Known,
    shared: Sequence[str],
    *,
    baseline: str | None,
    batch_size: int,
    order: Sequence[str],
) -> Comparison:
    """The comparison of runs of one task that were evaluated on the same dev examples."""
    task = runs[0].record.task
    metrics = dict.fromkeys(metric for run in runs for metric in run.record.task.metrics)
    scores = tuple((split, metric) for split in runs[0].record.metrics for metric in metrics)
    own = teaching(runs)
    students = [run for run in runs if run not in own]
    teachers = _teacher_rows(students, own, scores, batch_size)
    groups = rows_of_seeds(students)
    labels = numbered(without(label, shared) for label in row_labels(groups))
    baseline_of = baselines(list(zip(labels, groups, strict=True)), baseline)
    uncompared = {
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
            uncompared[label],
            scores[0],
            known,
            baseline=uncompared.get(baseline_of[label] or ""),
            teacher=own_teacher(uncompared[label], teachers),
            batch_size=batch_size,
        )
        for label in _ordered(uncompared, baseline_of, order)
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

    Runs with the same name, method, student architecture, number of training examples and settings of the
    recipe are the seeds of one row. A fine-tuning run whose network is the teacher of another run belongs to
    the teacher's row. Runs of one task get separate tables if the number, the contents or the labels of their
    dev examples differ.
    Settings that occur in the names of all rows are removed from the labels and listed in
    `Comparison.shared`.

    Args:
        runs: Result of `find_records`; the prediction files in the run folders are read.
        baseline: Label of the row that all others are compared with. By default each row is compared with the
            fine-tuned row of its size and amount of data, see `baselines.baselines`.
        batch_size: Batch size of the latencies, one of those that were measured.
        order: Labels of rows in the wanted order, after the teacher and the baseline. Other rows follow in
            the order of the runs.
        shared: Settings to remove from labels, such as `layers=3`, if `runs` are part of a larger set of
            runs. By default, those that all runs share.

    Raises:
        UnknownNameError: If no table has a row with the label `baseline`.
    """
    known = {run.path: judged(run) for run in runs}
    settings = shared_settings(runs) if shared is None else shared
    baseline_label = None if baseline is None else without(baseline, settings)
    ordered = [without(label, settings) for label in order]
    tables = [
        replace(
            _comparison(
                group, known, settings, baseline=baseline_label, batch_size=batch_size, order=ordered
            ),
            apart=len(groups) > 1,
        )
        for same_task in grouped(runs, comparison_key).values()
        for groups in [same_dev_set(same_task, known)]
        for group in groups
    ]
    labels = {row.label for table in tables for row in table.rows if row.role != "teacher"}
    if baseline is not None and baseline_label not in labels:
        raise UnknownNameError("row", baseline, labels)
    return tuple(tables)


def require_alike(tables: Iterable[Comparison]) -> None:
    """Check that all runs of a task were evaluated on the same dev examples.

    Raises:
        MismatchError: If they were not, since their scores cannot be compared. Names two of the runs.
    """
    by_task = grouped((table for table in tables if table.apart), lambda table: table.task.name)
    for task, separate in by_task.items():
        examples = " and ".join(f"{table.runs[0].path} on {_dev(table.runs[0])}" for table in separate[:2])
        raise MismatchError(
            f"runs of {task} were evaluated on different dev examples: {examples}. Report them separately, "
            "or use --apart for one table per set of dev examples."
        )


def _dev(run: RecordedRun) -> str:
    """Number and fingerprint of the dev examples that a run was evaluated on."""
    task = run.record.task
    rows = ", ".join(f"{count:,} of {name}" for name, count in task.rows.items() if name != "train")
    return f"{rows} ({task.dev_fingerprint or 'unknown contents'})"
