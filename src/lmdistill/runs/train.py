"""The part that all runs have in common: fit, with a bar for the user and a line of history for each step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from torch import nn

from lmdistill.core.protocols import Method, Net
from lmdistill.engine.accelerator import Accelerator
from lmdistill.engine.callbacks import Callbacks, FitResult, Step
from lmdistill.engine.fit import BatchSource, fit
from lmdistill.engine.progress_bar import Advance, bar
from lmdistill.engine.training_settings import Training
from lmdistill.records.history import HISTORY, HistoryWriter
from lmdistill.runs.run_folder import RunFolder

HISTORY_FIELDS = ("loss", "parts", "count", "rate", "seconds")
"""What the history keeps of a step, beside its number."""


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """Who learns what, how long, and how that is judged on the way."""

    method: Method
    """How."""

    student: nn.Module
    """Who learns; changed in place."""

    teacher: Net | None
    """Who is imitated."""

    feed: BatchSource
    """Batches."""

    training: Training
    """How long, seed included."""

    title: str
    """What the bar says."""

    unit: str = "examples"
    """What is counted."""

    evaluate: Callable[[Net], Mapping[str, float]]
    """Scores on dev; the first of them selects, and the largest is best."""


def train(course: TrainJob, place: RunFolder, accelerator: Accelerator) -> FitResult:
    """Train the student of `course`, from its newest checkpoint in `place` or from the start."""

    def run(watch: Callbacks) -> FitResult:
        return fit(
            course.method,
            course.student,
            course.teacher,
            course.feed,
            training=course.training,
            accelerator=accelerator,
            folder=place.checkpoints,
            watch=watch,
        )

    silent = Callbacks(evaluate=lambda net: dict(course.evaluate(net)))
    if not accelerator.is_main_process:
        return run(silent)
    with (
        HistoryWriter(place.path / HISTORY) as history,
        bar(course.title, course.feed.total_steps) as advance,
    ):
        return run(_told(silent, history, advance, course.unit))


def _told(silent: Callbacks, history: HistoryWriter, advance: Advance, unit: str) -> Callbacks:
    """The same watch, with everything said in the history and on the bar."""
    done = 0

    def show(step: Step) -> None:
        nonlocal done
        done += step.count
        history.append({"step": step.number, **{name: getattr(step, name) for name in HISTORY_FIELDS}})
        advance(step.number, f"loss {step.loss:.3f}, {done / step.seconds:.0f} {unit}/s")

    return replace(
        silent,
        on_start=history.truncate_after,
        on_step=show,
        on_scores=lambda step, found: history.append({"step": step, "dev": found}),
    )
