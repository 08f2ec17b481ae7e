"""The sentences below a table: what a reader needs to read its numbers."""

from collections.abc import Sequence

from lmdistill.analysis.alarms import remarks
from lmdistill.analysis.baselines import block_of
from lmdistill.analysis.footnote_text import BY_DEV, ONE_SEED, compared, score_title
from lmdistill.analysis.grouping import layers_of
from lmdistill.analysis.metric_format import metric_format
from lmdistill.analysis.result_table import Comparison
from lmdistill.records.record import TRIALS_NOTE, are_trials

DEV_NOTE = f"{BY_DEV} dev-selected: the dev set also chose the weights, so its score is optimistic."


def _floors_note(table: Comparison) -> list[str]:
    """Which baselines there are, where there are several, and rows that have one unlike themselves."""
    found = []
    if len(table.floors) > 1:
        found.append(
            f"Baseline: the fine-tuned row of the same size and amount of data ({', '.join(table.floors)})."
        )
    unlike: dict[str, list[str]] = {}
    for row in compared(table):
        floor = table.floor_of(row)
        if floor is not None and block_of(row.runs[0]) != block_of(floor.runs[0]):
            unlike.setdefault(floor.label, []).append(row.label)
    return found + [
        f"Tested against {floor}, which has another size or amount of data: {', '.join(rows)}. Differences "
        "are not those of the methods alone."
        for floor, rows in unlike.items()
    ]


def p_notes(table: Comparison) -> list[str]:
    """What the p-values are, and for what they hold."""
    rows = compared(table)
    if not rows:
        return []
    split, metric = table.scores[0]
    counts = {row.evidence.seeds for row in rows}
    units = "passages" if table.task.kind == "language" else "examples"
    luck = f"the luck of seeds and of {split} {units}" if max(counts) > 1 else f"the luck of {split} {units}"
    exact = ", not below the exact McNemar test" if metric == "accuracy" else ""
    holm = f"; Holm's correction for {len(rows)} comparisons" if len(rows) > 1 else ""
    notes = [*_floors_note(table), f"p: t test of {metric}, paired, that counts {luck}{exact}{holm}."]
    if 1 in counts:
        notes.append("With one seed, p holds for the runs that were made and says nothing of other seeds.")
    if 2 in counts:
        notes.append("With two seeds, p is rough: up to 11 % of equal methods fall below 0.05.")
    return notes


def _size_note(table: Comparison) -> list[str]:
    """How many examples a point is."""
    split, metric = table.scores[0]
    size = table.task.rows.get(split)
    if metric != "accuracy" or not size:
        return []
    if size < 100:
        return [f"One of {size} {split} examples is {100 / size:.2f} points of accuracy."]
    return [f"One point of accuracy is {size / 100:.1f} of {size:,} {split} examples."]


def _machine_note(table: Comparison) -> list[str]:
    """A warning where latencies of different conditions stand in one column."""
    runs = table.learners  # they have timed their teachers too
    latencies = [run.record.student.latency.get(str(table.batch_size)) for run in runs]
    places = {(x.device, x.threads, x.tokens) for x in latencies if x is not None}
    processors = {run.record.environment.processor for run in runs}
    if len(places) > 1 or (places and len(processors) > 1):
        return ["Latencies come from different devices, threads or lengths: do not compare them across rows."]
    return []


def _latency_note(table: Comparison) -> list[str]:
    """That rows share their latency, where some do."""
    shapes = [
        layers_of(row.networks[0])
        for row in table.rows
        if row.role != "teacher" and row.cost.latency_ms is not None
    ]
    if len(set(shapes)) == len(shapes):
        return []
    return ["Latency and speed-up: over all rows of one shape, which do the same work."]


def _floor_note(table: Comparison) -> list[str]:
    """What a constant answer scores."""
    floors = [
        f"{score_title(score, table.scores).removesuffix(', %')} {metric_format(score[1]).text(floor)}"
        for score in table.scores
        if (floor := table.majority.get(score[0], {}).get(score[1])) is not None
    ]
    return [f"Always the same answer would score: {'; '.join(floors)}."] if floors else []


def shared_note(settings: Sequence[str]) -> list[str]:
    """What the labels of rows leave out."""
    return [f"All students: {', '.join(settings)}."] if settings else []


def mark_notes(rows: Sequence[Sequence[str]]) -> list[str]:
    """What the marks in the cells of a table mean, as far as they occur."""
    text = "\n".join(cell for row in rows for cell in row)
    found = []
    if "±" in text:
        found.append("±: sample standard deviation over seeds.")
    if ONE_SEED in text:
        found.append(f"{ONE_SEED} one seed, no spread.")
    if BY_DEV in text:
        found.append(DEV_NOTE)
    return found


def notes(table: Comparison, rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The sentences below the table, only those that something in it needs."""
    found = mark_notes(rows)
    if are_trials(run.path for run in table.runs):
        found.append(TRIALS_NOTE)
    found += [*p_notes(table), *_size_note(table), *_floor_note(table)]
    found += shared_note(table.shared)
    return (*found, *_latency_note(table), *_machine_note(table), *remarks(table))
