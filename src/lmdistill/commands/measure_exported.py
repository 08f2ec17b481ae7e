"""Size, latency and memory of the graphs of exported folders, without torch."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Int

from lmdistill.commands.measured import BATCHES, Candidate, Conditions, Measured, Shape, measure_all
from lmdistill.core.cpu_threads import own_threads
from lmdistill.core.errors import ConfigError
from lmdistill.core.seeding import generator
from lmdistill.serving.manifest import read_manifest
from lmdistill.serving.predictor import Predictor, load_predictor
from lmdistill.serving.runtimes import has_runtime, require_runtime


def measure_exported(folders: Sequence[str], *, tokens: int = 64, runs: int = 30) -> list[Measured]:
    """Measure every graph of exported folders.

    Args:
        folders: What `lmdistill export` wrote.
        tokens: Length of the random texts, >= 1.
        runs: Timed passes of each graph and batch size, >= 1.

    Raises:
        ConfigError: If a folder reads no texts of this length, or no runtime for its graphs is installed.
        ModelError: If a folder cannot be read.
    """
    found = {name: one for folder in folders for name, one in graph_candidates(folder, tokens).items()}
    return measure_all(found, Conditions(tokens=tokens, runs=runs, threads=own_threads()), nothing)


def graph_candidates(folder: str, tokens: int) -> dict[str, Candidate]:
    """The graphs of an exported folder whose runtime is installed, each called `FOLDER (GRAPH)`."""
    manifest = read_manifest(Path(folder))
    if tokens > manifest.reads.max_length:
        raise ConfigError(
            f"--tokens is {tokens} and {folder} reads at most {manifest.reads.max_length}. Lower --tokens."
        )
    usable = [graph for graph in manifest.graphs if has_runtime(graph)]
    if not usable:
        require_runtime(manifest.default)
    found = {}
    for graph in usable:
        predictor = load_predictor(folder, graph=graph)
        path = Path(folder) / manifest.graphs[graph]
        files = [path, *([path.with_suffix(".bin")] if path.suffix == ".xml" else [])]
        size = sum(one.stat().st_size for one in files)
        known = None if manifest.checks is None else manifest.checks.measured.get(graph)
        table = {} if known is None else {"embeddings": known.embedding_bytes}
        found[f"{folder} ({graph})"] = Candidate(
            shape=Shape(disk_bytes=size, parts=table),
            passes={size: partial(predictor.run, random_inputs(predictor, size, tokens)) for size in BATCHES},
            load_and_answer=partial(_answer_once, folder, graph, tokens),
        )
    return found


def random_inputs(predictor: Predictor, size: int, tokens: int) -> Mapping[str, Int[np.ndarray, "b t"]]:
    """`size` random texts of `tokens` word pieces of the model's vocabulary."""
    pieces = predictor.tokenizer.get_vocab_size()
    shape = (size, tokens)
    whole = {name: np.zeros(shape, dtype=np.int64) for name in predictor.manifest.reads.inputs}
    whole["input_ids"] = generator(0, "random texts").integers(pieces, size=shape)
    whole["attention_mask"] += 1
    return whole


def nothing() -> None:
    """Do nothing: the baseline of the memory measurement, with this module's libraries loaded."""


def _answer_once(folder: str, graph: str, tokens: int) -> None:
    """Load a graph and answer one batch."""
    predictor = load_predictor(folder, graph=graph)
    predictor.run(random_inputs(predictor, max(BATCHES), tokens))
