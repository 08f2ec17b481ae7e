"""The files of an exported folder: tokenizer, graphs in each format, and how they are chosen."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from lmdistill.commands.export_source import ExportSource
from lmdistill.core.atomic_io import read_json, write_json
from lmdistill.core.errors import ConfigError, ModelError
from lmdistill.core.progress import announce
from lmdistill.export import onnx_graph, openvino_graph

Format = Literal["onnx", "openvino"]
"""Names of formats."""

PATHS: Mapping[str, str] = {
    "onnx": "onnx/model.onnx",
    "onnx-int8": "onnx/model_quantized.onnx",
    "openvino": "openvino/openvino_model.xml",
    "openvino-int8": "openvino/openvino_model_qint8_quantized.xml",
}
"""Graph to its file, where transformers.js and sentence-transformers look for it."""


@dataclass(frozen=True, kw_only=True)
class Export:
    """How a classifier is exported."""

    to: tuple[Format, ...] = ("onnx",)
    """Formats to write, each once; onnx needs the extra `onnx`, openvino the extra `openvino`."""

    int8: bool = False
    """Whether each format also has a graph with 8-bit products."""

    min_agreement: float = 0.97
    """Share of the texts, in [0, 1], to which 8-bit graphs must give the answer of the float32 network."""

    timed_texts: int = 200
    """Texts on which each graph and the network are timed; 0 times nothing."""

    text_hashes: bool = True
    """Whether the hashes of the texts that trained or chose the model go along, which certificates need."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_agreement <= 1:
            raise ConfigError(f"--min-agreement must be in [0, 1], got {self.min_agreement}.")

    @cached_property
    def graphs(self) -> dict[str, str]:
        """Path of each graph by name."""
        return {
            name: path
            for name, path in PATHS.items()
            if name.removesuffix("-int8") in self.to and (self.int8 or not name.endswith("-int8"))
        }


def write_tokenizer(source: ExportSource, folder: Path) -> None:
    """Write the tokenizer, with the longest input where other software looks for it."""
    source.network.tokenizer.save_pretrained(folder)
    if not (folder / "tokenizer.json").is_file():
        raise ModelError(f"{source.place} has no tokenizer.json, which runtimes read. Save a fast tokenizer.")
    path = folder / "tokenizer_config.json"
    write_json(path, read_json(path) | {"model_max_length": source.length})


def write_graphs(
    source: ExportSource, part: Path, settings: Export
) -> tuple[tuple[str, ...], dict[str, int]]:
    """Write every graph; names of their inputs, and 8-bit products by graph."""
    for path in settings.graphs.values():
        (part / path).parent.mkdir(exist_ok=True)
    plain = part / PATHS["onnx"] if "onnx" in settings.to else part / "graph.onnx"
    announce("writing the graph")
    inputs = onnx_graph.export_graph(source.network, plain, max_length=source.length)
    products = {}
    for name, path in settings.graphs.items():
        if name == "onnx-int8":
            announce("quantising for ONNX Runtime")
            products[name] = onnx_graph.quantize_graph(plain, part / path)
        elif name == "openvino":
            openvino_graph.convert_graph(plain, part / path)
        elif name == "openvino-int8":
            announce("calibrating for OpenVINO")
            products[name] = openvino_graph.calibrate_graph(plain, part / path, source.calibration(inputs))
    if "onnx" not in settings.to:
        plain.unlink()
    return inputs, products


def graph_sizes(path: Path, vocabulary: int) -> tuple[int, int]:
    """Bytes of a graph's files, and of its token embeddings."""
    files = [path, *([path.with_suffix(".bin")] if path.suffix == ".xml" else [])]
    module = openvino_graph if path.suffix == ".xml" else onnx_graph
    return sum(one.stat().st_size for one in files), module.embedding_bytes(path, vocabulary)
