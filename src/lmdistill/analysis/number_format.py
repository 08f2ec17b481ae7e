"""Numbers as text: percent, spread, millions, megabytes, milliseconds, p-values."""

from lmdistill.analysis.footnote_text import ONE_SEED
from lmdistill.analysis.metric_format import NONE, Value, metric_format
from lmdistill.analysis.significance import Spread

SMALLEST_P = 0.001


def percent(value: Value) -> str:
    """Hundredths with two decimals, without a sign for it.

    Examples:
        >>> percent(0.8612), percent(None)
        ('86.12', '–')
    """
    return NONE if value is None else f"{100 * value:.2f}"


def percent_kept(kept: float) -> str:
    """A kept fraction of a network in percent, three digits.

    Examples:
        >>> percent_kept(0.15), percent_kept(1 / 3)
        ('15 %', '33.3 %')
    """
    return f"{100 * kept:.3g} %"


def spread_text(value: Spread | None, metric: str = "accuracy") -> str:
    """Mean and deviation in the manner of a metric; a single value bears a mark.

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


def millions(value: Value) -> str:
    """Millions with two decimals, thousands below one.

    Examples:
        >>> millions(22_713_216), millions(4_312)
        ('22.71 M', '4.3 k')
    """
    if value is None:
        return NONE
    return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{value / 1e3:.1f} k"


def megabytes(value: Value) -> str:
    """Megabytes of 1,000,000 bytes.

    Examples:
        >>> megabytes(90_870_000)
        '90.9 MB'
    """
    return NONE if value is None else f"{value / 1e6:.1f} MB"


def milliseconds(value: Value) -> str:
    """Three digits, roughly.

    Examples:
        >>> milliseconds(123.4), milliseconds(3.217)
        ('123 ms', '3.22 ms')
    """
    return NONE if value is None else f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} ms"


def p_text(value: Value) -> str:
    """Three decimals, or that it is smaller.

    Examples:
        >>> p_text(0.04321), p_text(1e-9)
        ('0.043', '< 0.001')
    """
    if value is None:
        return NONE
    return f"< {SMALLEST_P}" if value < SMALLEST_P else f"{value:.3f}"


def times(value: Value) -> str:
    """How many times as fast."""
    return NONE if value is None else f"{value:.2f} ×"
