"""What a record says of the thresholds of a multi-label task."""

from lmdistill.records.number_ranges import Share
from lmdistill.records.schema import Part


class LabelThresholds(Part):
    """Probabilities from which on the labels of a multi-label task are predicted."""

    split: str | None = None
    """Split on which they were chosen, which makes its scores optimistic; None if they were set."""
    student: tuple[Share, ...] | None = None
    """Of the student, by label; None is 0.5 for all."""
    teacher: tuple[Share, ...] | None = None
    """Of the teacher."""
