"""What a record says of a trained classifier that the student began as."""

from pydantic import Field

from lmdistill.records.number_ranges import Count, KnownAmount
from lmdistill.records.schema import Part


class Origin(Part):
    """A classifier that was trained before, on this task or another, and gave the student its weights."""

    source: str
    """Folder of the run or the model, or its hub id."""
    labels: tuple[str, ...]
    """Classes of its head; empty for a score. A head for other classes than the task's was replaced."""
    files: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of its weights by file; empty for a model of the hub."""
    task: str | None = None
    """Task of its run; None if no run made it, like the next ones."""
    name: str | None = None
    """Name of its run."""
    seed: Count | None = None
    """Seed of its run."""
    fingerprint: str | None = None
    """Fingerprint of its weights in the record of its run."""
    steps: Count | None = None
    """Optimizer steps of its run."""
    seconds: KnownAmount = None
    """Wall-clock seconds of its training."""
