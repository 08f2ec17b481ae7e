"""One optimizer step: micro-batches to gradients, gradients to weights."""

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor, nn

from lmdistill.core.batch import Batch
from lmdistill.core.errors import DivergedError
from lmdistill.core.protocols import LanguageNet, Method, MultiBackwardMethod, Net, PrepassMethod
from lmdistill.engine.training_settings import Optimizer, Training

ROWS_SHOWN = 8
"""Training rows that a message names, at most."""


@dataclass(frozen=True, kw_only=True)
class StepLoss:
    """The objective of one step, over all processes."""

    parts: dict[str, float]
    """Its terms, means over scored positions."""

    count: int
    """Scored positions."""

    norm: float
    """Length of the gradient before it was clipped."""

    @property
    def loss(self) -> float:
        """What was minimised."""
        return math.fsum(self.parts.values())

    @property
    def not_finite(self) -> list[str]:
        """Names of what is no number."""
        named = (*self.parts.items(), ("gradient norm", self.norm))
        return [name for name, value in named if not math.isfinite(value)]


@dataclass(frozen=True, kw_only=True)
class Learner:
    """A student, prepared for the processes it is trained by."""

    method: Method
    """What it learns."""

    network: nn.Module
    """The student as accelerate wraps it."""

    forward: Net
    """The same, compiled where that was asked for."""

    teacher: Net | None
    """Who is imitated."""

    optimizer: Any
    """AdamW, as accelerate wraps it."""

    training: Training
    """How."""

    accelerator: Accelerator
    """Device and processes."""

    def gradients(self, window: list[Batch]) -> StepLoss:
        """Leave the clipped gradient of a step in the weights; every sum is divided once, by all that counts.

        Args:
            window: This process's micro-batches.
        """
        self.network.train()
        window = self._surveyed([batch.to(self.accelerator.device) for batch in window])
        count = self._total(torch.tensor(float(sum(batch.count for batch in window))))
        sums: dict[str, Tensor] = {}
        for number, batch in enumerate(window, start=1):
            pieces = self._pieces(batch)
            for place, piece in enumerate(pieces, start=1):
                is_last = number == len(window) and place == len(pieces)
                with nullcontext() if is_last else self.accelerator.no_sync(self.network):
                    with self._precision():
                        terms = piece()
                    # Processes average their gradients; times their number, that is the sum.
                    self.accelerator.backward(sum(terms.values()) * (self.accelerator.num_processes / count))
                sums |= {name: sums.get(name, 0.0) + value.detach() for name, value in terms.items()}
        means = self._total(torch.stack([value.float() for value in sums.values()])) / count
        norm = self.accelerator.clip_grad_norm_(
            self.network.parameters(), self.training.optimizer.clip or math.inf
        )
        parts = dict(zip(sums, means.tolist(), strict=True))
        return StepLoss(parts=parts, count=int(count), norm=float(norm))

    def _pieces(self, batch: Batch) -> Sequence[Callable[[], dict[str, Tensor]]]:
        """What is done with a micro-batch, each with a backward pass of its own."""
        if isinstance(self.method, MultiBackwardMethod):
            return self.method.loss_closures(self.forward, self.teacher, batch)
        return (partial(self.method.losses, self.forward, self.teacher, batch),)

    def update(self, rate: float) -> None:
        """Move the weights along the gradient, at this learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _surveyed(self, window: list[Batch]) -> list[Batch]:
        """The same batches, each with a view of the whole step, for methods that ask for one."""
        method = self.method
        if not isinstance(method, PrepassMethod) or not method.needs_prepass:
            return window
        with torch.no_grad(), self._precision():
            found = [method.prepass(self.teacher, batch) for batch in window]
        step = self._gathered(torch.cat([one.scores for one in found]))
        return [
            replace(batch, prepass=replace(one, step_scores=step))
            for batch, one in zip(window, found, strict=True)
        ]

    def _gathered(self, values: Tensor) -> Tensor:
        """The values of all processes, which need not have equally many, one after another."""
        sizes = self.accelerator.gather(torch.tensor([len(values)], device=values.device)).tolist()
        padded = self.accelerator.gather(self.accelerator.pad_across_processes(values))
        parts = cast(Tensor, padded).view(len(sizes), -1)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    def _precision(self) -> torch.autocast:
        """Forward passes in the recipe's arithmetic."""
        mixed = self.training.precision == "bf16"
        return torch.autocast(self.accelerator.device.type, dtype=torch.bfloat16, enabled=mixed)

    def _total(self, values: Tensor) -> Tensor:
        """Sum over the processes."""
        return cast(Tensor, self.accelerator.reduce(values.to(self.accelerator.device), "sum"))


def make_learner(
    method: Method, student: nn.Module, teacher: Net | None, *, training: Training, accelerator: Accelerator
) -> Learner:
    """Hand student and optimizer to accelerate; move the teacher to the device and switch its dropout off."""
    network, optimizer = accelerator.prepare(student, _adamw(student, training.optimizer))
    for name in (*Net.__annotations__, *LanguageNet.__annotations__) if network is not student else ():
        if hasattr(student, name):  # methods ask for them, and a wrapper has none
            setattr(network, name, getattr(student, name))
    if isinstance(teacher, nn.Module):
        teacher.to(accelerator.device).eval()
    return Learner(
        method=method,
        network=network,
        forward=cast(Net, torch.compile(network) if training.compile else network),
        teacher=teacher,
        optimizer=optimizer,
        training=training,
        accelerator=accelerator,
    )


def require_finite(terms: StepLoss, step: int, window: list[Batch]) -> None:
    """The loss and its gradient must be numbers, before the weights are touched.

    Raises:
        DivergedError: On every process, naming the step (from 1) and its rows, if one of them is not.
    """
    if not terms.not_finite:
        return
    examples = [batch.examples for batch in window if batch.examples is not None]
    rows = gather_object([row for some in examples for row in some.tolist()])
    shown = ", ".join(map(str, rows[:ROWS_SHOWN])) + (", ..." if len(rows) > ROWS_SHOWN else "")
    raise DivergedError(
        f"step {step}: {' and '.join(terms.not_finite)} is not a finite number, on training rows {shown}. "
        "The last checkpoint is kept; lower training.optimizer.learning_rate, or look at these rows."
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
