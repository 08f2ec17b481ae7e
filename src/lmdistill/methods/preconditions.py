"""Checks of settings and networks that several methods share."""

import math

from lmdistill.core.errors import ConfigError, MismatchError
from lmdistill.core.protocols import Net


def require_teacher(method: str, teacher: Net | None, *, without: str = "finetune") -> Net:
    """Return the teacher.

    Raises:
        MismatchError: If it is None. `without` is a method that needs no teacher, for the message.
    """
    if teacher is None:
        raise MismatchError(f"{method} needs a teacher, got none. Name one, or use method {without}.")
    return teacher


def require_same_outputs(method: str, student: Net, teacher: Net) -> None:
    """Raise `MismatchError` unless both networks have the same classes in the same order."""
    if teacher.num_classes != student.num_classes:
        raise MismatchError(
            f"the teacher predicts {teacher.num_classes} classes and the student {student.num_classes}; "
            f"{method} compares them one by one. Load the student with num_labels={teacher.num_classes}."
        )
    if tuple(teacher.labels) != tuple(student.labels):
        student_labels, teacher_labels = ", ".join(student.labels), ", ".join(teacher.labels)
        raise MismatchError(
            f"the teacher's classes are {teacher_labels} and the student's {student_labels}; "
            f"{method} compares them one by one. Give both the same names in the same order."
        )
    teachers, students = (bool(getattr(net, "multi_label", False)) for net in (teacher, student))
    if teachers != students:
        said = {True: "a sigmoid for each label (multi-label)", False: "a softmax over classes"}
        raise MismatchError(
            f"the teacher's outputs are {said[teachers]} and the student's {said[students]}; {method} "
            "compares them one by one. Use two networks of one kind (problem_type in config.json)."
        )


def require_range(
    name: str, value: float | int, *, low: float | int, high: float | int = math.inf, open_low: bool = False
) -> None:
    """Raise `ConfigError` unless `value` is in [low, high]; with `open_low`, `low` itself is refused too."""
    if low <= value <= high and not (open_low and value == low):
        return
    if high == math.inf:
        raise ConfigError(f"{name} must be {'>' if open_low else '>='} {low:g}, got {value}.")
    raise ConfigError(f"{name} must be in {'(' if open_low else '['}{low:g}, {high:g}], got {value}.")
