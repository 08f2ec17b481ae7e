"""Every stage before the last: assistants one after another, or candidates all at once."""

from pathlib import Path as FilePath
from typing import Any

from lmdistill.core.errors import ModelError
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.models.causal_lm import AnyNetwork
from lmdistill.models.students.truncate import truncate
from lmdistill.recipes.pruning import Pruning
from lmdistill.records.record import Record
from lmdistill.records.schema import Candidate
from lmdistill.runs.schedules.adapter import ScheduleAdapter
from lmdistill.runs.schedules.joint_training import Joint, Outcome, run_joint
from lmdistill.runs.schedules.pruning import require_prunable, sliced
from lmdistill.runs.schedules.schedule_steps import ScheduleSteps, fitted
from lmdistill.schedules.assistant_choice import choose_assistant, trade_off
from lmdistill.schedules.distillation import MaxiDisc, MiniDisc, Path, Schedule


def require_way(
    schedule: Schedule, student: AnyNetwork, depth: int, *, keep: float, pruning: Pruning
) -> None:
    """What can be known of a schedule before anything is trained.

    Args:
        schedule: Who learns from whom.
        student: Not pruned yet.
        depth: Layers of the teacher.
        keep: Fraction of its units that the student keeps.
        pruning: Which of them.

    Raises:
        ModelError: If an assistant would be deeper than the teacher, or the student cannot be pruned so far.
    """
    if isinstance(schedule, Path) and schedule.layers and schedule.layers[0] > depth:
        raise ModelError(
            f"schedule.layers begins with {schedule.layers[0]} and the teacher has {depth} layers. Begin "
            f"with at most {depth}."
        )
    if keep < 1:
        require_prunable(student, pruning, keep)


def on_schedule(
    stage: Any,
    craft: ScheduleAdapter[AnyNetwork],
    schedule: Schedule,
    *,
    keep: float,
    pruning: Pruning,
    cache: FilePath | None,
) -> Any:
    """Do every stage before the last one.

    Args:
        stage: The last stage as if there were no schedule; its student is not pruned yet.
        craft: What its networks are.
        schedule: Who learns from whom.
        keep: Fraction of its units that the student keeps.
        pruning: Which of them.
        cache: Folder of importances that were measured before.

    Returns:
        The last stage, ready to be run.

    Raises:
        ModelError: If the family cannot be pruned, or no head would be left.
    """
    slices = None
    if keep < 1:
        student = stage.student.to(make_accelerator(stage.training).device)
        slices = sliced(student, pruning, batches=craft.batches, data=craft.data, cache=cache)
        slices.widths(keep)  # what does not fit is said before the first stage
    return follow(ScheduleSteps(schedule=schedule, keep=keep, stage=stage, craft=craft, slices=slices))


def follow(way: ScheduleSteps[AnyNetwork]) -> Any:
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


def _path(way: ScheduleSteps[AnyNetwork], plan: Path) -> Any:
    """Each assistant learns from the one before, whose first units it begins with."""
    teacher, before, source, found = way.stage.teacher, 1.0, None, []
    for kept in plan.kept:
        name = f"assistant-{kept:g}"
        record = way.learns(way.cut(kept, source), teacher, (kept, before), name)
        found.append(_candidate(way, record, kept, chosen=True))
        teacher = source = way.result(name)
        before = kept
    return way.ends(way.cut(way.keep, source), teacher, before, found)


def _path_of_layers(way: ScheduleSteps[AnyNetwork], plan: Path) -> Any:
    """Each assistant is the first layers of the one before; their share of the depth is what they keep."""
    teacher, before, found = way.stage.teacher, 1.0, []
    for layers in plan.layers:
        name, kept = f"assistant-{layers}-layers", layers / way.stage.teacher.num_layers
        record = way.learns(truncate(teacher, layers=layers), teacher, (kept, before), name)
        found.append(_candidate(way, record, kept, chosen=True))
        teacher, before = way.result(name), kept
    return way.ends(truncate(teacher, layers=way.stage.student.num_layers), teacher, before, found)


def _maxidisc(way: ScheduleSteps[AnyNetwork], plan: MaxiDisc) -> Any:
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


def _minidisc(way: ScheduleSteps[AnyNetwork], plan: MiniDisc) -> Any:
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
        way.ledger.add(fitted(outcome), learned=plan.mean_kept_per_step(kept), teacher=below)
        chosen = way.keep
        if plan.finish == "distil":
            chosen = choose_assistant(outcome.metrics, target=way.keep, weight=plan.lam, skip=plan.skip)
        found += _candidates(outcome, plan, number, chosen)
        if chosen == way.keep:
            return way.ends(way.craft.load(joint.saved(chosen)), teacher, below, found, outcome)
        teacher = whole = way.craft.load(joint.saved(chosen))
        below = chosen
    return way.ends(way.cut(way.keep, whole), teacher, below, found)


def _joint(
    way: ScheduleSteps[AnyNetwork],
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
    way: ScheduleSteps[AnyNetwork],
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
