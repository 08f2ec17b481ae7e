"""Types of the numbers in a record, with the range that each can have; a number outside is refused."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

TOLERANCE = 1e-6
"""How far rounding may carry a number out of its range."""

RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        **dict.fromkeys(("accuracy", "f1", "macro_f1", "accuracy_of_tokens", "agreement"), (0.0, 1.0)),
        **dict.fromkeys(("rouge_l", "distinct_1", "distinct_2", "ended"), (0.0, 1.0)),
        **dict.fromkeys(("top_agreement", "probability_difference"), (0.0, 1.0)),
        **dict.fromkeys(("micro_f1", "subset_accuracy", "set_agreement", "label_agreement"), (0.0, 1.0)),
        **dict.fromkeys(("matthews", "pearson", "spearman"), (-1.0, 1.0)),
        **dict.fromkeys(("nats", "kl_nats", "squared_difference", "length"), (0.0, math.inf)),
        "perplexity": (1.0, math.inf),
    }
)
"""Smallest and largest value of a score by its name; other scores are only numbers."""


def _number(value: Any) -> Any:
    """Refuse what Python would take for a number: true is 1 there, and "3" may be 3."""
    if isinstance(value, bool | str):
        raise ValueError("Input should be a number")
    return value


def _defined(value: Any) -> Any:
    """None for NaN, such as the correlation of a constant."""
    return None if isinstance(value, float) and not math.isfinite(value) else _number(value)


def _require_within(name: str, value: float | int | None, low: float, high: float) -> None:
    """Check a number, if there is one."""
    if value is None or low - TOLERANCE <= value <= high + TOLERANCE:  # never true of NaN
        return
    limits = f"at least {low:g}" if math.isinf(high) else f"between {low:g} and {high:g}"
    raise ValueError(f"{name} should be {limits}")


def _within(low: float, high: float = math.inf) -> Callable[[Any], Any]:
    """A validator of a number that may be None."""

    def check(value: Any) -> Any:
        _require_within("Input", value, low, high)
        if value is not None and math.isinf(value):
            raise ValueError("Input should be finite")
        return value

    return check


def _scores(value: dict[str, float | None]) -> dict[str, float | None]:
    """Check scores by name."""
    for name, score in value.items():
        if name in RANGES:
            _require_within(f"{name}, which is {score},", score, *RANGES[name])
    return value


Whole = Annotated[int, BeforeValidator(_number)]
"""Any whole number."""

Count = Annotated[int, BeforeValidator(_number), AfterValidator(_within(0.0))]
"""A whole number, >= 0."""

Positive = Annotated[int, BeforeValidator(_number), AfterValidator(_within(1.0))]
"""A whole number, >= 1."""

Amount = Annotated[float, BeforeValidator(_number), AfterValidator(_within(0.0))]
"""A finite number, >= 0."""

Share = Annotated[float, BeforeValidator(_number), AfterValidator(_within(0.0, 1.0))]
"""A number in [0, 1]."""

Number = Annotated[float | None, BeforeValidator(_defined)]
"""A finite number; None where there is none."""

KnownAmount = Annotated[float | None, BeforeValidator(_defined), AfterValidator(_within(0.0))]
"""A finite number, >= 0; None where there is none."""

KnownShare = Annotated[float | None, BeforeValidator(_defined), AfterValidator(_within(0.0, 1.0))]
"""A number in [0, 1]; None where there is none."""

KnownCorrelation = Annotated[float | None, BeforeValidator(_defined), AfterValidator(_within(-1.0, 1.0))]
"""A number in [-1, 1]; None where there is none."""

Named = Annotated[dict[str, Number], AfterValidator(_scores)]
"""Scores by name, in the range of each."""

Scores = dict[str, Named]
"""Scores by split and name."""
