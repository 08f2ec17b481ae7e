"""The order and the names of a classifier's outputs."""

from collections.abc import Sequence

import torch
from torch import nn

from lmdistill.core.errors import ModelError
from lmdistill.models.classifier import Network


def reorder_outputs(network: Network, order: Sequence[int], labels: Sequence[str]) -> Network:
    """Reorder the outputs of a classifier in place, and name its classes.

    Args:
        network: A classifier whose last layer is linear.
        order: Old output number of each new output; a permutation of the classes.
        labels: Class names in the new order.

    Returns:
        The same network. New output k is the old output `order[k]`, with the name `labels[k]`.

    Raises:
        ModelError: If no linear layer has as many outputs as there are classes.
    """
    layer = output_layer(network)
    with torch.no_grad():
        for weights in (layer.weight, layer.bias):
            if weights is not None:
                weights.copy_(weights[list(order)].clone())
    network.model.config.id2label = dict(enumerate(labels))
    network.model.config.label2id = {label: number for number, label in enumerate(labels)}
    network.labels = tuple(labels)
    return network


def output_layer(network: Network) -> nn.Linear:
    """The last linear layer with one output for each class.

    Raises:
        ModelError: If there is none.
    """
    layers = [
        module
        for module in network.model.modules()
        if isinstance(module, nn.Linear) and module.out_features == network.num_classes
    ]
    if not layers:
        raise ModelError(
            f"{network.source}: no linear layer has {network.num_classes} outputs, so its head cannot be "
            "changed. Save the model with its labels in the order of the task."
        )
    return layers[-1]
