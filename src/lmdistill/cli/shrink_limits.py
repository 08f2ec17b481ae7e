"""Limits and lists that are written on the command line of `lmdistill shrink`."""

import math

from lmdistill.core.errors import ConfigError
from lmdistill.studies.shrink.limits import BYTES, COUNTS, MILLISECONDS, Limits, quantity


def limits_of(
    max_latency: str | None,
    max_p95: str | None,
    max_size: str | None,
    max_params: str | None,
    min_quality: float | None,
    min_agreement: float | None,
) -> Limits:
    """The limits from the texts of their options.

    Raises:
        ConfigError: If one is no number with a unit, out of its range, or contradicts another.
    """
    return Limits(
        latency_ms=None if max_latency is None else quantity("--max-latency", max_latency, MILLISECONDS),
        p95_ms=None if max_p95 is None else quantity("--max-p95", max_p95, MILLISECONDS),
        bytes=None if max_size is None else quantity("--max-size", max_size, BYTES),
        parameters=None if max_params is None else quantity("--max-params", max_params, COUNTS),
        quality=min_quality,
        agreement=min_agreement,
    )


def numbers(option: str, text: str | None, *, whole: bool = False) -> tuple[float, ...]:
    """Numbers separated by commas; none for None.

    Args:
        option: What they were given to, for the message.
        text: Such as `1,0.5`.
        whole: Whether only whole numbers are accepted.

    Raises:
        ConfigError: If a part is no such number.

    Examples:
        >>> numbers("--widths", "1, 0.5")
        (1.0, 0.5)
    """
    found = []
    for part in text.split(",") if text is not None else ():
        try:
            value = float(part)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or (whole and value != int(value)):
            kind = "whole numbers" if whole else "numbers"
            raise ConfigError(f"{option} must be {kind} with commas between them, got {text!r}.")
        found.append(value)
    return tuple(found)
