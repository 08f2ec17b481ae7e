"""What a run says of itself while it goes on, and when it is over."""

from collections.abc import Callable
from dataclasses import dataclass, field

from lmdistill.core.protocols import Net


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
class Callbacks:
    """Who is told what; watchers cannot change the run."""

    evaluate: Callable[[Net], dict[str, float]] | None = None
    """Scores on dev, better when higher; the first selects. Called on all processes; the main one's count."""

    on_start: Callable[[int], None] = field(default=lambda step: None)
    """Called once, on the main process, with the steps that an earlier process has done."""

    on_step: Callable[[Step], None] = field(default=lambda step: None)
    """Called after every step, on the main process."""

    on_scores: Callable[[int, dict[str, float]], None] = field(default=lambda step, scores: None)
    """Called after every evaluation, on the main process."""


@dataclass(frozen=True, kw_only=True)
class FitResult:
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
