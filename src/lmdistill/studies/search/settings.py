"""The key `search` of a study."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lmdistill.core.errors import ConfigError

INSIDE = "fields."
"""Prefix of a setting of one field, as in `--set search.fields.training.epochs=[1, 2]`."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """A range of numbers; integers if both ends are integers."""

    low: int | float
    """Smallest value that is drawn, itself included."""

    high: int | float
    """Largest value that is drawn, itself included; not below `low`."""

    log: bool = False
    """Sample uniformly on a logarithmic scale; needs `low` > 0."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise ConfigError(f"low is {self.low} and high is {self.high}; give two finite numbers.")
        if self.low > self.high:
            raise ConfigError(f"low is {self.low} and high is {self.high}; low must not be above high.")
        if self.log and self.low <= 0:
            raise ConfigError(f"low is {self.low}, and log needs a low above 0. Raise it, or drop log.")

    @property
    def is_whole(self) -> bool:
        """Whether only integers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)


@dataclass(frozen=True, kw_only=True)
class Search:
    """Settings of a hyperparameter search."""

    fields: Mapping[str, Any]
    """Dotted field to a range, as in `{low: 1, high: 4}`, or to values as an axis has them."""

    trials: int
    """Number of trials, >= 1; failed ones count."""

    sampler: Literal["tpe", "random"] = "tpe"
    """Optuna's tree-structured Parzen estimator, or random sampling."""

    storage: str | None = None
    """Address of a database that several machines share; by default a file in the study's folder."""

    seed: int = 0
    """Seed of the sampler, not of the runs, >= 0."""

    def __post_init__(self) -> None:
        if not self.fields:
            raise ConfigError("fields is empty; name at least one field of the recipe.")
        if self.trials < 1:
            raise ConfigError(f"trials must be >= 1, got {self.trials}.")


def with_dotted_fields(table: Any) -> Any:
    """The table of a search, with keys such as `fields.training.epochs` moved into its `fields`."""
    if not isinstance(table, Mapping):
        return table
    single = {key: value for key, value in table.items() if str(key).startswith(INSIDE)}
    fields = table.get("fields", {})
    if not isinstance(fields, Mapping) or not (single or fields):
        return table
    rest = {key: value for key, value in table.items() if key not in single}
    named = {key.removeprefix(INSIDE): value for key, value in single.items()}
    return {**rest, "fields": {**{str(key): value for key, value in fields.items()}, **named}}
