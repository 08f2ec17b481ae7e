"""Students that are some of their teacher's layers."""

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
"""Families of encoders that can be cut: model type, and where its list of layers is in the backbone."""

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
"""Families of causal language models that can be cut."""

SHARED = frozenset({"albert"})
"""Families whose layers are one set of weights."""

PER_LAYER = ("layer_types", "kept_heads", "kept_neurons")
"""Lists of a configuration with an entry for each layer, and behind them perhaps some for a decoder."""

FIRST_DIFFERS = frozenset({"modernbert"})
"""Families whose first layer is built unlike the others, so that no other layer can take its place."""


def layers_of(model: PreTrainedModel) -> nn.ModuleList:
    """The list of layers of a stock model.

    Raises:
        ModelError: If the family is not in the table.
    """
    family = str(model.config.model_type).removeprefix(PREFIX)
    if family in SHARED:
        raise ModelError(
            f"{family} shares one set of weights between its layers, so fewer of them are no smaller model. "
            f"Use one of {', '.join(ENCODER_LAYERS)}, or another student with student.model."
        )
    known = {**ENCODER_LAYERS, **CAUSAL_LM_LAYERS}
    if family not in known:
        raise ModelError(
            f"the layers of {family} models are not known; known families: {', '.join(known)}. "
            "Add a line to ENCODER_LAYERS or CAUSAL_LM_LAYERS in lmdistill/models/students/truncate.py, or "
            "use another student with student.model."
        )
    found: Any = model.base_model
    for part in known[family].split("."):
        found = getattr(found, part)
    assert isinstance(found, nn.ModuleList)
    return found


def truncate(
    network: AnyNetwork, *, layers: int | Sequence[int], keep: Literal["first", "last", "alternate"] = "first"
) -> AnyNetwork:
    """A new network of some of the layers of `network`, with its embeddings and its head.

    Args:
        network: A classifier of a family in `ENCODER_LAYERS`, or a language model of one in
            `CAUSAL_LM_LAYERS`; not changed.
        layers: How many to keep, 1 to n; or which: numbers from 0 to n - 1, rising.
        keep: Which, where `layers` is a number k of n: the first, the last, or evenly spaced ones from the
            first to the last, layers j (n - 1) / (k - 1) for j = 0 ... k - 1, rounded.

    Returns:
        A network that shares no weights with `network` and can be trained: where those are in half precision,
        its own are float32. What is dropped is never copied.

    Raises:
        ModelError: If the layers do not exist, or the family cannot be cut in this way.
        UnknownNameError: If there is no such choice of layers.

    References:
        First k layers: Liang et al., "MixKD", 2021. Evenly spaced: Sanh et al., "DistilBERT", 2019; 6 of 12
        are the layers of its released script: 0, 2, 4, 7, 9, 11.
    """
    stack = layers_of(network.model)
    chosen = _chosen(layers, len(stack), keep, network.source)
    _require_places(network.model.config, chosen)
    # Instead of a dropped layer, deepcopy finds a placeholder in its memory.
    dropped: dict[int, Any] = {id(layer): nn.Identity() for i, layer in enumerate(stack) if i not in chosen}
    model = copy.deepcopy(network.model, dropped)
    kept = layers_of(model)
    for number in reversed(range(len(stack))):
        if number not in chosen:
            del kept[number]
    for number, layer in enumerate(kept):
        _renumber(layer, number)
    model.requires_grad_(True)  # the teacher may be frozen
    nn.Module.to(model, dtype=torch.promote_types(model.dtype, torch.float32))
    model.config.num_hidden_layers = len(chosen)
    for name in PER_LAYER:
        entries = getattr(network.model.config, name, None)
        if entries:
            setattr(model.config, name, [entries[number] for number in chosen] + entries[len(stack) :])
    return network.with_model(model, source=f"{network.source}, layers {', '.join(map(str, chosen))}")


def _renumber(layer: nn.Module, number: int) -> None:
    """Tell a layer its place, by which it finds its keys and values while it writes."""
    parts: Iterable[Any] = layer.modules()
    for part in parts:
        if hasattr(part, "layer_idx"):
            part.layer_idx = number


def _require_places(config: Any, chosen: Sequence[int]) -> None:
    """Layers can stand where they will."""
    family = str(config.model_type)
    if family in FIRST_DIFFERS and chosen[0] != 0:
        raise ModelError(
            f"the first layer of {family} has no norm before its attention, so layer {chosen[0]} cannot take "
            f"its place. Keep layer 0, as in layers={[0, *chosen[1:]]}."
        )
    if getattr(config, "scale_attn_by_inverse_layer_idx", False) and list(chosen) != list(range(len(chosen))):
        raise ModelError(
            f"attention of this {family} is scaled by the number of its layer, so layers {list(chosen)} "
            f"cannot move. Keep the first ones, as in layers={len(chosen)}."
        )


def _chosen(layers: int | Sequence[int], depth: int, keep: str, name: str) -> tuple[int, ...]:
    """The numbers of the layers to keep."""
    if isinstance(layers, int):
        if not 1 <= layers <= depth:
            raise ModelError(f"layers must be between 1 and {depth} (the depth of {name}), got {layers}.")
        spaced = {
            "first": range(layers),
            "last": range(depth - layers, depth),
            "alternate": _evenly(layers, depth),
        }
        if keep not in spaced:
            raise UnknownNameError("choice of layers", keep, spaced)
        return tuple(spaced[keep])
    if not layers or list(layers) != sorted(set(layers)) or not 0 <= layers[0] <= layers[-1] < depth:
        raise ModelError(
            f"layers must be rising numbers between 0 and {depth - 1} (the depth of {name} is {depth}), "
            f"got {list(layers)}."
        )
    return tuple(layers)


def _evenly(count: int, depth: int) -> tuple[int, ...]:
    """`count` of the numbers below `depth`, evenly spaced from the first to the last, halves rounded up.

    Examples:
        >>> _evenly(6, 12)
        (0, 2, 4, 7, 9, 11)
        >>> _evenly(1, 12)
        (0,)
    """
    gaps = max(count - 1, 1)
    return tuple((2 * number * (depth - 1) + gaps) // (2 * gaps) for number in range(count))
