"""MiniDisc's joint training: all candidates learn together as nested sub-networks of one network."""

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, cast

from lmdistill.core.checksums import MANIFEST, manifest_damage, read_checked_json, write_checked_json
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
from lmdistill.schedules.distillation import MiniDisc
from lmdistill.schedules.trade_off import trade_off

log = logging.getLogger("lmdistill")

RESULT = "candidates.json"
"""Results of the candidates; written last."""

CANDIDATES = "candidates"
"""Folder of the best weights of each candidate."""

BEST = "best.json"
"""Best dev metric of each candidate so far."""


@dataclass(frozen=True, kw_only=True)
class Joint(Generic[AnyNetwork]):
    """A joint training run."""

    slices: Slices[AnyNetwork]
    """The sorted network; gives the widths of each kept fraction."""

    whole: AnyNetwork
    """Candidates are its first heads and neurons; not changed, as it may be the teacher."""

    teacher: AnyNetwork
    """Teacher of all candidates."""

    kept: tuple[float, ...]
    """Kept fractions of the candidates in (0, 1], largest first."""

    plan: MiniDisc
    """How candidates are sampled in a step, and the weight of the trade-off score."""

    keep: float
    """Kept fraction of the student, in (0, 1]; smaller candidates are trained but not saved."""

    method: Method
    """The objective of each candidate."""

    training: Training
    """Epochs, batch size, optimizer and seed."""

    adapter: ScheduleAdapter[AnyNetwork]
    """How networks of this kind are loaded, judged and timed."""

    folder: Path
    """Folder of the joint run."""

    recipe: Mapping[str, Any] = field(default_factory=dict)
    """The resolved recipe; a later start must have the same."""

    title: str = "candidates"
    """Label of the progress bar."""

    def saved(self, kept: float) -> Path:
        """Folder of the best weights of a candidate."""
        return self.folder / CANDIDATES / str(kept)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Results of a joint run."""

    metrics: Mapping[float, float]
    """Best dev metric of each candidate, by its kept fraction."""

    parameters: Mapping[float, int]
    """Parameters of its layers, by kept fraction."""

    latency_ms: Mapping[float, float]
    """Median latency of one example in milliseconds, by kept fraction; empty if it is not measured."""

    steps: int
    """Optimizer steps in all, those of interrupted processes included."""

    resumed: int
    """Optimizer steps done by an earlier, interrupted process."""

    seconds: float
    """Seconds of the process that finished the run."""


def run_joint(joint: Joint[AnyNetwork]) -> Outcome:
    """Train the candidates together; continue an interrupted run, or read a finished one.

    Raises:
        RunError: If the folder holds another run.
        DivergedError: If the loss stops being a number.
    """
    folder = RunFolder(path=joint.folder, result=RESULT)
    inputs = {
        "data": joint.adapter.data,
        "student": fingerprint(joint.whole),
        "teacher": fingerprint(joint.teacher),
    }
    on_main_process(lambda: folder.require(joint.recipe, inputs))
    on_main_process(lambda: _drop_if_damaged(folder))
    if not folder.is_finished:
        on_main_process(lambda: folder.claim(joint.recipe, inputs))
        _train(joint, folder)
    on_main_process(folder.clean)
    stored = read_checked_json(folder.path / RESULT)
    assert stored is not None  # it was just checked or written
    numbers = {
        name: {float(kept): value for kept, value in stored[name].items()}
        for name in ("metrics", "parameters", "latency_ms")
    }
    return Outcome(**numbers, steps=stored["steps"], resumed=stored["resumed"], seconds=stored["seconds"])


def _drop_if_damaged(folder: RunFolder) -> None:
    """Remove results and checkpoints of a joint run if one of its files has changed since; say so."""
    files = [folder.path / name for name in (BEST, RESULT) if (folder.path / name).is_file()]
    damage = next((f"{file.name} has changed" for file in files if read_checked_json(file) is None), None)
    for saved in sorted((folder.path / CANDIDATES).glob("*")):
        if damage is None and (saved / MANIFEST).is_file():
            damage = manifest_damage(saved)
    if damage is None:
        return
    log.warning("%s is damaged (%s); these candidates are trained again.", folder.path, damage)
    for file in files:
        file.unlink()
    shutil.rmtree(folder.path / CANDIDATES, ignore_errors=True)
    folder.clean()


def _train(joint: Joint[AnyNetwork], folder: RunFolder) -> None:
    """Train, and write the results last."""
    training = replace(joint.training, keep="last")  # every candidate is kept at its own best
    accelerator = make_accelerator(training)
    whole = joint.slices.cut(
        max(joint.kept), joint.whole
    )  # units of no candidate would only shrink by weight decay
    nested = NestedNetwork(whole, {kept: joint.slices.widths(kept) for kept in joint.kept})
    method = Nested(
        method=joint.method, kept=joint.kept, sampling=joint.plan.sampling, middle=joint.plan.middle
    )
    job = TrainJob(
        method=method,
        student=nested,
        teacher=cast(Net, joint.teacher),
        feed=joint.adapter.feed(method, training, joint.teacher),
        training=training,
        title=joint.title,
        evaluate=lambda network: _evaluate(joint, cast("NestedNetwork[AnyNetwork]", network)),
    )
    fitted = train(job, folder, accelerator)
    process_state().wait_for_everyone()
    on_main_process(lambda: _conclude(joint, nested, folder, fitted))


def _evaluate(joint: Joint[AnyNetwork], nested: NestedNetwork[AnyNetwork]) -> dict[str, float]:
    """Dev metrics of the candidates; saves those that are better than before.

    The first number is the best trade-off score of the candidates that may become the assistant; it decides
    about early stopping. An interrupted run repeats the evaluations after its checkpoint with equal results.
    """
    metrics = {kept: joint.adapter.judge(cast(Net, nested.candidate(kept))) for kept in joint.kept}
    if process_state().is_main_process:
        _keep_best(joint, nested, metrics)
    eligible = joint.plan.eligible(joint.kept, joint.keep)
    best = max(trade_off(metrics[kept], kept, weight=joint.plan.lam) for kept in eligible)
    return {"trade_off": best, **{str(kept): metric for kept, metric in metrics.items()}}


def _keep_best(
    joint: Joint[AnyNetwork], nested: NestedNetwork[AnyNetwork], metrics: Mapping[float, float]
) -> None:
    """Save the candidates that are better than ever before; weights first, then the metric."""
    file = joint.folder / BEST
    best = (read_checked_json(file) if file.is_file() else None) or {}
    for kept, metric in metrics.items():
        if metric <= best.get(str(kept), float("-inf")):
            continue
        if kept >= joint.keep:
            save(joint.slices.cut(kept, nested.whole), joint.saved(kept), manifest=True)
        best[str(kept)] = metric
        write_checked_json(file, best)


def _conclude(
    joint: Joint[AnyNetwork], nested: NestedNetwork[AnyNetwork], folder: RunFolder, fitted: FitResult
) -> None:
    """Count parameters, measure latency and write the results."""
    cut = {str(kept): joint.slices.cut(kept, nested.whole).eval() for kept in joint.kept}
    result = {
        "metrics": read_checked_json(joint.folder / BEST) or {},
        "parameters": {name: count_parameters(network).encoder for name, network in cut.items()},
        "latency_ms": dict(joint.adapter.time(cut)),
        "steps": fitted.steps,
        "resumed": fitted.resumed,
        "seconds": fitted.seconds,
    }
    write_checked_json(folder.path / RESULT, result)
