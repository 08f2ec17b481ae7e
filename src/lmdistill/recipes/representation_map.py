"""Which dev examples a map of representations shows, as a recipe says it."""

from dataclasses import dataclass

from lmdistill.core.errors import ConfigError
from lmdistill.evaluation.representations import (
    Pool,
    Projection,
)

LARGEST = 1000
"""Examples of a map, at most: t-SNE takes seconds for so many, and a page shows them all."""


@dataclass(frozen=True, kw_only=True)
class Map:
    """Which dev examples a map shows, and how."""

    examples: int = 500
    """How many of the first dev split, at most, in [2, 1000]; evenly spaced, the same ones in every run."""

    pool: Pool = "first"
    """What stands for a text: the final state of its first token ([CLS]), or the `mean` over its tokens."""

    projection: Projection = "tsne"
    """How its dimensions become two: t-SNE, or the first two principal components."""

    def __post_init__(self) -> None:
        if not 2 <= self.examples <= LARGEST:
            raise ConfigError(f"examples must be in [2, {LARGEST}], got {self.examples}.")
