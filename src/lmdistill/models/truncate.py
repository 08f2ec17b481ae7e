"""Students that are some of their teacher's layers."""

import copy
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from torch import nn
from transformers import PreTrainedModel

from lmdistill.core.errors import ModelError
from lmdistill.models.network import Network

LAYERS: Mapping[str, str] = MappingProxyType(
    {
        "bert": "encoder.layer",
        "camembert": "encoder.layer",
        "deberta": "encoder.layer",
        "deberta-v2": "encoder.layer",
        "distilbert": "transformer.layer",
        "electra": "encoder.layer",
        "modernbert": "layers",
        "mpnet": "encoder.layer",
        "roberta": "encoder.layer",
        "xlm-roberta": "encoder.layer",
    }
)
"""Families that can be cut: model type, and where its list of layers is in the backbone."""


def layers_of(model: PreTrainedModel) -> nn.ModuleList:
    """The list of layers of a stock model."""
    found: Any = model.base_model
    for part in LAYERS[str(model.config.model_type)].split("."):
        found = getattr(found, part)
    assert isinstance(found, nn.ModuleList)
    return found


def truncate(
    network: Network, *, layers: int | Sequence[int], keep: Literal["first", "last", "alternate"] = "first"
) -> Network:
    """A new network of some of the layers of `network`, with its embeddings and its head."""
    stack = layers_of(network.model)
    depth = len(stack)
    if isinstance(layers, int):
        if not 1 <= layers <= depth:
            raise ModelError(f"layers must be between 1 and {depth} (the depth of {network.source}), got {layers}.")
        options = {
            "first": list(range(layers)),
            "last": list(range(depth - layers, depth)),
            "alternate": [j * depth // layers for j in range(layers)],
        }
        layers = options[keep]
    model = copy.deepcopy(network.model, {id(layer): nn.Identity() for i, layer in enumerate(stack) if i not in layers})
    kept = layers_of(model)
    for i in reversed(range(depth)):
        if i not in layers:
            del kept[i]
    model.config.num_hidden_layers = len(layers)
    return Network(model, network.tokenizer, source=f"{network.source}, layers {', '.join(map(str, layers))}")
