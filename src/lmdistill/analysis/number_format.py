"""Numbers as text: percent, mean and deviation, millions, megabytes, milliseconds, p-values."""

from lmdistill.analysis.footnote_text import ONE_SEED
from lmdistill.analysis.metric_format import NONE, Value, metric_format
from lmdistill.analysis.significance import Spread

SMALLEST_P = 0.001
"""Smaller p-values are shown as `< 0.001`."""


def percent(value: Value) -> str:
    """A fraction in percent with two decimals, without the percent sign.

    Examples:
        >>> percent(0.8612), percent(None)
        ('86.12', '–')
    """
    return NONE if value is None else f"{100 * value:.2f}"


def percent_kept(kept: float) -> str:
    """The kept fraction of a network in percent, three significant digits.

    Examples:
        >>> percent_kept(0.15), percent_kept(1 / 3)
        ('15 %', '33.3 %')
    """
    return f"{100 * kept:.3g} %"


def spread_text(value: Spread | None, metric: str = "accuracy") -> str:
    """Mean and standard deviation in the format of `metric`; a single value is marked with ‡.

    Examples:
        >>> spread_text(Spread(mean=0.5, sd=0.01, count=3)), spread_text(Spread(mean=0.5, sd=None, count=1))
        ('50.00 ± 1.00', '50.00 ‡')
        >>> spread_text(Spread(mean=2.0614, sd=0.0123, count=3), "nats")
        '2.061 ± 0.012'
    """
    if value is None:
        return NONE
    text = metric_format(metric).text
    return f"{text(value.mean)} {ONE_SEED}" if value.sd is None else f"{text(value.mean)} ± {text(value.sd)}"


def layers_text(layers: int) -> str:
    """Number of layers in words; without any it is a linear model.

    Examples:
        >>> layers_text(0), layers_text(1), layers_text(6)
        ('linear', '1 layer', '6 layers')
    """
    return f"{layers} layer{'' if layers == 1 else 's'}" if layers else "linear"


def millions(value: Value) -> str:
    """Millions (M) with two decimals, or thousands (k) for less than a million.

    Examples:
        >>> millions(22_713_216), millions(4_312)
        ('22.71 M', '4.3 k')
    """
    if value is None:
        return NONE
    return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{value / 1e3:.1f} k"


def megabytes(value: Value) -> str:
    """Bytes in megabytes of 1,000,000 bytes, one decimal.

    Examples:
        >>> megabytes(90_870_000)
        '90.9 MB'
    """
    return NONE if value is None else f"{value / 1e6:.1f} MB"


def milliseconds(value: Value) -> str:
    """A time in milliseconds with its unit and about three significant digits.

    Examples:
        >>> milliseconds(123.4), milliseconds(3.217)
        ('123 ms', '3.22 ms')
    """
    return NONE if value is None else f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} ms"


def p_text(value: Value) -> str:
    """A p-value with three decimals, or `< 0.001`.

    Examples:
        >>> p_text(0.04321), p_text(1e-9)
        ('0.043', '< 0.001')
    """
    if value is None:
        return NONE
    return f"< {SMALLEST_P}" if value < SMALLEST_P else f"{value:.3f}"


def times(value: Value) -> str:
    """A ratio with two decimals and the multiplication sign, such as `1.82 ×`."""
    return NONE if value is None else f"{value:.2f} ×"
