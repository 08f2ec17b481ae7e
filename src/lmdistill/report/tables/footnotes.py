"""The notes below a table: definitions of marks and p-values, baselines, latencies and remarks."""

from collections.abc import Sequence

from lmdistill.analysis.alarms import remarks
from lmdistill.analysis.baselines import block_of
from lmdistill.analysis.footnote_text import BY_DEV, ONE_SEED, compared, score_title
from lmdistill.analysis.grouping import layers_of
from lmdistill.analysis.metric_format import metric_format
from lmdistill.analysis.result_table import Comparison
from lmdistill.records.record import TRIALS_NOTE, Record, are_trials

DEV_NOTE = f"{BY_DEV} dev-selected: the dev set also selected the weights, so this score is optimistic."
"""Note for scores that are marked with †."""

SHARES = ("accuracy", "subset_accuracy")
"""Metrics that are shares of examples, which have an exact test."""

MOST_NAMED = 4
"""Number of rows up to which a note on mixup pairs names them."""


def _baselines_note(table: Comparison) -> list[str]:
    """Notes on several baselines, and on rows whose baseline has another size or amount of data."""
    notes = []
    if len(table.floors) > 1:
        notes.append(
            f"Baseline: the fine-tuned row of the same size and amount of data ({', '.join(table.floors)})."
        )
    different: dict[str, list[str]] = {}
    for row in compared(table):
        baseline = table.floor_of(row)
        if baseline is not None and block_of(row.runs[0]) != block_of(baseline.runs[0]):
            different.setdefault(baseline.label, []).append(row.label)
    return notes + [
        f"Tested against {baseline}, which has another size or amount of data: {', '.join(rows)}. These "
        "differences are not due to the method alone."
        for baseline, rows in different.items()
    ]


def p_notes(table: Comparison) -> list[str]:
    """Notes on the test that the p-values come from, and on what they account for."""
    rows = compared(table)
    if not rows:
        return []
    split, metric = table.scores[0]
    counts = {row.evidence.seeds for row in rows}
    units = "passages" if table.task.kind == "language" else "examples"
    over = f"seeds and {split} {units}" if max(counts) > 1 else f"{split} {units}"
    exact = ", at least that of the exact McNemar test" if metric in SHARES else ""
    holm = f"; Holm's correction for {len(rows)} comparisons" if len(rows) > 1 else ""
    notes = [*_baselines_note(table), f"p: paired t test of {metric} over {over}{exact}{holm}."]
    if 1 in counts:
        notes.append("With one seed, p is valid for these runs only, not for other seeds.")
    if 2 in counts:
        notes.append("With two seeds, p is approximate: up to 11 % of equally good methods get p < 0.05.")
    return notes


def _size_note(table: Comparison) -> list[str]:
    """A note on how many examples make one point of accuracy."""
    split, metric = table.scores[0]
    size = table.task.rows.get(split)
    if metric != "accuracy" or not size:
        return []
    if size < 100:
        return [f"One of {size} {split} examples is {100 / size:.2f} points of accuracy."]
    return [f"One point of accuracy is {size / 100:.1f} of {size:,} {split} examples."]


def _machine_note(table: Comparison) -> list[str]:
    """A warning if the latencies of the table were measured under different conditions."""
    runs = table.learners  # these runs also timed their teachers
    latencies = [run.record.student.latency.get(str(table.batch_size)) for run in runs]
    conditions = {(x.device, x.threads, x.tokens) for x in latencies if x is not None}
    processors = {run.record.environment.processor for run in runs}
    if len(conditions) > 1 or (conditions and len(processors) > 1):
        return [
            "Latencies were measured on different devices, numbers of threads or text lengths. Do not "
            "compare them across rows."
        ]
    return []


def _latency_note(table: Comparison) -> list[str]:
    """A note if rows with the same architecture share their latency."""
    shapes = [
        layers_of(row.networks[0])
        for row in table.rows
        if row.role != "teacher" and row.cost.latency_ms is not None
    ]
    if len(set(shapes)) == len(shapes):
        return []
    return ["Latency and speed-up: over all rows with the same architecture, which do the same computation."]


def _constant_note(table: Comparison) -> list[str]:
    """A note on the scores of a constant prediction."""
    scores = [
        f"{score_title(score, table.scores).removesuffix(', %')} {metric_format(score[1]).text(value)}"
        for score in table.scores
        if (value := table.majority.get(score[0], {}).get(score[1])) is not None
    ]
    return [f"A constant prediction scores: {'; '.join(scores)}."] if scores else []


def _thresholds_note(table: Comparison) -> list[str]:
    """A note on rows whose thresholds of labels were chosen on dev."""
    chosen = {
        row.label: run.record.thresholds
        for row in table.rows
        for run in row.runs
        if run.record.thresholds is not None and run.record.thresholds.split is not None
    }
    if not chosen:
        return []
    both = "; the teacher's were chosen in the same way" if any(x.teacher for x in chosen.values()) else ""
    return [
        f"{', '.join(chosen)}: the threshold of each label was chosen on {next(iter(chosen.values())).split} "
        f"too, for its F1, so these scores are optimistic{both}."
    ]


def _pairs_note(table: Comparison) -> list[str]:
    """A note on rows whose mixup pairs were drawn in batches of similar length."""
    rows = [
        row.label
        for row in table.rows
        if any(_pairs_in_length_groups(run.record) for run in row.runs) and row.role != "teacher"
    ]
    if not rows:
        return []
    named = ", ".join(rows) if len(rows) <= MOST_NAMED else f"{len(rows)} rows with mixup"
    return [
        f"{named}: mixup pairs come from the same batch (partner: batch), whose texts have nearly "
        "equal length. MixKD's paper draws the partner from the training data, which is the default since "
        "version 0.2 (partner: train)."
    ]


def _pairs_in_length_groups(record: Record) -> bool:
    """Whether the training pairs of a run were drawn in batches that were grouped by length."""
    training = record.recipe.get("training") or {}
    return record.method.get("partner") == "batch" and bool(training.get("group_by_length", True))


def shared_note(settings: Sequence[str]) -> list[str]:
    """A note on the settings that all students share and labels leave out."""
    return [f"All students: {', '.join(settings)}."] if settings else []


def mark_notes(rows: Sequence[Sequence[str]]) -> list[str]:
    """Notes on the marks that occur in the cells of a table."""
    text = "\n".join(cell for row in rows for cell in row)
    marks = []
    if "±" in text:
        marks.append("±: sample standard deviation over seeds.")
    if ONE_SEED in text:
        marks.append(f"{ONE_SEED} one seed, so no standard deviation.")
    if BY_DEV in text:
        marks.append(DEV_NOTE)
    return marks


def notes(table: Comparison, rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """All notes below the table, as far as they apply to it.

    Args:
        table: The numbers of the table.
        rows: Its cells as text, which may contain marks.
    """
    below = mark_notes(rows)
    if are_trials(run.path for run in table.runs):
        below.append(TRIALS_NOTE)
    below += [*p_notes(table), *_size_note(table), *_constant_note(table)]
    below += [*shared_note(table.shared), *_thresholds_note(table), *_pairs_note(table)]
    return (*below, *_latency_note(table), *_machine_note(table), *remarks(table))
