"""The loop."""

import math
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lmdistill.core.errors import DivergedError
from lmdistill.core.seeding import seed_everything
from lmdistill.core.types import Batch, Method, Net
from lmdistill.engine.checkpoint import Checkpoints, State
from lmdistill.engine.training import Optimizer, Training
from lmdistill.schedules.rates import rate


@runtime_checkable
class Feed(Protocol):
    """Where batches come from."""

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole run."""
        ...

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of one pass over the training set."""
        ...

    def loader(self, *, start: int, processes: int) -> DataLoader[list[Batch]]:
        """From step `start` on, a list of micro-batches for each process in turn."""
        ...


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one optimizer step did."""

    number: int
    """From 1."""

    loss: float
    """Objective, a mean over scored positions."""

    parts: dict[str, float]
    """Its terms; they add up to it."""

    count: int
    """Scored positions, over all processes."""

    rate: float
    """Learning rate."""

    seconds: float
    """Since the run began or continued."""


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Who is told what; watchers cannot change the run."""

    evaluate: Callable[[Net], dict[str, float]] | None = None
    """Scores on dev, better when higher; the first one selects. Called on every process."""

    on_start: Callable[[int], None] = field(default=lambda step: None)
    """Called once, with the steps that an earlier process has done."""

    on_step: Callable[[Step], None] = field(default=lambda step: None)
    """Called after every step, on the main process."""

    on_scores: Callable[[int, dict[str, float]], None] = field(default=lambda step, scores: None)
    """Called after every evaluation, on the main process."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What a whole run did."""

    steps: int
    """Optimizer steps, those of earlier processes included."""

    resumed: int
    """Steps that an earlier process had done."""

    seconds: float
    """Of this process."""

    best_step: int
    """Step of the best evaluation; 0 without one."""

    best_score: float | None
    """Its score."""


def fit(
    method: Method,
    student: nn.Module,
    teacher: Net | None,
    feed: Feed,
    *,
    training: Training,
    accelerator: Accelerator,
    folder: Path,
    watch: Watch,
) -> Fitted:
    """Train `student`, in place, from the newest checkpoint in `folder` or from the start.

    Args:
        method: What to learn.
        student: Network that learns; also a `Net`.
        teacher: Network that is imitated; never changed.
        feed: Batches.
        training: How.
        accelerator: Device, processes and precision.
        folder: Of the checkpoints; made when missing.
        watch: Who evaluates and who is told.

    Returns:
        What the run did.

    Raises:
        MismatchError: If method, student and teacher do not fit; before the first step.
        DivergedError: If the loss or the gradient stops being a number; checkpoints stay.
    """
    method.check(cast(Net, student), teacher)
    session = _open(method, student, teacher, feed, training, accelerator, watch, folder)
    state = session.checkpoints.restore()
    resumed, began = state.step, time.monotonic()
    watch.on_start(resumed)
    for window in session.windows(resumed):
        if training.patience and state.stale >= training.patience:
            break
        session.step(window, state, began)
        session.evaluate(state)
        session.save(state)
    session.close(state)
    return Fitted(
        steps=state.step,
        resumed=resumed,
        seconds=time.monotonic() - began,
        best_step=state.best_step,
        best_score=state.best_score,
    )


@dataclass(frozen=True, kw_only=True)
class _Session:
    """Everything a run holds on to, and the four things it does with it."""

    method: Method
    learner: nn.Module
    teacher: Net | None
    optimizer: Any
    feed: Feed
    training: Training
    accelerator: Accelerator
    watch: Watch
    checkpoints: Checkpoints

    def windows(self, start: int) -> Iterable[list[Batch]]:
        """This process's micro-batches, a list for each step from `start` on."""
        loader = self.feed.loader(start=start, processes=self.accelerator.num_processes)
        return cast(Iterable[list[Batch]], self.accelerator.prepare(loader))

    def step(self, window: list[Batch], state: State, began: float) -> None:
        """One optimizer step; every sum is divided once, by what all processes score."""
        seed_everything(self.training.seed, "step", state.step, self.accelerator.process_index)
        self.learner.train()
        count = self._total(torch.tensor(float(sum(batch.count for batch in window))))
        parts: dict[str, Tensor] = {}
        for number, batch in enumerate(window, start=1):
            alone = nullcontext() if number == len(window) else self.accelerator.no_sync(self.learner)
            with alone:
                with self.accelerator.autocast():
                    terms = self.method.losses(cast(Net, self.learner), self.teacher, batch)
                # Processes average their gradients, so each multiplies by their number: the sum is what
                # counts.
                self.accelerator.backward(sum(terms.values()) * (self.accelerator.num_processes / count))
            parts = {name: parts.get(name, 0.0) + value.detach() for name, value in terms.items()}
        values = self._total(torch.stack([value.float() for value in parts.values()])) / count
        chosen = self.training.optimizer
        norm = self.accelerator.clip_grad_norm_(self.learner.parameters(), chosen.clip or math.inf)
        _require_finite(float(norm), dict(zip(parts, values.tolist(), strict=True)), state.step, window)
        multiplier = rate(
            state.step, total=self.feed.total_steps, warmup=chosen.warmup, shape=chosen.schedule
        )
        for group in self.optimizer.param_groups:
            group["lr"] = chosen.learning_rate * multiplier
        self.optimizer.step()
        self.optimizer.zero_grad()
        state.step += 1
        if self.accelerator.is_main_process:
            self.watch.on_step(
                Step(
                    number=state.step,
                    loss=float(values.sum()),
                    parts=dict(zip(parts, values.tolist(), strict=True)),
                    count=int(count),
                    rate=chosen.learning_rate * multiplier,
                    seconds=time.monotonic() - began,
                )
            )

    def evaluate(self, state: State) -> None:
        """Score on dev when it is time, and keep the best weights."""
        every = self.training.eval_every or self.feed.steps_per_epoch
        if self.watch.evaluate is None or (state.step % every and state.step != self.feed.total_steps):
            return
        scores = self.watch.evaluate(cast(Net, self.learner))
        if self.accelerator.is_main_process:
            self.watch.on_scores(state.step, scores)
        if state.note(next(iter(scores.values()))) and self.training.keep == "best":
            self.checkpoints.save_best(self.learner)

    def save(self, state: State) -> None:
        """Write a checkpoint when it is time."""
        if state.step % self.training.checkpoint_every == 0 or state.step == self.feed.total_steps:
            self.checkpoints.save(state)

    def close(self, state: State) -> None:
        """Put the weights in place that the run is to end with."""
        if self.training.keep == "best" and state.best_score is not None:
            self.checkpoints.load_best(self.learner)

    def _total(self, values: Tensor) -> Tensor:
        """Sum over the processes."""
        return cast(Tensor, self.accelerator.reduce(values.to(self.accelerator.device), "sum"))


def _open(
    method: Method,
    student: nn.Module,
    teacher: Net | None,
    feed: Feed,
    training: Training,
    accelerator: Accelerator,
    watch: Watch,
    folder: Path,
) -> _Session:
    """Hand student and optimizer to accelerate; freeze the teacher."""
    learner, optimizer = accelerator.prepare(student, _adamw(student, training.optimizer))
    if isinstance(teacher, nn.Module):
        teacher.to(accelerator.device).eval()
    return _Session(
        method=method,
        learner=cast(nn.Module, torch.compile(learner)) if training.compile else learner,
        teacher=teacher,
        optimizer=optimizer,
        feed=feed,
        training=training,
        accelerator=accelerator,
        watch=watch,
        checkpoints=Checkpoints(folder=folder, accelerator=accelerator),
    )


def _adamw(student: nn.Module, chosen: Optimizer) -> torch.optim.AdamW:
    """Fused AdamW; vectors do not decay."""
    matrices = [p for p in student.parameters() if p.requires_grad and p.ndim >= 2]
    vectors = [p for p in student.parameters() if p.requires_grad and p.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": chosen.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=chosen.learning_rate, fused=True)


def _require_finite(norm: float, parts: dict[str, float], step: int, window: list[Batch]) -> None:
    """The loss and its gradient must be numbers, before the weights are touched."""
    bad = [name for name, value in (*parts.items(), ("gradient norm", norm)) if not math.isfinite(value)]
    if not bad:
        return
    rows = [int(row) for batch in window if batch.examples is not None for row in batch.examples]
    shown = ", ".join(str(row) for row in rows[:8]) + (", ..." if len(rows) > 8 else "")
    raise DivergedError(
        f"step {step + 1}: {' and '.join(bad)} is not a finite number, on training rows {shown}. "
        "The last checkpoint is kept; lower training.optimizer.learning_rate, or look at these rows."
    )
