"""A classifier's ONNX graph in OpenVINO's format, and its 8-bit version, calibrated on texts."""

import contextlib
import io
import logging
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from lmdistill.core.errors import ConfigError, ModelError
from lmdistill.core.openvino_runtime import openvino, openvino_core

MOST_TEXTS = 300
"""Texts of a calibration, at most; NNCF's default number of samples."""

EXTRA = "The extra openvino is needed: pip install 'lmdistill[openvino]'."
"""What to do without the packages."""


def convert_graph(graph: Path, path: Path) -> None:
    """Write an ONNX graph in OpenVINO's format, in float32.

    Args:
        graph: The ONNX graph.
        path: Its new file, `.xml`; the weights are beside it, `.bin`.

    Raises:
        ConfigError: If openvino is not installed.
    """
    _require("openvino")
    openvino().save_model(openvino_core().read_model(graph), path, compress_to_fp16=False)


def calibrate_graph(graph: Path, path: Path, texts: Sequence[Mapping[str, Int[np.ndarray, "1 _"]]]) -> int:
    """Write an ONNX graph in OpenVINO's format with 8-bit products.

    The ranges of activations are those of the texts, one text a pass (NNCF, `quantize` for transformers:
    symmetric weights with a scale for each output, SmoothQuant, fast bias correction).

    Args:
        graph: The ONNX graph in float32.
        path: The new file, `.xml`; the weights are beside it, `.bin`.
        texts: Inputs of the graph by name, for each text; at least one.

    Returns:
        Number of products of 8-bit matrices in it.

    Raises:
        ModelError: If it has none.
        ConfigError: If openvino or nncf is not installed.
    """
    _require("openvino", "nncf")
    core = openvino_core()
    import nncf

    logger = logging.getLogger("nncf")
    level, logger.level = logger.level, logging.ERROR
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # its progress bars; results are printed to stdout
            small = nncf.quantize(
                core.read_model(graph),
                nncf.Dataset([dict(one) for one in texts]),
                model_type=nncf.ModelType.TRANSFORMER,
                subset_size=len(texts),
            )
    finally:
        logger.setLevel(level)
    openvino().save_model(small, path, compress_to_fp16=False)
    count = integer_products(path)
    if count == 0:
        raise ModelError(
            f"nothing of {graph.name} was quantised, so int8 would change nothing. Leave --int8 out."
        )
    return count


def integer_products(path: Path) -> int:
    """Number of products in a graph whose one factor is an 8-bit matrix of weights."""
    model = openvino_core().read_model(path)
    return sum(
        one.get_type_name() == "MatMul" and any(map(_is_8_bit, one.input_values())) for one in model.get_ops()
    )


def embedding_bytes(path: Path, vocabulary: int) -> int:
    """Bytes of the token embeddings of a graph: of its constants with a row for each word piece.

    Args:
        path: The graph.
        vocabulary: Number of word pieces.
    """
    model = openvino_core().read_model(path)
    found = [one.get_output_shape(0) for one in model.get_ops() if one.get_type_name() == "Constant"]
    sizes = [one.get_byte_size() for one in model.get_ops() if one.get_type_name() == "Constant"]
    return sum(
        size for shape, size in zip(found, sizes, strict=True) if len(shape) == 2 and shape[0] == vocabulary
    )


def _is_8_bit(value: Any) -> bool:
    """Whether a value is an 8-bit constant, perhaps converted and scaled on its way."""
    node = value.get_node()
    if node.get_type_name() == "Constant":
        return str(node.get_element_type()).find("int8") >= 0
    if node.get_type_name() not in ("Convert", "Multiply", "Subtract", "Reshape", "Transpose"):
        return False
    return _is_8_bit(node.input_value(0))


def _require(*packages: str) -> None:
    """Check that packages of the extra `openvino` are installed.

    Raises:
        ConfigError: One is not.
    """
    for name in packages:
        if find_spec(name) is None:
            raise ConfigError(f"{name} is not installed. {EXTRA}")
