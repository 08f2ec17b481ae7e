"""What a record says of a linear model on TF-IDF features."""

from pydantic import Field

from lmdistill.records.number_ranges import Amount, Count, Positive
from lmdistill.records.schema import Part


class LinearFacts(Part):
    """The training of a linear model."""

    rows: Positive
    """Training examples with a label or an answer that it learned from."""
    features: Count
    """Number of features."""
    C: Amount
    """Weight of the loss against the regularisation."""
    held_out: dict[str, Amount] = Field(default_factory=dict)
    """Mean loss on held-out training rows by C (as text): nats, or half the squared error; empty if C was
    given."""
