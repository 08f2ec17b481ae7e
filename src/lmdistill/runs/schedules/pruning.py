"""Which units of a network are kept, as a recipe says it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

import torch

from lmdistill.core.atomic_io import read_json, write_json
from lmdistill.core.batch import Batch
from lmdistill.core.errors import ModelError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.engine.distributed import main_process_first
from lmdistill.models import model_stats
from lmdistill.models.causal_lm import AnyNetwork
from lmdistill.models.pruning.families import Widths, require_fit, widths_of
from lmdistill.models.pruning.importance import (
    Importance,
    activation_importance,
    gradient_importance,
    magnitude_importance,
)
from lmdistill.models.pruning.slicing import densify, sort_units
from lmdistill.recipes.pruning import Pruning
from lmdistill.schedules.sparsity import Ranking


@dataclass(frozen=True, kw_only=True)
class Slices(Generic[AnyNetwork]):
    """A network whose units are sorted, and how many of them belong to each kept fraction."""

    whole: AnyNetwork
    """Units in falling order of importance, layer by layer."""

    importance: Importance
    """Of its units, in the same order."""

    pruning: Pruning
    """How units are counted."""

    def widths(self, kept: float) -> Widths:
        """How many units each layer keeps.

        Raises:
            ModelError: If no head would be left anywhere.
        """
        chosen = self.pruning
        heads = Ranking(scope=chosen.scope).counts([part.tolist() for part in self.importance.heads], kept)
        neurons = Ranking(scope=chosen.scope, multiple=chosen.multiple).counts(
            [part.tolist() for part in self.importance.neurons], kept
        )
        found = Widths(heads=heads, neurons=neurons)
        require_fit(self.whole, found)
        return found

    def exists(self, kept: float) -> bool:
        """Whether so small a network would still have a head."""
        try:
            self.widths(kept)
        except ModelError:
            return False
        return True

    def cut(self, kept: float, source: AnyNetwork | None = None) -> AnyNetwork:
        """A dense network of this size: of the whole, or of a larger slice of it that has learned since."""
        return densify(self.whole if source is None else source, self.widths(kept))


def require_prunable(network: AnyNetwork, pruning: Pruning, keep: float) -> None:
    """What can be known of a student's widths before importance is measured, and before a teacher is trained.

    Raises:
        ModelError: If the heads and neurons of this family are not known, or no head would be left.
    """
    has = widths_of(network)
    # Whether a decoder will hear the text is not known yet; its cross-attention comes last and stays longest.
    kindest = [[float(place)] * count for place, count in enumerate(has.heads)]
    heads = Ranking(scope=pruning.scope).counts(kindest, keep)
    require_fit(network, Widths(heads=heads, neurons=has.neurons))


def sliced(
    network: AnyNetwork,
    pruning: Pruning,
    *,
    batches: Callable[[Pruning], Iterable[Batch]],
    data: str,
    cache: Path | None,
) -> Slices[AnyNetwork]:
    """Sort the units of `network` by importance, measured once and kept in `cache`.

    Args:
        network: Not changed.
        pruning: How.
        batches: The rows that the settings ask for.
        data: Fingerprint of where the rows come from.
        cache: Folder of what was measured before; nothing is kept without one.

    Raises:
        ModelError: If the heads and neurons of this family are not known, or a score is not finite.
    """
    measured = {"score": pruning.score, "data": pruning.data, "rows": pruning.rows}
    name = fingerprint(model_stats.fingerprint(network), data, measured)
    file = None if cache is None else cache / f"importance-{name}.json"

    def measure() -> Importance:
        if pruning.score == "magnitude":
            return magnitude_importance(network)
        if pruning.score == "activation":
            return activation_importance(network, batches(pruning))
        return gradient_importance(network, batches(pruning))

    with main_process_first():
        found = _read(file) if file is not None and file.is_file() else measure().normalised()
        _require_numbers(found, pruning.score, network.source)
        if file is not None and not file.is_file():
            write_json(file, {kind: [part.tolist() for part in getattr(found, kind)] for kind in KINDS})
    ordered = Importance(
        **{
            kind: tuple(part.sort(descending=True, stable=True).values for part in getattr(found, kind))
            for kind in KINDS
        }
    )
    return Slices(whole=sort_units(network, found), importance=ordered, pruning=pruning)


KINDS = ("heads", "neurons")


def _require_numbers(found: Importance, score: str, name: str) -> None:
    """Units can be ranked."""
    if not all(part.isfinite().all() for part in (*found.heads, *found.neurons)):
        raise ModelError(
            f"the {score} of some units of {name} is not a finite number, so none can be ranked. Load the "
            "weights in float32, or look at the rows."
        )


def _read(file: Path) -> Importance:
    """What was measured before."""
    stored = read_json(file)
    return Importance(
        **{kind: tuple(torch.tensor(part, dtype=torch.float64) for part in stored[kind]) for kind in KINDS}
    )
