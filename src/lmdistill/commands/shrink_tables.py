"""The results of a search for a student as tables."""

from collections.abc import Sequence

from lmdistill.analysis.metric_format import NONE
from lmdistill.report.grid import Grid
from lmdistill.serving.estimate import Estimate
from lmdistill.studies.shrink.choice import Student, on_front
from lmdistill.studies.shrink.limits import Excess
from lmdistill.studies.shrink.measured_shapes import MeasuredShape
from lmdistill.studies.shrink.outcome import SearchOutcome

CHOSEN = "chosen"
"""Word in the column of what became of a student."""

COSTS = ("MB", "parameters, M", "p50 ms", "p95 ms")
"""Titles of `_costs`."""


def shapes_grid(found: SearchOutcome) -> Grid:
    """Every shape as each graph: size, latency, score of each round, and the limits that it misses."""
    rounds = [one for one in found.rounds if one.scores]
    titles = [
        "dev score, full training" if one.steps is None else f"dev score, {one.steps} steps" for one in rounds
    ]
    rows = []
    for one in found.shapes:
        scores = [each.scores.get(one.shape.name) for each in rounds]
        shown = [NONE if score is None else f"{100 * score:.2f}" for score in scores]
        rows.append((_name(one), _missed(one.exceeded(found.limits)), *shown, *_costs(one)))
    notes = ["MB is a million bytes of the graph's files. Times are from one text to its logits, one by one."]
    if found.impossible:
        names = ", ".join(shape.name for shape in found.impossible)
        notes.append(f"Left out, as the model cannot have them: {names}.")
    return Grid(
        caption=f"{len(found.shapes)} untrained shapes",
        header=("", "limits missed", *titles, *COSTS),
        rows=tuple(rows),
        notes=tuple(notes),
        alarms=(),
    )


def students_grid(found: SearchOutcome) -> Grid:
    """The exported students: quality with intervals, costs, and what became of them."""
    fronts = on_front(found.students)
    is_cut = any(one.steps is not None for one in found.students)
    rows = [
        (
            _name(one),
            CHOSEN if one == found.chosen else _missed(one.exceeded(found.limits)),
            _interval(one.quality),
            _interval(one.agreement),
            *_costs(one),
            "yes" if is_on_front else "no",
            *([f"{one.steps}"] if is_cut else []),
        )
        for one, is_on_front in zip(found.students, fronts, strict=True)
    ]
    header = ("", "limits missed", "dev score, %", "as the teacher, %", *COSTS, "on the front")
    return Grid(
        caption=f"{len(rows)} students, exported and timed",
        header=(*header, *(["steps of a training cut short"] if is_cut else [])),
        rows=tuple(rows),
        notes=(
            "In brackets: 95 % intervals over the dev texts. Dev has chosen the student, so its score is "
            "optimistic. On the front: no other student is as good, as fast and as small.",
        ),
        alarms=(),
        name="students",
    )


def _name(one: MeasuredShape | Student) -> str:
    """Shape and graph."""
    return f"{one.shape.name} as {one.graph}"


def _costs(one: MeasuredShape | Student) -> tuple[str, ...]:
    """Size, parameters and latency."""
    return (
        f"{one.bytes / 1e6:.1f}",
        f"{one.parameters / 1e6:.2f}",
        f"{one.p50_ms:.2f}",
        f"{one.p95_ms:.2f}",
    )


def _interval(found: Estimate | None) -> str:
    """A share in percent with its interval."""
    if found is None:
        return NONE
    return f"{100 * found.value:.2f} [{100 * found.low:.2f}, {100 * found.high:.2f}]"


def _missed(excess: Sequence[Excess]) -> str:
    """The limits that are missed."""
    return ", ".join(one.text for one in excess) or "none"
