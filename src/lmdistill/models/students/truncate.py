"""Students that consist of some layers of their teacher."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import nn
from transformers import PreTrainedModel

from lmdistill.core.errors import ModelError, UnknownNameError
from lmdistill.models.causal_lm import AnyNetwork
from lmdistill.models.modeling_narrow import PREFIX

ENCODER_LAYERS: Mapping[str, str] = MappingProxyType(
    {
        "bert": "encoder.layer",
        "camembert": "encoder.layer",
        "deberta": "encoder.layer",
        "deberta-v2": "encoder.layer",
        "distilbert": "transformer.layer",
        "electra": "encoder.layer",
        "enc-t5": "encoder",
        "modernbert": "layers",
        "mpnet": "encoder.layer",
        "roberta": "encoder.layer",
        "xlm-roberta": "encoder.layer",
    }
)
"""Path of the list of layers in the backbone, by model type of encoders that can be truncated."""

CAUSAL_LM_LAYERS: Mapping[str, str] = MappingProxyType(
    {
        "gemma": "layers",
        "gemma2": "layers",
        "gemma3_text": "layers",
        "gpt2": "h",
        "gpt_neox": "layers",
        "llama": "layers",
        "mistral": "layers",
        "opt": "decoder.layers",
        "phi": "layers",
        "phi3": "layers",
        "qwen2": "layers",
        "qwen3": "layers",
    }
)
"""The same for causal language models that can be truncated."""

SHARED = frozenset({"albert"})
"""Model types whose layers share one set of weights."""

PER_LAYER = ("layer_types", "kept_heads", "kept_neurons")
"""Fields of a configuration that are lists with an entry for each layer; entries for a decoder may follow."""

FIRST_DIFFERS = frozenset({"modernbert"})
"""Model types whose first layer has a different structure and cannot be replaced by another layer."""


def layers_of(model: PreTrainedModel) -> nn.ModuleList:
    """The list of layers of a Hugging Face model.

    Raises:
        ModelError: If the model type is not in `ENCODER_LAYERS` or `CAUSAL_LM_LAYERS`.
    """
    family = str(model.config.model_type).removeprefix(PREFIX)
    if family in SHARED:
        raise ModelError(
            f"{family} shares one set of weights between its layers, so fewer layers do not make it smaller. "
            f"Use one of {', '.join(ENCODER_LAYERS)}, or another student with student.model."
        )
    known = {**ENCODER_LAYERS, **CAUSAL_LM_LAYERS}
    if family not in known:
        raise ModelError(
            f"the layers of {family} models are not known; known families: {', '.join(known)}. "
            "Add a line to ENCODER_LAYERS or CAUSAL_LM_LAYERS in lmdistill/models/students/truncate.py, or "
            "use another student with student.model."
        )
    module: Any = model.base_model
    for name in known[family].split("."):
        module = getattr(module, name)
    assert isinstance(module, nn.ModuleList)
    return module


def truncate(
    network: AnyNetwork, *, layers: int | Sequence[int], keep: Literal["first", "last", "alternate"] = "first"
) -> AnyNetwork:
    """Copy some layers of a network, with its embeddings and its head, to a new network.

    Args:
        network: A classifier with a model type in `ENCODER_LAYERS`, or a language model with one in
            `CAUSAL_LM_LAYERS`, of n layers; not changed.
        layers: Number of layers to keep, from 1 to n; or their numbers, from 0 to n - 1, ascending.
        keep: Layers to keep if `layers` is a number k: the first, the last, or ("alternate") evenly spaced
            ones from the first to the last: layers j (n - 1) / (k - 1) for j = 0 ... k - 1, rounded.

    Returns:
        A trainable network that shares no weights with `network`. Its weights are float32 if those of
        `network` are in half precision. Dropped layers are not copied, which saves memory.

    Raises:
        ModelError: If the layers do not exist, or the model type does not support this selection.
        UnknownNameError: If `keep` is unknown.

    References:
        First k layers: Liang et al., "MixKD", 2021. Evenly spaced: Sanh et al., "DistilBERT", 2019; 6 of 12
        are the layers of its released script: 0, 2, 4, 7, 9, 11.
    """
    stack = layers_of(network.model)
    selected = _selected_layers(layers, len(stack), keep, network.source)
    _require_movable(network.model.config, selected)
    # In the memo of deepcopy, placeholders replace the layers that are dropped.
    dropped: dict[int, Any] = {id(layer): nn.Identity() for i, layer in enumerate(stack) if i not in selected}
    model = copy.deepcopy(network.model, dropped)
    kept = layers_of(model)
    for number in reversed(range(len(stack))):
        if number not in selected:
            del kept[number]
    for number, layer in enumerate(kept):
        _renumber(layer, number)
    model.requires_grad_(True)  # the weights of a teacher may be frozen
    nn.Module.to(model, dtype=torch.promote_types(model.dtype, torch.float32))
    model.config.num_hidden_layers = len(selected)
    for name in PER_LAYER:
        entries = getattr(network.model.config, name, None)
        if entries:
            setattr(model.config, name, [entries[number] for number in selected] + entries[len(stack) :])
    return network.with_model(model, source=f"{network.source}, layers {', '.join(map(str, selected))}")


def _renumber(layer: nn.Module, number: int) -> None:
    """Set the number of a layer, which is its index in the cache of keys and values."""
    modules: Iterable[Any] = layer.modules()
    for module in modules:
        if hasattr(module, "layer_idx"):
            module.layer_idx = number


def _require_movable(config: Any, selected: Sequence[int]) -> None:
    """Check that the selected layers compute the same at their new positions."""
    family = str(config.model_type)
    if family in FIRST_DIFFERS and selected[0] != 0:
        raise ModelError(
            f"the first layer of {family} has no norm before its attention, so layer {selected[0]} cannot "
            f"replace it. Keep layer 0, as in layers={[0, *selected[1:]]}."
        )
    if getattr(config, "scale_attn_by_inverse_layer_idx", False) and list(selected) != list(
        range(len(selected))
    ):
        raise ModelError(
            f"attention of this {family} is scaled by the number of its layer, so layers {list(selected)} "
            f"cannot move. Keep the first ones, as in layers={len(selected)}."
        )


def _selected_layers(layers: int | Sequence[int], depth: int, keep: str, name: str) -> tuple[int, ...]:
    """The numbers of the layers to keep, ascending."""
    if isinstance(layers, int):
        if not 1 <= layers <= depth:
            raise ModelError(f"layers must be between 1 and {depth} (the depth of {name}), got {layers}.")
        selections = {
            "first": range(layers),
            "last": range(depth - layers, depth),
            "alternate": _evenly_spaced(layers, depth),
        }
        if keep not in selections:
            raise UnknownNameError("choice of layers", keep, selections)
        return tuple(selections[keep])
    if not layers or list(layers) != sorted(set(layers)) or not 0 <= layers[0] <= layers[-1] < depth:
        raise ModelError(
            f"layers must be ascending numbers between 0 and {depth - 1} (the depth of {name} is {depth}), "
            f"got {list(layers)}."
        )
    return tuple(layers)


def _evenly_spaced(count: int, depth: int) -> tuple[int, ...]:
    """`count` numbers from 0 to `depth` - 1, evenly spaced, with halves rounded up.

    Examples:
        >>> _evenly_spaced(6, 12)
        (0, 2, 4, 7, 9, 11)
        >>> _evenly_spaced(1, 12)
        (0,)
    """
    gaps = max(count - 1, 1)
    return tuple((2 * number * (depth - 1) + gaps) // (2 * gaps) for number in range(count))
