"""How much of a network is kept: a grid of fractions, and each fraction in units of each layer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lmdistill.core.errors import ConfigError

PUBLISHED_GRID = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05)
"""The released grid, as kept fractions."""

LARGEST_CANDIDATE = 0.5
"""Largest candidate by default: the best assistant is hardly ever larger (the released notes)."""


def candidate_grid(
    largest: float = LARGEST_CANDIDATE, *, target: float, fractions: Sequence[float] = PUBLISHED_GRID
) -> tuple[float, ...]:
    """The candidates of a round, from the largest to the smallest.

    Args:
        largest: No candidate keeps more, in (0, 1].
        target: What the student keeps, in (0, 1]; smaller fractions are trained as well, as released.
        fractions: All that may be tried, each in (0, 1], in any order.

    Raises:
        ConfigError: If a fraction is outside (0, 1], or the target is not among those that remain.

    Examples:
        >>> grid(target=0.1)
        (0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05)
    """
    for kept in fractions:
        require_kept_fraction("a fraction of the grid", kept)
    require_kept_fraction("the target", target)
    require_kept_fraction("schedule.largest", largest)
    if target > largest:
        raise ConfigError(
            f"the target keeps {target:g} and the largest candidate would keep {largest:g}. Raise "
            "schedule.largest, or lower student.keep."
        )
    chosen = tuple(sorted({kept for kept in fractions if kept <= largest}, reverse=True))
    if target not in chosen:
        shown = ", ".join(f"{kept:g}" for kept in chosen) or "nothing"
        raise ConfigError(
            f"the target keeps {target:g} and the grid up to {largest:g} has {shown}. "
            f"Add {target:g} to schedule.grid, or choose one of these as student.keep."
        )
    return chosen


def require_kept_fraction(what: str, kept: float) -> None:
    """`kept` must be in (0, 1]; NaN never is."""
    if not 0 < kept <= 1:
        raise ConfigError(f"{what} must be in (0, 1], got {kept:g}. 0.1 keeps a tenth.")


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """How a kept fraction becomes a number of units in each layer."""

    scope: Literal["global", "layer"] = "global"
    """Rank the units of all layers together (published), or keep equally many in each layer."""

    multiple: int = 1
    """Widths are rounded to multiples of this, for the hardware, >= 1; none by itself keeps half of it, and a
    layer that loses nothing is not rounded."""

    def __post_init__(self) -> None:
        if self.multiple < 1:
            raise ConfigError(f"multiple must be >= 1, got {self.multiple}.")

    def counts(self, scores: Sequence[Sequence[float]], kept: float) -> tuple[int, ...]:
        """Units to keep in each layer.

        Args:
            scores: The importance of every unit, layer by layer, in any order inside a layer.
            kept: Fraction to keep, in (0, 1].

        Returns:
            For each layer a number from 0 to all of its units. A larger fraction never keeps fewer anywhere.

        Raises:
            ConfigError: If `kept` is outside (0, 1].

        References:
            Zhang et al., "MiniDisc", 2022, released code: the round(S N) lowest of all N units go. Ties go
            from the last layer and the last unit on. A layer keeps at least one unit where each layer keeps
            its share, and may vanish in a global ranking.
        """
        require_kept_fraction("keep", kept)
        sizes = [len(layer) for layer in scores]
        if self.scope == "layer":
            return tuple(self._rounded(max(1, _nearest(kept * size)), size, least=1) for size in sizes)
        ranked = sorted(
            ((-score, place, unit) for place, layer in enumerate(scores) for unit, score in enumerate(layer)),
        )
        survivors = [place for _, place, _ in ranked[: len(ranked) - _nearest((1 - kept) * len(ranked))]]
        return tuple(self._rounded(survivors.count(place), size, least=0) for place, size in enumerate(sizes))

    def _rounded(self, count: int, size: int, *, least: int) -> int:
        """The nearest multiple, halves up, within what there is; all of it where nothing is lost."""
        if count == size:
            return size
        near = self.multiple * _nearest(count / self.multiple)
        return min(size, max(near, min(least * self.multiple, size)))


def _nearest(value: float) -> int:
    """The nearest whole number, halves up; a hair below a half (0.1 x 45) still counts as one."""
    return math.floor(value + 0.5 + 1e-9)
