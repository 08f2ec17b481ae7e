"""How wide the layers of a network are, and how wide they can be made.

A unit of attention is a head, or one head of keys and values with all its heads of queries. A unit of a
feed-forward layer is a neuron.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from lmdistill.core.errors import ModelError
from lmdistill.models.causal_lm import AnyNetwork
from lmdistill.models.lora import has_lora
from lmdistill.models.modeling_narrow import FAMILIES, PREFIX, Family, widths


@dataclass(frozen=True, kw_only=True)
class Widths:
    """How many units each layer has."""

    heads: tuple[int, ...]
    """Units of attention in each layer, >= 0."""

    neurons: tuple[int, ...]
    """Neurons in each layer, >= 0."""

    @property
    def uniform(self) -> bool:
        """Whether all layers are equally wide."""
        return len(set(self.heads)) <= 1 and len(set(self.neurons)) <= 1


def family_of(network: AnyNetwork) -> Family:
    """Where the units of a network are.

    Raises:
        ModelError: If its family is not in the table, or it learns through adapters.
    """
    name = str(network.model.config.model_type).removeprefix(PREFIX)
    if name not in FAMILIES:
        raise ModelError(
            f"the heads and neurons of {name} models are not known; known families: {', '.join(FAMILIES)}. "
            "Add an entry to FAMILIES in lmdistill/models/modeling_narrow.py, or truncate layers instead."
        )
    if has_lora(network):
        raise ModelError(f"{network.source} has adapters, and units have no place there. Merge them first.")
    return FAMILIES[name]


def unit_layers(model: Any) -> list[nn.Module]:
    """The layers that have units: those of every list of layers in the backbone, a decoder's last."""
    lists = (part for part in model.base_model.modules() if isinstance(part, nn.ModuleList))
    return [layer for part in lists for layer in part]


def widths_of(network: AnyNetwork) -> Widths:
    """How wide the layers of a network are: all of a stock model, what is kept of a narrow one.

    Raises:
        ModelError: If its family is not in the table, or it learns through adapters.
    """
    family = family_of(network)
    found = [widths(layer, family) for layer in unit_layers(network.model)]
    return Widths(heads=tuple(heads for heads, _ in found), neurons=tuple(neurons for _, neurons in found))


def require_fit(network: AnyNetwork, wanted: Widths) -> None:
    """Widths that a network can be narrowed to.

    Raises:
        ModelError: If it has other layers or fewer units, or if no head would be left in any layer, or none
            through which a decoder reads the text.
    """
    has = widths_of(network)
    _require_units("heads", wanted.heads, has.heads, network.source)
    _require_units("neurons", wanted.neurons, has.neurons, network.source)
    if not any(wanted.heads):
        raise ModelError(
            f"no layer of {network.source} would keep a head, so no token would see another. Keep at least 1 "
            f"of {sum(has.heads)}."
        )
    for layer, kept in zip(unit_layers(network.model), wanted.heads, strict=True):
        if getattr(layer, "reads_text", False) and kept == 0:
            raise ModelError(
                f"the decoder layer of {network.source} would keep 0 heads of cross-attention, so its answer "
                "would not depend on the text. Keep at least 1, as pruning.scope layer does."
            )


def _require_units(kind: str, wanted: Sequence[int], has: Sequence[int], name: str) -> None:
    """One number a layer, and not more than there are."""
    if len(wanted) != len(has):
        raise ModelError(
            f"the widths have {kind} for {len(wanted)} layers and {name} has {len(has)}. Give one number a "
            "layer."
        )
    for layer, (count, most) in enumerate(zip(wanted, has, strict=True)):
        if not 0 <= count <= most:
            raise ModelError(
                f"layer {layer} of {name} has {most} {kind} and cannot keep {count}. Keep 0 to {most} there."
            )
