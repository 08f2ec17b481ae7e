"""Quantiles and tail probabilities of Student's t distribution.

They call the functions of `scipy.special` that `scipy.stats.t` uses, because importing `scipy.stats` takes
0.5 s longer.
"""


def quantile(probability: float, freedom: float) -> float:
    """The value that t is below with the given probability.

    Args:
        probability: Probability in (0, 1).
        freedom: Degrees of freedom, > 0, not necessarily an integer.

    Examples:
        >>> round(quantile(0.975, 2.0), 3)
        4.303
    """
    from scipy.special import stdtrit  # imported here, because a table of single runs has no interval

    return float(stdtrit(freedom, probability))


def upper_tail(value: float, freedom: float) -> float:
    """The probability that t is larger than `value`.

    Args:
        value: Any number; infinity gives 0.
        freedom: Degrees of freedom, > 0, not necessarily an integer.

    Examples:
        >>> upper_tail(0.0, 5.0)
        0.5
    """
    from scipy.special import stdtr  # imported here, because a table of single runs has no test

    return float(stdtr(freedom, -value))
