"""Answers of an exported classifier, with numpy, tokenizers and a runtime alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from lmdistill.core.cpu_threads import own_threads
from lmdistill.core.errors import ConfigError, ModelError
from lmdistill.serving.manifest import AGAIN, Manifest, read_manifest, require_unchanged
from lmdistill.serving.runtimes import Run, has_runtime, open_graph, require_runtime

BATCH = 32
"""Texts that a graph reads at once, of similar length."""

ALONE = ("onnx-int8",)
"""Graphs that read one text at a time: they scale activations by the largest of the whole batch, padding
included, so that the texts of a batch would change each other's answers."""

Text = str | tuple[str, str]
"""A text, or the two texts of a pair."""


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """An exported classifier that is ready to answer."""

    manifest: Manifest
    """What its folder says of it."""

    tokenizer: Any
    """A `tokenizers.Tokenizer` that truncates and does not pad."""

    run: Run
    """From padded inputs by name, (b, t) each, to logits, (b, v)."""

    source: str
    """Path of the folder, for messages."""

    graph: str
    """Name of the graph."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the outputs; () for a score."""
        return self.manifest.answers.labels

    @property
    def num_classes(self) -> int:
        """Number of outputs."""
        return max(1, len(self.labels))

    def logits(self, first: Sequence[str], second: Sequence[str] | None = None) -> Float[np.ndarray, "n v"]:
        """Logits of texts, or of pairs, in float32 and in their order.

        Args:
            first: The texts, or the first text of each pair.
            second: The second text of each pair.

        Raises:
            ModelError: For pairs if it was trained on single texts, or the reverse.
        """
        pairs = self.manifest.reads.pairs
        if pairs is not None and pairs != (second is not None):
            is_for = "pairs of texts" if pairs else "single texts"
            raise ModelError(
                f"{self.source} was trained on {is_for}, and it is asked for others. Give it {is_for}."
            )
        rows = self.encode(first, second)
        order = sorted(range(len(rows)), key=lambda number: len(rows[number].ids))
        logits = np.empty((len(rows), self.num_classes), dtype=np.float32)
        size = 1 if self.graph in ALONE else BATCH
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            logits[chosen] = self.run(self.padded([rows[number] for number in chosen]))
        return logits

    def encode(self, first: Sequence[str], second: Sequence[str] | None = None) -> list[Any]:
        """The `tokenizers.Encoding` of each text or pair, truncated."""
        return self.encoded(list(first) if second is None else list(zip(first, second, strict=True)))

    def encoded(self, texts: Sequence[Text]) -> list[Any]:
        """The `tokenizers.Encoding` of each of `texts`, truncated."""
        return list(self.tokenizer.encode_batch(list(texts)))

    def padded(self, rows: Sequence[Any]) -> dict[str, Int[np.ndarray, "b t"]]:
        """The inputs of the graph for encoded texts, padded to the longest of them."""
        width = max(len(row.ids) for row in rows)
        shape = (len(rows), width)
        found = {name: np.zeros(shape, dtype=np.int64) for name in self.manifest.reads.inputs}
        found["input_ids"][:] = self.manifest.reads.padding
        for number, row in enumerate(rows):
            size = len(row.ids)
            found["input_ids"][number, :size] = row.ids
            found["attention_mask"][number, :size] = 1
            if "token_type_ids" in found:
                found["token_type_ids"][number, :size] = row.type_ids
        return found


def load_predictor(folder: str | Path, *, graph: str | None = None, threads: int = 0) -> Predictor:
    """Load an exported classifier; torch is not imported.

    Args:
        folder: What `lmdistill export` wrote.
        graph: Name of the graph, such as `onnx-int8`; the folder's default if None, or, if its runtime is not
            installed, the first graph with one.
        threads: Threads of the runtime; 0 takes `OMP_NUM_THREADS` if it is set, as torch does, and else lets
            the runtime choose.

    Raises:
        ModelError: If the folder or its graph cannot be read or has changed since the export.
        ConfigError: If there is no such graph, or its runtime is not installed.
    """
    place = Path(folder)
    manifest = read_manifest(place)
    name = chosen_graph(manifest, folder, graph)
    path = place / manifest.graphs[name]
    if place.resolve() not in path.resolve().parents:
        raise ModelError(f"{path} is outside of the folder. {AGAIN}")
    inside = [path, *([path.with_suffix(".bin")] if path.suffix == ".xml" else [])]
    require_unchanged(manifest, place, *(one.relative_to(place).as_posix() for one in inside))
    run, taken = open_graph(name, path, threads or own_threads())
    if sorted(taken) != sorted(manifest.reads.inputs):
        takes, said = (", ".join(sorted(names)) for names in (taken, manifest.reads.inputs))
        raise ModelError(f"{path} takes {takes}, and its folder says {said}. {AGAIN}")
    return Predictor(
        manifest=manifest, tokenizer=_tokenizer(place, manifest), run=run, source=str(folder), graph=name
    )


def chosen_graph(manifest: Manifest, folder: str | Path, graph: str | None) -> str:
    """Name of the graph to load.

    Raises:
        ConfigError: If there is no such graph, or no graph whose runtime is installed.
    """
    if graph is not None:
        if graph not in manifest.graphs:
            raise ConfigError(
                f"{folder} has no graph {graph!r}; there are {', '.join(manifest.graphs)}. Choose one."
            )
        require_runtime(graph)
        return graph
    others = [name for name in manifest.graphs if name != manifest.default]
    for name in (manifest.default, *others):
        if has_runtime(name):
            return name
    require_runtime(manifest.default)
    return manifest.default


def _tokenizer(folder: Path, manifest: Manifest) -> Any:
    """The tokenizer of a folder, which truncates as the model was trained."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises Exception itself
        raise ModelError(f"{folder / 'tokenizer.json'} cannot be read ({error}). {AGAIN}") from None
    tokenizer.no_padding()
    tokenizer.enable_truncation(manifest.reads.max_length, strategy="longest_first")
    return tokenizer
