"""From a teacher to the last stage: every assistant on the way."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Any, Generic

from lmdistill.engine.callbacks import FitResult
from lmdistill.models.causal_lm import AnyNetwork
from lmdistill.records.record import Record
from lmdistill.records.schema import Candidate, ScheduleFacts, Work
from lmdistill.runs.lineage import Lineage
from lmdistill.runs.schedules.adapter import ScheduleAdapter
from lmdistill.runs.schedules.joint_training import Outcome
from lmdistill.runs.schedules.pruning import Slices
from lmdistill.schedules.assistant_choice import maxidisc_cost, step_cost
from lmdistill.schedules.distillation import SCHEDULES, MiniDisc, Schedule


@dataclass(kw_only=True)
class Ledger:
    """What the stages so far have taken."""

    teacher_steps: float = 0.0
    """In passes of the whole encoder."""

    seconds: float | None = 0.0
    """Of their training loops; None where one of them is not known."""

    def add(self, done: FitResult, *, learned: float, teacher: float) -> None:
        """A stage in which fractions of sum `learned` learned from one of size `teacher`.

        The time of one that was interrupted is reckoned at the pace of the steps since.
        """
        self.teacher_steps += done.steps * step_cost((learned,), teacher=teacher)
        timed = done.steps - done.resumed
        if self.seconds is not None:
            self.seconds = self.seconds + done.seconds * done.steps / timed if timed else None


@dataclass(frozen=True, kw_only=True)
class ScheduleSteps(Generic[AnyNetwork]):
    """A schedule for one student."""

    schedule: Schedule
    """Which."""

    keep: float
    """What the student keeps."""

    stage: Any
    """The last stage as if there were no schedule: its student is not pruned, its teacher the first one."""

    craft: ScheduleAdapter[AnyNetwork]
    """What the networks are."""

    slices: Slices[AnyNetwork] | None
    """The student's network, units sorted; None where only layers are lost."""

    ledger: Ledger = field(default_factory=Ledger)
    """What it takes; filled on the way."""

    def ends(
        self,
        student: AnyNetwork,
        teacher: AnyNetwork,
        kept: float,
        candidates: Sequence[Candidate],
        trained: Record | Outcome | None = None,
    ) -> Any:
        """The last stage, with a teacher that keeps `kept`; a student that is `trained` learns no more."""

        def account(last: FitResult) -> ScheduleFacts:
            if trained is None:
                self.ledger.add(last, learned=self.keep, teacher=kept)
            return self._facts(candidates, last.steps)

        route = Lineage(
            reference=self.stage.teacher,
            account=account,
            trained=None if trained is None else fitted(trained),
        )
        return replace(self.stage, student=student, teacher=teacher, route=route)

    def learns(
        self, student: AnyNetwork, teacher: AnyNetwork, kept: tuple[float, float], name: str
    ) -> Record:
        """One stage before the last: a student of size `kept[0]` learns from a teacher of size `kept[1]`."""
        stage = replace(
            self.stage,
            student=student,
            teacher=teacher,
            name=name,
            folder=self.folder(name),
            route=Lineage(reference=self.stage.teacher),
        )
        record = self.craft.run(stage)
        self.ledger.add(fitted(record), learned=kept[0], teacher=kept[1])
        return record

    def cut(self, kept: float, source: AnyNetwork | None = None) -> AnyNetwork:
        """A dense network of this size, of the unpruned student or of a larger slice of it."""
        assert self.slices is not None
        return self.slices.cut(kept, source)

    def folder(self, name: str) -> FilePath:
        """Where a stage is written."""
        return FilePath(self.stage.folder) / "stages" / name

    def result(self, name: str) -> AnyNetwork:
        """The network that a stage has trained."""
        return self.craft.load(self.folder(name) / "student")

    def _facts(self, candidates: Sequence[Candidate], steps: int) -> ScheduleFacts:
        """Everything that is worth telling; trying all assistants is reckoned at the pace of this run."""
        name = next(name for name, cls in SCHEDULES.items() if cls is type(self.schedule))
        work = Work(teacher_steps=self.ledger.teacher_steps, seconds=self.ledger.seconds)
        plan, exhaustive = self.schedule, None
        if isinstance(plan, MiniDisc) and plan.finish == "distil":
            total = maxidisc_cost(plan.candidates(self.keep), target=self.keep, steps=steps).total
            pace = work.seconds / work.teacher_steps if work.seconds and work.teacher_steps else None
            exhaustive = Work(teacher_steps=total, seconds=None if pace is None else pace * total)
        return ScheduleFacts(
            name=name,
            keep=self.keep,
            metric=self.craft.metric,
            lam=plan.lam if isinstance(plan, MiniDisc) else None,
            candidates=tuple(candidates),
            work=work,
            exhaustive=exhaustive,
        )


def fitted(done: Record | Outcome) -> FitResult:
    """What a stage that is over did."""
    work = done if isinstance(done, Outcome) else done.training
    return FitResult(
        steps=work.steps, resumed=int(work.resumed), seconds=work.seconds, best_step=0, best_score=None
    )
