"""All candidates at once: nested networks that learn together, each kept at its best."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, cast

from lmdistill.core.atomic_io import read_json, write_json
from lmdistill.core.protocols import Method, Net
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.callbacks import FitResult
from lmdistill.engine.distributed import on_main_process, process_state
from lmdistill.engine.training_settings import Training
from lmdistill.export.hugging_face import save
from lmdistill.methods.nested import Nested
from lmdistill.models.causal_lm import AnyNetwork
from lmdistill.models.model_stats import count_parameters, fingerprint
from lmdistill.models.pruning.nested_candidates import NestedNetwork
from lmdistill.runs.run_folder import RunFolder
from lmdistill.runs.schedules.adapter import ScheduleAdapter
from lmdistill.runs.schedules.pruning import Slices
from lmdistill.runs.train import TrainJob, train
from lmdistill.schedules.assistant_choice import trade_off
from lmdistill.schedules.distillation import MiniDisc

RESULT = "candidates.json"
"""Written last: what the candidates came to."""

BEST = "best.json"
"""The best evaluation of each candidate so far."""


@dataclass(frozen=True, kw_only=True)
class Joint(Generic[AnyNetwork]):
    """A joint run."""

    slices: Slices[AnyNetwork]
    """Where the widths of a fraction come from."""

    whole: AnyNetwork
    """Whose first units the candidates are; not changed, as it may be the teacher."""

    teacher: AnyNetwork
    """Whom all of them learn from."""

    kept: tuple[float, ...]
    """The candidates, falling."""

    plan: MiniDisc
    """How they are sampled and scored."""

    keep: float
    """What the student will keep; smaller candidates are trained but not saved."""

    method: Method
    """What each of them learns."""

    training: Training
    """How long."""

    adapter: ScheduleAdapter[AnyNetwork]
    """What the networks are."""

    folder: Path
    """Where it is written."""

    recipe: Mapping[str, Any] = field(default_factory=dict)
    """The resolved recipe, for a later start."""

    title: str = "candidates"
    """What the bar says."""

    def saved(self, kept: float) -> Path:
        """Where the best of a candidate lies."""
        return self.folder / "candidates" / str(kept)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a joint run came to."""

    metrics: Mapping[float, float]
    """Best dev metric of each candidate, by its kept fraction."""

    parameters: Mapping[float, int]
    """Of its layers."""

    latency_ms: Mapping[float, float]
    """Median for one example; empty where it is not measured."""

    steps: int
    """Optimizer steps."""

    resumed: int
    """Steps that an earlier process had done."""

    seconds: float
    """Of the process that finished them."""


def run_joint(joint: Joint[AnyNetwork]) -> Outcome:
    """Train the candidates together, or go on where a killed process stopped, or read what came of it.

    Raises:
        RunError: If the folder holds another run.
        DivergedError: If the loss stops being a number.
    """
    place = RunFolder(path=joint.folder, result=RESULT)
    inputs = {
        "data": joint.adapter.data,
        "student": fingerprint(joint.whole),
        "teacher": fingerprint(joint.teacher),
    }
    on_main_process(lambda: place.require(joint.recipe, inputs))
    if not place.is_finished:
        on_main_process(lambda: place.claim(joint.recipe, inputs))
        _train(joint, place)
    stored = read_json(place.path / RESULT)
    numbers = {
        name: {float(kept): value for kept, value in stored[name].items()}
        for name in ("metrics", "parameters", "latency_ms")
    }
    return Outcome(**numbers, steps=stored["steps"], resumed=stored["resumed"], seconds=stored["seconds"])


def _train(joint: Joint[AnyNetwork], place: RunFolder) -> None:
    """The run itself; its result is written last."""
    training = replace(joint.training, keep="last")  # every candidate is kept at its own best
    accelerator = make_accelerator(training)
    whole = joint.slices.cut(max(joint.kept), joint.whole)  # what no candidate has would only decay
    nested = NestedNetwork(whole, {kept: joint.slices.widths(kept) for kept in joint.kept})
    method = Nested(
        method=joint.method, kept=joint.kept, sampling=joint.plan.sampling, middle=joint.plan.middle
    )
    course = TrainJob(
        method=method,
        student=nested,
        teacher=cast(Net, joint.teacher),
        feed=joint.adapter.feed(method, training, joint.teacher),
        training=training,
        title=joint.title,
        evaluate=lambda net: _evaluated(joint, cast("NestedNetwork[AnyNetwork]", net)),
    )
    fitted = train(course, place, accelerator)
    process_state().wait_for_everyone()
    on_main_process(lambda: _conclude(joint, nested, place, fitted))


def _evaluated(joint: Joint[AnyNetwork], nested: NestedNetwork[AnyNetwork]) -> dict[str, float]:
    """Judge every candidate, keep what is better than before; the first number is the best score now.

    It is the best of those that the round may end in, so that no other decides whether patience is over. A
    run that was killed evaluates again what it had evaluated after its checkpoint, and finds the same.
    """
    metrics = {kept: joint.adapter.judge(cast(Net, nested.candidate(kept))) for kept in joint.kept}
    if process_state().is_main_process:
        _keep_best(joint, nested, metrics)
    able = joint.plan.eligible(joint.kept, joint.keep)
    best = max(trade_off(metrics[kept], kept, weight=joint.plan.lam) for kept in able)
    return {"trade_off": best, **{str(kept): metric for kept, metric in metrics.items()}}


def _keep_best(
    joint: Joint[AnyNetwork], nested: NestedNetwork[AnyNetwork], metrics: Mapping[float, float]
) -> None:
    """Save the candidates that have never been better; first the weights, then the word of it."""
    file = joint.folder / BEST
    best = read_json(file) if file.is_file() else {}
    for kept, metric in metrics.items():
        if metric <= best.get(str(kept), float("-inf")):
            continue
        if kept >= joint.keep:
            save(joint.slices.cut(kept, nested.whole), joint.saved(kept))
        best[str(kept)] = metric
        write_json(file, best)


def _conclude(
    joint: Joint[AnyNetwork], nested: NestedNetwork[AnyNetwork], place: RunFolder, fitted: FitResult
) -> None:
    """Weigh and time the candidates, and write what they came to."""
    cut = {str(kept): joint.slices.cut(kept, nested.whole).eval() for kept in joint.kept}
    result = {
        "metrics": read_json(joint.folder / BEST),
        "parameters": {name: count_parameters(network).encoder for name, network in cut.items()},
        "latency_ms": dict(joint.adapter.time(cut)),
        "steps": fitted.steps,
        "resumed": fitted.resumed,
        "seconds": fitted.seconds,
    }
    write_json(place.path / RESULT, result)
    place.clean()
