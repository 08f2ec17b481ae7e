"""Tables that compare schedules for the same student, and trade-off scores with the resulting students."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from lmdistill.analysis.assistant_selection import Trial, through, trials
from lmdistill.analysis.metric_format import NONE, Value, metric_format
from lmdistill.analysis.number_format import percent_kept, spread_text
from lmdistill.analysis.significance import Spread, mean_of, spread
from lmdistill.records.record import Record, RecordedRun
from lmdistill.records.schema import ScheduleFacts
from lmdistill.report.grid import Grid
from lmdistill.report.tables.assistants import STEP_NOTE, steps_text
from lmdistill.report.tables.details import duration

LAMBDAS = (0.0, 0.1, 0.2, 0.3, 0.5, 1.0)
"""Weights of the sparsity that are compared; 0.2 is the published one."""


def schedule_grids(runs: Sequence[RecordedRun]) -> tuple[Grid, ...]:
    """Tables for each task and kept fraction of the student.

    The first table has one row per schedule. If some seeds have both a trade-off score and a student for each
    assistant, two more tables compare scores with students, and the choices of other lambdas.

    Args:
        runs: Any runs; those without a schedule are ignored.

    Returns:
        No table for a task and kept fraction with only one schedule.
    """
    groups: dict[tuple[str, float], list[Record]] = {}
    for run in runs:
        facts = run.record.schedule
        if facts is not None:
            groups.setdefault((run.record.task.fingerprint, facts.keep), []).append(run.record)
    grids = []
    for records in groups.values():
        if len({record.name for record in records}) > 1:
            known = trials(records)
            grids.append(_schedules(records))
            grids += [_score_grid(records, known), _lambda_grid(records, known)] if known else []
    return tuple(grids)


def _facts(record: Record) -> ScheduleFacts:
    """The schedule of a record that has one."""
    assert record.schedule is not None
    return record.schedule


def _metric(record: Record) -> Value:
    """The final student's value of the metric that the schedule selects by."""
    return record.metrics[record.headline[0]].get(_facts(record).metric)


def _schedules(records: Sequence[Record]) -> Grid:
    """One row per schedule: quality, assistants and cost."""
    facts = _facts(records[0])
    rows = []
    for name in dict.fromkeys(record.name for record in records):
        own = [record for record in records if record.name == name]
        works = [_facts(record).work for record in own]
        rows.append(
            (
                name,
                _facts(own[0]).name,
                spread_text(spread([_metric(record) for record in own]), facts.metric),
                str(len(own)),
                _assistants(own),
                steps_text(mean_of(work.teacher_steps for work in works)),
                duration(mean_of(work.seconds for work in works)),
            )
        )
    title = metric_format(facts.metric).title
    return Grid(
        caption=f"Schedules for a student that keeps {percent_kept(facts.keep)}, {records[0].task.name}",
        header=("", "schedule", title, "seeds", "assistants, by seed", "teacher-steps", "time"),
        rows=tuple(rows),
        notes=("Teacher-steps and time: means over seeds, all stages included.", STEP_NOTE),
        alarms=(),
        name="schedules",
    )


def _assistants(records: Sequence[Record]) -> str:
    """The assistants of each seed, or only once if they are the same for all seeds."""
    sizes = [
        ", then ".join(percent_kept(one.kept) for one in through(_facts(record))) or NONE
        for record in records
    ]
    return sizes[0] if len(set(sizes)) == 1 else "; ".join(sizes)


def _score_grid(records: Sequence[Record], known: Sequence[Trial]) -> Grid:
    """One row per assistant: its trade-off score and the metric of its student."""
    facts = _facts(records[0])
    sizes = sorted({kept for trial in known for kept in trial.shared}, reverse=True)
    scores = _by_size(known, sizes, lambda trial: trial.scores)
    students = _by_size(known, sizes, lambda trial: trial.students)
    chosen, best = Counter(trial.chosen for trial in known), Counter(trial.best for trial in known)
    rows = tuple(
        (
            percent_kept(kept),
            spread_text(scores[kept], "trade-off"),
            spread_text(students[kept], facts.metric),
            str(chosen[kept]),
            str(best[kept]),
        )
        for kept in sizes
    )
    title = metric_format(facts.metric).title
    return Grid(
        caption=f"Trade-off scores of assistants and results of their students, which keep "
        f"{percent_kept(facts.keep)}",
        header=("assistant", "trade-off × 100", f"its student's {title}", "chosen", "best"),
        rows=rows,
        notes=(
            *_verdicts(known, students, facts.metric),
            "trade-off: from the joint run. Students: from the run that tried every assistant, same seeds.",
            "chosen, best: number of seeds in which the score chose the assistant, and in which its student "
            "was the best.",
        ),
        alarms=(),
        name="assistant-scores",
    )


def _lambda_grid(records: Sequence[Record], known: Sequence[Trial]) -> Grid:
    """One row per lambda: the assistants that the score would choose, and the metric of their students."""
    facts = _facts(records[0])
    rows = []
    for weight in LAMBDAS:
        chosen = [trial.taken(weight) for trial in known]
        students = spread([trial.students[kept] for trial, kept in zip(known, chosen, strict=True)])
        sizes = [percent_kept(kept) for kept in chosen]
        sizes_text = sizes[0] if len(set(sizes)) == 1 else "; ".join(sizes)
        rows.append((f"lambda {weight:g}", sizes_text, spread_text(students, facts.metric)))
    return Grid(
        caption=f"Assistants that other lambdas would choose for a student that keeps "
        f"{percent_kept(facts.keep)}",
        header=("", "assistant, by seed", f"its student's {metric_format(facts.metric).title}"),
        rows=tuple(rows),
        notes=(
            "Computed from the joint runs and the students of all assistants; no network was trained for it.",
        ),
        alarms=(),
        name="lambdas",
    )


def _by_size(
    known: Sequence[Trial], sizes: Sequence[float], values: Callable[[Trial], Mapping[float, float]]
) -> dict[float, Spread | None]:
    """Mean and deviation over seeds of a value of each assistant, by its kept fraction."""
    return {kept: spread([values(trial).get(kept) for trial in known]) for kept in sizes}


def _verdicts(
    known: Sequence[Trial], students: Mapping[float, Spread | None], metric: str
) -> tuple[str, ...]:
    """Sentences on how often the score chose the best assistant, the regret and the rank correlation."""
    hits = sum(trial.is_hit for trial in known)
    regret = mean_of(trial.regret for trial in known)
    deviation = mean_of(one.sd for one in students.values() if one is not None)
    text_of = metric_format(metric).text
    text = (
        f"In {hits} of {len(known)} seeds the score chose an assistant whose student was the best. On "
        f"average, the student of the chosen assistant has {text_of(regret)} less than the best student"
    )
    if deviation is not None:
        text += f"; the standard deviation over seeds of one student is {text_of(deviation)}"
    sentences = [f"{text}."]
    correlations = [trial.correlation for trial in known]
    if any(one is not None for one in correlations):
        by_seed = ", ".join(NONE if one is None else f"{one:z.2f}" for one in correlations)
        sentences.append(f"Rank correlation (Spearman) of scores and students, by seed: {by_seed}.")
    return tuple(sentences)
