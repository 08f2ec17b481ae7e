"""MiniDisc's trade-off score of an assistant: quality against size."""

from lmdistill.core.errors import ConfigError

LAMBDA = 0.2
"""The published weight of sparsity: 10 points of sparsity count as much as 2 points of the metric."""


def trade_off(metric: float, kept: float, *, weight: float = LAMBDA) -> float:
    r"""Trade-off score of an assistant: its metric plus lambda times its sparsity.

    .. math:: t = m + \lambda (1 - s)

    Args:
        metric: m, the dev metric of the assistant, a fraction in [0, 1].
        kept: s, the fraction of the teacher that it keeps, in (0, 1].
        weight: Lambda, >= 0.

    Raises:
        ConfigError: If lambda is negative.

    Examples:
        >>> round(trade_off(0.870, 0.2), 3)  # MRPC in the paper's pilot figure
        1.03

    References:
        Zhang et al., "MiniDisc: Minimal Distillation Schedule for Language Model Compression", 2022.
    """
    require_weight(weight)
    return metric + weight * (1 - kept)


def require_weight(weight: float) -> None:
    """Refuse a lambda that is negative or NaN."""
    if not weight >= 0:
        raise ConfigError(f"lam must be >= 0, got {weight:g}. 0.2 is the published value.")
