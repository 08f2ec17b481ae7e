"""Student's t distribution, from the functions that `scipy.stats.t` itself calls.

`scipy.stats` takes 0.5 s more to import than `scipy.special`, and a table needs nothing else of it.
"""


def quantile(probability: float, freedom: float) -> float:
    """The value that t falls below with this probability.

    Args:
        probability: In (0, 1).
        freedom: Degrees of freedom, > 0; they need not be whole.

    Examples:
        >>> round(quantile(0.975, 2.0), 3)
        4.303
    """
    from scipy.special import stdtrit  # here: a table of single runs has no interval

    return float(stdtrit(freedom, probability))


def upper_tail(value: float, freedom: float) -> float:
    """The probability that t is larger than `value`.

    Args:
        value: Any number; infinity gives 0.
        freedom: Degrees of freedom, > 0; they need not be whole.

    Examples:
        >>> upper_tail(0.0, 5.0)
        0.5
    """
    from scipy.special import stdtr  # here: a table of single runs has no test

    return float(stdtr(freedom, -value))
