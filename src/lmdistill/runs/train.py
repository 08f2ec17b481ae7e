"""What all runs have in common: fit, with progress for the user and a line of history for each step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from torch import nn

from lmdistill.core.progress import Progress, progress
from lmdistill.core.protocols import Method, Net
from lmdistill.engine.accelerator import Accelerator
from lmdistill.engine.callbacks import Callbacks, FitResult, Step
from lmdistill.engine.fit import BatchSource, fit
from lmdistill.engine.training_settings import Training
from lmdistill.records.history import HISTORY, HistoryWriter
from lmdistill.runs.run_folder import RunFolder

HISTORY_FIELDS = ("loss", "parts", "count", "rate", "seconds")
"""What the history keeps of a step, beside its number."""


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """Who learns what, how long, and how that is judged on the way."""

    method: Method
    """Computes the loss of each batch."""

    student: nn.Module
    """Who learns; changed in place."""

    teacher: Net | None
    """Who is imitated."""

    feed: BatchSource
    """Where the batches of each epoch come from."""

    training: Training
    """How long, seed included."""

    title: str
    """What the user sees."""

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
        progress(course.title, course.feed.total_steps, unit="step") as shown,
    ):
        return run(_told(silent, history, shown, course.unit))


def _told(silent: Callbacks, history: HistoryWriter, shown: Progress, unit: str) -> Callbacks:
    """The same callbacks, which also write the history and show the progress."""
    done = 0

    def start(step: int) -> None:
        history.truncate_after(step)
        shown.resume(step)

    def show(step: Step) -> None:
        nonlocal done
        done += step.count
        history.append({"step": step.number, **{name: getattr(step, name) for name in HISTORY_FIELDS}})
        shown.update(step.number, f"loss {step.loss:.3f}, {done / step.seconds:.0f} {unit}/s")

    return replace(
        silent,
        on_start=start,
        on_step=show,
        on_scores=lambda step, found: history.append({"step": step, "dev": found}),
    )
