"""A linear classifier or scorer of texts, and its files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy.special import softmax

from lmdistill.core.atomic_io import atomic_folder, read_json, write_json
from lmdistill.core.errors import MismatchError, ModelError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.linear.features import Features
from lmdistill.linear.fit import logits_of
from lmdistill.linear.ngrams import Ngrams
from lmdistill.records.integrity import LINEAR_CONFIG
from lmdistill.records.model_integrity import require_unchanged_model

WEIGHTS = "model.safetensors"
"""Inverse document frequencies, coefficients and intercepts, in the folder of a model."""

LARGEST_SIZE = 20
"""Most words or characters of an n-gram."""

FORMAT = 1
"""Number of the layout of both files."""

Arrays = dict[str, Float[np.ndarray, "..."]]
"""Numbers by their name in a file."""


@dataclass(frozen=True, kw_only=True)
class LinearClassifier:
    """A linear map of TF-IDF features to the logits of classes or to a score.

    Examples:
        >>> from lmdistill.linear.features import learn_features
        >>> words = {"words": (1, 1), "characters": None, "sublinear": False, "most": 9}
        >>> features, _ = learn_features(["good", "bad"], None, **words)
        >>> model = LinearClassifier(
        ...     features=features,
        ...     coefficients=np.float32([[-2], [2]]),
        ...     intercept=np.float32([0]),
        ...     labels=("negative", "positive"),
        ... )
        >>> model.logits(["so good"]).tolist()
        [[-1.0, 1.0]]
    """

    features: Features
    """What is computed from texts."""

    coefficients: Float[np.ndarray, "d m"]
    """Weight of each feature: a column for each class, one in all for two classes or a score."""

    intercept: Float[np.ndarray, " m"]
    """Value of each column without any feature."""

    labels: tuple[str, ...]
    """Names of the classes in the order of the logits; empty for a score."""

    source: str = "a linear model"
    """Where it was loaded from."""

    @property
    def num_classes(self) -> int:
        """Number of outputs; 1 for a score."""
        return max(1, len(self.labels))

    @property
    def num_parameters(self) -> tuple[int, int]:
        """Number of inverse document frequencies, and of coefficients and intercepts."""
        frequencies = sum(len(block.terms) for block in self.features.blocks)
        return frequencies, self.coefficients.size + self.intercept.size

    @property
    def fingerprint(self) -> str:
        """Fingerprint of vocabularies, weights and labels."""
        terms = [[block.unit, block.sizes, block.sublinear, block.terms] for block in self.features.blocks]
        numbers = [array.tobytes().hex() for array in _arrays(self).values()]
        return fingerprint([self.labels, self.features.pairs, terms], numbers)

    def logits(self, first: Sequence[str], second: Sequence[str] | None = None) -> Float[np.ndarray, "n v"]:
        """Logits of the classes, or scores, in float64.

        Args:
            first: The texts, or the first text of each pair.
            second: The second text of each pair, for a model of pairs.

        Raises:
            MismatchError: If the model reads pairs and there is no second text, or the other way round.
        """
        if self.features.pairs != (second is not None):
            kinds = ("single texts", "pairs of texts")
            raise MismatchError(
                f"{self.source} reads {kinds[self.features.pairs]}, got {kinds[second is not None]}. Name "
                f"{'both columns' if self.features.pairs else 'one column'}."
            )
        columns = self.features.of(first, second) @ self.coefficients.astype(np.float64)
        return logits_of(columns + self.intercept, self.num_classes)

    def probabilities(
        self, first: Sequence[str], second: Sequence[str] | None = None
    ) -> Float[np.ndarray, "n v"]:
        """Probabilities of the classes; takes what `logits` takes.

        Raises:
            ModelError: If it gives scores.
        """
        if not self.labels:
            raise ModelError(f"{self.source} gives scores and no probabilities. Use logits.")
        return np.asarray(softmax(self.logits(first, second), axis=1))


def is_linear(folder: Path) -> bool:
    """Whether a folder holds a linear model."""
    return (folder / LINEAR_CONFIG).is_file()


def save_linear(model: LinearClassifier, folder: Path) -> None:
    """Write the two files of a model; the folder appears whole or not at all."""
    blocks = [
        {"unit": block.unit, "sizes": block.sizes, "sublinear": block.sublinear, "terms": block.terms}
        for block in model.features.blocks
    ]
    with atomic_folder(folder) as part:
        save_file(_arrays(model), part / WEIGHTS)
        write_json(
            part / LINEAR_CONFIG,
            {"format": FORMAT, "labels": model.labels, "pairs": model.features.pairs, "blocks": blocks},
        )


def load_linear(folder: str | Path) -> LinearClassifier:
    """Load a linear model; nothing in its folder is run.

    Args:
        folder: `student` in a run folder, or a copy of it.

    Raises:
        ModelError: If there is none, or its files are damaged or contradict each other.
        RunError: If its files are not as its run wrote them.
    """
    place = Path(folder)
    if not is_linear(place):
        raise ModelError(
            f"{place} holds no linear model: it has no {LINEAR_CONFIG}. Name student in a run folder."
        )
    require_unchanged_model(place)
    try:
        model = _read(read_json(place / LINEAR_CONFIG), load_file(place / WEIGHTS), str(folder))
    except (OSError, ValueError, TypeError, KeyError, RecursionError, SafetensorError) as error:
        raise ModelError(
            f"{place} holds no linear model that can be read ({type(error).__name__}: {error}). Restore its "
            "files, or run again."
        ) from None
    _require_shapes(model)
    return model


def _read(settings: dict[str, Any], arrays: Arrays, source: str) -> LinearClassifier:
    """A model from the contents of its files."""
    if settings["format"] != FORMAT:
        raise ValueError(f"format is {settings['format']!r}, and this version reads {FORMAT}")
    for block in settings["blocks"]:
        _require_block(**block)
    blocks = tuple(
        Ngrams(
            unit=block["unit"],
            sizes=(int(block["sizes"][0]), int(block["sizes"][1])),
            sublinear=bool(block["sublinear"]),
            terms=tuple(map(str, block["terms"])),
            idf=arrays[f"idf.{block['unit']}"],
        )
        for block in settings["blocks"]
    )
    return LinearClassifier(
        features=Features(blocks=blocks, pairs=bool(settings["pairs"])),
        coefficients=arrays["coefficients"],
        intercept=arrays["intercept"],
        labels=tuple(map(str, settings["labels"])),
        source=source,
    )


def _require_block(unit: Any, sizes: Any, sublinear: Any, terms: Any) -> None:
    """Check what a file says of n-grams.

    Raises:
        ValueError: If it cannot be so.
    """
    fewest, most = sizes
    if unit not in ("words", "characters") or not 1 <= fewest <= most <= LARGEST_SIZE:
        raise ValueError(f"there are no n-grams of {sizes!r} {unit!r}")
    if type(sublinear) is not bool or len(set(terms)) < len(terms):
        raise ValueError("sublinear is not true or false, or an n-gram occurs twice")


def _arrays(model: LinearClassifier) -> Arrays:
    """The numbers of a model by name."""
    idf = {f"idf.{block.unit}": np.ascontiguousarray(block.idf) for block in model.features.blocks}
    return {
        **idf,
        "coefficients": np.ascontiguousarray(model.coefficients),
        "intercept": np.ascontiguousarray(model.intercept),
    }


def _require_shapes(model: LinearClassifier) -> None:
    """Check that vocabularies, weights and labels belong together, and that all numbers are finite."""
    columns = 1 if model.num_classes <= 2 else model.num_classes
    wanted = {
        **{f"idf.{block.unit}": (len(block.terms),) for block in model.features.blocks},
        "coefficients": (model.features.size, columns),
        "intercept": (columns,),
    }
    for name, array in _arrays(model).items():
        if array.shape != wanted[name]:
            raise ModelError(
                f"{model.source} is damaged: {name} has the shape {array.shape} and {LINEAR_CONFIG} asks for "
                f"{wanted[name]}. Restore its files, or run again."
            )
        if not np.isfinite(array).all():
            raise ModelError(
                f"{model.source} is damaged: {name} has values that are no numbers. Restore its files, or "
                "run again."
            )
