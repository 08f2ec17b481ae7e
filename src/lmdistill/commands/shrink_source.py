"""What a search for a student begins with: its recipe, its data, and the untrained models of its shapes."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lmdistill.commands.export_source import ExportSource, dev_texts, training_texts
from lmdistill.commands.exported_files import PATHS
from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.data.batching.tokenizer_checks import longest_input
from lmdistill.data.tasks.task import Task
from lmdistill.methods import BASELINES
from lmdistill.models.classifier import Network
from lmdistill.recipes.classifier import Recipe
from lmdistill.recipes.files import recipe_of
from lmdistill.recipes.yaml_tables import override, table_of
from lmdistill.runs.classification.data import Examples, load_examples
from lmdistill.runs.classification.teacher import fresh
from lmdistill.runs.classification.trimmed_vocabulary import with_trimmed_vocabulary
from lmdistill.serving.manifest import Origin

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("onnx", "onnxscript", "onnxruntime", "openvino"),
    "openvino-int8": ("onnx", "onnxscript", "onnxruntime", "openvino", "nncf"),
}
"""Packages that each graph needs; `onnx-int8` needs those of `onnx`."""


@dataclass(frozen=True, kw_only=True)
class ShrinkSource:
    """The recipe of a search and its data."""

    table: Mapping[str, Any]
    """Plain values of the recipe."""

    recipe: Recipe
    """The same, validated; it has one method."""

    examples: Examples
    """Its rows, without augmented ones."""

    base: Callable[[str | None], Network]
    """Gives the untrained classifier of another model, or of the teacher's backbone for None."""

    steps: int
    """Optimizer steps of the full training, about."""

    @property
    def task(self) -> Task:
        """The task with the labelled rows of the students, without augmented ones."""
        return self.examples.original

    def export_source(self) -> ExportSource:
        """The untrained backbone with the texts that graphs are timed on."""
        network, task = self.base(None), self.task
        return ExportSource(
            network=network,
            place=str(network.source),
            length=min(self.recipe.data.max_length, longest_input(network.tokenizer, network.positions)),
            texts=dev_texts(task),
            samples=training_texts(task),
            columns=(),
            origin=Origin(model=str(network.source)),
        )


def open_shrink_source(name: str, overrides: Sequence[str], out: Path) -> ShrinkSource:
    """Read the recipe of a search and load its data.

    Args:
        name: A built-in recipe or a YAML file.
        overrides: `a.b=value` for its fields.
        out: Folder of the search.

    Raises:
        ConfigError: If it is not a recipe of one method that trains a classifier or a scorer.
    """
    table = table_of(name)
    for text in overrides:
        override(table, text)
    recipe = recipe_of(table)
    if not isinstance(recipe, Recipe):
        raise ConfigError(
            f"{name} is a recipe of a language model, and shrink is for classifiers and scorers."
        )
    if len(recipe.methods) > 1:
        raise ConfigError(
            f"{name} has the methods {', '.join(recipe.methods)}, and a search needs one. Choose one, as in "
            "--set methods=null --set method.name=kd."
        )
    if any(isinstance(method, tuple(BASELINES.values())) for method in recipe.methods.values()):
        raise ConfigError(f"{name} trains a linear model, which has no layers. Choose a method of networks.")
    plain = replace(recipe.data, augmentation=None)  # rows are augmented only for the trainings
    examples = load_examples(recipe.task, plain, cache=out / "runs" / "augmented")

    @cache
    def base(model: str | None) -> Network:
        student = recipe.student
        chosen = model or student.model or recipe.teacher.names[0]
        network = fresh(chosen, examples.original, seed=0, trust=recipe.teacher.trust_remote_code)
        if student.vocabulary is not None:
            length = recipe.data.max_length
            network, _ = with_trimmed_vocabulary(network, examples.whole, student.vocabulary, length)
        return network

    return ShrinkSource(
        table=table, recipe=recipe, examples=examples, base=base, steps=_full_steps(recipe, examples)
    )


def chosen_graphs(names: Sequence[str]) -> tuple[str, ...]:
    """Names of the graphs to search among, each once; `onnx-int8` if none is named.

    Raises:
        UnknownNameError: If there is no such graph.
        ConfigError: If packages of one are not installed.
    """
    graphs = tuple(dict.fromkeys(names or ("onnx-int8",)))
    for graph in graphs:
        if graph not in PATHS:
            raise UnknownNameError("runtime", graph, PATHS)
        extra = graph.partition("-")[0]
        for package in PACKAGES.get(graph, PACKAGES[extra]):
            if find_spec(package) is None:
                raise ConfigError(
                    f"{package} is not installed, and --runtime {graph} needs it. "
                    f"Install it: pip install 'lmdistill[{extra}]'."
                )
    return graphs


def _full_steps(recipe: Recipe, examples: Examples) -> int:
    """Optimizer steps of the recipe's training; with augmented rows an upper estimate."""
    data, training = recipe.data, recipe.training
    labelled, total = int(examples.original.train.num_rows), int(examples.whole.train.num_rows)
    made = data.augmentation
    if made is not None:
        each = total if made.rows == "all" else labelled
        copies = made.copies if made.up_to is None else min(made.copies, (made.up_to - total) // each)
        total += each * max(0, copies)
    batch = training.batch_size
    if data.labelled_per_batch is not None:
        total, batch = total - labelled, batch - data.labelled_per_batch
    steps = max(int(training.passes) * math.ceil(total / batch), training.min_steps)
    return steps if training.max_steps is None else min(steps, training.max_steps)
