"""The choice of a teacher assistant, and the cost of finding it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lmdistill.core.errors import ConfigError
from lmdistill.schedules.trade_off import LAMBDA, trade_off

FORWARD_COST = 1 / 3
"""Cost of a forward pass in training steps; a backward pass costs twice as much as a forward pass."""


def choose_assistant(
    metrics: Mapping[float, float], *, target: float, weight: float = LAMBDA, skip: bool = False
) -> float:
    """The kept fraction of the candidate with the best trade-off score.

    Args:
        metrics: Dev metric of each candidate, in [0, 1], by its kept fraction. Candidates that are not larger
            than the target may be included.
        target: Fraction that the student keeps, in (0, 1].
        weight: Lambda, >= 0.
        skip: Let all candidates compete. If the best is not larger than the target, the target is returned,
            which means that no assistant is used.

    Returns:
        The fraction with the highest score; of equal scores the largest fraction.

    Raises:
        ConfigError: If no candidate is larger than the target.

    References:
        Zhang et al., 2022. The pilot figure scores only assistants that are larger than the student. The
        released code lets all candidates compete, as `skip` does. With the figure's numbers for MRPC it uses
        no assistant at all, so it is not the default here.
    """
    larger = {kept: metric for kept, metric in metrics.items() if kept > target}
    if not larger:
        raise ConfigError(
            f"no candidate is larger than the target, which keeps {target:g}. Raise schedule.largest, or use "
            "schedule direct."
        )
    eligible = metrics if skip else larger
    best = max(eligible, key=lambda kept: (trade_off(eligible[kept], kept, weight=weight), kept))
    return max(best, target)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Training cost in teacher-steps: a forward and a backward pass of the full encoder on one batch."""

    joint: float
    """Cost of training the candidates, jointly or one by one."""

    finish: float
    """Cost of training students from assistants."""

    @property
    def total(self) -> float:
        """The sum of both."""
        return self.joint + self.finish


def step_cost(kept: Sequence[float], *, teacher: float = 1.0) -> float:
    """Cost of one step in teacher-steps: a forward pass of the teacher and a training step of each student.

    Only the encoder is counted, without embeddings and heads, as in the paper.

    Args:
        kept: Kept fraction of each network that is trained in the step, in (0, 1].
        teacher: Kept fraction of the network that teaches them, in (0, 1].

    Examples:
        >>> round(step_cost((0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05)) - FORWARD_COST, 2)
        1.7
    """
    return FORWARD_COST * teacher + sum(kept)


def maxidisc_cost(candidates: Sequence[float], *, target: float, steps: int) -> Cost:
    """Cost of MaxiDisc: for each larger candidate, train it and then train the target from it.

    Args:
        candidates: Kept fractions; only those above the target are used.
        target: Fraction that the student keeps.
        steps: Optimizer steps of each training.
    """
    tried = [kept for kept in candidates if kept > target]
    return Cost(
        joint=sum(steps * step_cost((kept,)) for kept in tried),
        finish=sum(steps * step_cost((target,), teacher=kept) for kept in tried),
    )
