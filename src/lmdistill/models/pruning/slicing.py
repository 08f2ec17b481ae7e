"""Narrower networks with some heads and neurons of a wider one, with shared or with copied weights."""

import copy
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from lmdistill.core.errors import ModelError
from lmdistill.models.causal_lm import AnyNetwork
from lmdistill.models.modeling_narrow import (
    CLASSIFIERS,
    PREFIX,
    WRITERS,
    Family,
    Share,
    dense,
    flipped,
    head_shares,
    narrow,
    neuron_shares,
    prefix,
)
from lmdistill.models.pruning.families import Widths, family_of, require_fit, unit_layers, widths_of
from lmdistill.models.pruning.importance import Importance


class Sliced(nn.Module):
    """A projection that shares the weights of a wider one and computes with its first units."""

    def __init__(self, projection: Any, share: Share, units: int) -> None:
        super().__init__()
        self.weight, self.bias = projection.weight, projection.bias
        self.is_flipped = flipped(projection)
        self.share, self.units = share, units

    @property
    def in_features(self) -> int:
        """Number of inputs."""
        if self.share.axis == 1:
            return self.units * self.share.block
        return int(self.weight.shape[0 if self.is_flipped else 1])

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the part of the projection that belongs to the first units."""
        return nn.functional.linear(inputs, *prefix(self, self.share, self.units))


def sort_units(network: AnyNetwork, importance: Importance) -> AnyNetwork:
    """Reorder the units of each layer by descending importance, without changing the outputs.

    Args:
        network: Network to sort; not changed.
        importance: Scores of its units; units with the same score keep their order.

    Returns:
        A trainable network that shares no weights with `network`.

    Raises:
        ModelError: If the network cannot be pruned (see `family_of`), or `importance` does not match its
            widths.

    References:
        Zhang et al., "MiniDisc", 2024: after sorting, each candidate is a prefix of the next wider one.
    """
    family, widths = family_of(network), widths_of(network)
    _require_same_shape(importance, widths, network.source)
    network = materialise_view(network)
    model: Any = copy.deepcopy(network.model)
    for layer, heads, neurons in zip(unit_layers(model), importance.heads, importance.neurons, strict=True):
        for shares, scores in ((head_shares(layer, family), heads), (neuron_shares(layer, family), neurons)):
            order = scores.argsort(descending=True, stable=True)
            for share in shares:
                _permute(layer.get_submodule(share.name), share, order)
    model.requires_grad_(True)  # the weights of a teacher may be frozen
    return network.with_model(model, source=network.source)


def view(network: AnyNetwork, widths: Widths) -> AnyNetwork:
    """A network with the first units of each layer of `network`, which shares its weights.

    Training one of them changes both. Attention or a feed-forward layer without units is skipped, except for
    the bias of its output projection. Weights remain shared if they are moved to another device, but buffers
    do not, so move `network` before the view is made.

    Args:
        network: Network, usually with sorted units; not changed. It may be a view itself.
        widths: Number of units to keep in each layer.

    Returns:
        A network whose training mode is independent of that of `network`.

    Raises:
        ModelError: If the network cannot be pruned to these widths (see `family_of`, `require_fit`).
    """
    return network.with_model(_narrowed(network, widths, _sliced), source=_source_name(network, widths))


def densify(network: AnyNetwork, widths: Widths) -> AnyNetwork:
    """A network that computes the same as `view(network, widths)`, with smaller matrices of its own.

    Its class is the one of transformers if that supports the widths, otherwise a class of
    `modeling_narrow.py` or `modeling_enc_t5.py`, whose source is saved with the model.

    Args:
        network: Network, usually with sorted units, or a view; not changed.
        widths: Number of units to keep in each layer.

    Returns:
        A trainable network that shares no weights with `network`.

    Raises:
        ModelError: If the network cannot be pruned to these widths (see `family_of`, `require_fit`).
    """
    model: Any = copy.deepcopy(_narrowed(network, widths, dense))
    _set_class_and_config(model, family_of(network), widths)
    model.requires_grad_(True)
    return network.with_model(model, source=_source_name(network, widths))


def is_view(network: AnyNetwork) -> bool:
    """Whether a network was made with `view` and computes with parts of wider matrices."""
    return any(isinstance(module, Sliced) for module in network.modules())


def materialise_view(network: AnyNetwork) -> AnyNetwork:
    """A dense network that computes the same as a view; any other network is returned unchanged."""
    return densify(network, widths_of(network)) if is_view(network) else network


def _narrowed(network: AnyNetwork, widths: Widths, cut: Any) -> PreTrainedModel:
    """A narrowed copy of the modules that shares parameters and buffers; `cut` replaces projections."""
    require_fit(network, widths)
    tensors = chain(network.model.parameters(), network.model.buffers())
    model = copy.deepcopy(network.model, {id(tensor): tensor for tensor in tensors})
    narrow(unit_layers(model), family_of(network), widths.heads, widths.neurons, cut)
    return model


def _sliced(module: nn.Module, share: Share, units: int) -> nn.Module:
    """A `Sliced` projection, or the projection itself if all its units are kept."""
    projection: Any = module
    axis = 1 - share.axis if flipped(module) else share.axis
    if not isinstance(module, Sliced) and projection.weight.shape[axis] == units * sum(share.blocks):
        return module
    return Sliced(module, share, units)


def _permute(module: Any, share: Share, order: Tensor) -> None:
    """Reorder the rows or columns of a projection in place, so that unit k is the old unit `order[k]`."""
    units, start, parts = len(order), 0, []
    for block in share.blocks:
        rows = order.cpu()[:, None] * block + torch.arange(block)
        parts.append(start + rows.flatten())
        start += units * block
    index = torch.cat(parts).to(module.weight.device)
    with torch.no_grad():
        axis = 1 - share.axis if flipped(module) else share.axis
        module.weight.copy_(module.weight.index_select(axis, index))
        if share.axis == 0 and module.bias is not None:
            module.bias.copy_(module.bias.index_select(0, index))


def _set_class_and_config(model: Any, family: Family, widths: Widths) -> None:
    """Set the class and configuration of a narrowed model, those of transformers if they support it."""
    narrow_classes = {**CLASSIFIERS, **WRITERS}.get(model.config.model_type.removeprefix(PREFIX))
    if narrow_classes is not None:  # else it is an EncT5, whose own configuration has widths
        # Narrow classes only add fields and a constructor, so the class of an existing model can be changed.
        model.config.__class__, model.__class__ = (cls.__bases__[-1] for cls in narrow_classes)
        if _set_stock_config(model, family, widths):
            for field in ("kept_heads", "kept_neurons", "auto_map"):
                vars(model.config).pop(field, None)
            vars(model).pop("_weight_conversions", None)  # those of its class
            return
        model.config.__class__, model.__class__ = narrow_classes
        model._weight_conversions = []  # files of a class with code of its own have the names of its modules
    model.config.kept_heads, model.config.kept_neurons = list(widths.heads), list(widths.neurons)


def _set_stock_config(model: Any, family: Family, widths: Widths) -> bool:
    """Write the widths to the configuration of transformers; false if it does not support them."""
    if not widths.uniform or widths.heads[0] == 0 or widths.neurons[0] == 0:
        return False
    layer, config = unit_layers(model)[0], model.config
    size = int(getattr(layer.get_submodule(family.attention), family.head_size))
    heads = widths.heads[0] * head_shares(layer, family)[-1].block // size
    fields = {family.neurons: widths.neurons[0]}
    if family.free_heads:
        fields |= {"head_dim": size, "num_attention_heads": heads, "num_key_value_heads": widths.heads[0]}
    elif heads != config.num_attention_heads:
        return False
    candidate = copy.deepcopy(config)
    for name, value in fields.items():
        setattr(candidate, name, value)
    try:
        type(candidate).from_dict(candidate.to_dict())
    except Exception:  # a custom error class, if the hidden size is not a multiple of the number of heads
        return False
    for name, value in fields.items():
        setattr(config, name, value)
    return True


def _source_name(network: AnyNetwork, widths: Widths) -> str:
    """Name of a narrowed network in messages."""
    return f"{network.source}, {sum(widths.heads)} heads and {sum(widths.neurons)} neurons"


def _require_same_shape(importance: Importance, widths: Widths, name: str) -> None:
    """Check that there is one score for each unit."""
    for kind, scores, expected in (
        ("heads", importance.heads, widths.heads),
        ("neurons", importance.neurons, widths.neurons),
    ):
        counts = tuple(len(layer) for layer in scores)
        if counts != expected:
            raise ModelError(
                f"the importance is of {list(counts)} {kind} and {name} has {list(expected)}. Compute it for "
                "this network."
            )
