"""What a recipe can say: a tree of values, each with its default and its range.

A recipe is a YAML file; every leaf below is a key of it and can be set with `--set a.b=value`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from lmdistill.core.errors import ConfigError
from lmdistill.core.protocols import Method
from lmdistill.data.augment import Augmenter
from lmdistill.engine.training_settings import Training
from lmdistill.methods import CLASSIFIER_METHODS, LANGUAGE_METHODS, MixKD
from lmdistill.recipes.pruning import Pruning
from lmdistill.recipes.representation_map import Map
from lmdistill.recipes.validation import require_first_layers, require_kind, require_pruned, require_runs
from lmdistill.schedules.distillation import Direct, Schedule


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Extra training rows made from the training rows."""

    augmenter: Augmenter
    """How texts are rewritten."""

    copies: int = 1
    """Variants of each row, >= 1."""

    def __post_init__(self) -> None:
        if self.copies < 1:
            raise ConfigError(f"copies must be >= 1, got {self.copies}.")


@dataclass(frozen=True, kw_only=True)
class Data:
    """Where the examples come from and how much of them is used."""

    source: str = "hub"
    """`hub`, a folder with GLUE in either layout, or, for the task `own`, your training file."""

    dev: str | None = None
    """Your own dev file; without one, a tenth of the training rows is set aside."""

    text: tuple[str, ...] = ()
    """Column of the text, or columns of the pair, in your own data; inferred when empty."""

    label: str | None = None
    """Column of the label in your own data; inferred when missing."""

    kind: Literal["classification", "regression"] | None = None
    """What your own labels are; inferred when missing."""

    fraction: float = 1.0
    """Share of the training rows to use, in (0, 1]; the same rows for teacher and student."""

    rows: int | None = None
    """Number of training rows to use, instead of a fraction."""

    subset_seed: int = 0
    """Which rows those are; not changed by `seeds`."""

    max_length: int = 128
    """Longest input in tokens; longer ones are cut and counted."""

    augmentation: Augmentation | None = None
    """Extra training rows; none unless asked for."""

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise ConfigError(f"fraction must be in (0, 1], got {self.fraction}.")
        if self.rows is not None and self.rows < 1:
            raise ConfigError(f"rows must be >= 1, got {self.rows}.")
        if self.rows is not None and self.fraction != 1:
            raise ConfigError(f"rows is {self.rows} and fraction is {self.fraction}; set only one of them.")


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """The network that is imitated."""

    model: str = "bert-base-uncased"
    """Hub id, folder, or `packaged:all-MiniLM-L6-v2`; fine-tuned first when it has no head for the task."""

    trust_remote_code: bool = False
    """Run code that comes with the model."""

    training: Training = field(default_factory=lambda: Training(epochs=3, keep="best"))
    """How it is fine-tuned, where it has to be."""


@dataclass(frozen=True, kw_only=True)
class Student:
    """The network that learns."""

    init: Literal["teacher", "pretrained", "random"] = "teacher"
    """Weights: the fine-tuned teacher's (the paper), those from before its fine-tuning, or none."""

    layers: int | tuple[int, ...] | Literal["all"] = 3
    """How many of the teacher's layers, or which of them (counted from 0)."""

    which: Literal["first", "last", "alternate"] = "first"
    """Which layers, where `layers` is a number."""

    model: str | None = None
    """Another model instead, with its own tokenizer and width; `layers` is then not used."""

    keep: float = 1.0
    """Fraction of the heads and neurons of these layers, in (0, 1]; below 1 the rest are pruned."""

    pruning: Pruning = field(default_factory=Pruning)
    """Which of them, where some are."""

    @property
    def own(self) -> Mapping[str, bool]:
        """Settings of a student that begins as something else than the teacher's first layers."""
        return {
            "init": self.init != "teacher",
            "which": self.which != "first",
            "model": self.model is not None,
        }


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A distillation, or several that differ in method and seed."""

    task: str = "sst2"
    """A task of `lmdistill list tasks`, `synthetic`, `own`, or `owner/name` of a data set on the hub."""

    data: Data = field(default_factory=Data)
    """Examples."""

    teacher: Teacher = field(default_factory=Teacher)
    """Who is imitated."""

    student: Student = field(default_factory=Student)
    """Who learns."""

    methods: Mapping[str, Method] = field(default_factory=lambda: MappingProxyType({"MixKD": MixKD()}))
    """How, by the names that tables show. A recipe with one method may say `method:` instead."""

    schedule: Schedule = field(default_factory=Direct)
    """Whom the student learns from on the way: the teacher alone, or assistants in between."""

    training: Training = field(default_factory=Training)
    """How long, how fast, in what batches. Its seed comes from `seeds`."""

    seeds: tuple[int, ...] = (0,)
    """A run for each."""

    map: Map | None = None
    """Where student and teacher put dev examples, for `map.jsonl` and the report; none unless asked for."""

    def __post_init__(self) -> None:
        require_runs(self.methods, self.seeds)
        require_pruned(self.schedule, self.student.keep, self.student.layers)
        require_first_layers(self.schedule, self.student.own)
        require_kind(self.methods, LANGUAGE_METHODS, "is for models that write text", CLASSIFIER_METHODS)
