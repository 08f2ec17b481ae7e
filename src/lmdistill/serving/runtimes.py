"""Runtimes that compute a graph: ONNX Runtime and OpenVINO, each imported only for its own graphs."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from lmdistill.core.errors import ConfigError, ModelError
from lmdistill.core.openvino_runtime import openvino_core
from lmdistill.serving.manifest import AGAIN

Run = Callable[[Mapping[str, Int[np.ndarray, "b t"]]], Float[np.ndarray, "b v"]]
"""A graph: padded inputs by name to logits."""


def runtime_of(graph: str) -> str:
    """Package that computes a graph, from the beginning of its name."""
    return "openvino" if graph.startswith("openvino") else "onnxruntime"


def has_runtime(graph: str) -> bool:
    """Whether the runtime of a graph is installed."""
    return find_spec(runtime_of(graph)) is not None


def require_runtime(graph: str) -> None:
    """Check that the runtime of a graph is installed.

    Raises:
        ConfigError: It is not.
    """
    if not has_runtime(graph):
        name = runtime_of(graph)
        raise ConfigError(
            f"{name} is not installed, and the graph {graph} needs it. Install it: pip install {name}."
        )


def open_graph(graph: str, path: Path, threads: int) -> tuple[Run, tuple[str, ...]]:
    """A graph that is ready to compute, and the names of its inputs.

    Args:
        graph: Its name, which says the runtime.
        path: Its file.
        threads: Threads of the runtime; 0 lets it choose.

    Raises:
        ModelError: If the file is damaged.
        ConfigError: If the runtime is not installed.
    """
    require_runtime(graph)
    return (_openvino if runtime_of(graph) == "openvino" else _onnx)(path, threads)


def _onnx(path: Path, threads: int) -> tuple[Run, tuple[str, ...]]:
    """A graph in ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # a class of its own for each kind of damage
        raise _damaged(path, error) from None
    names = tuple(one.name for one in session.get_inputs())
    return _guarded(path, lambda inputs: session.run(["logits"], dict(inputs))[0]), names


def _openvino(path: Path, threads: int) -> tuple[Run, tuple[str, ...]]:
    """A graph in OpenVINO."""
    settings: dict[str, str | int] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }  # else bfloat16 where it can
    settings |= {"INFERENCE_NUM_THREADS": threads} if threads else {}
    try:
        compiled = openvino_core().compile_model(str(path), "CPU", settings)
    except RuntimeError as error:
        raise _damaged(path, error) from None
    names = tuple(one.get_any_name() for one in compiled.inputs)
    return _guarded(path, lambda inputs: compiled(dict(inputs))[0]), names


def _guarded(path: Path, compute: Callable[[Mapping[str, Int[np.ndarray, "b t"]]], Any]) -> Run:
    """A graph whose failures are one line."""

    def run(inputs: Mapping[str, Int[np.ndarray, "b t"]]) -> Float[np.ndarray, "b v"]:
        try:
            return np.asarray(compute(inputs))
        except Exception as error:  # a class of its own for each runtime and kind of failure
            rows, tokens = inputs["input_ids"].shape
            said = next((line for line in str(error).splitlines() if line.strip()), "no reason given")
            raise ModelError(
                f"{path} cannot compute {rows} texts of {tokens} tokens ({said}). {AGAIN}"
            ) from None

    return run


def _damaged(path: Path, error: Exception) -> ModelError:
    """An error about a graph that a runtime cannot read."""
    said = next((line for line in str(error).splitlines() if line.strip()), "no reason given")
    return ModelError(f"{path} cannot be loaded ({said}). {AGAIN}")
