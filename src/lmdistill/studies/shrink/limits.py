"""Limits of a student: how fast, how small and how good it must be, all of them together."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

from lmdistill.core.errors import ConfigError

NUMBER = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*([a-zA-Z]*)\s*")

MILLISECONDS: Mapping[str, float] = MappingProxyType({"us": 1e-3, "ms": 1.0, "s": 1e3})
"""Unit of time in milliseconds."""

BYTES: Mapping[str, float] = MappingProxyType(
    {"B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
)
"""Unit of size in bytes; MB is a million, as on a disk."""

COUNTS: Mapping[str, float] = MappingProxyType({"": 1, "K": 1e3, "k": 1e3, "M": 1e6, "B": 1e9})
"""Unit of numbers of parameters."""


def quantity(option: str, text: str, units: Mapping[str, float]) -> float:
    """The value of a number with a unit, in the base unit.

    Args:
        option: What it was given to, for the message.
        text: Such as `5ms` or `20 MB`.
        units: Unit to its size in the base unit; with `""` a plain number is accepted.

    Raises:
        ConfigError: If it is no positive number with one of the units.

    Examples:
        >>> quantity("--max-latency", "5ms", MILLISECONDS), quantity("--max-size", "20 MB", BYTES)
        (5.0, 20000000.0)
    """
    found = NUMBER.fullmatch(text)
    known = [unit for unit in units if unit]
    if found is None or found[2] not in units:
        raise ConfigError(
            f"{option} must be a number with a unit ({', '.join(known)}), got {text!r}. "
            f"Write it as in {option} 5{known[1] if len(known) > 1 else known[0]}."
        )
    value = float(found[1]) * units[found[2]]
    if not 0 < value < math.inf:
        raise ConfigError(f"{option} must be above 0 and finite, got {text!r}.")
    return value


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits that a student must keep, all of them; None is no limit."""

    latency_ms: float | None = None
    """Most milliseconds from one text to its answer, the median over the texts."""

    p95_ms: float | None = None
    """The same, the 95th percentile."""

    bytes: float | None = None
    """Largest file of the graph."""

    parameters: float | None = None
    """Most parameters of the network."""

    quality: float | None = None
    """Least headline score on dev, as a fraction, computed with the graph."""

    agreement: float | None = None
    """Least share of the dev texts with the teacher's answer, in [0, 1], computed with the graph."""

    def __post_init__(self) -> None:
        for name, option in (("quality", "--min-quality"), ("agreement", "--min-agreement")):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ConfigError(f"{option} must be a fraction in [0, 1], got {value:g}. 0.9 is 90 %.")
        if self.p95_ms is not None and self.latency_ms is not None and self.p95_ms < self.latency_ms:
            raise ConfigError(
                f"--max-p95 is {self.p95_ms:g} ms and --max-latency is {self.latency_ms:g} ms, and a median "
                "is never above the 95th percentile. Raise --max-p95, or leave --max-latency out."
            )

    @property
    def any(self) -> bool:
        """Whether there is a limit at all."""
        return any(getattr(self, one.name) is not None for one in fields(self))


@dataclass(frozen=True, kw_only=True)
class Excess:
    """A limit that is not kept."""

    name: str
    """Field of `Limits`."""

    value: float
    """What was measured."""

    limit: float
    """What is allowed, in the same unit."""

    @property
    def share(self) -> float:
        """By which part of the limit it is missed, > 0."""
        if self.limit == 0:
            return math.inf
        return abs(self.value - self.limit) / self.limit

    @property
    def text(self) -> str:
        """The value and the limit in words."""
        return f"{_said(self.name, self.value)} ({BOUNDS[self.name][1]} {_said(self.name, self.limit)})"

    @property
    def option(self) -> str:
        """Option of the limit, with a value that would be kept."""
        name, _, unit, scale = BOUNDS[self.name]
        step = 10 ** (math.floor(math.log10(max(self.value / scale, 1e-9))) - 2)
        steps = self.value / scale / step
        rounded = (math.floor(steps) if name.startswith("--min") else math.ceil(steps)) * step
        return f"{name} {rounded:.4g}{unit}"


BOUNDS: Mapping[str, tuple[str, str, str, float]] = MappingProxyType(
    {
        "latency_ms": ("--max-latency", "at most", "ms", 1.0),
        "p95_ms": ("--max-p95", "at most", "ms", 1.0),
        "bytes": ("--max-size", "at most", "MB", 1e6),
        "parameters": ("--max-params", "at most", "M", 1e6),
        "quality": ("--min-quality", "at least", "", 1.0),
        "agreement": ("--min-agreement", "at least", "", 1.0),
    }
)
"""Limit to its option, the word for its side, and its unit with the unit's size."""


def exceeded(limits: Limits, measured: Mapping[str, float | None]) -> tuple[Excess, ...]:
    """The limits that are not kept.

    Args:
        limits: What is allowed.
        measured: By field of `Limits`; what is not known is not judged.

    Examples:
        >>> exceeded(Limits(latency_ms=5.0, bytes=20e6), {"latency_ms": 6.0, "bytes": 14e6})[0].text
        '6 ms (at most 5 ms)'
    """
    found = []
    for name, (option, *_) in BOUNDS.items():
        limit, value = getattr(limits, name), measured.get(name)
        if limit is None or value is None:
            continue
        kept = value >= limit if option.startswith("--min") else value <= limit
        if not kept:
            found.append(Excess(name=name, value=value, limit=limit))
    return tuple(found)


def _said(name: str, value: float) -> str:
    """A value with its unit."""
    _, _, unit, scale = BOUNDS[name]
    return f"{value / scale:.4g} {unit}".strip() if unit else f"{value:.4f}"
