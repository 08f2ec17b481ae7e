"""What a record says of each class."""

from lmdistill.records.number_ranges import Count, Share
from lmdistill.records.schema import Part


class ClassFacts(Part):
    """Precision, recall and F1 of a class on one split; a share of nothing is 0."""

    label: str
    """Name of the class."""
    precision: Share
    """Share of its predictions that are right, in [0, 1]."""
    recall: Share
    """Share of its examples that are found, in [0, 1]."""
    f1: Share
    """Harmonic mean of both, in [0, 1]."""
    support: Count
    """Number of its examples."""
    predicted: Count
    """Number of examples that it is predicted for."""
