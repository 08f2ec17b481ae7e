"""The position of a backward pass among several over one micro-batch."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class BackwardPass:
    """Position in a series of forward and backward passes over one micro-batch, one for each candidate.

    Every pass calls the network equally often and with the same inputs.
    """

    call: int
    """Number of earlier calls of the network in this pass, >= 0."""

    index: int
    """Number of this pass, from 0."""

    count: int
    """Number of passes, >= 1."""

    @property
    def is_last(self) -> bool:
        """Whether this is the last pass."""
        return self.index == self.count - 1
