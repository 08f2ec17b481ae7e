"""Pruning ratios: the grid of kept fractions, and the number of units that each layer keeps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lmdistill.core.errors import ConfigError

PUBLISHED_GRID = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05)
"""Kept fractions of the candidates in MiniDisc's released code."""

LARGEST_CANDIDATE = 0.5
"""Default limit of the kept fraction; by the notes of the released code, larger assistants rarely win."""


def candidate_grid(
    largest: float = LARGEST_CANDIDATE, *, target: float, fractions: Sequence[float] = PUBLISHED_GRID
) -> tuple[float, ...]:
    """The kept fractions of all candidates, from the largest to the smallest.

    Args:
        largest: Limit of the kept fraction, in (0, 1].
        target: Fraction that the student keeps, in (0, 1]. Smaller candidates are trained as well, as in the
            released code.
        fractions: The grid, each in (0, 1], in any order.

    Raises:
        ConfigError: If a fraction is outside (0, 1], or the target is not in the grid up to `largest`.

    Examples:
        >>> candidate_grid(target=0.1)
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
    """Refuse a kept fraction outside (0, 1] or NaN; `what` is its name in the message."""
    if not 0 < kept <= 1:
        raise ConfigError(f"{what} must be in (0, 1], got {kept:g}. 0.1 keeps a tenth.")


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """How units are ranked and how many of them each layer keeps."""

    scope: Literal["global", "layer"] = "global"
    """Rank the units of all layers together (as published), or prune each layer to the same fraction."""

    multiple: int = 1
    """Number of units per layer is rounded to the nearest multiple of this, >= 1, for efficient hardware use;
    layers that keep all units are not rounded."""

    def __post_init__(self) -> None:
        if self.multiple < 1:
            raise ConfigError(f"multiple must be >= 1, got {self.multiple}.")

    def counts(self, scores: Sequence[Sequence[float]], kept: float) -> tuple[int, ...]:
        """Units to keep in each layer.

        Args:
            scores: Importance of every unit, layer by layer, in any order within a layer.
            kept: Fraction of all units to keep, in (0, 1].

        Returns:
            For each layer a number from 0 to the number of its units. It never decreases as `kept` grows.

        Raises:
            ConfigError: If `kept` is outside (0, 1].

        References:
            Zhang et al., "MiniDisc", 2022, released code: of all N units, the round(S N) least important are
            removed, where S is the sparsity. Of equally important ones, those of later layers and later units
            are removed first. With scope "layer" each layer keeps at least one unit; with scope "global" a
            layer may lose all of them.
        """
        require_kept_fraction("keep", kept)
        sizes = [len(layer) for layer in scores]
        if self.scope == "layer":
            return tuple(self._rounded(max(1, _nearest(kept * size)), size, least=1) for size in sizes)
        ranked = sorted(
            ((-score, index, unit) for index, layer in enumerate(scores) for unit, score in enumerate(layer)),
        )
        layers = [index for _, index, _ in ranked[: len(ranked) - _nearest((1 - kept) * len(ranked))]]
        return tuple(self._rounded(layers.count(index), size, least=0) for index, size in enumerate(sizes))

    def _rounded(self, count: int, size: int, *, least: int) -> int:
        """The nearest multiple, rounded half up and at most `size`; `size` itself is not rounded."""
        if count == size:
            return size
        rounded = self.multiple * _nearest(count / self.multiple)
        return min(size, max(rounded, min(least * self.multiple, size)))


def _nearest(value: float) -> int:
    """The nearest integer, halves rounded up; the tolerance covers floating-point errors, as in 0.1 x 45."""
    return math.floor(value + 0.5 + 1e-9)
