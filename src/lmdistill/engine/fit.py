"""The training loop."""

import time
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader

from lmdistill.core.batch import Batch
from lmdistill.core.protocols import Method, Net
from lmdistill.core.seeding import seed_everything
from lmdistill.engine.callbacks import Callbacks, FitResult, Step
from lmdistill.engine.checkpoint import Checkpoints, TrainingState
from lmdistill.engine.distributed import broadcast_from_main
from lmdistill.engine.optimizer_step import Learner, make_learner, require_finite
from lmdistill.engine.training_settings import Training
from lmdistill.schedules.learning_rate import lr_multiplier


@runtime_checkable
class BatchSource(Protocol):
    """Source of the training batches."""

    @property
    def total_steps(self) -> int:
        """Number of optimizer steps in the whole run."""
        ...

    @property
    def steps_per_epoch(self) -> int:
        """Number of optimizer steps in one pass over the training set."""
        ...

    def loader(self, *, start: int, processes: int, process: int) -> DataLoader[list[Batch]]:
        """A loader that yields one list of micro-batches per optimizer step.

        Args:
            start: First step, >= 0.
            processes: Number of processes, which share the examples of each step.
            process: Number of this process, from 0; the loader yields its share only.
        """
        ...

    def regenerate(self, window: list[Batch], student: nn.Module, step: int) -> list[Batch]:
        """The micro-batches to train on in a step, in place of `window`.

        Sources with fixed examples return `window`. Others may generate new texts with the student.
        """
        ...


def fit(
    method: Method,
    student: nn.Module,
    teacher: Net | None,
    feed: BatchSource,
    *,
    training: Training,
    accelerator: Accelerator,
    folder: Path,
    watch: Callbacks,
) -> FitResult:
    """Train `student` in place, from the latest checkpoint in `folder` or from the beginning.

    Args:
        method: Computes the loss.
        student: Network to train; it must also be a `Net` or a `LanguageNet`.
        teacher: Network to learn from; its weights do not change. None for methods without a teacher.
        feed: Source of the training batches.
        training: Training settings.
        accelerator: Device and processes.
        folder: Folder of the checkpoints; created if it does not exist.
        watch: Functions for evaluation and progress.

    Returns:
        A summary of the run.

    Raises:
        MismatchError: If the method cannot be used with this student and teacher; before the first step.
        RunError: If another number of processes wrote the checkpoint, or it cannot be loaded.
        DivergedError: If the loss or its gradient is NaN or infinite; the last checkpoint is kept.
    """
    method.check(cast(Net, student), teacher)
    learner = make_learner(method, student, teacher, training=training, accelerator=accelerator)
    checkpoints = Checkpoints(folder=folder, accelerator=accelerator, needs_best=training.keep == "best")
    state = checkpoints.restore()
    resumed, began = state.step, time.monotonic()
    process, total = accelerator.process_index, feed.total_steps
    watch = watch if accelerator.is_main_process else Callbacks(evaluate=watch.evaluate)
    watch.on_start(resumed)
    for window in feed.loader(start=resumed, processes=accelerator.num_processes, process=process):
        if training.patience and state.stale >= training.patience:
            break
        seed_everything(training.seed, "step", state.step, process)
        terms = learner.gradients(feed.regenerate(window, student, state.step))
        require_finite(terms, state.step + 1, window)
        rate = _rate(training, state.step, total)
        learner.update(rate)
        state.step += 1
        watch.on_step(
            Step(
                number=state.step,
                loss=terms.loss,
                parts=terms.parts,
                count=terms.count,
                rate=rate,
                seconds=time.monotonic() - began,
            )
        )
        if _is_due(state.step, training.eval_every or feed.steps_per_epoch, total):
            _evaluate(learner, checkpoints, watch, state)
        if _is_due(state.step, training.checkpoint_every, total):
            checkpoints.save(state)
    if training.keep == "best" and state.best_score is not None:
        checkpoints.load_best(learner.network)
    return FitResult(
        steps=state.step,
        resumed=resumed,
        seconds=time.monotonic() - began,
        best_step=state.best_step,
        best_score=state.best_score,
    )


def _rate(training: Training, step: int, total: int) -> float:
    """The learning rate of a step."""
    optimizer = training.optimizer
    return optimizer.rate * lr_multiplier(
        step, total=total, warmup=optimizer.warmup, shape=optimizer.schedule
    )


def _is_due(step: int, every: int, total: int) -> bool:
    """Whether `step` is a multiple of `every`, or the last step."""
    return step % every == 0 or step == total


def _evaluate(learner: Learner, checkpoints: Checkpoints, watch: Callbacks, state: TrainingState) -> None:
    """Evaluate on the dev set, and save the weights if they are the best so far and `keep` is "best"."""
    if watch.evaluate is None:
        return
    student = learner.accelerator.unwrap_model(learner.network)
    # Scores may differ in rounding between processes, which must all make the same decision.
    scores = broadcast_from_main(watch.evaluate(cast(Net, student)))
    watch.on_scores(state.step, scores)
    if state.record_score(next(iter(scores.values()))) and learner.training.keep == "best":
        checkpoints.save_best(learner.network)
