"""Shallower graphs cut from one deep ONNX graph, which takes a fraction of the time of an export."""

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lmdistill.core.errors import ModelError
from lmdistill.export.onnx_graph import require_packages
from lmdistill.models.classifier import Network
from lmdistill.models.students.truncate import layers_of

SCOPES = "pkg.torch.onnx.name_scopes"
"""Property of a node in which the exporter writes the modules that it comes from."""


def layer_scope(network: Network) -> str:
    """What the modules of the layers are called in the graph of a network, without their number.

    Raises:
        ModelError: If the layers of its family are not known.
    """
    layers = layers_of(network.model)
    name = next(name for name, module in network.model.named_modules() if module is layers)
    return f"model.{name}"


def cut_depth(graph: Path, path: Path, *, scope: str, layers: int) -> None:
    """Write the graph of a network's first layers, with its embeddings and its head.

    What follows the last layer reads the output of layer `layers` instead, and whatever computes nothing
    for the logits any more is left out. A caller must compare the logits with those of the truncated network.

    Args:
        graph: The graph of the whole network, as `export_graph` writes it.
        path: The new file.
        scope: What its layers are called, from `layer_scope`.
        layers: Number of layers to keep, >= 1 and at most those of the graph.

    Raises:
        ModelError: If the layers cannot be told apart in the graph, or it has fewer.
        ConfigError: If onnx is not installed.
    """
    require_packages()
    import onnx

    model = onnx.load(str(graph))
    numbers = [_layer_of(node, scope) for node in model.graph.node]
    found = sorted({number for number in numbers if number is not None})
    if found != list(range(len(found))) or not 1 <= layers <= len(found):
        raise ModelError(
            f"{graph.name} has layers numbered {found}, and {layers} are to be kept. Export the network."
        )
    last, kept = (_output_of(model.graph.node, numbers, number) for number in (found[-1], layers - 1))
    for node, number in zip(model.graph.node, numbers, strict=True):
        if number is None:
            for place, name in enumerate(node.input):
                if name == last:
                    node.input[place] = kept
    _remove_unused(model.graph)
    onnx.save(model, str(path))


def _layer_of(node: Any, scope: str) -> int | None:
    """Number of the layer that a node comes from; None for another part of the network."""
    said = next((one.value for one in node.metadata_props if one.key == SCOPES), "[]")
    for name in ast.literal_eval(said):
        rest = str(name).removeprefix(f"{scope}.")
        if rest != name and rest.partition(".")[0].isdigit():
            return int(rest.partition(".")[0])
    return None


def _output_of(nodes: Iterable[Any], numbers: Iterable[int | None], layer: int) -> str:
    """What the last node of a layer computes: nodes are in the order of the computation."""
    inside = [node for node, number in zip(nodes, numbers, strict=True) if number == layer]
    return str(inside[-1].output[0])


def _remove_unused(graph: Any) -> None:
    """Remove the nodes and the weights that no output needs."""
    needed = {one.name for one in graph.output}
    used = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
            used.append(node)
    for field, kept in (
        (graph.node, used[::-1]),
        (graph.initializer, [one for one in graph.initializer if one.name in needed]),
        (graph.value_info, []),
    ):
        del field[:]
        field.extend(kept)
