"""Ways from a teacher to a student, as settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Literal, Protocol, runtime_checkable

from lmdistill.core.errors import ConfigError
from lmdistill.schedules.assistant_choice import LAMBDA, require_weight
from lmdistill.schedules.sparsity import (
    LARGEST_CANDIDATE,
    PUBLISHED_GRID,
    candidate_grid,
    require_kept_fraction,
)

NUM_SMALLEST = 3
"""Smallest candidates that sandwich sampling always takes, as in the released code."""


@runtime_checkable
class Schedule(Protocol):
    """Who learns from whom, until the student has learned."""

    def require(self, keep: float) -> None:
        """Raise `ConfigError` if no student that keeps this fraction can come of it."""
        ...


@dataclass(frozen=True, kw_only=True)
class Direct:
    """The student learns from the teacher itself."""

    def require(self, keep: float) -> None:
        """Accept every fraction in (0, 1]."""
        require_kept_fraction("student.keep", keep)


@dataclass(frozen=True, kw_only=True)
class Path:
    """The student learns from an assistant that learned from a larger one, and so on (TAKD).

    References:
        Mirzadeh et al., "Improved Knowledge Distillation via Teacher Assistant", 2020.
    """

    kept: tuple[float, ...] = (0.4,)
    """What each assistant keeps of the teacher, falling, above what the student keeps."""

    layers: tuple[int, ...] = ()
    """Instead of that: how many layers each assistant has, falling, for a student that is not pruned."""

    def require(self, keep: float) -> None:
        """Every assistant must be smaller than the one before, and the student smaller than the last."""
        require_kept_fraction("student.keep", keep)
        if self.layers:
            if keep != 1.0:
                raise ConfigError(
                    f"schedule.layers is {list(self.layers)} and student.keep is {keep:g}; a path "
                    "loses either layers or units. Set student.keep to 1, or use schedule.kept."
                )
            _require_falling("schedule.layers", self.layers, None)
            return
        for kept in self.kept:
            require_kept_fraction("a fraction of schedule.kept", kept)
        if not self.kept:
            raise ConfigError("schedule.kept is empty, so there is no assistant. Use schedule direct.")
        _require_falling("schedule.kept", self.kept, keep)


def _require_falling(name: str, way: tuple[float | int, ...], keep: float | None) -> None:
    """Each number must be below the one before, and the student's below the last."""
    for before, after in pairwise((*way, *(() if keep is None else (keep,)))):
        if after >= before:
            shown = ", ".join(f"{one:g}" for one in way)
            student = "" if keep is None else f" and the student keeps {keep:g}"
            raise ConfigError(
                f"{name} is {shown}{student}; each must be smaller than the one before. Order {name}"
                f"{'' if keep is None else ', or lower student.keep'}."
            )


@dataclass(frozen=True, kw_only=True)
class MaxiDisc:
    """Every assistant of the grid in turn, each to its student; the best student on dev is kept.

    References:
        Zhang et al., "MiniDisc", 2022: what the schedule found in one trial is compared with.
    """

    grid: tuple[float, ...] = PUBLISHED_GRID
    """Kept fractions that may be tried, each in (0, 1]."""

    largest: float = LARGEST_CANDIDATE
    """No assistant keeps more, in (0, 1]."""

    def require(self, keep: float) -> None:
        """At least one assistant must be larger than the student."""
        self.assistants(keep)

    def assistants(self, keep: float) -> tuple[float, ...]:
        """What the assistants keep, falling."""
        return larger_fractions(self.grid, self.largest, keep)


@dataclass(frozen=True, kw_only=True)
class MiniDisc:
    r"""All candidates learn at once as parts of one network; the best one by its score is the assistant.

    .. math:: t = m + \lambda (1 - s)

    References:
        Zhang et al., "MiniDisc: Minimal Distillation Schedule for Language Model Compression", 2022, and its
        released code. Deviations: only candidates larger than the student may be chosen (`skip`), and the
        last stage trains the student alone, where the released code goes on with all smaller candidates.
    """

    grid: tuple[float, ...] = PUBLISHED_GRID
    """Kept fractions that may be tried, each in (0, 1]; what the student keeps must be among them."""

    largest: float = LARGEST_CANDIDATE
    """No candidate keeps more, in (0, 1]; the released code's truncation."""

    lam: float = LAMBDA
    """Weight of the sparsity in the score, >= 0."""

    assistants: int = 1
    """Assistants in a row, >= 1; each is chosen among the candidates below the one before."""

    sampling: Literal["all", "sandwich"] = "all"
    """All candidates in every step (released), or the largest, the three smallest and some at random."""

    middle: int = 2
    """How many at random, >= 0."""

    skip: bool = False
    """The target may win too, as in the released code; then no assistant is used."""

    finish: Literal["distil", "slice"] = "distil"
    """The student learns from the assistant, or is cut from the joint network as it is (like DynaBERT)."""

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
                f"finish is slice and assistants is {self.assistants}; a student that is cut from the joint "
                "network has no assistant. Leave assistants at 1, or set finish to distil."
            )

    def require(self, keep: float) -> None:
        """The student must be in the grid, with a larger candidate unless the joint network ends the way."""
        if keep == 1:
            raise ConfigError(
                "the student keeps 1 and the candidates of minidisc lose units. Set student.keep below 1, or "
                "use schedule direct."
            )
        self.candidates(keep)
        if self.finish == "distil":
            larger_fractions(self.grid, self.largest, keep)

    def candidates(self, keep: float, *, below: float = 1.0) -> tuple[float, ...]:
        """What is trained together in a round whose teacher keeps `below` of the first one, falling."""
        found = candidate_grid(self.largest, target=keep, fractions=self.grid)
        return found if below == 1.0 else tuple(kept for kept in found if kept < below)

    def eligible(self, candidates: tuple[float, ...], keep: float) -> tuple[float, ...]:
        """Those that a round may end in: assistants, and the student where it is cut as it is."""
        if self.finish == "slice":
            return (keep,)
        return tuple(kept for kept in candidates if kept > keep or self.skip)

    def mean_kept_per_step(self, candidates: tuple[float, ...]) -> float:
        """The sum of the fractions that learn in one step, on average."""
        rising = sorted(candidates)
        others = rising[NUM_SMALLEST:-1]
        if self.sampling == "all" or len(others) <= self.middle:
            return sum(rising)
        return sum(rising[:NUM_SMALLEST]) + rising[-1] + self.middle * sum(others) / len(others)


def larger_fractions(fractions: tuple[float, ...], largest: float, keep: float) -> tuple[float, ...]:
    """The fractions above what the student keeps, falling.

    Raises:
        ConfigError: If there is none, or a fraction is outside (0, 1].
    """
    require_kept_fraction("student.keep", keep)
    require_kept_fraction("schedule.largest", largest)
    found = candidate_grid(largest, target=keep, fractions=(*fractions, keep)) if keep <= largest else ()
    above = tuple(kept for kept in found if kept > keep)
    if not above:
        raise ConfigError(
            f"the student keeps {keep:g} and the largest assistant would keep {largest:g}. Raise "
            "schedule.largest, lower student.keep, or use schedule direct."
        )
    return above


SCHEDULES: Mapping[str, type[Schedule]] = MappingProxyType(
    {"direct": Direct, "maxidisc": MaxiDisc, "minidisc": MiniDisc, "path": Path}
)
"""Every schedule, by the name used in recipes."""
