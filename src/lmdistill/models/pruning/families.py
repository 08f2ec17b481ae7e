"""Widths of the layers of a network, and checks of the widths that it can be pruned to.

A unit of attention is a head, or with grouped-query attention one key/value head and its query heads. A unit
of a feed-forward layer is a neuron.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from lmdistill.core.errors import ModelError
from lmdistill.models.causal_lm import AnyNetwork
from lmdistill.models.classifier import Network
from lmdistill.models.lora import has_lora
from lmdistill.models.modeling_narrow import FAMILIES, PREFIX, WRITERS, Family, widths


@dataclass(frozen=True, kw_only=True)
class Widths:
    """Number of units in each layer."""

    heads: tuple[int, ...]
    """Number of attention units in each layer, >= 0."""

    neurons: tuple[int, ...]
    """Number of neurons in each layer, >= 0."""

    @property
    def uniform(self) -> bool:
        """Whether all layers have the same widths."""
        return len(set(self.heads)) <= 1 and len(set(self.neurons)) <= 1


def family_of(network: AnyNetwork) -> Family:
    """The names of the modules that contain the units of a network.

    Raises:
        ModelError: If the model type is not in `FAMILIES`, or the network is a decoder with a classification
            head or has LoRA adapters.
    """
    name = str(network.model.config.model_type).removeprefix(PREFIX)
    if name not in FAMILIES:
        raise ModelError(
            f"the heads and neurons of {name} models are not known; known families: {', '.join(FAMILIES)}. "
            "Add an entry to FAMILIES in lmdistill/models/modeling_narrow.py, or truncate layers instead."
        )
    if isinstance(network, Network) and name in WRITERS:
        raise ModelError(
            f"{network.source} is a {name} model with a classification head, and heads and neurons of {name} "
            "are pruned in language models only. Truncate its layers instead (student.layers)."
        )
    if has_lora(network):
        raise ModelError(
            f"{network.source} has LoRA adapters, which cannot be pruned. Merge them first, with merge_lora."
        )
    return FAMILIES[name]


def unit_layers(model: Any) -> list[nn.Module]:
    """The layers of the backbone, those of an encoder before those of a decoder."""
    lists = (module for module in model.base_model.modules() if isinstance(module, nn.ModuleList))
    return [layer for layers in lists for layer in layers]


def widths_of(network: AnyNetwork) -> Widths:
    """Number of units in each layer of a network, without pruned ones.

    Raises:
        ModelError: If the model type is not in `FAMILIES`, or the network has LoRA adapters.
    """
    family = family_of(network)
    pairs = [widths(layer, family) for layer in unit_layers(network.model)]
    return Widths(heads=tuple(heads for heads, _ in pairs), neurons=tuple(neurons for _, neurons in pairs))


def require_fit(network: AnyNetwork, wanted: Widths) -> None:
    """Check that a network can be pruned to some widths.

    Args:
        network: Network to prune; not changed.
        wanted: Number of units to keep in each layer.

    Raises:
        ModelError: If the number of layers differs, a layer has fewer units, no layer would keep a head, or
            the cross-attention of a decoder would keep none.
    """
    available = widths_of(network)
    _require_units("heads", wanted.heads, available.heads, network.source)
    _require_units("neurons", wanted.neurons, available.neurons, network.source)
    if not any(wanted.heads):
        raise ModelError(
            f"no layer of {network.source} would keep a head, so no token could attend to another. Keep at "
            f"least 1 of {sum(available.heads)}."
        )
    for layer, kept in zip(unit_layers(network.model), wanted.heads, strict=True):
        if getattr(layer, "reads_text", False) and kept == 0:
            raise ModelError(
                f"the decoder layer of {network.source} would keep 0 heads of cross-attention, so its output "
                "would not depend on the text. Keep at least 1, as pruning.scope layer does."
            )


def _require_units(kind: str, wanted: Sequence[int], available: Sequence[int], name: str) -> None:
    """Check that there is one number for each layer, from 0 to the number of its units."""
    if len(wanted) != len(available):
        raise ModelError(
            f"the widths have {kind} for {len(wanted)} layers and {name} has {len(available)}. Give one "
            "number per layer."
        )
    for layer, (count, most) in enumerate(zip(wanted, available, strict=True)):
        if not 0 <= count <= most:
            raise ModelError(
                f"layer {layer} of {name} has {most} {kind} and cannot keep {count}. Keep 0 to {most} there."
            )
