"""How much each head and each neuron of a network matters."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmdistill.core.batch import Batch, LMHead
from lmdistill.models.causal_lm import AnyNetwork, LanguageNetwork
from lmdistill.models.classifier import Network
from lmdistill.models.modeling_narrow import Family, Share, head_shares, neuron_shares, part_of, prefix
from lmdistill.models.pruning.families import family_of, unit_layers, widths_of
from lmdistill.objectives.supervised import label_loss

TINY = 1e-17
"""What is added to a norm before something is divided by it."""

Loss = Callable[[Any, Batch], Float[Tensor, ""]]
"""What a network loses on a batch; the network is a `Network` or a `LanguageNetwork`."""


@dataclass(frozen=True, kw_only=True)
class Importance:
    """One number, >= 0, for each unit of each layer."""

    heads: tuple[Float[Tensor, " _"], ...]
    """Of units of attention, one float64 tensor a layer; empty where attention has vanished."""

    neurons: tuple[Float[Tensor, " _"], ...]
    """Of neurons, likewise."""

    def normalised(self) -> "Importance":
        """Divided by their Euclidean norm in each layer, heads and neurons apart."""
        return Importance(heads=_normalised(self.heads), neurons=_normalised(self.neurons))


def mean_label_loss(network: Network | LanguageNetwork, batch: Batch) -> Float[Tensor, ""]:
    """Mean loss over the scored positions of a batch.

    Returns:
        Cross-entropy of classes or next tokens, squared error of scores.
    """
    labels = batch.labels[batch.scored]
    if isinstance(network, Network):
        return label_loss(network(batch.inputs).logits[batch.scored], labels).mean()

    def read(states: Float[Tensor, "n d"], head: LMHead) -> dict[str, Tensor]:
        return {"loss": label_loss(head.logits(states), labels).mean()}

    loss: Tensor = network(batch.inputs, at=batch.scored, head_fn=read)["loss"]
    return loss


def gradient_importance(
    network: AnyNetwork, batches: Iterable[Batch], loss: Loss = mean_label_loss
) -> Importance:
    r"""How much the loss would change if a unit were taken away, to first order.

    .. math:: I_u = \sum_{batches} \left| \frac{\partial L}{\partial m_u} \right|, \quad m_u = 1

    The mask of a head multiplies what it found, that of a neuron what it is after its activation, and after
    its gate. The network is in evaluation mode meanwhile; it is left as it was found.

    Args:
        network: A fine-tuned teacher, on its device.
        batches: Of the data on which candidates are chosen later; each counts alike.
        loss: What the network loses on a batch.

    Returns:
        Numbers that are not normalised, on the CPU.

    Raises:
        ModelError: If the family of the network is not known.

    References:
        Michel et al., "Are Sixteen Heads Really Better than One?", 2019, section 4.1; Zhang et al.,
        "MiniDisc", 2024, for neurons and the sum over batches. Deviation: heads of queries that share keys
        and values share a mask.
    """
    family, device = family_of(network), network.model.device
    counts = _counts(network)
    sums = [torch.zeros(count, dtype=torch.float64) for count in counts]
    masks = [
        torch.ones(count, dtype=network.model.dtype, device=device, requires_grad=True) for count in counts
    ]
    with _evaluating(network), _watching(network, family, [_masking(mask) for mask in masks]):
        for batch in batches:
            with torch.enable_grad():
                lost = loss(network, batch.to(device))
            # Where attention has vanished nothing depends on the mask, which is empty.
            slopes = torch.autograd.grad(lost, masks, materialize_grads=True)
            for total, slope in zip(sums, slopes, strict=True):
                total += slope.abs().double().cpu()
    return _parted(sums)


def magnitude_importance(network: AnyNetwork) -> Importance:
    """Euclidean norm of all weights that belong to a unit: its rows, their biases, and its columns.

    Args:
        network: Not changed.

    Returns:
        Numbers that need no data, on the CPU.

    Raises:
        ModelError: If the family of the network is not known.
    """
    family = family_of(network)
    squares = [torch.zeros(count, dtype=torch.float64) for count in _counts(network)]
    for total, (layer, shares) in zip(squares, _parts(network, family), strict=True):
        for share in shares:
            total += _square(layer.get_submodule(share.name), share, len(total))
    return _parted([total.sqrt() for total in squares])


def activation_importance(network: AnyNetwork, batches: Iterable[Batch]) -> Importance:
    r"""How much a unit moves the states, by the size of its weights and of what they multiply.

    .. math:: I_u = \sum_{j \in u} \lVert X_j \rVert_2 \sum_i |W_{ij}|

    W is the output projection and X_j its input j at all tokens of all batches, padding left out.

    Args:
        network: On its device; left as it was found, and in evaluation mode meanwhile.
        batches: Labels are not read.

    Returns:
        Numbers that are not normalised, on the CPU.

    Raises:
        ModelError: If the family of the network is not known.

    References:
        Sun et al., "A Simple and Effective Pruning Approach for Large Language Models" (Wanda), 2024,
        equation 1. Deviation: summed over all that belongs to a unit.
    """
    family = family_of(network)
    parts = list(_parts(network, family))
    blocks = [shares[-1].block if shares else 0 for _, shares in parts]
    squares = [
        torch.zeros(count * block, dtype=torch.float64)
        for count, block in zip(_counts(network), blocks, strict=True)
    ]
    with _evaluating(network), torch.no_grad():
        for batch in batches:
            inputs = batch.inputs.to(network.model.device)
            watchers = [_squaring(squares, number, inputs.mask == 1) for number in range(len(parts))]
            with _watching(network, family, watchers):
                network(inputs) if isinstance(network, Network) else network.states(inputs)
    return _parted(
        [_carried(layer, shares, square) for (layer, shares), square in zip(parts, squares, strict=True)]
    )


Watcher = Callable[[Tensor], Tensor | None]
"""Sees what an output projection reads, and may return something else to be read."""


def _masking(mask: Tensor) -> Watcher:
    """Multiply what each unit found by its mask."""
    return lambda found: found * mask.repeat_interleave(found.shape[-1] // max(len(mask), 1))


def _squaring(squares: list[Tensor], number: int, real: Tensor) -> Watcher:
    """Add the squares of what each input is at real tokens, or for a prompt, to `squares[number]`."""

    def add(found: Tensor) -> None:
        read = found[real] if found.shape[:2] == real.shape else found.flatten(0, 1)
        squares[number] = squares[number] + read.double().square().sum(0).cpu()

    return add


@contextmanager
def _watching(network: AnyNetwork, family: Family, watchers: Sequence[Watcher]) -> Iterator[None]:
    """Let watchers see what output projections read, those of attention in all layers first."""
    layers = unit_layers(network.model)
    names = [family.output] * len(layers) + [family.falling] * len(layers)
    hooks = [
        part.register_forward_pre_hook(_hook(watcher))
        for layer, name, watcher in zip(layers + layers, names, watchers, strict=True)
        if (part := part_of(layer, name)) is not None
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _hook(watcher: Watcher) -> Callable[[nn.Module, tuple[Any, ...]], Any]:
    return lambda module, given: watcher(given[0])


@contextmanager
def _evaluating(network: AnyNetwork) -> Iterator[None]:
    """Evaluation mode; each module then gets its own mode back."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _counts(network: AnyNetwork) -> tuple[int, ...]:
    """How many units attention has in each layer, then how many neurons there are."""
    widths = widths_of(network)
    return widths.heads + widths.neurons


def _parts(network: AnyNetwork, family: Family) -> Iterator[tuple[nn.Module, tuple[Share, ...]]]:
    """Layers with what belongs to their units: attention of all layers, then feed-forward."""
    layers = unit_layers(network.model)
    yield from ((layer, head_shares(layer, family)) for layer in layers)
    yield from ((layer, neuron_shares(layer, family)) for layer in layers)


def _parted(values: Sequence[Tensor]) -> Importance:
    """Heads in the first half, neurons in the second."""
    depth = len(values) // 2
    return Importance(heads=tuple(values[:depth]), neurons=tuple(values[depth:]))


def _square(module: nn.Module, share: Share, units: int) -> Tensor:
    """Sum of squares of what a projection gives to each unit."""
    weight, bias = prefix(module, share, units)
    along = weight.detach().double().square().sum(1 - share.axis).cpu()
    if share.axis == 0 and bias is not None:
        along = along + bias.detach().double().square().cpu()
    return along.view(share.parts, units, share.block).sum((0, 2))


def _carried(layer: nn.Module, shares: Sequence[Share], square: Tensor) -> Tensor:
    """Sum over the columns of each unit of absolute weights times the norm of what they multiply."""
    if not shares:
        return torch.zeros(0, dtype=torch.float64)
    share, module = shares[-1], layer.get_submodule(shares[-1].name)
    weight, _ = prefix(module, share, square.numel() // share.block)
    columns: Tensor = weight.detach().double().abs().sum(0).cpu() * square.sqrt()
    return columns.view(-1, share.block).sum(1)


def _normalised(layers: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Each divided by its norm."""
    return tuple(scores / (scores.norm() + TINY) for scores in layers)
