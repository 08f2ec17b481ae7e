"""How students came to their teachers: candidates, what was chosen, and what it cost to find out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lmdistill.analysis.metric_format import NONE, Value, metric_format
from lmdistill.analysis.number_format import millions, milliseconds, percent_kept
from lmdistill.analysis.trade_off import score_correlation
from lmdistill.records.record import Record, RecordedRun
from lmdistill.records.schema import Candidate, ScheduleFacts, Work
from lmdistill.report.grid import Grid
from lmdistill.report.tables.details import duration
from lmdistill.schedules.assistant_choice import LAMBDA

STEP_NOTE = (
    "A teacher-step is a forward and a backward pass of all the teacher's layers on one batch, counted from "
    "kept fractions; embeddings and head are left out."
)


@dataclass(frozen=True, kw_only=True)
class Account:
    """How one student came to its teacher."""

    sentences: tuple[str, ...]
    """Whom it learned from, what that cost, and how well the score foretold the students."""

    table: Grid | None
    """The candidates, one a line; None for a student of the teacher itself."""


def steps_text(value: Value) -> str:
    """Teacher-steps: whole ones, three digits where they are few.

    Examples:
        >>> steps_text(1234.56), steps_text(8.25)
        ('1,235', '8.25')
    """
    if value is None:
        return NONE
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def through(facts: ScheduleFacts) -> tuple[Candidate, ...]:
    """The assistants between teacher and student, in the order in which they taught."""
    return tuple(one for one in facts.candidates if one.chosen and (one.kept > facts.keep or facts.keep == 1))


def route_text(facts: ScheduleFacts) -> str:
    """One sentence: how small the student is, and whom it learned from."""
    ends = (
        "" if facts.keep == 1 else f"keeps {percent_kept(facts.keep)} of the teacher's heads and neurons and "
    )
    passed = through(facts)
    was_cut = any(one.chosen and one.kept == facts.keep < 1 for one in facts.candidates)
    if passed:
        ends += f"learned through {_assistants(facts, passed)}"
    elif not was_cut:
        ends += "learned from the teacher itself"
    if was_cut:
        ends += f"{', and ' if passed else ''}was cut from the network of all candidates as it was"
    return f"The student {ends}."


def _assistants(facts: ScheduleFacts, passed: Sequence[Candidate]) -> str:
    """Which assistants, and why these."""
    sizes = ", then ".join(percent_kept(one.kept) for one in passed)
    what = "the teacher's layers" if facts.keep == 1 else "them"
    text = f"{'the assistant' if len(passed) == 1 else 'assistants'} with {sizes} of {what}"
    rivals = len([one for one in facts.candidates if one.round == 1 and one.kept > facts.keep])
    if any(one.student_metric is not None for one in facts.candidates):
        return f"{text}, whose student was the best of {rivals} on dev"
    if any(one.score is not None for one in facts.candidates):
        best = "each the best of its round" if len(passed) > 1 else f"the best of {rivals}"
        return f"{text}, {best} by its trade-off"
    return text


def cost_text(facts: ScheduleFacts) -> str:
    """One sentence: what the schedule took, against what trying every assistant would have taken."""
    work, other = facts.work, facts.exhaustive
    text = f"The schedule took {_work(work, '')}"
    if other is None:
        return f"{text}."
    ratio = f", {other.teacher_steps / work.teacher_steps:.2f} times as much" if work.teacher_steps else ""
    return (
        f"{text}; trying every assistant in turn (MaxiDisc) would have taken {_work(other, 'about ')}"
        f"{ratio}, reckoned for stages of as many steps, at the same seconds a teacher-step."
    )


def _work(work: Work, about: str) -> str:
    """Teacher-steps, and the time where it is known."""
    time = "" if work.seconds is None else f" and {about}{duration(work.seconds)}"
    return f"{steps_text(work.teacher_steps)} teacher-steps{time}"


def _correlation_text(facts: ScheduleFacts) -> list[str]:
    """A sentence on whether the score foretold the students, where there are enough of them."""
    found = score_correlation(facts.candidates)
    if found is None:
        return []
    weight = LAMBDA if facts.lam is None else facts.lam
    return [
        f"Over {found[1]} assistants, the trade-off (lambda {weight:g}) and the {facts.metric} of their "
        f"students have a rank correlation (Spearman) of {found[0]:z.2f}."
    ]


def account(record: Record) -> Account | None:
    """How the student of a run came to its teacher; None for a run without a schedule."""
    facts = record.schedule
    if facts is None:
        return None
    sentences = (route_text(facts), cost_text(facts), *_correlation_text(facts))
    if not facts.candidates:
        return Account(sentences=(*sentences, STEP_NOTE), table=None)
    return Account(sentences=sentences, table=_candidates(facts))


def _candidates(facts: ScheduleFacts) -> Grid:
    """The candidates as a table, with the columns that some of them fill."""
    title = metric_format(facts.metric).title
    columns: dict[str, Callable[[Candidate], str]] = {
        "round": lambda one: str(one.round),
        "parameters of the layers": lambda one: millions(one.parameters),
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
        caption=f"Schedule {facts.name}: {len(facts.candidates)} candidates, judged by {facts.metric} on dev",
        header=("kept", *filled),
        rows=tuple(
            (_kept_text(one, facts), *(text(one) for text in filled.values())) for one in facts.candidates
        ),
        notes=(*notes, STEP_NOTE),
        alarms=(),
        name="candidates",
    )


def _kept_text(one: Candidate, facts: ScheduleFacts) -> str:
    """The size of a candidate, and in words what it is."""
    words = [percent_kept(one.kept), *(["chosen"] if one.chosen else [])]
    if one.kept == facts.keep < 1:
        words.append("the student's")
    return ", ".join(words)


def accounts(runs: Sequence[RecordedRun]) -> Grid | None:
    """One line for each run that has a schedule; None without any."""
    found = [(run.record, run.record.schedule) for run in runs if run.record.schedule is not None]
    if not found:
        return None
    return Grid(
        caption="How students came to their teachers, a line a run",
        header=("", "schedule", "student keeps", "through", "teacher-steps", "time", "MaxiDisc's steps"),
        rows=tuple(_line(record, facts) for record, facts in found),
        notes=("MaxiDisc's steps: of trying every assistant in turn, as many steps a stage.", STEP_NOTE),
        alarms=(),
        name="assistants",
    )


def _line(record: Record, facts: ScheduleFacts) -> tuple[str, ...]:
    """A run in one line."""
    return (
        f"{record.name}, seed {record.seed}",
        facts.name,
        percent_kept(facts.keep),
        ", then ".join(percent_kept(one.kept) for one in through(facts)) or NONE,
        steps_text(facts.work.teacher_steps),
        duration(facts.work.seconds),
        steps_text(None if facts.exhaustive is None else facts.exhaustive.teacher_steps),
    )
