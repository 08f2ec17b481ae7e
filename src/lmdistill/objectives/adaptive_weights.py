"""ATKD's split into easy and hard positions, and the weights of the loss terms there."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lmdistill.core.errors import ConfigError


def hard_positions(
    log_uncertainty: Float[Tensor, " n"],
    pool: Float[Tensor, " s"],
    *,
    share: float = 0.5,
    lower_median: bool = False,
) -> Bool[Tensor, " n"]:
    """Whether each position is hard: among those of a pool at which the teacher is most uncertain.

    The ceil(share * s) most uncertain positions of the pool are hard. Positions that tie with the last of
    these are hard as well. The order of the pool does not matter.

    Args:
        log_uncertainty: The teacher's log(1 - p(target)) at n positions, in nats, < 0.
        pool: The same at all s positions of the micro-batch or of the whole step, including these n.
        share: Fraction of the pool that is hard, in (0, 1).
        lower_median: As in the released code, whose threshold is the lower median: floor(share * s) + 1 are
            hard, one more where share * s is a whole number.

    Returns:
        One truth value for each of the n positions; all false for an empty pool.

    Raises:
        ConfigError: If `share` is out of range.

    Examples:
        >>> pool = torch.tensor([-3.0, -1.0, -2.0, -4.0])
        >>> hard_positions(pool, pool)
        tensor([False,  True,  True, False])
        >>> hard_positions(pool, pool, lower_median=True)
        tensor([ True,  True,  True, False])

    References:
        Zhong et al., 2024, section 4: the top k = 50 % are hard. Deviation by default: of an even number N of
        positions N / 2 are hard, and N / 2 + 1 in the released code.
    """
    if not 0 < share < 1:
        raise ConfigError(f"share must be in (0, 1), got {share}.")
    if len(pool) == 0:
        return torch.zeros_like(log_uncertainty, dtype=torch.bool)
    return log_uncertainty >= _threshold(pool, share, lower_median)


def adaptive_weights(
    log_uncertainty: Float[Tensor, " n"],
    pool: Float[Tensor, " s"],
    *,
    share: float = 0.5,
    easy_weight: float = 0.2,
    lower_median: bool = False,
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    r"""Weights of the target term and of the diversity term at each position.

    .. math:: L = \lambda \, mean_{easy}(D) + (1 - \lambda) \, mean_{hard}(T + D)

    D is the diversity term and T the target term. The weighted sum over the whole pool, divided by its size
    s, is L: easy positions have the weights 0 (target) and lambda s / s_easy (diversity), hard positions
    (1 - lambda) s / s_hard for both. If all positions tie, all are hard and the mean over the easy ones is 0;
    the weight of the hard ones remains 1 - lambda.

    Args:
        log_uncertainty: The teacher's log(1 - p(target)) at n positions, in nats, < 0.
        pool: The same at all s positions over which the means are taken; see `hard_positions`.
        share: Fraction of the pool that is hard, in (0, 1).
        easy_weight: lambda, in [0, 1].
        lower_median: Split as the released code does; see `hard_positions`.

    Returns:
        Weights of the target term and of the diversity term at the n positions, >= 0.

    Raises:
        ConfigError: If a setting is out of range.

    Examples:
        >>> pool = torch.tensor([-3.0, -1.0, -2.0, -4.0])
        >>> target, diversity = adaptive_weights(pool, pool)
        >>> target
        tensor([0.0000, 1.6000, 1.6000, 0.0000])
        >>> diversity
        tensor([0.4000, 1.6000, 1.6000, 0.4000])

    References:
        Zhong et al., 2024, section 4, lambda = 0.2. Each mean is taken over its own subset.
    """
    if not 0 <= easy_weight <= 1:
        raise ConfigError(f"easy_weight must be in [0, 1], got {easy_weight}.")
    hard = hard_positions(log_uncertainty, pool, share=share, lower_median=lower_median)
    all_hard = hard_positions(pool, pool, share=share, lower_median=lower_median)
    num_hard = all_hard.sum().to(log_uncertainty.dtype)
    on_hard = (1 - easy_weight) * len(pool) / num_hard.clamp(min=1)
    on_easy = easy_weight * len(pool) / (len(pool) - num_hard).clamp(min=1)
    return on_hard * hard, torch.where(hard, on_hard, on_easy)


def _threshold(pool: Float[Tensor, " s"], share: float, lower_median: bool) -> Float[Tensor, ""]:
    """The lowest uncertainty of the hard positions."""
    count = math.ceil(share * len(pool) - 1e-9)  # in floats, 0.55 * 100 is slightly more than 55
    if lower_median:
        count = min(math.floor(share * len(pool) + 1e-9) + 1, len(pool))
    return pool.topk(count, sorted=False).values.amin()
