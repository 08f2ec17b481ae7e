"""The loop."""

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
    """Where batches come from."""

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole run."""
        ...

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of one pass over the training set."""
        ...

    def loader(self, *, start: int, processes: int, process: int) -> DataLoader[list[Batch]]:
        """From step `start` on, a list of micro-batches a step: the share of one of several processes."""
        ...

    def regenerate(self, window: list[Batch], student: nn.Module, step: int) -> list[Batch]:
        """What is learned from in this step instead; a feed that samples from the student writes anew."""
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
    """Train `student`, in place, from the newest checkpoint in `folder` or from the start.

    Args:
        method: What to learn.
        student: Network that learns; also a `Net`.
        teacher: Network that is imitated; never changed.
        feed: Batches.
        training: How.
        accelerator: Device and processes.
        folder: Of the checkpoints; made when missing.
        watch: Who evaluates and who is told.

    Returns:
        What the run did.

    Raises:
        MismatchError: If method, student and teacher do not fit; before the first step.
        RunError: If the checkpoint was written by another number of processes.
        DivergedError: If the loss or the gradient stops being a number; checkpoints stay.
    """
    method.check(cast(Net, student), teacher)
    learner = make_learner(method, student, teacher, training=training, accelerator=accelerator)
    checkpoints = Checkpoints(folder=folder, accelerator=accelerator)
    state = checkpoints.restore()
    resumed, began = state.step, time.monotonic()
    place, total = accelerator.process_index, feed.total_steps
    watch = watch if accelerator.is_main_process else Callbacks(evaluate=watch.evaluate)
    watch.on_start(resumed)
    for window in feed.loader(start=resumed, processes=accelerator.num_processes, process=place):
        if training.patience and state.stale >= training.patience:
            break
        seed_everything(training.seed, "step", state.step, place)
        terms = learner.gradients(feed.regenerate(window, student, state.step))
        require_finite(terms, state.step + 1, window)
        now = _rate(training, state.step, total)
        learner.update(now)
        state.step += 1
        watch.on_step(
            Step(
                number=state.step,
                loss=terms.loss,
                parts=terms.parts,
                count=terms.count,
                rate=now,
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
    chosen = training.optimizer
    return chosen.learning_rate * lr_multiplier(
        step, total=total, warmup=chosen.warmup, shape=chosen.schedule
    )


def _is_due(step: int, every: int, total: int) -> bool:
    """Every so many steps, and after the last."""
    return step % every == 0 or step == total


def _evaluate(learner: Learner, checkpoints: Checkpoints, watch: Callbacks, state: TrainingState) -> None:
    """Score on dev, and keep the weights if they are the best so far and the run may end with them."""
    if watch.evaluate is None:
        return
    student = learner.accelerator.unwrap_model(learner.network)
    scores = broadcast_from_main(
        watch.evaluate(cast(Net, student))
    )  # all must agree, to the last bit, on what is best
    watch.on_scores(state.step, scores)
    if state.record_score(next(iter(scores.values()))) and learner.training.keep == "best":
        checkpoints.save_best(learner.network)
