"""What a search for a student found."""

from dataclasses import dataclass

from lmdistill.studies.shrink.choice import Student
from lmdistill.studies.shrink.limits import Limits
from lmdistill.studies.shrink.measured_shapes import MeasuredShape
from lmdistill.studies.shrink.shapes import Shape
from lmdistill.studies.shrink.training_rounds import RoundScores

FILE = "shrink.json"
"""Name of the file with all of it, in the folder of a search."""


@dataclass(frozen=True, kw_only=True)
class SearchOutcome:
    """What a search found."""

    limits: Limits
    """What was asked for."""

    shapes: tuple[MeasuredShape, ...]
    """Every shape as each graph, measured untrained."""

    impossible: tuple[Shape, ...] = ()
    """Shapes that the model cannot have."""

    rounds: tuple[RoundScores, ...] = ()
    """The rounds of training."""

    students: tuple[Student, ...] = ()
    """The exported students; those that were trained in full, if there is one."""

    chosen: Student | None = None
    """The best of them; None if only the shapes were measured."""

    hours: float
    """Hours that were used."""

    out_of_time: bool = False
    """Whether the hours ended before all of it was done."""
