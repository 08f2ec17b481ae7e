"""A number with its interval."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its 95 % interval over the draw of the texts."""

    value: float
    """Computed from all texts, as a fraction for shares."""

    low: float
    """Lower end of the interval, in the unit of `value`."""

    high: float
    """Upper end of the interval, in the unit of `value`."""
