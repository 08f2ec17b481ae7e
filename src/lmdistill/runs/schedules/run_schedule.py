"""The stages of a schedule before the last: assistants one after another, or all candidates together."""

from pathlib import Path as FilePath

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
from lmdistill.runs.schedules.schedule_steps import ScheduleSteps, fitted_of
from lmdistill.runs.stage import Stage
from lmdistill.schedules.assistant_choice import choose_assistant
from lmdistill.schedules.distillation import MaxiDisc, MiniDisc, Path, Schedule
from lmdistill.schedules.trade_off import trade_off


def require_schedule(
    schedule: Schedule, student: AnyNetwork, depth: int, *, keep: float, pruning: Pruning
) -> None:
    """Refuse a schedule that cannot work, before anything is trained.

    Args:
        schedule: Settings of the schedule.
        student: Not pruned yet.
        depth: Number of layers of the teacher.
        keep: Fraction of heads and neurons that the student keeps, in (0, 1].
        pruning: How they are chosen.

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


def run_earlier_stages(
    stage: Stage[AnyNetwork],
    adapter: ScheduleAdapter[AnyNetwork],
    schedule: Schedule,
    *,
    keep: float,
    pruning: Pruning,
    cache: FilePath | None,
) -> Stage[AnyNetwork]:
    """Run every stage before the last; finished ones are read, an interrupted one continues.

    Args:
        stage: The last stage as if there were no schedule; its student is not pruned yet.
        adapter: How networks of this kind are loaded, judged and timed.
        schedule: Settings of the schedule.
        keep: Fraction of heads and neurons that the student keeps, in (0, 1].
        pruning: How they are chosen.
        cache: Folder of importances that were measured before; None keeps none.

    Returns:
        The last stage, ready to be run.

    Raises:
        ModelError: If the family cannot be pruned, or no head would be left.
    """
    slices = None
    if keep < 1:
        student = stage.student.to(make_accelerator(stage.training).device)
        slices = sliced(student, pruning, batches=adapter.batches, data=adapter.data, cache=cache)
        slices.widths(keep)  # what does not fit is refused before the first stage
    steps = ScheduleSteps(schedule=schedule, keep=keep, stage=stage, adapter=adapter, slices=slices)
    return follow(steps)


def follow(steps: ScheduleSteps[AnyNetwork]) -> Stage[AnyNetwork]:
    """Run every stage before the last of a schedule whose units are sorted.

    Returns:
        The last stage, ready to be run.
    """
    schedule = steps.schedule
    if isinstance(schedule, Path):
        return _path_of_layers(steps, schedule) if schedule.layers else _path(steps, schedule)
    if isinstance(schedule, MaxiDisc):
        return _maxidisc(steps, schedule)
    if isinstance(schedule, MiniDisc):
        return _minidisc(steps, schedule)
    return steps.last_stage(steps.cut(steps.keep), steps.stage.teacher, 1.0, ())


def _first_teacher(steps: ScheduleSteps[AnyNetwork]) -> AnyNetwork:
    """The teacher that the schedule begins with; recipes with a schedule always have one."""
    assert steps.stage.teacher is not None
    return steps.stage.teacher


def _path(steps: ScheduleSteps[AnyNetwork], path: Path) -> Stage[AnyNetwork]:
    """Each assistant learns from the one before and is initialised with its first units."""
    teacher, before, source = _first_teacher(steps), 1.0, None
    candidates: list[Candidate] = []
    for kept in path.kept:
        name = f"assistant-{kept:g}"
        record = steps.train_assistant(steps.cut(kept, source), teacher, (kept, before), name)
        candidates.append(_candidate(steps, record, kept, chosen=True))
        teacher = source = steps.trained(name)
        before = kept
    return steps.last_stage(steps.cut(steps.keep, source), teacher, before, candidates)


def _path_of_layers(steps: ScheduleSteps[AnyNetwork], path: Path) -> Stage[AnyNetwork]:
    """Each assistant is the first layers of the one before; its kept fraction is that of the layers."""
    teacher, before = _first_teacher(steps), 1.0
    candidates: list[Candidate] = []
    for layers in path.layers:
        name, kept = f"assistant-{layers}-layers", layers / _first_teacher(steps).num_layers
        record = steps.train_assistant(truncate(teacher, layers=layers), teacher, (kept, before), name)
        candidates.append(_candidate(steps, record, kept, chosen=True))
        teacher, before = steps.trained(name), kept
    student = truncate(teacher, layers=steps.stage.student.num_layers)
    return steps.last_stage(student, teacher, before, candidates)


def _maxidisc(steps: ScheduleSteps[AnyNetwork], plan: MaxiDisc) -> Stage[AnyNetwork]:
    """Train every assistant and a student of each; the student that is best on dev is kept."""
    candidates: list[Candidate] = []
    students: dict[float, Record] = {}
    for kept in plan.assistants(steps.keep):
        name, student_name = f"assistant-{kept:g}", f"student-by-{kept:g}"
        record = steps.train_assistant(steps.cut(kept), _first_teacher(steps), (kept, 1.0), name)
        assistant = steps.trained(name)
        students[kept] = steps.train_assistant(
            steps.cut(steps.keep, assistant), assistant, (steps.keep, kept), student_name
        )
        metric = steps.adapter.judged(students[kept])
        candidates.append(_candidate(steps, record, kept, student_metric=metric))
    best = max(candidates, key=lambda candidate: (candidate.student_metric, candidate.kept))
    marked = [one.model_copy(update={"chosen": one is best}) for one in candidates]
    student = steps.trained(f"student-by-{best.kept:g}")
    assistant = steps.trained(f"assistant-{best.kept:g}")
    return steps.last_stage(student, assistant, best.kept, marked, students[best.kept])


def _minidisc(steps: ScheduleSteps[AnyNetwork], plan: MiniDisc) -> Stage[AnyNetwork]:
    """Rounds of candidates that are trained together; the one with the best score is the next teacher."""
    teacher, below = _first_teacher(steps), 1.0
    candidates: list[Candidate] = []
    assert steps.slices is not None
    whole, keep = steps.slices.whole, steps.keep
    for number in range(1, plan.assistants + 1):
        fractions = plan.candidates(keep, below=below)
        kept = tuple(one for one in fractions if one >= keep or steps.slices.exists(one))
        if number > 1 and not any(one > keep for one in kept):
            break  # nothing is left between the last assistant and the student
        joint = _joint(steps, plan, number, whole=whole, teacher=teacher, kept=kept)
        outcome = run_joint(joint)
        steps.cost.add(fitted_of(outcome), learned=plan.mean_kept_per_step(kept), teacher=below)
        chosen = keep
        if plan.finish == "distil":
            chosen = choose_assistant(outcome.metrics, target=keep, weight=plan.lam, skip=plan.skip)
        candidates += _round_candidates(outcome, plan, number, chosen)
        network = steps.adapter.load(joint.saved(chosen))
        if chosen == keep:
            return steps.last_stage(network, teacher, below, candidates, outcome)
        teacher = whole = network
        below = chosen
    return steps.last_stage(steps.cut(keep, whole), teacher, below, candidates)


def _joint(
    steps: ScheduleSteps[AnyNetwork],
    plan: MiniDisc,
    number: int,
    *,
    whole: AnyNetwork,
    teacher: AnyNetwork,
    kept: tuple[float, ...],
) -> Joint[AnyNetwork]:
    """The joint training of one round."""
    stage = steps.stage
    assert steps.slices is not None
    return Joint(
        slices=steps.slices,
        whole=whole,
        teacher=teacher,
        kept=kept,
        plan=plan,
        keep=steps.keep,
        method=stage.method,
        training=stage.training,
        adapter=steps.adapter,
        folder=steps.folder(f"candidates-{number}"),
        recipe=stage.recipe,
        title=f"{stage.name}, {len(kept)} candidates (seed {stage.training.seed})",
    )


def _round_candidates(outcome: Outcome, plan: MiniDisc, number: int, chosen: float) -> list[Candidate]:
    """The candidates of one round, largest first."""
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
    steps: ScheduleSteps[AnyNetwork],
    record: Record,
    kept: float,
    *,
    chosen: bool = False,
    student_metric: float | None = None,
) -> Candidate:
    """An assistant that was trained alone."""
    latency = record.student.latency.get("1")
    return Candidate(
        kept=kept,
        parameters=record.student.parameters.encoder,
        latency_ms=None if latency is None else latency.p50_ms,
        metric=steps.adapter.judged(record),
        student_metric=student_metric,
        chosen=chosen,
    )
