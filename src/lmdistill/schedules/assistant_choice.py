"""Which teacher assistant to distil through, and what it costs to find out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lmdistill.core.errors import ConfigError

LAMBDA = 0.2
"""The published weight of the sparsity: ten points of it weigh as much as two points of the metric."""

FORWARD_COST = 1 / 3
"""A forward pass in steps, where a step is a forward and a backward pass, twice as much work."""


def trade_off(metric: float, kept: float, *, weight: float = LAMBDA) -> float:
    r"""How good an assistant of this quality and size is.

    .. math:: t = m + \lambda (1 - s)

    Args:
        metric: m, of the assistant on dev, as a fraction in [0, 1].
        kept: s, its fraction of the teacher, in (0, 1].
        weight: Lambda, >= 0.

    Raises:
        ConfigError: If lambda is below 0.

    Examples:
        >>> round(trade_off(0.870, 0.2), 3)  # MRPC in the paper's pilot figure
        1.03

    References:
        Zhang et al., "MiniDisc: Minimal Distillation Schedule for Language Model Compression", 2022.
    """
    require_weight(weight)
    return metric + weight * (1 - kept)


def require_weight(weight: float) -> None:
    """Lambda must be >= 0; NaN never is."""
    if not weight >= 0:
        raise ConfigError(f"lam must be >= 0, got {weight:g}. 0.2 is the published value.")


def choose_assistant(
    metrics: Mapping[float, float], *, target: float, weight: float = LAMBDA, skip: bool = False
) -> float:
    """The kept fraction of the best assistant.

    Args:
        metrics: Dev metric of each candidate in [0, 1], by its kept fraction; the target and smaller ones may
            be among them.
        target: What the student keeps.
        weight: Lambda, >= 0.
        skip: Whether the target may win too, which means that no assistant pays.

    Returns:
        The fraction with the largest score; of equal ones the largest fraction.

    Raises:
        ConfigError: If no candidate is larger than the target.

    References:
        Zhang et al., 2022. The pilot figure scores only assistants larger than the student. The released
        code lets all candidates compete and then goes no further than the target: `skip`. With the figure's
        own numbers for MRPC that takes no assistant at all, so it is not our default.
    """
    larger = {kept: metric for kept, metric in metrics.items() if kept > target}
    if not larger:
        raise ConfigError(
            f"no candidate is larger than the target, which keeps {target:g}. Raise schedule.largest, or use "
            "schedule direct."
        )
    able = metrics if skip else larger
    best = max(able, key=lambda kept: (trade_off(able[kept], kept, weight=weight), kept))
    return max(best, target)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Work in teacher-steps: forward and backward pass of the whole encoder on one batch."""

    joint: float
    """Training the candidates, together or one by one."""

    finish: float
    """Training students from assistants."""

    @property
    def total(self) -> float:
        """All of it."""
        return self.joint + self.finish


def step_cost(kept: Sequence[float], *, teacher: float = 1.0) -> float:
    """Work of one step, in teacher-steps: a pass of the teacher, and a step of every network that learns.

    Encoder only; embeddings and heads are left out, as in the published count.

    Args:
        kept: Fractions of what learns together.
        teacher: Fraction of the one they learn from.

    Examples:
        >>> round(step_cost((0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05)) - FORWARD, 2)
        1.7
    """
    return FORWARD_COST * teacher + sum(kept)


def maxidisc_cost(candidates: Sequence[float], *, target: float, steps: int) -> Cost:
    """Work of trying every larger candidate in turn: a run for it, and one from it to the target."""
    tried = [kept for kept in candidates if kept > target]
    return Cost(
        joint=sum(steps * step_cost((kept,)) for kept in tried),
        finish=sum(steps * step_cost((target,), teacher=kept) for kept in tried),
    )
