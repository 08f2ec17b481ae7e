"""The stages of a schedule for one student: assistants are trained, and the last stage is prepared."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic

from lmdistill.engine.callbacks import FitResult
from lmdistill.engine.distributed import on_main_process
from lmdistill.models.causal_lm import AnyNetwork
from lmdistill.records.record import Record
from lmdistill.records.schema import Candidate, ScheduleFacts, Work
from lmdistill.runs.lineage import Lineage
from lmdistill.runs.run_folder import RunFolder
from lmdistill.runs.schedules.adapter import ScheduleAdapter
from lmdistill.runs.schedules.joint_training import Outcome
from lmdistill.runs.schedules.pruning import Slices
from lmdistill.runs.stage import Stage, run_stage
from lmdistill.schedules.assistant_choice import maxidisc_cost, step_cost
from lmdistill.schedules.distillation import SCHEDULES, MiniDisc, Schedule


@dataclass(kw_only=True)
class TrainingCost:
    """What the stages so far have cost."""

    teacher_steps: float = 0.0
    """Optimizer steps, weighted by size: 1 is a step of the whole teacher."""

    seconds: float | None = 0.0
    """Seconds of the training loops; None if those of a stage are not known."""

    def add(self, fitted: FitResult, *, learned: float, teacher: float) -> None:
        """Add a stage in which students of total size `learned` learned from a teacher of size `teacher`.

        Sizes are kept fractions. The seconds of an interrupted stage are extrapolated from the steps since.
        """
        self.teacher_steps += fitted.steps * step_cost((learned,), teacher=teacher)
        timed_steps = fitted.steps - fitted.resumed
        if self.seconds is not None:
            self.seconds = self.seconds + fitted.seconds * fitted.steps / timed_steps if timed_steps else None


@dataclass(frozen=True, kw_only=True)
class ScheduleSteps(Generic[AnyNetwork]):
    """A schedule applied to one student."""

    schedule: Schedule
    """Settings of the schedule."""

    keep: float
    """Fraction of heads and neurons that the student keeps, in (0, 1]."""

    stage: Stage[AnyNetwork]
    """The last stage as if there were no schedule: student not pruned, teacher the first one."""

    adapter: ScheduleAdapter[AnyNetwork]
    """How networks of this kind are loaded, judged and timed."""

    slices: Slices[AnyNetwork] | None
    """The student's network with sorted units; None if the schedule removes only layers."""

    cost: TrainingCost = field(default_factory=TrainingCost)
    """Cost of the stages so far; changes with each stage."""

    def train_assistant(
        self, student: AnyNetwork, teacher: AnyNetwork, kept: tuple[float, float], name: str
    ) -> Record:
        """Run a stage before the last.

        Args:
            student: The assistant.
            teacher: Its teacher.
            kept: Kept fractions of both.
            name: Folder of the stage, and its label.
        """
        stage = replace(
            self.stage,
            student=student,
            teacher=teacher,
            name=name,
            folder=self.folder(name),
            lineage=Lineage(reference=self.stage.teacher),
        )
        on_main_process(RunFolder(path=stage.folder).drop_if_damaged)
        record = run_stage(stage)
        self.cost.add(fitted_of(record), learned=kept[0], teacher=kept[1])
        return record

    def last_stage(
        self,
        student: AnyNetwork,
        teacher: AnyNetwork | None,
        kept: float,
        candidates: Sequence[Candidate],
        trained: Record | Outcome | None = None,
    ) -> Stage[AnyNetwork]:
        """The last stage of the schedule.

        Args:
            student: The pruned student.
            teacher: The last assistant, or the first teacher.
            kept: Kept fraction of that teacher.
            candidates: Everything that was tried on the way.
            trained: The training that the student has had; it is then trained no further.
        """

        def facts(last: FitResult) -> ScheduleFacts:
            if trained is None:
                self.cost.add(last, learned=self.keep, teacher=kept)
            return self._facts(candidates, last.steps)

        lineage = Lineage(
            reference=self.stage.teacher,
            facts=facts,
            trained=None if trained is None else fitted_of(trained),
        )
        return replace(self.stage, student=student, teacher=teacher, lineage=lineage)

    def cut(self, kept: float, source: AnyNetwork | None = None) -> AnyNetwork:
        """A dense network of this kept fraction, cut from the unpruned student or a larger slice."""
        assert self.slices is not None
        return self.slices.cut(kept, source)

    def folder(self, name: str) -> Path:
        """The run folder of an earlier stage."""
        return RunFolder(path=self.stage.folder).stages / name

    def trained(self, name: str) -> AnyNetwork:
        """The network that an earlier stage has trained."""
        return self.adapter.load(self.folder(name) / "student")

    def _facts(self, candidates: Sequence[Candidate], steps: int) -> ScheduleFacts:
        """The facts for the record; trying all assistants is estimated at the pace of this run."""
        name = next(name for name, cls in SCHEDULES.items() if cls is type(self.schedule))
        work = Work(teacher_steps=self.cost.teacher_steps, seconds=self.cost.seconds)
        plan, exhaustive = self.schedule, None
        if isinstance(plan, MiniDisc) and plan.finish == "distil":
            total = maxidisc_cost(plan.candidates(self.keep), target=self.keep, steps=steps).total
            pace = work.seconds / work.teacher_steps if work.seconds and work.teacher_steps else None
            exhaustive = Work(teacher_steps=total, seconds=None if pace is None else pace * total)
        return ScheduleFacts(
            name=name,
            keep=self.keep,
            metric=self.adapter.metric,
            lam=plan.lam if isinstance(plan, MiniDisc) else None,
            candidates=tuple(candidates),
            work=work,
            exhaustive=exhaustive,
        )


def fitted_of(finished: Record | Outcome) -> FitResult:
    """Steps and seconds of a finished stage."""
    work = finished if isinstance(finished, Outcome) else finished.training
    return FitResult(
        steps=work.steps, resumed=int(work.resumed), seconds=work.seconds, best_step=0, best_score=None
    )
