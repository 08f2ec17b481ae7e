"""Which of the trained students is chosen, and which are on the front of quality against speed and size."""

from collections.abc import Sequence
from dataclasses import dataclass

from lmdistill.serving.estimate import Estimate
from lmdistill.studies.shrink.limits import Excess, Limits, exceeded
from lmdistill.studies.shrink.shapes import Shape


@dataclass(frozen=True, kw_only=True)
class Student:
    """A trained student as one graph, with what was measured of it."""

    shape: Shape
    """Its layers, and the share of heads and neurons."""

    graph: str
    """Name of the graph."""

    folder: str
    """Path of the exported folder that holds the graph."""

    run: str
    """Path of the run that trained it."""

    steps: int | None
    """Optimizer steps of a training that was cut short; None for a full one."""

    bytes: int
    """Size of the graph."""

    parameters: int
    """Parameters of the network."""

    p50_ms: float
    """Median milliseconds from one text to its logits."""

    p95_ms: float
    """95th percentile of that."""

    quality: Estimate
    """Headline score of the graph on dev, as a fraction."""

    agreement: Estimate | None
    """Share of the dev texts with the teacher's answer; None without a teacher."""

    alarms: tuple[str, ...] = ()
    """What its run says against its numbers."""

    def exceeded(self, limits: Limits) -> tuple[Excess, ...]:
        """The limits that it does not keep."""
        return exceeded(
            limits,
            {
                "latency_ms": self.p50_ms,
                "p95_ms": self.p95_ms,
                "bytes": self.bytes,
                "parameters": self.parameters,
                "quality": self.quality.value,
                "agreement": None if self.agreement is None else self.agreement.value,
            },
        )


def choose(students: Sequence[Student], limits: Limits) -> Student:
    """The student of the highest quality that keeps every limit; the faster one of equals.

    Where none keeps them, it is the one whose worst miss is the smallest part of its limit.

    Args:
        students: At least one.
        limits: The limits.
    """
    keeping = [one for one in students if not one.exceeded(limits)]
    if keeping:
        return max(keeping, key=lambda one: (one.quality.value, -one.p50_ms, -one.bytes))
    return min(students, key=lambda one: max(excess.share for excess in one.exceeded(limits)))


def reason(chosen: Student, students: Sequence[Student], limits: Limits) -> str:
    """Why a student was chosen, in one sentence for people.

    Args:
        chosen: From `choose`.
        students: Those that it was chosen from.
        limits: The limits.
    """
    missed = chosen.exceeded(limits)
    if missed:
        return f"it misses the limits least: {', '.join(one.text for one in missed)}"
    others = [one for one in students if one is not chosen and not one.exceeded(limits)]
    if not others:
        return "it is the only one that keeps every limit"
    second = max(others, key=lambda one: one.quality.value)
    if chosen.quality.low <= second.quality.value:
        return (
            "it has the highest score of those that keep every limit, by less than its 95 % interval: "
            f"{second.shape.name} as {second.graph} may be as good"
        )
    return "it has the highest score of those that keep every limit"


def on_front(students: Sequence[Student]) -> tuple[bool, ...]:
    """Whether no other student is at least as good, as fast and as small, and better in one of these."""

    def traits(one: Student) -> tuple[float, float, float]:
        return -one.quality.value, one.p50_ms, float(one.bytes)

    return tuple(
        not any(
            all(mine >= theirs for mine, theirs in zip(traits(one), traits(other), strict=True))
            and traits(one) != traits(other)
            for other in students
        )
        for one in students
    )
