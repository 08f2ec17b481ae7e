"""Recipe settings of pruning: how heads and neurons are chosen."""

from dataclasses import dataclass
from typing import Literal

from lmdistill.core.errors import ConfigError
from lmdistill.core.seeding import generator


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """How heads and neurons are chosen.

    References:
        Zhang et al., "MiniDisc", 2022: the gradient of the loss by a mask on every unit, on the dev set,
        ranked over all layers. We measure on training rows by default: dev also chooses the assistant.
    """

    score: Literal["gradient", "activation", "magnitude"] = "gradient"
    """Importance score: gradient of the loss by a mask, weights times activations, or weight magnitude."""

    data: Literal["train", "dev"] = "train"
    """Split that gradients and activations are measured on; the paper uses dev."""

    rows: int = 2000
    """Number of rows at most, >= 1; the same rows for every seed."""

    scope: Literal["global", "layer"] = "global"
    """Rank heads and neurons over all layers (global), or keep the same share of each layer."""

    multiple: int = 8
    """Numbers of neurons are rounded to multiples of this, >= 1; heads are not."""

    def __post_init__(self) -> None:
        for name in ("rows", "multiple"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be >= 1, got {getattr(self, name)}.")

    def drawn(self, total: int) -> list[int]:
        """Random row numbers below `total`, sorted, since files may be sorted by label."""
        return sorted(generator(0, "importance").permutation(total)[: self.rows].tolist())
