"""Settings of augmented training rows."""

from dataclasses import dataclass
from typing import Literal

from lmdistill.core.errors import ConfigError
from lmdistill.data.augment import Augmenter


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Extra training rows made from the training rows."""

    augmenter: Augmenter
    """The augmenter that rewrites texts."""

    copies: int = 1
    """Number of variants of each row, >= 1."""

    up_to: int | None = None
    """Training rows, variants included, beyond which none are made, >= 1: `copies` is lowered until the rows
    stay within it. No limit by default."""

    rows: Literal["labelled", "all"] = "labelled"
    """Rows that are rewritten: those with a label, or those of `data.unlabelled` too."""

    labels: Literal["keep", "teacher"] = "keep"
    """Variants keep the label of their row, or have none, so that only teacher terms see them."""

    def __post_init__(self) -> None:
        if self.copies < 1:
            raise ConfigError(f"copies must be >= 1, got {self.copies}.")
        if self.up_to is not None and self.up_to < 1:
            raise ConfigError(f"up_to must be >= 1, got {self.up_to}.")
