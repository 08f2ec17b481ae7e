"""Schedules to the same student, side by side: what each came to and took, and what the score foretold."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lmdistill.analysis.metric_format import NONE, Value, metric_format
from lmdistill.analysis.number_format import percent_kept, spread_text
from lmdistill.analysis.significance import Spread, mean_of, spread
from lmdistill.analysis.trade_off import rank_correlation
from lmdistill.core.fingerprint import fingerprint
from lmdistill.records.record import Record, RecordedRun
from lmdistill.records.schema import Candidate, ScheduleFacts
from lmdistill.report.grid import Grid
from lmdistill.report.tables.assistants import STEP_NOTE, steps_text, through
from lmdistill.report.tables.details import duration
from lmdistill.schedules.assistant_choice import choose_assistant

LAMBDAS = (0.0, 0.1, 0.2, 0.3, 0.5, 1.0)
"""Weights of the sparsity to look at; 0.2 is the published one."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A seed in which both a score and every student of an assistant are known."""

    seed: int
    """Which."""

    scores: Mapping[float, float]
    """Trade-off of each assistant in the joint run, by what it keeps."""

    metrics: Mapping[float, float]
    """Metric of each assistant in the joint run, which the trade-off is made of."""

    students: Mapping[float, float]
    """Metric of the student that each assistant taught when all were tried in turn."""

    chosen: float
    """What the score took."""

    @property
    def shared(self) -> tuple[float, ...]:
        """Assistants that have both, falling."""
        return tuple(sorted(self.scores.keys() & self.metrics.keys() & self.students.keys(), reverse=True))

    @property
    def best(self) -> float:
        """Whose student was the best; of equal ones the largest."""
        return max(self.shared, key=lambda kept: (self.students[kept], kept))

    def taken(self, weight: float) -> float:
        """What the trade-off with this lambda takes; of equal ones the largest."""
        return choose_assistant({kept: self.metrics[kept] for kept in self.shared}, target=0.0, weight=weight)

    @property
    def is_hit(self) -> bool:
        """Whether no other assistant has a better student."""
        return self.students[self.chosen] == self.students[self.best]

    @property
    def chance(self) -> float:
        """Of a choice by lot being as good."""
        return sum(self.students[kept] == self.students[self.best] for kept in self.shared) / len(self.shared)

    @property
    def correlation(self) -> float | None:
        """Spearman's, of scores and students; None where one of them is constant or there are too few."""
        scores, students = ([one[kept] for kept in self.shared] for one in (self.scores, self.students))
        return rank_correlation(scores, students)


Place = tuple[int, str, float, str]
"""Seed, task, kept fraction and method of a run."""


def schedule_grids(runs: Sequence[RecordedRun]) -> tuple[Grid, ...]:
    """For each task and size of the student: the schedules, a line each, and what the score foretold.

    Args:
        runs: Any; those without a schedule are left out.

    Returns:
        Nothing for a task and a size of which only one schedule was run.
    """
    groups: dict[tuple[str, float], list[Record]] = {}
    for run in runs:
        facts = run.record.schedule
        if facts is not None:
            groups.setdefault((run.record.task.fingerprint, facts.keep), []).append(run.record)
    found = []
    for records in groups.values():
        if len({record.name for record in records}) > 1:
            known = trials(records)
            found.append(_schedules(records))
            found += [_foretold(records, known), _weights(records, known)] if known else []
    return tuple(found)


def _facts(record: Record) -> ScheduleFacts:
    """How the student of a run was scheduled, where that is known to exist."""
    assert record.schedule is not None
    return record.schedule


def _metric(record: Record) -> Value:
    """What the schedule is judged by, of the final student."""
    return record.metrics[record.headline[0]].get(_facts(record).metric)


def _schedules(records: Sequence[Record]) -> Grid:
    """One line a schedule: quality, which assistants, work."""
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
                _ways(own),
                steps_text(mean_of(work.teacher_steps for work in works)),
                duration(mean_of(work.seconds for work in works)),
            )
        )
    title = metric_format(facts.metric).title
    return Grid(
        caption=f"Schedules to a student that keeps {percent_kept(facts.keep)}, {records[0].task.name}",
        header=("", "schedule", title, "seeds", "through, seed by seed", "teacher-steps", "time"),
        rows=tuple(rows),
        notes=("Teacher-steps and time: means over seeds, every stage included.", STEP_NOTE),
        alarms=(),
        name="schedules",
    )


def _ways(records: Sequence[Record]) -> str:
    """The assistants of each seed, or once where all seeds agree."""
    ways = [
        ", then ".join(percent_kept(one.kept) for one in through(_facts(record))) or NONE
        for record in records
    ]
    return ways[0] if len(set(ways)) == 1 else "; ".join(ways)


def trials(records: Sequence[Record]) -> tuple[Trial, ...]:
    """Seeds of which one run has scored its candidates and another has tried the same assistants in turn.

    Both by the same method, on the same task and to the same size: what one loss makes of the candidates
    foretells nothing of students of another.
    """
    scored: dict[Place, Record] = {}
    tried: dict[Place, Record] = {}
    for record in records:
        firsts = _first_round(record)
        place = record.seed, record.task.fingerprint, _facts(record).keep, fingerprint(record.method)
        if any(one.student_metric is not None for one in firsts):
            tried.setdefault(place, record)
        elif any(one.score is not None for one in firsts) and through(_facts(record)):
            scored.setdefault(place, record)
    found = (
        Trial(
            seed=record.seed,
            scores={one.kept: one.score for one in _first_round(record) if one.score is not None},
            metrics={one.kept: one.metric for one in _first_round(record) if one.metric is not None},
            students={
                one.kept: one.student_metric
                for one in _first_round(tried[place])
                if one.student_metric is not None
            },
            chosen=through(_facts(record))[0].kept,
        )
        for place, record in sorted(scored.items())
        if place in tried
    )
    return tuple(trial for trial in found if trial.chosen in trial.shared)


def _first_round(record: Record) -> tuple[Candidate, ...]:
    """What stood in the first choice, larger than the student."""
    facts = _facts(record)
    return tuple(one for one in facts.candidates if one.round == 1 and one.kept > facts.keep)


def _foretold(records: Sequence[Record], found: Sequence[Trial]) -> Grid:
    """Scores beside the students of all assistants."""
    facts = _facts(records[0])
    sizes = sorted({kept for trial in found for kept in trial.shared}, reverse=True)
    scores = _by_size(found, sizes, lambda trial: trial.scores)
    students = _by_size(found, sizes, lambda trial: trial.students)
    chosen, best = Counter(trial.chosen for trial in found), Counter(trial.best for trial in found)
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
        caption=f"What the score foretold of assistants to a student that keeps {percent_kept(facts.keep)}",
        header=("assistant", "trade-off × 100", f"its student's {title}", "chosen", "best"),
        rows=rows,
        notes=(
            *_verdicts(found, students, facts.metric),
            "trade-off: from the joint run. Students: when every assistant was tried in turn, same seeds.",
            "chosen, best: seeds in which the score took it, and in which its student was the best.",
        ),
        alarms=(),
        name="foretold",
    )


def _weights(records: Sequence[Record], found: Sequence[Trial]) -> Grid:
    """What other weights of the sparsity would have taken, and the students that this would have ended in."""
    facts = _facts(records[0])
    rows = []
    for weight in LAMBDAS:
        taken = [trial.taken(weight) for trial in found]
        students = spread([trial.students[kept] for trial, kept in zip(found, taken, strict=True)])
        ways = [percent_kept(kept) for kept in taken]
        told = ways[0] if len(set(ways)) == 1 else "; ".join(ways)
        rows.append((f"lambda {weight:g}", told, spread_text(students, facts.metric)))
    return Grid(
        caption=f"What other lambdas would have taken for a student that keeps {percent_kept(facts.keep)}",
        header=("", "assistant, seed by seed", f"its student's {metric_format(facts.metric).title}"),
        rows=tuple(rows),
        notes=(
            "Told from the joint runs and from the students of all assistants: nothing was trained for it.",
        ),
        alarms=(),
        name="lambdas",
    )


def _by_size(
    found: Sequence[Trial], sizes: Sequence[float], read: Callable[[Trial], Mapping[float, float]]
) -> dict[float, Spread | None]:
    """A number of each assistant, over seeds."""
    return {kept: spread([read(trial).get(kept) for trial in found]) for kept in sizes}


def _verdicts(
    found: Sequence[Trial], students: Mapping[float, Spread | None], metric: str
) -> tuple[str, ...]:
    """Whether the score took what trying all would have taken, and how both are ordered."""
    same = sum(trial.is_hit for trial in found)
    lost = spread([trial.students[trial.best] - trial.students[trial.chosen] for trial in found])
    deviations = spread([one.sd for one in students.values() if one is not None])
    assert lost is not None
    text_of = metric_format(metric).text
    text = (
        f"In {same} of {len(found)} seeds the score took an assistant whose student was the best; on "
        f"average the student of its choice has {text_of(lost.mean)} less than that best one"
    )
    if deviations is not None:
        text += f"; seeds of one student have a standard deviation of {text_of(deviations.mean)}"
    said = [f"{text}."]
    correlations = [trial.correlation for trial in found]
    known = spread(correlations)
    if known is not None:
        each = ", ".join(NONE if one is None else f"{one:z.2f}" for one in correlations)
        said.append(f"Rank correlation (Spearman) of scores and students, seed by seed: {each}.")
    return tuple(said)
