"""Callbacks of the training loop, and the results that they receive."""

from collections.abc import Callable
from dataclasses import dataclass, field

from lmdistill.core.protocols import Net


@dataclass(frozen=True, kw_only=True)
class Step:
    """Results of one optimizer step."""

    number: int
    """Number of the step, from 1."""

    loss: float
    """Training loss, averaged over the scored positions of the step."""

    parts: dict[str, float]
    """Average of each loss term by name; their sum is `loss`."""

    count: int
    """Number of scored positions in the step, over all processes."""

    rate: float
    """Learning rate of the step."""

    seconds: float
    """Time in seconds since this process started or resumed the training."""


@dataclass(frozen=True, kw_only=True)
class Callbacks:
    """Functions that the training loop calls; they do not change the training."""

    evaluate: Callable[[Net], dict[str, float]] | None = None
    """Computes dev scores by name, higher is better; the first one selects the best weights. It is called on
    all processes, and the scores of the main process are used. None skips evaluation."""

    on_start: Callable[[int], None] = field(default=lambda step: None)
    """Called once, on the main process, with the number of steps done before this process started."""

    on_step: Callable[[Step], None] = field(default=lambda step: None)
    """Called after every optimizer step, on the main process."""

    on_scores: Callable[[int, dict[str, float]], None] = field(default=lambda step, scores: None)
    """Called after every evaluation with the step and the scores, on the main process."""


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """Summary of a training run."""

    steps: int
    """Optimizer steps in total, including those before the run was resumed."""

    resumed: int
    """Step of the checkpoint that this process resumed from; 0 if it started from the beginning."""

    seconds: float
    """Training time of this process, in seconds."""

    best_step: int
    """Step of the best evaluation; 0 if there was none."""

    best_score: float | None
    """Dev score at `best_step`; None if there was no evaluation."""
