"""Networks that compute with some heads and neurons of a wider one, beside it or on their own."""

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
    """A projection that holds the weights of a wider one and computes with its first units."""

    def __init__(self, projection: Any, share: Share, units: int) -> None:
        super().__init__()
        self.weight, self.bias = projection.weight, projection.bias
        self.is_flipped = flipped(projection)
        self.share, self.units = share, units

    @property
    def in_features(self) -> int:
        """How many inputs it reads."""
        if self.share.axis == 1:
            return self.units * self.share.block
        return int(self.weight.shape[0 if self.is_flipped else 1])

    def forward(self, inputs: Tensor) -> Tensor:
        """The projection of `inputs` to, or from, the units that are kept."""
        return nn.functional.linear(inputs, *prefix(self, self.share, self.units))


def sort_units(network: AnyNetwork, importance: Importance) -> AnyNetwork:
    """A network that computes the same, in whose layers the most important units come first.

    Args:
        network: Not changed.
        importance: Of its units; equal ones keep their order.

    Returns:
        A network that shares no weights with `network` and can be trained.

    Raises:
        ModelError: If the family is not known, or `importance` is of a network of another shape.

    References:
        Zhang et al., "MiniDisc", 2024: what makes every candidate a prefix of the next.
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
    model.requires_grad_(True)  # the teacher may be frozen
    return network.with_model(model, source=network.source)


def view(network: AnyNetwork, widths: Widths) -> AnyNetwork:
    """A network that computes with the first units of each layer of `network`, with the very same weights.

    What one of them learns, the other has learned. A part of a layer that keeps no unit is skipped; the bias
    of its output projection stays. Weights that are moved to another device stay shared; buffers are not, so
    move a network before it is viewed.

    Args:
        network: Best with sorted units; not changed. A view of a view is a view of the whole.
        widths: How many units to keep.

    Returns:
        A network with modes and settings of its own.

    Raises:
        ModelError: If the family is not known, or the widths do not fit.
    """
    return network.with_model(_narrowed(network, widths, _sliced), source=_named(network, widths))


def densify(network: AnyNetwork, widths: Widths) -> AnyNetwork:
    """A network that computes what `view(network, widths)` does, with small matrices of its own.

    Where the stock class of the family can hold the widths, it is a stock model; otherwise it is of a class
    in one of our `modeling_*.py`, which is saved with it.

    Args:
        network: Best with sorted units, or a view; not changed.
        widths: How many units to keep.

    Returns:
        A network that shares no weights with `network` and can be trained.

    Raises:
        ModelError: If the family is not known, or the widths do not fit.
    """
    model: Any = copy.deepcopy(_narrowed(network, widths, dense))
    _describe_shape(model, family_of(network), widths)
    model.requires_grad_(True)
    return network.with_model(model, source=_named(network, widths))


def is_view(network: AnyNetwork) -> bool:
    """Whether a network computes with slices of wider weights."""
    return any(isinstance(module, Sliced) for module in network.modules())


def materialise_view(network: AnyNetwork) -> AnyNetwork:
    """The dense network that computes what a view does; any other network as it is."""
    return densify(network, widths_of(network)) if is_view(network) else network


def _narrowed(network: AnyNetwork, widths: Widths, cut: Any) -> PreTrainedModel:
    """New modules around the same parameters and buffers, narrowed."""
    require_fit(network, widths)
    tensors = chain(network.model.parameters(), network.model.buffers())
    model = copy.deepcopy(network.model, {id(tensor): tensor for tensor in tensors})
    narrow(unit_layers(model), family_of(network), widths.heads, widths.neurons, cut)
    return model


def _sliced(module: nn.Module, share: Share, units: int) -> nn.Module:
    """A slice; all units of a stock projection are the projection itself."""
    whole: Any = module
    axis = 1 - share.axis if flipped(module) else share.axis
    if not isinstance(module, Sliced) and whole.weight.shape[axis] == units * share.block * share.parts:
        return module
    return Sliced(module, share, units)


def _permute(module: Any, share: Share, order: Tensor) -> None:
    """Put the rows or columns of all units into another order, in place."""
    units = len(order)
    inside = torch.arange(share.block)
    block = (order.cpu()[:, None] * share.block + inside).flatten()
    start = torch.arange(share.parts)[:, None] * units * share.block
    index = (start + block).flatten().to(module.weight.device)
    with torch.no_grad():
        axis = 1 - share.axis if flipped(module) else share.axis
        module.weight.copy_(module.weight.index_select(axis, index))
        if share.axis == 0 and module.bias is not None:
            module.bias.copy_(module.bias.index_select(0, index))


def _describe_shape(model: Any, family: Family, widths: Widths) -> None:
    """Make configuration and class those of the narrowed model: the stock ones where they can hold it."""
    carried = {**CLASSIFIERS, **WRITERS}.get(model.config.model_type.removeprefix(PREFIX))
    if carried is not None:  # else the class builds its own widths
        # The carried classes only add fields and a constructor, so a model that stands may change its class.
        model.config.__class__, model.__class__ = (cls.__bases__[-1] for cls in carried)
        if _becomes_stock(model, family, widths):
            for field in ("kept_heads", "kept_neurons", "auto_map"):
                vars(model.config).pop(field, None)
            return
        model.config.__class__, model.__class__ = carried
    model.config.kept_heads, model.config.kept_neurons = list(widths.heads), list(widths.neurons)


def _becomes_stock(model: Any, family: Family, widths: Widths) -> bool:
    """Let the stock configuration say how wide the layers are, if it can."""
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
    tried = copy.deepcopy(config)
    for name, value in fields.items():
        setattr(tried, name, value)
    try:
        type(tried).from_dict(tried.to_dict())
    except Exception:  # of a kind of its own, for heads that do not divide the width of the states
        return False
    for name, value in fields.items():
        setattr(config, name, value)
    return True


def _named(network: AnyNetwork, widths: Widths) -> str:
    """What a narrowed network is called in messages."""
    return f"{network.source}, {sum(widths.heads)} heads and {sum(widths.neurons)} neurons"


def _require_same_shape(importance: Importance, widths: Widths, name: str) -> None:
    """One score for each unit."""
    for kind, scores, has in (
        ("heads", importance.heads, widths.heads),
        ("neurons", importance.neurons, widths.neurons),
    ):
        found = tuple(len(layer) for layer in scores)
        if found != has:
            raise ModelError(
                f"the importance is of {list(found)} {kind} and {name} has {list(has)}. Compute it for this "
                "network."
            )
