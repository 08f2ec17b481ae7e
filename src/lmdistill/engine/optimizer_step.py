"""One optimizer step: gradients accumulated over micro-batches, then the update of the weights."""

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
from lmdistill.engine.term_weights import known_counts, with_term_weights
from lmdistill.engine.training_settings import Optimizer, Training

ROWS_SHOWN = 8
"""Maximum number of training rows listed in an error message."""


@dataclass(frozen=True, kw_only=True)
class StepLoss:
    """Loss and gradient norm of one optimizer step, over all processes."""

    parts: dict[str, float]
    """Average of each loss term over the scored positions, by name."""

    count: int
    """Number of scored positions."""

    norm: float
    """Euclidean norm of the gradient before clipping."""

    @property
    def loss(self) -> float:
        """The training loss: the sum of its terms."""
        return math.fsum(self.parts.values())

    @property
    def not_finite(self) -> list[str]:
        """Names of the values that are NaN or infinite: loss terms, or "gradient norm"."""
        values = (*self.parts.items(), ("gradient norm", self.norm))
        return [name for name, value in values if not math.isfinite(value)]


@dataclass(frozen=True, kw_only=True)
class Learner:
    """A student with everything that a training step needs."""

    method: Method
    """Computes the loss."""

    network: nn.Module
    """The student as accelerate has wrapped it."""

    forward: Net
    """The network that is called: `network`, or its compiled version if `training.compile` is set."""

    teacher: Net | None
    """Network to learn from; None for methods without a teacher."""

    optimizer: Any
    """AdamW, as accelerate has wrapped it."""

    training: Training
    """Batch size, precision, optimizer and the other settings of the recipe's `training`."""

    accelerator: Accelerator
    """Device and processes."""

    def gradients(self, window: list[Batch]) -> StepLoss:
        """Compute the gradient of one step, clip it, and store it in the parameters.

        The losses of all micro-batches and processes are summed and divided once, by the number of scored
        positions.

        Args:
            window: The micro-batches of this process.
        """
        self.network.train()
        window = self._with_prepass([batch.to(self.accelerator.device) for batch in window])
        window, count = self._weighed(window)
        sums: dict[str, Tensor] = {}
        for batch_number, batch in enumerate(window, start=1):
            closures = self._loss_closures(batch)
            for closure_number, closure in enumerate(closures, start=1):
                is_last = batch_number == len(window) and closure_number == len(closures)
                with nullcontext() if is_last else self.accelerator.no_sync(self.network):
                    with self._autocast():
                        terms = closure()
                    # Gradients are averaged over processes, so multiply by their number to get the sum.
                    self.accelerator.backward(sum(terms.values()) * (self.accelerator.num_processes / count))
                sums |= {name: sums.get(name, 0.0) + value.detach() for name, value in terms.items()}
        means = self._sum_over_processes(torch.stack([value.float() for value in sums.values()])) / count
        norm = self.accelerator.clip_grad_norm_(
            self.network.parameters(), self.training.optimizer.clip or math.inf
        )
        parts = dict(zip(sums, means.tolist(), strict=True))
        return StepLoss(parts=parts, count=int(count), norm=float(norm))

    def _weighed(self, window: list[Batch]) -> tuple[list[Batch], Tensor]:
        """The same batches with the factors of their terms, and the scored positions of all processes."""
        counts = [batch.count for batch in window]
        local = [float(sum(counts)), float(sum(count > 0 for count in counts)), *known_counts(window)]
        count, batches, *known = self._sum_over_processes(torch.tensor(local)).unbind()
        shares = [count / (batches * max(number, 1)) for number in counts]
        weighed = [replace(one, equal_share=share) for one, share in zip(window, shares, strict=True)]
        return [with_term_weights(one, known) for one in weighed], count

    def _loss_closures(self, batch: Batch) -> Sequence[Callable[[], dict[str, Tensor]]]:
        """Functions that compute the loss terms of a micro-batch; a backward pass follows each of them."""
        if isinstance(self.method, MultiBackwardMethod):
            return self.method.loss_closures(self.forward, self.teacher, batch)
        return (partial(self.method.losses, self.forward, self.teacher, batch),)

    def update(self, rate: float) -> None:
        """Update the weights with learning rate `rate`, and reset the gradients."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _with_prepass(self, window: list[Batch]) -> list[Batch]:
        """The batches with the teacher's prepass and the scores of the step, if the method needs them."""
        method = self.method
        if not isinstance(method, PrepassMethod) or not method.needs_prepass:
            return window
        with torch.no_grad(), self._autocast():
            passes = [method.prepass(self.teacher, batch) for batch in window]
        step_scores = self._gather(torch.cat([prepass.scores for prepass in passes]))
        return [
            replace(batch, prepass=replace(prepass, step_scores=step_scores))
            for batch, prepass in zip(window, passes, strict=True)
        ]

    def _gather(self, values: Tensor) -> Tensor:
        """Concatenate the values of all processes, whose lengths may differ."""
        sizes = self.accelerator.gather(torch.tensor([len(values)], device=values.device)).tolist()
        padded = self.accelerator.gather(self.accelerator.pad_across_processes(values))
        parts = cast(Tensor, padded).view(len(sizes), -1)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    def _autocast(self) -> torch.autocast:
        """Run forward passes in bfloat16 if the recipe says so."""
        mixed = self.training.precision == "bf16"
        return torch.autocast(self.accelerator.device.type, dtype=torch.bfloat16, enabled=mixed)

    def _sum_over_processes(self, values: Tensor) -> Tensor:
        """The elementwise sum of `values` over all processes."""
        return cast(Tensor, self.accelerator.reduce(values.to(self.accelerator.device), "sum"))


def make_learner(
    method: Method, student: nn.Module, teacher: Net | None, *, training: Training, accelerator: Accelerator
) -> Learner:
    """Prepare a student for training.

    Args:
        method: Computes the loss.
        student: Network to train; accelerate moves it to the device and wraps it.
        teacher: Network to learn from; it is moved to the device and put in evaluation mode.
        training: Training settings.
        accelerator: Device and processes.
    """
    network, optimizer = accelerator.prepare(student, _adamw(student, training.optimizer))
    for name in (*Net.__annotations__, *LanguageNet.__annotations__) if network is not student else ():
        if hasattr(student, name):  # methods read these attributes, which a distributed wrapper lacks
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
    """Check that the loss and its gradient are finite, before the weights are updated.

    Args:
        terms: Loss and gradient norm of the step.
        step: Number of the step, from 1.
        window: The micro-batches of this process.

    Raises:
        DivergedError: If a value is NaN or infinite; on every process, with the training rows of the step.
    """
    if not terms.not_finite:
        return
    examples = [batch.examples for batch in window if batch.examples is not None]
    rows = gather_object([row for numbers in examples for row in numbers.tolist()])
    shown = ", ".join(map(str, rows[:ROWS_SHOWN])) + (", ..." if len(rows) > ROWS_SHOWN else "")
    masked = (
        " A divergence is infinite where only one network masks an output (a logit of -inf): mask it in "
        "both, or use jensen_shannon."
    )
    raise DivergedError(
        f"step {step}: {' and '.join(terms.not_finite)} is not a finite number, on training rows {shown}. "
        "The last checkpoint is kept; lower training.optimizer.learning_rate, or look at these rows."
        + (masked if math.inf in terms.parts.values() else "")
    )


def _adamw(student: nn.Module, settings: Optimizer) -> torch.optim.AdamW:
    """Fused AdamW without weight decay for vectors (biases and norms)."""
    matrices = [p for p in student.parameters() if p.requires_grad and p.ndim >= 2]
    vectors = [p for p in student.parameters() if p.requires_grad and p.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.rate, fused=True)
