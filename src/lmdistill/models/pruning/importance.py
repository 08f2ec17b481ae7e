"""Importance scores of the heads and neurons of a network."""

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
"""Added to norms before a division, so that nothing is divided by 0."""

Loss = Callable[[Any, Batch], Float[Tensor, ""]]
"""A function of a `Network` or `LanguageNetwork` and a batch that returns the loss."""


@dataclass(frozen=True, kw_only=True)
class Importance:
    """Importance score of each unit in each layer, >= 0."""

    heads: tuple[Float[Tensor, " _"], ...]
    """Scores of attention units, one float64 tensor per layer; empty if all heads of a layer are pruned."""

    neurons: tuple[Float[Tensor, " _"], ...]
    """Scores of neurons, one float64 tensor per layer; empty if all neurons of a layer are pruned."""

    def normalised(self) -> "Importance":
        """The scores divided by their Euclidean norm in each layer, separately for heads and neurons."""
        return Importance(heads=_normalised(self.heads), neurons=_normalised(self.neurons))


def mean_label_loss(network: Network | LanguageNetwork, batch: Batch) -> Float[Tensor, ""]:
    """Mean loss over the scored positions of a batch.

    Returns:
        Cross-entropy in nats for classes or next tokens, squared error for scores.
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
    r"""First-order estimate of the change of the loss if a unit is removed.

    .. math:: I_u = \sum_{batches} \left| \frac{\partial L}{\partial m_u} \right|, \quad m_u = 1

    The mask m of a head multiplies its output; that of a neuron multiplies its activation, after the gate if
    there is one.

    Args:
        network: A fine-tuned teacher, on its device. It is evaluated without dropout, and not changed.
        batches: Batches of the data on which candidates are compared later; all have the same weight.
        loss: Loss of the network on a batch.

    Returns:
        Scores on the CPU, not normalised.

    Raises:
        ModelError: If the model type is not in `FAMILIES`, or the network has LoRA adapters.

    References:
        Michel et al., "Are Sixteen Heads Really Better than One?", 2019, section 4.1; Zhang et al.,
        "MiniDisc", 2024, for neurons and the sum over batches. Deviation: query heads that share a key/value
        head share a mask.
    """
    family, device = family_of(network), network.model.device
    counts = _counts(network)
    sums = [torch.zeros(count, dtype=torch.float64) for count in counts]
    masks = [
        torch.ones(count, dtype=network.model.dtype, device=device, requires_grad=True) for count in counts
    ]
    with _evaluating(network), _input_hooks(network, family, [_masking(mask) for mask in masks]):
        for batch in batches:
            with torch.enable_grad():
                value = loss(network, batch.to(device))
            # The masks of layers without units are empty, and the loss does not depend on them.
            gradients = torch.autograd.grad(value, masks, materialize_grads=True)
            for total, gradient in zip(sums, gradients, strict=True):
                total += gradient.abs().double().cpu()
    return _importance(sums)


def magnitude_importance(network: AnyNetwork) -> Importance:
    """Euclidean norm of the weights of each unit: its rows with their biases, and its columns.

    Args:
        network: Any network; not changed.

    Returns:
        Scores on the CPU, not normalised; they need no data.

    Raises:
        ModelError: If the model type is not in `FAMILIES`, or the network has LoRA adapters.
    """
    family = family_of(network)
    squares = [torch.zeros(count, dtype=torch.float64) for count in _counts(network)]
    for total, (layer, shares) in zip(squares, _layer_shares(network, family), strict=True):
        for share in shares:
            total += _sum_of_squares(layer.get_submodule(share.name), share, len(total))
    return _importance([total.sqrt() for total in squares])


def activation_importance(network: AnyNetwork, batches: Iterable[Batch]) -> Importance:
    r"""Contribution of a unit to the hidden states: size of its output weights times that of their inputs.

    .. math:: I_u = \sum_{j \in u} \lVert X_j \rVert_2 \sum_i |W_{ij}|

    W is the output projection, and X_j its input j at all tokens of all batches, without padding.

    Args:
        network: Network on its device. It is evaluated without dropout, and not changed.
        batches: Batches of texts; labels are not used.

    Returns:
        Scores on the CPU, not normalised.

    Raises:
        ModelError: If the model type is not in `FAMILIES`, or the network has LoRA adapters.

    References:
        Sun et al., "A Simple and Effective Pruning Approach for Large Language Models" (Wanda), 2024,
        equation 1. Deviation: the scores of all weights of a unit are summed.
    """
    family = family_of(network)
    layer_shares = list(_layer_shares(network, family))
    blocks = [shares[-1].block if shares else 0 for _, shares in layer_shares]
    squares = [
        torch.zeros(count * block, dtype=torch.float64)
        for count, block in zip(_counts(network), blocks, strict=True)
    ]
    with _evaluating(network), torch.no_grad():
        for batch in batches:
            inputs = batch.inputs.to(network.model.device)
            functions = [
                _adding_squares(squares, number, inputs.mask == 1) for number in range(len(layer_shares))
            ]
            with _input_hooks(network, family, functions):
                network(inputs) if isinstance(network, Network) else network.states(inputs)
    return _importance(
        [
            _activation_scores(layer, shares, square)
            for (layer, shares), square in zip(layer_shares, squares, strict=True)
        ]
    )


InputFunction = Callable[[Tensor], Tensor | None]
"""Called with the input of an output projection; a tensor that it returns replaces the input."""


def _masking(mask: Tensor) -> InputFunction:
    """A function that multiplies the inputs of each unit by its mask."""
    return lambda inputs: inputs * mask.repeat_interleave(inputs.shape[-1] // max(len(mask), 1))


def _adding_squares(squares: list[Tensor], number: int, is_token: Tensor) -> InputFunction:
    """A function that adds the sum of squares of each input over all tokens to `squares[number]`."""

    def add(inputs: Tensor) -> None:
        rows = inputs.flatten(0, -2)  # OPT has them flat; the prompt of an EncT5 decoder has no mask
        tokens = rows[is_token.flatten()] if len(rows) == is_token.numel() else rows
        squares[number] = squares[number] + tokens.double().square().sum(0).cpu()

    return add


@contextmanager
def _input_hooks(network: AnyNetwork, family: Family, functions: Sequence[InputFunction]) -> Iterator[None]:
    """Call functions with the inputs of the output projections: attention in all layers, then neurons."""
    layers = unit_layers(network.model)
    names = [family.output] * len(layers) + [family.falling] * len(layers)
    hooks = [
        projection.register_forward_pre_hook(_hook(function))
        for layer, name, function in zip(layers + layers, names, functions, strict=True)
        if (projection := part_of(layer, name)) is not None
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _hook(function: InputFunction) -> Callable[[nn.Module, tuple[Any, ...]], Any]:
    return lambda module, arguments: function(arguments[0])


@contextmanager
def _evaluating(network: AnyNetwork) -> Iterator[None]:
    """Use evaluation mode inside the block, then restore the mode of each module."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _counts(network: AnyNetwork) -> tuple[int, ...]:
    """Number of attention units in each layer, then number of neurons in each layer."""
    widths = widths_of(network)
    return widths.heads + widths.neurons


def _layer_shares(network: AnyNetwork, family: Family) -> Iterator[tuple[nn.Module, tuple[Share, ...]]]:
    """(layer, shares of its units): attention in all layers, then neurons in all layers."""
    layers = unit_layers(network.model)
    yield from ((layer, head_shares(layer, family)) for layer in layers)
    yield from ((layer, neuron_shares(layer, family)) for layer in layers)


def _importance(values: Sequence[Tensor]) -> Importance:
    """Scores of heads from the first half of the tensors, those of neurons from the second."""
    depth = len(values) // 2
    return Importance(heads=tuple(values[:depth]), neurons=tuple(values[depth:]))


def _sum_of_squares(module: nn.Module, share: Share, units: int) -> Tensor:
    """Sum of squares of the weights (and biases) of a projection that belong to each unit."""
    weight, bias = prefix(module, share, units)
    squares = weight.detach().double().square().sum(1 - share.axis).cpu()
    if share.axis == 0 and bias is not None:
        squares = squares + bias.detach().double().square().cpu()
    parts = torch.split(squares, [units * block for block in share.blocks])
    each = [part.view(units, block) for part, block in zip(parts, share.blocks, strict=True)]
    return torch.cat(each, 1).sum(1)


def _activation_scores(layer: nn.Module, shares: Sequence[Share], squares: Tensor) -> Tensor:
    """Score of each unit, from its output weights and the sums of squares of their inputs."""
    if not shares:
        return torch.zeros(0, dtype=torch.float64)
    share, module = shares[-1], layer.get_submodule(shares[-1].name)
    weight, _ = prefix(module, share, squares.numel() // share.block)
    columns: Tensor = weight.detach().double().abs().sum(0).cpu() * squares.sqrt()
    return columns.view(-1, share.block).sum(1)


def _normalised(layers: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Each tensor divided by its Euclidean norm."""
    return tuple(scores / (scores.norm() + TINY) for scores in layers)
