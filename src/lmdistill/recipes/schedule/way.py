"""From a teacher to the last stage: every assistant on the way."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Any, Generic, TypeVar

from lmdistill.engine.watch import Fitted
from lmdistill.models.causal import AnyNetwork
from lmdistill.models.truncate import truncate
from lmdistill.recipes.schedule.craft import Craft
from lmdistill.recipes.schedule.joint import Joint, Outcome, run_joint
from lmdistill.recipes.schedule.pruning import Slices
from lmdistill.recipes.schedule.route import Route
from lmdistill.report.facts import Candidate, ScheduleFacts, Work
from lmdistill.report.record import Record
from lmdistill.schedules.assistants import choose, maxidisc_cost, step_cost, trade_off
from lmdistill.schedules.plans import SCHEDULES, MaxiDisc, MiniDisc, Path, Schedule

AnyStage = TypeVar("AnyStage", bound=Any)
"""A stage of classifiers or of models that write text: they share the fields that are set here."""


@dataclass(kw_only=True)
class Ledger:
    """What the stages so far have taken."""

    teacher_steps: float = 0.0
    """In passes of the whole encoder."""

    seconds: float = 0.0
    """Of their training loops."""

    def add(self, *, steps: int, seconds: float, learned: float, teacher: float) -> None:
        """A stage in which fractions of sum `learned` learned from one of size `teacher`."""
        self.teacher_steps += steps * step_cost((learned,), teacher=teacher)
        self.seconds += seconds


@dataclass(frozen=True, kw_only=True)
class Way(Generic[AnyNetwork]):
    """A schedule for one student."""

    schedule: Schedule
    """Which."""

    keep: float
    """What the student keeps."""

    stage: Any
    """The last stage as if there were no schedule: its student is not pruned, its teacher the first one."""

    craft: Craft[AnyNetwork]
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

        def account(steps: int, seconds: float) -> ScheduleFacts:
            if trained is None:
                self.ledger.add(steps=steps, seconds=seconds, learned=self.keep, teacher=kept)
            return self._facts(candidates, steps)

        route = Route(
            reference=self.stage.teacher,
            account=account,
            trained=None if trained is None else _fitted(trained),
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
            route=Route(reference=self.stage.teacher),
        )
        record = self.craft.run(stage)
        self.ledger.add(
            steps=record.training.steps, seconds=record.training.seconds, learned=kept[0], teacher=kept[1]
        )
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


def follow(way: Way[AnyNetwork]) -> Any:
    """Do every stage before the last; stages that are done are read, one that was interrupted goes on.

    Returns:
        The last stage, ready to be run.
    """
    if isinstance(way.schedule, Path) and way.schedule.layers:
        return _path_of_layers(way, way.schedule)
    if isinstance(way.schedule, Path):
        return _path(way, way.schedule)
    if isinstance(way.schedule, MaxiDisc):
        return _maxidisc(way, way.schedule)
    if isinstance(way.schedule, MiniDisc):
        return _minidisc(way, way.schedule)
    return way.ends(way.cut(way.keep), way.stage.teacher, 1.0, ())


def _path(way: Way[AnyNetwork], plan: Path) -> Any:
    """Each assistant learns from the one before, whose first units it begins with."""
    teacher, before, source, found = way.stage.teacher, 1.0, None, []
    for kept in plan.kept:
        name = f"assistant-{kept:g}"
        record = way.learns(way.cut(kept, source), teacher, (kept, before), name)
        found.append(_candidate(way, record, kept, chosen=True))
        teacher = source = way.result(name)
        before = kept
    return way.ends(way.cut(way.keep, source), teacher, before, found)


def _path_of_layers(way: Way[AnyNetwork], plan: Path) -> Any:
    """Each assistant is the first layers of the one before; their share of the depth is what they keep."""
    teacher, before, found = way.stage.teacher, 1.0, []
    for layers in plan.layers:
        name, kept = f"assistant-{layers}-layers", layers / way.stage.teacher.num_layers
        record = way.learns(truncate(teacher, layers=layers), teacher, (kept, before), name)
        found.append(_candidate(way, record, kept, chosen=True))
        teacher, before = way.result(name), kept
    return way.ends(truncate(teacher, layers=way.stage.student.num_layers), teacher, before, found)


def _maxidisc(way: Way[AnyNetwork], plan: MaxiDisc) -> Any:
    """Every assistant, and a student of each; the student that is best on dev has it."""
    found, students = [], {}
    for kept in plan.assistants(way.keep):
        name, last = f"assistant-{kept:g}", f"student-by-{kept:g}"
        assisted = way.learns(way.cut(kept), way.stage.teacher, (kept, 1.0), name)
        assistant = way.result(name)
        student = way.learns(way.cut(way.keep, assistant), assistant, (way.keep, kept), last)
        students[kept] = student
        found.append(_candidate(way, assisted, kept, student_metric=way.craft.judged(student)))
    best = max(found, key=lambda one: (one.student_metric, one.kept))
    shown = [one.model_copy(update={"chosen": one is best}) for one in found]
    teacher = way.result(f"assistant-{best.kept:g}")
    return way.ends(way.result(f"student-by-{best.kept:g}"), teacher, best.kept, shown, students[best.kept])


def _minidisc(way: Way[AnyNetwork], plan: MiniDisc) -> Any:
    """Rounds of candidates that learn together; the best by its score teaches on."""
    teacher, below, found = way.stage.teacher, 1.0, list[Candidate]()
    assert way.slices is not None
    whole = way.slices.whole
    for number in range(1, plan.assistants + 1):
        kept = tuple(
            one for one in plan.candidates(way.keep, below=below) if one >= way.keep or way.slices.exists(one)
        )
        if number > 1 and not any(one > way.keep for one in kept):
            break  # nothing is left between the last assistant and the student
        joint = _joint(way, plan, number, whole=whole, teacher=teacher, kept=kept)
        outcome = run_joint(joint)
        way.ledger.add(
            steps=outcome.steps, seconds=outcome.seconds, learned=plan.sampled(kept), teacher=below
        )
        chosen = way.keep
        if plan.finish == "distil":
            chosen = choose(outcome.metrics, target=way.keep, weight=plan.lam, skip=plan.skip)
        found += _candidates(outcome, plan, number, chosen)
        if chosen == way.keep:
            return way.ends(way.craft.load(joint.saved(chosen)), teacher, below, found, outcome)
        teacher = whole = way.craft.load(joint.saved(chosen))
        below = chosen
    return way.ends(way.cut(way.keep, whole), teacher, below, found)


def _joint(
    way: Way[AnyNetwork],
    plan: MiniDisc,
    number: int,
    *,
    whole: AnyNetwork,
    teacher: AnyNetwork,
    kept: tuple[float, ...],
) -> Joint[AnyNetwork]:
    """One round."""
    stage = way.stage
    assert way.slices is not None
    return Joint(
        slices=way.slices,
        whole=whole,
        teacher=teacher,
        kept=kept,
        plan=plan,
        keep=way.keep,
        method=stage.method,
        training=stage.training,
        craft=way.craft,
        folder=way.folder(f"candidates-{number}"),
        recipe=stage.recipe,
        title=f"{stage.name}, {len(kept)} candidates (seed {stage.training.seed})",
    )


def _candidates(outcome: Outcome, plan: MiniDisc, number: int, chosen: float) -> list[Candidate]:
    """The rows of the table of one round."""
    return [
        Candidate(
            kept=kept,
            round=number,
            parameters=outcome.parameters[kept],
            latency_ms=outcome.latency_ms.get(kept),
            metric=metric,
            score=trade_off(metric, kept, weight=plan.lam),
            chosen=kept == chosen,
        )
        for kept, metric in sorted(outcome.metrics.items(), reverse=True)
    ]


def _candidate(
    way: Way[AnyNetwork],
    record: Record,
    kept: float,
    *,
    chosen: bool = False,
    student_metric: float | None = None,
) -> Candidate:
    """The row of an assistant that was trained alone."""
    first = record.student.latency.get("1")
    return Candidate(
        kept=kept,
        parameters=record.student.parameters.encoder,
        latency_ms=None if first is None else first.p50_ms,
        metric=way.craft.judged(record),
        student_metric=student_metric,
        chosen=chosen,
    )


def _fitted(done: Record | Outcome) -> Fitted:
    """What a stage that is over did."""
    steps, seconds = (
        (done.steps, done.seconds)
        if isinstance(done, Outcome)
        else (done.training.steps, done.training.seconds)
    )
    return Fitted(steps=steps, resumed=0, seconds=seconds, best_step=0, best_score=None)
