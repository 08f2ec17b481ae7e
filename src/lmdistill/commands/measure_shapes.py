"""Speed and size of untrained students, each measured through the graph that would be served."""

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from lmdistill.commands.answer_speed import spread_by_length, time_answers
from lmdistill.commands.export import graph_manifest
from lmdistill.commands.export_checks import TOLERANCE, CheckTexts
from lmdistill.commands.export_source import ExportSource
from lmdistill.commands.exported_files import PATHS, graph_sizes, write_tokenizer
from lmdistill.core.cpu_threads import own_threads
from lmdistill.core.errors import ModelError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.core.progress import progress
from lmdistill.export import onnx_graph, openvino_graph
from lmdistill.export.depth_cut import cut_depth, layer_scope
from lmdistill.models.classifier import Network
from lmdistill.models.model_stats import count_parameters
from lmdistill.models.pruning.importance import magnitude_importance
from lmdistill.models.pruning.slicing import sort_units
from lmdistill.models.students.truncate import truncate
from lmdistill.recipes.pruning import Pruning
from lmdistill.records.environment import processor_name
from lmdistill.runs.schedules.pruning import Slices
from lmdistill.serving.manifest import write_manifest
from lmdistill.serving.predictor import Predictor, load_predictor
from lmdistill.serving.runtimes import open_graph
from lmdistill.studies.shrink.measured_shapes import (
    Conditions,
    MeasuredShape,
    read_measurements,
    write_measurements,
)
from lmdistill.studies.shrink.shapes import Shape

log = logging.getLogger("lmdistill")

RANGES_FROM = 8
"""Texts from which OpenVINO's 8-bit ranges of untrained weights are taken: only their speed counts."""


@dataclass(frozen=True, kw_only=True)
class Untrained:
    """Where untrained students come from, and how they are measured."""

    base: Callable[[str | None], Network]
    """Gives the untrained classifier of a model, None for the teacher's backbone; with the student's
    vocabulary."""

    pruning: Pruning
    """The recipe's; widths are rounded as it says."""

    source: ExportSource
    """The texts, the longest input, and what the folders say of the model."""

    graphs: tuple[str, ...]
    """Names of the graphs to measure, such as `onnx-int8`."""

    timed_texts: int
    """Texts on which each is timed, >= 1."""


def measure_shapes(
    untrained: Untrained, shapes: Sequence[Shape], folder: Path
) -> tuple[tuple[MeasuredShape, ...], tuple[Shape, ...]]:
    """Size and latency of each shape as each graph; what the folder already knows is not measured again.

    One graph is exported for each width, and its depths are cut from it. Weights are those of the backbone
    with as many heads and neurons in each layer: a trained student of the same share has them distributed
    otherwise over its layers, but as many in all.

    Args:
        untrained: The models and the texts.
        shapes: What to measure.
        folder: Of the search; measurements are kept there after every width.

    Returns:
        One measurement for each shape and graph, and the shapes that do not exist, because no head would be
        left or the family cannot be pruned.

    Raises:
        ModelError: If a graph cannot be written, or no shape exists.
    """
    texts = timed_texts(untrained)
    conditions = Conditions(
        processor=processor_name(),
        threads=own_threads() or torch.get_num_threads(),
        texts=fingerprint(texts.first, texts.second),
    )
    known = {(one.shape, one.graph): one for one in read_measurements(folder, conditions)}
    impossible = list[Shape]()
    missing = [s for s in shapes if any((s, graph) not in known for graph in untrained.graphs)]
    if missing:
        with progress("measuring shapes", len(missing), unit="shape") as shown:
            for group in _by_width(missing):
                found = _measure(untrained, group, texts)
                impossible += [] if found else group
                known |= {(one.shape, one.graph): one for one in found}
                write_measurements(folder, conditions, known.values())
                shown.add(len(group))
    measured = tuple(
        known[shape, graph] for shape in shapes for graph in untrained.graphs if (shape, graph) in known
    )
    if not measured:
        raise ModelError("none of the shapes exists in this model. Name others with --layers and --widths.")
    return measured, tuple(impossible)


def _by_width(shapes: Iterable[Shape]) -> list[list[Shape]]:
    """Shapes of one model and width together, the deepest first."""
    groups = dict[tuple[str | None, float], list[Shape]]()
    for shape in shapes:
        groups.setdefault((shape.model, shape.keep), []).append(shape)
    return [sorted(group, key=lambda one: -(one.layers or 0)) for group in groups.values()]


def timed_texts(untrained: Untrained) -> CheckTexts:
    """The texts that are timed: dev texts of all lengths."""
    texts = untrained.source.texts
    read = untrained.source.network.tokenizer(
        texts.first, texts.second, truncation="longest_first", max_length=untrained.source.length
    )["input_ids"]
    first, second = texts.chosen(spread_by_length([len(one) for one in read], untrained.timed_texts))
    return CheckTexts(first=first, second=second, source="timed texts")


def _measure(untrained: Untrained, group: Sequence[Shape], texts: CheckTexts) -> list[MeasuredShape]:
    """Measure shapes of one model and width in turn; [] if that width does not exist."""
    try:
        whole = _narrowed(untrained, group[0])
    except ModelError as error:
        log.warning("%s is left out: %s", ", ".join(shape.name for shape in group), error)
        return []
    found = list[MeasuredShape]()
    with tempfile.TemporaryDirectory() as name:
        for shape, network, graph in _graphs(whole, group, untrained.source.length, Path(name)):
            found += _measured(untrained, shape, network, graph, texts)
            if shape is not group[0]:
                graph.unlink()  # of a large model, all depths together would fill a disk
    return found


def _measured(
    untrained: Untrained, shape: Shape, network: Network, graph: Path, texts: CheckTexts
) -> Iterator[MeasuredShape]:
    """Size and latency of one shape as each graph."""
    table = cast(Tensor, network.model.get_input_embeddings().weight)
    with tempfile.TemporaryDirectory() as name:
        part = Path(name) / "graphs"
        predictors = _written(untrained, network, graph, part)
        speeds = time_answers(
            {kind: one.logits for kind, one in predictors.items()}, texts.first, texts.second
        )
        for kind, speed in speeds.items():
            yield MeasuredShape(
                shape=shape,
                graph=kind,
                bytes=graph_sizes(part / PATHS[kind], table.shape[0])[0],
                parameters=count_parameters(network).total,
                p50_ms=speed.p50_ms,
                p95_ms=speed.p95_ms,
            )


def untrained_predictors(untrained: Untrained, shape: Shape, folder: Path) -> dict[str, Predictor]:
    """An untrained shape as graphs that are ready to answer.

    Args:
        untrained: The models and the graphs.
        shape: The shape.
        folder: New folder for its files.

    Raises:
        ModelError: If the model cannot have the shape, or its graph cannot be written.
    """
    folder.mkdir()
    whole = _narrowed(untrained, shape)
    _, network, graph = next(_graphs(whole, [shape], untrained.source.length, folder))
    return _written(untrained, network, graph, folder / "graphs")


def _narrowed(untrained: Untrained, shape: Shape) -> Network:
    """The untrained classifier at all depths of a width."""
    network = untrained.base(shape.model)
    if shape.keep == 1:
        return network
    importance = magnitude_importance(network).normalised()
    slices = Slices(
        whole=sort_units(network, importance),
        importance=importance,
        pruning=replace(untrained.pruning, scope="layer"),
    )
    return slices.cut(shape.keep)


def _graphs(
    whole: Network, group: Sequence[Shape], length: int, folder: Path
) -> Iterator[tuple[Shape, Network, Path]]:
    """Each shape with its untrained network and its graph in float32."""
    deepest = group[0]
    network = _cut(whole, deepest)
    graph = folder / f"{deepest.name}.onnx"
    onnx_graph.export_graph(network, graph, max_length=length)
    yield deepest, network, graph
    for shape in group[1:]:
        network, path = _cut(whole, shape), folder / f"{shape.name}.onnx"
        assert shape.layers is not None
        if not _cut_graph(network, graph, path, shape.layers):
            onnx_graph.export_graph(network, path, max_length=length)
        yield shape, network, path


def _cut(whole: Network, shape: Shape) -> Network:
    """The first layers of a network; another model keeps its own."""
    return (whole if shape.layers is None else truncate(whole, layers=shape.layers)).float().eval()


def _cut_graph(network: Network, graph: Path, path: Path, layers: int) -> bool:
    """Cut a graph, and compare its logits with those of the truncated network; whether they are the same."""
    try:
        cut_depth(graph, path, scope=layer_scope(network), layers=layers)
        return _differs_by(network, path) <= TOLERANCE
    except Exception as error:  # a family whose graph is built otherwise; it is exported instead
        log.info("%s is exported, as its depth cannot be cut: %s", path.stem, error)
        return False


def _differs_by(network: Network, graph: Path) -> float:
    """Largest difference of the graph's logits from the network's, for two rows of unequal length."""
    run, inputs = open_graph("onnx", graph, 1)
    ids = np.array([[5, 6, 7, 8, 9, 10, 11, 12], [5, 6, 7, 8, 0, 0, 0, 0]], dtype=np.int64)
    mask = np.array([[1] * 8, [1] * 4 + [0] * 4], dtype=np.int64)
    rows = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    found = run({name: rows[name] for name in inputs})
    tensors = {name: torch.from_numpy(rows[name]) for name in inputs}
    with torch.no_grad():
        expected = network.model(**tensors).logits.numpy()
    return float(np.abs(found - expected).max())


def _written(untrained: Untrained, network: Network, graph: Path, part: Path) -> dict[str, Predictor]:
    """The folder of a shape as an export would write it, and its graphs ready to answer."""
    source = replace(untrained.source, network=network)
    part.mkdir()
    network.model.config.save_pretrained(part)
    write_tokenizer(source, part)
    inputs = onnx_graph.INPUTS if network.takes_segments else onnx_graph.INPUTS[:2]
    for kind in untrained.graphs:
        path = part / PATHS[kind]
        path.parent.mkdir(exist_ok=True)
        _write_graph(kind, graph, path, source, inputs)
    write_manifest(graph_manifest(source, inputs, {kind: PATHS[kind] for kind in untrained.graphs}), part)
    return {kind: load_predictor(part, graph=kind) for kind in untrained.graphs}


def _write_graph(kind: str, graph: Path, path: Path, source: ExportSource, inputs: Sequence[str]) -> None:
    """One graph of a shape from its graph in float32."""
    if kind == "onnx":
        path.hardlink_to(graph)
    elif kind == "onnx-int8":
        onnx_graph.quantize_graph(graph, path)
    elif kind == "openvino":
        openvino_graph.convert_graph(graph, path)
    else:
        openvino_graph.calibrate_graph(graph, path, source.calibration(inputs)[:RANGES_FROM])
