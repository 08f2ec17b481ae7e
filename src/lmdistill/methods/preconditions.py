"""Preconditions that several methods share."""

import math

from lmdistill.core.errors import ConfigError, MismatchError
from lmdistill.core.protocols import Net


def require_teacher(method: str, teacher: Net | None, *, without: str = "finetune") -> Net:
    """Return the teacher, or say that one is missing, and which method can do `without`."""
    if teacher is None:
        raise MismatchError(f"{method} needs a teacher, got none. Name one, or use method {without}.")
    return teacher


def require_same_outputs(method: str, student: Net, teacher: Net) -> None:
    """Both networks must predict the same classes, in the same order."""
    if teacher.num_classes != student.num_classes:
        raise MismatchError(
            f"the teacher predicts {teacher.num_classes} classes and the student {student.num_classes}; "
            f"{method} compares them one by one. Load the student with num_labels={teacher.num_classes}."
        )
    if tuple(teacher.labels) != tuple(student.labels):
        ours, theirs = ", ".join(student.labels), ", ".join(teacher.labels)
        raise MismatchError(
            f"the teacher's classes are {theirs} and the student's {ours}; "
            f"{method} compares them one by one. Give both the same names in the same order."
        )


def require_range(
    name: str, value: float | int, *, low: float | int, high: float | int = math.inf, open_low: bool = False
) -> None:
    """`value` must be in [low, high], or in (low, high] where the lower end is open; NaN never is."""
    if low <= value <= high and not (open_low and value == low):
        return
    if high == math.inf:
        raise ConfigError(f"{name} must be {'>' if open_low else '>='} {low:g}, got {value}.")
    raise ConfigError(f"{name} must be in {'(' if open_low else '['}{low:g}, {high:g}], got {value}.")
