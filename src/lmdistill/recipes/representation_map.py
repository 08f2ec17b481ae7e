"""Recipe settings of the map of representations."""

from dataclasses import dataclass

from lmdistill.core.errors import ConfigError
from lmdistill.evaluation.representations import (
    Pool,
    Projection,
)

LARGEST = 1000
"""Largest number of examples of a map; t-SNE takes seconds for so many."""


@dataclass(frozen=True, kw_only=True)
class Map:
    """Settings of the map of representations."""

    examples: int = 500
    """Number of examples of the first dev split, at most, in [2, 1000]; evenly spaced rows."""

    pool: Pool = "first"
    """Representation of a text: the final state of its `first` token ([CLS]; the last in a decoder), or the
    `mean` over tokens."""

    projection: Projection = "tsne"
    """Projection to two dimensions: t-SNE, or the first two principal components."""

    def __post_init__(self) -> None:
        if not 2 <= self.examples <= LARGEST:
            raise ConfigError(f"examples must be in [2, {LARGEST}], got {self.examples}.")
