"""Schedules of runs: the candidates, the assistants that were chosen, and the cost of the choice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lmdistill.analysis.assistant_selection import through
from lmdistill.analysis.metric_format import NONE, Value, metric_format
from lmdistill.analysis.number_format import millions, milliseconds, percent_kept
from lmdistill.analysis.score_correlation import score_correlation
from lmdistill.records.record import Record, RecordedRun
from lmdistill.records.schema import Candidate, ScheduleFacts, Work
from lmdistill.report.grid import Grid
from lmdistill.report.tables.details import duration
from lmdistill.schedules.trade_off import LAMBDA

STEP_NOTE = (
    "A teacher-step is a forward and a backward pass of all the teacher's layers on one batch, computed from "
    "the kept fractions, without embeddings and head."
)
"""Definition of a teacher-step, for notes below tables."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """The schedule of one run in words and as a table."""

    sentences: tuple[str, ...]
    """The assistants, the cost, and the rank correlation of the score with the students' metric."""

    table: Grid | None
    """One row per candidate; None without candidates."""


def steps_text(value: Value) -> str:
    """Teacher-steps without decimals, or with three significant digits below 100.

    Examples:
        >>> steps_text(1234.56), steps_text(8.25)
        ('1,235', '8.25')
    """
    if value is None:
        return NONE
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def route_text(facts: ScheduleFacts) -> str:
    """One sentence on the size of the student and on its teacher or assistants."""
    text = (
        "" if facts.keep == 1 else f"keeps {percent_kept(facts.keep)} of the teacher's heads and neurons and "
    )
    assistants = through(facts)
    is_joint = any(one.chosen and one.kept == facts.keep < 1 for one in facts.candidates)
    if assistants:
        text += f"learned through {_assistants(facts, assistants)}"
    elif not is_joint:
        text += "learned from the teacher itself"
    if is_joint:
        text += f"{', and ' if assistants else ''}was cut from the joint network without further training"
    return f"The student {text}."


def _assistants(facts: ScheduleFacts, assistants: Sequence[Candidate]) -> str:
    """The sizes of the assistants, and the criterion that selected them."""
    sizes = ", then ".join(percent_kept(one.kept) for one in assistants)
    what = "the teacher's layers" if facts.keep == 1 else "them"
    text = f"{'the assistant' if len(assistants) == 1 else 'assistants'} with {sizes} of {what}"
    count = len([one for one in facts.candidates if one.round == 1 and one.kept > facts.keep])
    if any(one.student_metric is not None for one in facts.candidates):
        return f"{text}, whose student was the best of {count} on dev"
    if any(one.score is not None for one in facts.candidates):
        best = "each the best of its round" if len(assistants) > 1 else f"the best of {count}"
        return f"{text}, {best} by trade-off score"
    return text


def cost_text(facts: ScheduleFacts) -> str:
    """The cost of the schedule, and the estimated cost of trying every assistant."""
    work, exhaustive = facts.work, facts.exhaustive
    text = f"The schedule took {_work(work, '')}."
    if exhaustive is None:
        return text
    ratio = (
        f", {exhaustive.teacher_steps / work.teacher_steps:.2f} times as much" if work.teacher_steps else ""
    )
    return (
        f"{text} Trying every assistant in turn (MaxiDisc) would have taken {_work(exhaustive, 'about ')}"
        f"{ratio}, estimated with the same number of steps per stage and the same time per teacher-step."
    )


def _work(work: Work, about: str) -> str:
    """Teacher-steps, and the time if it was recorded."""
    time = "" if work.seconds is None else f" and {about}{duration(work.seconds)}"
    return f"{steps_text(work.teacher_steps)} teacher-steps{time}"


def _correlation_text(facts: ScheduleFacts) -> list[str]:
    """A sentence on the rank correlation of scores and students, if there are at least three students."""
    correlation = score_correlation(facts.candidates)
    if correlation is None:
        return []
    weight = LAMBDA if facts.lam is None else facts.lam
    return [
        f"Over {correlation[1]} assistants, the trade-off (lambda {weight:g}) and the {facts.metric} of "
        f"their students have a rank correlation (Spearman) of {correlation[0]:z.2f}."
    ]


def account(record: Record) -> Account | None:
    """The schedule of a run in words and as a table; None for a run without a schedule."""
    facts = record.schedule
    if facts is None:
        return None
    sentences = (route_text(facts), cost_text(facts), *_correlation_text(facts))
    if not facts.candidates:
        return Account(sentences=(*sentences, STEP_NOTE), table=None)
    return Account(sentences=sentences, table=_candidates(facts))


def _candidates(facts: ScheduleFacts) -> Grid:
    """One row per candidate, without columns that are empty for all of them."""
    title = metric_format(facts.metric).title
    columns: dict[str, Callable[[Candidate], str]] = {
        "round": lambda one: str(one.round),
        "layer parameters": lambda one: millions(one.parameters),
        "latency p50, batch 1": lambda one: milliseconds(one.latency_ms),
        title: lambda one: metric_format(facts.metric).text(one.metric),
        "trade-off × 100": lambda one: metric_format("trade-off").text(one.score),
        f"student's {title}": lambda one: metric_format(facts.metric).text(one.student_metric),
    }
    if len({one.round for one in facts.candidates}) == 1:
        del columns["round"]
    filled = {
        name: text for name, text in columns.items() if any(text(one) != NONE for one in facts.candidates)
    }
    what = "heads and neurons" if facts.keep < 1 else "layers"
    notes = [f"kept: share of the teacher's {what}."]
    if facts.lam is not None:
        notes.append(f"trade-off: {facts.metric} + {facts.lam:g} × (1 - kept).")
    return Grid(
        caption=f"Schedule {facts.name}: {len(facts.candidates)} candidates and their dev {facts.metric}",
        header=("kept", *filled),
        rows=tuple(
            (_kept_text(one, facts), *(text(one) for text in filled.values())) for one in facts.candidates
        ),
        notes=(*notes, STEP_NOTE),
        alarms=(),
        name="candidates",
    )


def _kept_text(one: Candidate, facts: ScheduleFacts) -> str:
    """The kept fraction of a candidate, whether it was chosen, and whether it has the student's size."""
    words = [percent_kept(one.kept), *(["chosen"] if one.chosen else [])]
    if one.kept == facts.keep < 1:
        words.append("student's size")
    return ", ".join(words)


def accounts(runs: Sequence[RecordedRun]) -> Grid | None:
    """One row for each run that has a schedule; None without any."""
    scheduled = [(run.record, run.record.schedule) for run in runs if run.record.schedule is not None]
    if not scheduled:
        return None
    return Grid(
        caption="Schedules and assistants, one row per run",
        header=("", "schedule", "student keeps", "assistants", "teacher-steps", "time", "MaxiDisc's steps"),
        rows=tuple(_line(record, facts) for record, facts in scheduled),
        notes=(
            "MaxiDisc's steps: teacher-steps for trying every assistant in turn, with the same number of "
            "steps per stage.",
            STEP_NOTE,
        ),
        alarms=(),
        name="assistants",
    )


def _line(record: Record, facts: ScheduleFacts) -> tuple[str, ...]:
    """The row of a run: schedule, assistants and cost."""
    return (
        f"{record.name}, seed {record.seed}",
        facts.name,
        percent_kept(facts.keep),
        ", then ".join(percent_kept(one.kept) for one in through(facts)) or NONE,
        steps_text(facts.work.teacher_steps),
        duration(facts.work.seconds),
        steps_text(None if facts.exhaustive is None else facts.exhaustive.teacher_steps),
    )
