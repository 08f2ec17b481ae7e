"""Distillation schedules: direct, through a path of assistants, MaxiDisc and MiniDisc."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Literal, Protocol, runtime_checkable

from lmdistill.core.errors import ConfigError
from lmdistill.schedules.sparsity import (
    LARGEST_CANDIDATE,
    PUBLISHED_GRID,
    candidate_grid,
    require_kept_fraction,
)
from lmdistill.schedules.trade_off import LAMBDA, require_weight

NUM_SMALLEST = 3
"""Sandwich sampling trains this many of the smallest candidates in every step, as in the released code."""


@runtime_checkable
class Schedule(Protocol):
    """A distillation schedule: which networks are trained, and which network teaches each of them."""

    def require(self, keep: float) -> None:
        """Raise `ConfigError` if the schedule cannot give a student that keeps this fraction."""
        ...


@dataclass(frozen=True, kw_only=True)
class Direct:
    """The teacher teaches the student, without assistants."""

    def require(self, keep: float) -> None:
        """Accept every fraction in (0, 1]."""
        require_kept_fraction("student.keep", keep)


@dataclass(frozen=True, kw_only=True)
class Path:
    """Each assistant is taught by the one before, and the last one teaches the student (TAKD).

    References:
        Mirzadeh et al., "Improved Knowledge Distillation via Teacher Assistant", 2020.
    """

    kept: tuple[float, ...] = (0.4,)
    """Fraction of the teacher that each assistant keeps, in (0, 1], decreasing, and above `student.keep`."""

    layers: tuple[int, ...] = ()
    """Number of layers of each assistant, decreasing; used instead of `kept` if the student is not pruned."""

    def require(self, keep: float) -> None:
        """Each assistant must be smaller than the one before, and the student smaller than the last."""
        require_kept_fraction("student.keep", keep)
        if self.layers:
            if keep != 1.0:
                raise ConfigError(
                    f"schedule.layers is {list(self.layers)} and student.keep is {keep:g}; a path removes "
                    "either layers or units. Set student.keep to 1, or use schedule.kept."
                )
            _require_decreasing("schedule.layers", self.layers, None)
            return
        for kept in self.kept:
            require_kept_fraction("a fraction of schedule.kept", kept)
        if not self.kept:
            raise ConfigError("schedule.kept is empty, so there is no assistant. Use schedule direct.")
        _require_decreasing("schedule.kept", self.kept, keep)


def _require_decreasing(name: str, sizes: tuple[float | int, ...], keep: float | None) -> None:
    """Each size must be below the one before, and `keep`, the student's, below the last."""
    for before, after in pairwise((*sizes, *(() if keep is None else (keep,)))):
        if after >= before:
            shown = ", ".join(f"{size:g}" for size in sizes)
            student = "" if keep is None else f" and the student keeps {keep:g}"
            raise ConfigError(
                f"{name} is {shown}{student}; each must be smaller than the one before. Order {name}"
                f"{'' if keep is None else ', or lower student.keep'}."
            )


@dataclass(frozen=True, kw_only=True)
class MaxiDisc:
    """Try every assistant of the grid: each teaches a student of its own, and the best one on dev is kept.

    References:
        Zhang et al., "MiniDisc", 2022: the exhaustive search that MiniDisc's single trial is compared with.
    """

    grid: tuple[float, ...] = PUBLISHED_GRID
    """Kept fractions of the candidates, each in (0, 1]."""

    largest: float = LARGEST_CANDIDATE
    """Largest fraction that an assistant keeps, in (0, 1]."""

    def require(self, keep: float) -> None:
        """At least one assistant must be larger than the student."""
        self.assistants(keep)

    def assistants(self, keep: float) -> tuple[float, ...]:
        """The kept fractions of the assistants, decreasing."""
        return larger_fractions(self.grid, self.largest, keep)


@dataclass(frozen=True, kw_only=True)
class MiniDisc:
    r"""Train all candidates jointly as nested parts of one network; the one with the best score is used.

    .. math:: t = m + \lambda (1 - s)

    m is the dev metric of a candidate and s the fraction that it keeps.

    References:
        Zhang et al., "MiniDisc: Minimal Distillation Schedule for Language Model Compression", 2022, and its
        released code. Deviations: only candidates larger than the student can be chosen, unless `skip` is
        set; the last stage trains the student alone, where the released code also trains all smaller
        candidates.
    """

    grid: tuple[float, ...] = PUBLISHED_GRID
    """Kept fractions of the candidates, each in (0, 1]; `student.keep` must be among them."""

    largest: float = LARGEST_CANDIDATE
    """Largest fraction that a candidate keeps, in (0, 1]; called truncation in the released code."""

    lam: float = LAMBDA
    """Lambda, the weight of the sparsity in the score, >= 0."""

    assistants: int = 1
    """Number of successive assistants, >= 1; each is chosen among candidates smaller than the last."""

    sampling: Literal["all", "sandwich"] = "all"
    """Candidates in each step: all (as released), or the largest, the three smallest and `middle` others."""

    middle: int = 2
    """Number of other candidates that sandwich sampling draws in each step, >= 0."""

    skip: bool = False
    """Let the student's size compete too, as in the released code; if it wins, no assistant is used."""

    finish: Literal["distil", "slice"] = "distil"
    """Train the student from the assistant (distil), or take it from the joint network as it is (slice)."""

    def __post_init__(self) -> None:
        require_weight(self.lam)
        if self.assistants < 1:
            raise ConfigError(
                f"assistants must be >= 1, got {self.assistants}. Use schedule direct for none."
            )
        if self.middle < 0:
            raise ConfigError(f"middle must be >= 0, got {self.middle}.")
        if self.finish == "slice" and self.assistants > 1:
            raise ConfigError(
                f"finish is slice and assistants is {self.assistants}; a student taken from the joint "
                "network has no assistant. Leave assistants at 1, or set finish to distil."
            )

    def require(self, keep: float) -> None:
        """The student must be in the grid, and another candidate must be larger unless `finish` is slice."""
        if keep == 1:
            raise ConfigError(
                "the student keeps 1 and the candidates of minidisc are pruned networks. Set student.keep "
                "below 1, or use schedule direct."
            )
        self.candidates(keep)
        if self.finish == "distil":
            larger_fractions(self.grid, self.largest, keep)

    def candidates(self, keep: float, *, below: float = 1.0) -> tuple[float, ...]:
        """The kept fractions that are trained jointly, decreasing.

        Args:
            keep: Fraction that the student keeps.
            below: Fraction that the current teacher keeps: 1 in the first round, that of the last assistant
                in later rounds. Candidates of a later round are smaller.
        """
        fractions = candidate_grid(self.largest, target=keep, fractions=self.grid)
        return fractions if below == 1.0 else tuple(kept for kept in fractions if kept < below)

    def eligible(self, candidates: tuple[float, ...], keep: float) -> tuple[float, ...]:
        """The candidates that may be chosen: the larger ones, or if `finish` is slice the student itself."""
        if self.finish == "slice":
            return (keep,)
        return tuple(kept for kept in candidates if kept > keep or self.skip)

    def mean_kept_per_step(self, candidates: tuple[float, ...]) -> float:
        """Expected sum of the kept fractions of the candidates that one step trains."""
        ascending = sorted(candidates)
        others = ascending[NUM_SMALLEST:-1]
        if self.sampling == "all" or len(others) <= self.middle:
            return sum(ascending)
        return sum(ascending[:NUM_SMALLEST]) + ascending[-1] + self.middle * sum(others) / len(others)


def larger_fractions(fractions: tuple[float, ...], largest: float, keep: float) -> tuple[float, ...]:
    """The kept fractions above `keep` and up to `largest`, decreasing.

    Raises:
        ConfigError: If there are none, or a fraction is outside (0, 1].
    """
    require_kept_fraction("student.keep", keep)
    require_kept_fraction("schedule.largest", largest)
    candidates = candidate_grid(largest, target=keep, fractions=(*fractions, keep)) if keep <= largest else ()
    above = tuple(kept for kept in candidates if kept > keep)
    if not above:
        raise ConfigError(
            f"the student keeps {keep:g} and the largest assistant would keep {largest:g}. Raise "
            "schedule.largest, lower student.keep, or use schedule direct."
        )
    return above


SCHEDULES: Mapping[str, type[Schedule]] = MappingProxyType(
    {"direct": Direct, "maxidisc": MaxiDisc, "minidisc": MiniDisc, "path": Path}
)
"""All schedules, by the name used in recipes."""
