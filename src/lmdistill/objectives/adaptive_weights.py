"""Which positions are hard, and what each part of a divergence weighs there (ATKD)."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lmdistill.core.errors import ConfigError


def hard_positions(
    log_uncertainty: Float[Tensor, " n"], pool: Float[Tensor, " s"], *, share: float = 0.5
) -> Bool[Tensor, " n"]:
    """Whether each position is among the most uncertain share of a pool.

    The ceil(share * s) most uncertain of the pool are hard, and with them everything that is exactly as
    uncertain as the last of these: ties go hard. The order of the pool means nothing.

    Args:
        log_uncertainty: The teacher's log(1 - p(target)) at the positions asked about.
        pool: The same at all positions that are compared: the micro-batch, or the whole step. The positions
            asked about are part of it.
        share: Of the pool, in (0, 1).

    Returns:
        One answer a position. Where the pool is empty, nobody is asked.

    Raises:
        ConfigError: `share` is out of range.

    Examples:
        >>> pool = torch.tensor([-3.0, -1.0, -2.0, -4.0])
        >>> hard_positions(pool, pool)
        tensor([False,  True,  True, False])

    References:
        Zhong et al., 2024, section 4: the top k = 50 % are hard. Deviation: the released code puts the
        threshold at the lower median, so that of an even number N of positions N / 2 + 1 are hard; ours are
        N / 2.
    """
    if not 0 < share < 1:
        raise ConfigError(f"share must be in (0, 1), got {share}.")
    if len(pool) == 0:
        return torch.zeros_like(log_uncertainty, dtype=torch.bool)
    return log_uncertainty >= _threshold(pool, share)


def adaptive_weights(
    log_uncertainty: Float[Tensor, " n"],
    pool: Float[Tensor, " s"],
    *,
    share: float = 0.5,
    easy_weight: float = 0.2,
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    r"""What the target part and the diversity part of a divergence weigh at each position.

    .. math:: L = \lambda \, mean_{easy}(D) + (1 - \lambda) \, mean_{hard}(T + D)

    The weights are for sums that are divided once by the size of the pool, s, and over the whole pool such a
    sum is then L: easy positions weigh 0 and lambda s / s_easy, hard ones (1 - lambda) s / s_hard both times.
    Where all positions tie, none is easy, and the first mean is 0: the hard ones keep their weight and do not
    take over lambda.

    Args:
        log_uncertainty: The teacher's log(1 - p(target)) at the positions to be weighed.
        pool: The same at all positions over which the means are taken; see `hard_positions`.
        share: Of the pool that is hard, in (0, 1).
        easy_weight: lambda, in [0, 1].

    Returns:
        Weights of the target part and of the diversity part, >= 0.

    Raises:
        ConfigError: A setting is out of range.

    Examples:
        >>> pool = torch.tensor([-3.0, -1.0, -2.0, -4.0])
        >>> target, diversity = adaptive_weights(pool, pool)
        >>> target
        tensor([0.0000, 1.6000, 1.6000, 0.0000])
        >>> diversity
        tensor([0.4000, 1.6000, 1.6000, 0.4000])

    References:
        Zhong et al., 2024, section 4, lambda = 0.2. Each mean is over its own subset.
    """
    if not 0 <= easy_weight <= 1:
        raise ConfigError(f"easy_weight must be in [0, 1], got {easy_weight}.")
    hard = hard_positions(log_uncertainty, pool, share=share)
    num_hard = hard_positions(pool, pool, share=share).sum().to(log_uncertainty.dtype)
    on_hard = (1 - easy_weight) * len(pool) / num_hard.clamp(min=1)
    on_easy = easy_weight * len(pool) / (len(pool) - num_hard).clamp(min=1)
    return on_hard * hard, torch.where(hard, on_hard, on_easy)


def _threshold(pool: Float[Tensor, " s"], share: float) -> Float[Tensor, ""]:
    """The least uncertainty that is hard."""
    count = math.ceil(share * len(pool) - 1e-9)  # a product such as 0.55 * 100 is a little above 55
    return pool.topk(count).values[-1]
