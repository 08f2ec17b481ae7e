"""Which heads and neurons of a network are kept: sorted by importance, cut at each kept fraction."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

import torch

from lmdistill.core.batch import Batch
from lmdistill.core.checksums import read_checked_json, write_checked_json
from lmdistill.core.errors import ModelError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.core.progress import track
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

log = logging.getLogger("lmdistill")


@dataclass(frozen=True, kw_only=True)
class Slices(Generic[AnyNetwork]):
    """A network with heads and neurons sorted by importance, from which smaller networks are cut."""

    whole: AnyNetwork
    """The network; the units of each layer in falling order of importance."""

    importance: Importance
    """Importance of each unit, in the same order."""

    pruning: Pruning
    """Scope of the ranking, and the multiple that numbers of neurons are rounded to."""

    def widths(self, kept: float) -> Widths:
        """How many heads and neurons each layer keeps at a kept fraction in (0, 1].

        Raises:
            ModelError: If no head would be left anywhere.
        """
        chosen = self.pruning
        heads = Ranking(scope=chosen.scope).counts([part.tolist() for part in self.importance.heads], kept)
        neurons = Ranking(scope=chosen.scope, multiple=chosen.multiple).counts(
            [part.tolist() for part in self.importance.neurons], kept
        )
        widths = Widths(heads=heads, neurons=neurons)
        require_fit(self.whole, widths)
        return widths

    def exists(self, kept: float) -> bool:
        """Whether a network of this kept fraction would still have a head."""
        try:
            self.widths(kept)
        except ModelError:
            return False
        return True

    def cut(self, kept: float, source: AnyNetwork | None = None) -> AnyNetwork:
        """A dense network of this kept fraction, cut from the whole network or a trained larger slice."""
        return densify(self.whole if source is None else source, self.widths(kept))


def require_prunable(network: AnyNetwork, pruning: Pruning, keep: float) -> None:
    """Check a student's widths before importance is measured and before a teacher is trained.

    Raises:
        ModelError: If the heads and neurons of this family are not known, or no head would be left.
    """
    has = widths_of(network)
    # Importance is not known yet: assume that the last heads, those of cross-attention, are kept longest.
    best_case = [[float(layer)] * count for layer, count in enumerate(has.heads)]
    heads = Ranking(scope=pruning.scope).counts(best_case, keep)
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
        pruning: Importance score, rows and scope.
        batches: The rows that importance is measured on.
        data: Fingerprint of the data set.
        cache: Folder of importances that were measured before; None keeps none.

    Raises:
        ModelError: If the heads and neurons of this family are not known, or a score is not finite.
    """
    measured = {"score": pruning.score, "data": pruning.data, "rows": pruning.rows}
    name = fingerprint(model_stats.fingerprint(network), data, measured)
    file = None if cache is None else cache / f"importance-{name}.json"

    def measure() -> Importance:
        if pruning.score == "magnitude":
            return magnitude_importance(network)
        measure_on = activation_importance if pruning.score == "activation" else gradient_importance
        return measure_on(network, track(batches(pruning), "measuring importance"))

    with main_process_first():
        stored = None if file is None else _read(file)
        scores = measure().normalised() if stored is None else stored
        _require_finite(scores, pruning.score, network.source)
        if file is not None and stored is None:
            parts = {kind: [part.tolist() for part in getattr(scores, kind)] for kind in KINDS}
            write_checked_json(file, parts)
    ordered = Importance(
        **{
            kind: tuple(part.sort(descending=True, stable=True).values for part in getattr(scores, kind))
            for kind in KINDS
        }
    )
    return Slices(whole=sort_units(network, scores), importance=ordered, pruning=pruning)


KINDS = ("heads", "neurons")


def _require_finite(scores: Importance, score: str, name: str) -> None:
    """Check that every importance is finite."""
    if not all(part.isfinite().all() for part in (*scores.heads, *scores.neurons)):
        raise ModelError(
            f"the {score} of some units of {name} is not a finite number, so units cannot be ranked. Load "
            "the weights in float32, or check the rows."
        )


def _read(file: Path) -> Importance | None:
    """The importances in a file of the cache; None without one, and, said in a line, from a damaged one."""
    if not file.is_file():
        return None
    stored = read_checked_json(file)
    try:
        if stored is not None:
            kept = {
                kind: [torch.tensor(part, dtype=torch.float64) for part in stored[kind]] for kind in KINDS
            }
            return Importance(**{kind: tuple(parts) for kind, parts in kept.items()})
    except (KeyError, TypeError, ValueError):  # one of version 0.1, without a checksum
        pass
    log.warning("%s is damaged; the importance is measured again.", file)
    return None
