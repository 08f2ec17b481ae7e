"""A classifier as an ONNX graph, and its 8-bit version."""

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lmdistill.core.errors import ConfigError, ModelError
from lmdistill.models.classifier import Network

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
"""Names of the inputs of a graph; the last one only where a model has segments."""

MOST_ROWS = 4096
"""Largest batch that a graph states to take; runtimes take more."""

PRODUCTS = ("MatMulInteger", "QLinearMatMul", "DynamicQuantizeMatMul")
"""Operators of ONNX Runtime that multiply 8-bit matrices."""

EXTRA = "The extra onnx is needed: pip install 'lmdistill[onnx]'."
"""What to do without the packages."""


class _Logits(nn.Module):
    """A classifier as a function of tensors alone."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.model = network.model
        self.pad = network.padding_of_a_decoder

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> Tensor:
        """Logits of a padded batch."""
        arguments: dict[str, Any] = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None:
            arguments["token_type_ids"] = token_type_ids
        if self.pad is not None:  # a decoder's head looks for its last token by the id of the padding
            arguments |= {
                "input_ids": input_ids.masked_fill(attention_mask == 0, self.pad),
                "use_cache": False,
            }
        logits: Tensor = self.model(**arguments).logits
        return logits


def export_graph(network: Network, path: Path, *, max_length: int) -> tuple[str, ...]:
    """Write the graph of a classifier in float32 with any number of rows and tokens.

    Attention is written out, so that runtimes from operator set 18 on take it. Weights of another type are
    cast to float32 first.

    Args:
        network: The classifier; it is not changed.
        path: File of the graph.
        max_length: Longest input in tokens that the graph takes, >= 3.

    Returns:
        Names of the graph's inputs, each a batch of int64 rows.

    Raises:
        ModelError: If PyTorch cannot write the graph of this family.
        ConfigError: If onnx or onnxscript is not installed.
    """
    require_packages()
    whole = copy.deepcopy(network).cpu().float().eval()
    if hasattr(whole.model, "set_attn_implementation"):
        whole.model.set_attn_implementation("eager")
    names = INPUTS if network.takes_segments else INPUTS[:2]
    # two rows of unequal length: sizes of 1, and equal ones, would be taken for constants
    example = torch.ones(2, 8, dtype=torch.int64)
    mask = example.clone()
    mask[1, 5:] = 0
    arguments = (example, mask, torch.zeros_like(example))[: len(names)]
    batch = torch.export.Dim("batch", min=1, max=MOST_ROWS)
    tokens = torch.export.Dim("tokens", min=1, max=max_length)
    try:
        with _quiet("torch.onnx"):
            program = torch.onnx.export(
                _Logits(whole).eval(),
                arguments,
                dynamo=True,
                dynamic_shapes=tuple({0: batch, 1: tokens} for _ in names),
                input_names=list(names),
                output_names=["logits"],
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        said = str(error).strip().partition("\n")[0]
        raise ModelError(
            f"the graph of {type(network.model).__name__} cannot be written ({said}). Export another family."
        ) from error
    assert program is not None
    program.save(str(path), external_data=False)
    return names


def quantize_graph(graph: Path, path: Path) -> int:
    """Write the graph with 8-bit weights, a scale for each output; activations are quantised as they come.

    Args:
        graph: A graph in float32.
        path: File of the new one.

    Returns:
        Number of products of 8-bit matrices in it.

    Raises:
        ModelError: If it has none.
        ConfigError: If onnx or onnxruntime is not installed.
    """
    require_packages()
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quiet(""):  # a warning for every call advises what fails on these graphs
        quantize_dynamic(graph, path, weight_type=QuantType.QInt8, per_channel=True)
    count = integer_products(path)
    if count == 0:
        raise ModelError(
            f"nothing of {graph.name} was quantised, so int8 would change nothing. Leave --int8 out."
        )
    return count


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Hold back warnings, and what a logger says below an error; both are about insides of the exporters."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def integer_products(path: Path) -> int:
    """Number of products of 8-bit matrices in a graph."""
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    return sum(node.op_type in PRODUCTS for node in graph.node)


def require_packages() -> None:
    """Check that the extra `onnx` is installed."""
    for name in ("onnx", "onnxscript", "onnxruntime"):
        if find_spec(name) is None:
            raise ConfigError(f"{name} is not installed. {EXTRA}")


def embedding_bytes(path: Path, vocabulary: int) -> int:
    """Bytes of the token embeddings of a graph: of its matrices with a row for each word piece.

    Args:
        path: The graph.
        vocabulary: Number of word pieces.
    """
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    return sum(
        len(one.raw_data) for one in graph.initializer if len(one.dims) == 2 and one.dims[0] == vocabulary
    )
