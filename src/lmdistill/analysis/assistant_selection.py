"""How well MiniDisc's trade-off score selects assistants, compared with trying every assistant (MaxiDisc)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lmdistill.analysis.score_correlation import rank_correlation
from lmdistill.core.fingerprint import fingerprint
from lmdistill.records.record import Record
from lmdistill.records.schema import Candidate, ScheduleFacts
from lmdistill.schedules.assistant_choice import choose_assistant


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One seed for which the score of each assistant and the metric of its student are known."""

    seed: int
    """Seed of both runs."""

    scores: Mapping[float, float]
    """Trade-off score of each assistant in the joint run, by its kept fraction."""

    metrics: Mapping[float, float]
    """Dev metric in [0, 1] of each assistant in the joint run, which enters its score."""

    students: Mapping[float, float]
    """Dev metric in [0, 1] of the student of each assistant, from the run that tried every assistant."""

    chosen: float
    """Kept fraction of the assistant that the score selected."""

    @property
    def shared(self) -> tuple[float, ...]:
        """Kept fractions of the assistants with a score, a metric and a student, in decreasing order."""
        return tuple(sorted(self.scores.keys() & self.metrics.keys() & self.students.keys(), reverse=True))

    @property
    def best(self) -> float:
        """Kept fraction of the assistant with the best student; the largest one if several are equal."""
        return max(self.shared, key=lambda kept: (self.students[kept], kept))

    def taken(self, weight: float) -> float:
        """The kept fraction that the score with another lambda selects; of equal scores the largest one.

        Args:
            weight: Lambda, >= 0.
        """
        return choose_assistant({kept: self.metrics[kept] for kept in self.shared}, target=0.0, weight=weight)

    @property
    def is_hit(self) -> bool:
        """Whether no other assistant has a better student than the selected one."""
        return self.students[self.chosen] == self.students[self.best]

    @property
    def regret(self) -> float:
        """Metric of the best student minus that of the selected assistant's student, >= 0."""
        return self.students[self.best] - self.students[self.chosen]

    @property
    def chance(self) -> float:
        """Probability in (0, 1] that a uniformly random choice is a hit."""
        return sum(self.students[kept] == self.students[self.best] for kept in self.shared) / len(self.shared)

    @property
    def correlation(self) -> float | None:
        """Spearman's correlation of scores and students in [-1, 1]; see `trade_off.rank_correlation`."""
        scores, students = ([one[kept] for kept in self.shared] for one in (self.scores, self.students))
        return rank_correlation(scores, students)


Setting = tuple[int, str, float, str]
"""Seed, task fingerprint, kept fraction and method fingerprint of a run."""


def through(facts: ScheduleFacts) -> tuple[Candidate, ...]:
    """The assistants between teacher and student, in the order in which they were used as teachers."""
    return tuple(one for one in facts.candidates if one.chosen and (one.kept > facts.keep or facts.keep == 1))


def trials(records: Sequence[Record]) -> tuple[Trial, ...]:
    """One trial for each seed for which one run scored its candidates and another tried every assistant.

    Both runs must have the same method, task and kept fraction of the student, because the method changes
    how good an assistant is as a teacher. Records without a schedule are ignored.
    """
    scored: dict[Setting, ScheduleFacts] = {}
    tried: dict[Setting, ScheduleFacts] = {}
    for record in records:
        facts = record.schedule
        if facts is None:
            continue
        candidates = _first_round(facts)
        setting = record.seed, record.task.fingerprint, facts.keep, fingerprint(record.method)
        if any(one.student_metric is not None for one in candidates):
            tried.setdefault(setting, facts)
        elif any(one.score is not None for one in candidates) and through(facts):
            scored.setdefault(setting, facts)
    pairs = [(setting[0], scored[setting], tried[setting]) for setting in sorted(scored) if setting in tried]
    every = [_trial(seed, joint, exhaustive) for seed, joint, exhaustive in pairs]
    return tuple(trial for trial in every if trial.chosen in trial.shared)


def _trial(seed: int, joint: ScheduleFacts, exhaustive: ScheduleFacts) -> Trial:
    """The trial of a joint run, which scored the candidates, and a run that tried every assistant."""
    candidates, tried = _first_round(joint), _first_round(exhaustive)
    return Trial(
        seed=seed,
        scores={one.kept: one.score for one in candidates if one.score is not None},
        metrics={one.kept: one.metric for one in candidates if one.metric is not None},
        students={one.kept: one.student_metric for one in tried if one.student_metric is not None},
        chosen=through(joint)[0].kept,
    )


def _first_round(facts: ScheduleFacts) -> tuple[Candidate, ...]:
    """The candidates of the first round that are larger than the student."""
    return tuple(one for one in facts.candidates if one.round == 1 and one.kept > facts.keep)
