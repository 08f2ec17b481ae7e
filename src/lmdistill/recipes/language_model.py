"""Recipes for language models: a tree of values, each with its default and range."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from lmdistill.core.completions import completions_of
from lmdistill.core.errors import ConfigError
from lmdistill.data.language.prompt_template import read_template
from lmdistill.engine.training_settings import Optimizer, Training
from lmdistill.methods import ATKD, BASELINES, CLASSIFIER_METHODS, LANGUAGE_METHODS, AnyMethod
from lmdistill.recipes.pruning import Pruning
from lmdistill.recipes.validation import (
    require_first_layers,
    require_kind,
    require_no_classes,
    require_pruned,
    require_runs,
)
from lmdistill.schedules.distillation import Direct, Schedule


def _training() -> Training:
    """Training settings of ATKD's released script; the network's size chooses epochs and learning rate."""
    return Training(epochs=None, optimizer=Optimizer(learning_rate=None, schedule="cosine", warmup=0.03))


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Source of the texts, and how they are tokenized."""

    source: str = "stories"
    """`stories` (synthetic), a file, a folder, or a data set on the hub."""

    dev: str | None = None
    """File of dev texts; without one, and if the source has none, training rows are held out."""

    dev_rows: int | float = 250
    """Number of dev rows, >= 1: held out of training, or kept of the source's or the dev file's. A share in
    (0, 1) is held out of training; dev rows of the source or of a file are then all kept."""

    rows: int | None = None
    """Number of training rows to use, >= 1; all by default."""

    subset_seed: int = 0
    """Seed of the choice of rows, >= 0; `seeds` does not change it."""

    template: str | None = None
    """Prompt template with {column} fields; that of ATKD's released script by default. For chats a chat
    template in Jinja, as text or as the path of a file; the tokenizer's own by default."""

    layout: Literal["messages", "instruction", "prompt", "text"] | None = None
    """Format of the rows; inferred from their columns by default."""

    completion: str | None = None
    """Column of the completion; inferred from its name by default."""

    separator: str | None = None
    """Separator of texts in a text file; by default `<|endoftext|>` if it occurs, else the line end."""

    packing: bool = False
    """Join plain texts and cut them into blocks of `max_length` tokens."""

    max_length: int = 512
    """Longest passage in tokens, prompt included."""

    evaluation: tuple[str, ...] = ()
    """Files of evaluation prompts; training rows that share one are dropped and counted."""

    def __post_init__(self) -> None:
        if self.rows is not None and self.rows < 1:
            raise ConfigError(f"rows must be >= 1, got {self.rows}.")
        is_whole = isinstance(self.dev_rows, int) or self.dev_rows.is_integer()
        if not (0 < self.dev_rows < 1 or (self.dev_rows >= 1 and is_whole)):
            raise ConfigError(f"dev_rows must be >= 1, or a share in (0, 1), got {self.dev_rows}.")
        if self.dev_rows >= 1:
            object.__setattr__(self, "dev_rows", int(self.dev_rows))
        if self.template is not None:  # the recipe of a run holds the text, since the file may change
            object.__setattr__(self, "template", read_template(self.template))


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Shape of a Llama with random weights."""

    width: int = 64
    """Width of the hidden states, a multiple of twice `heads`."""

    layers: int = 4
    """Number of layers, >= 1."""

    heads: int = 4
    """Number of attention heads, >= 1."""

    def __post_init__(self) -> None:
        if min(self.width, self.layers, self.heads) < 1 or self.width % (2 * self.heads):
            raise ConfigError(
                f"width {self.width} cannot be shared by {self.heads} heads in {self.layers} layers: all "
                "must be >= 1 and the width a multiple of twice the heads. Change one of them."
            )


@dataclass(frozen=True, kw_only=True)
class LanguageTeacher:
    """The language model to learn from: a stored one, or one of a given shape that is trained first."""

    model: str | None = None
    """Hub id or folder of a causal language model."""

    shape: Shape = field(default_factory=Shape)
    """Without a model: shape of the teacher that is trained from random weights first."""

    tokenizer: str | None = None
    """Folder or hub id of the tokenizer for a shape; by default one is made of the words of the texts."""

    tune: bool = False
    """Train the model on the texts first; always done without a model."""

    dtype: Literal["auto", "float32", "bfloat16"] = "float32"
    """Precision of the teacher's weights; bfloat16 takes half the memory; auto takes the model's own."""

    trust_remote_code: bool = False
    """Run Python code that the model's folder or repository carries; off by default."""

    licence: str | None = None
    """Its licence, for records and model cards; by default the `license` in the `README.md` of its folder."""

    answers_use: str | None = None
    """What its answers may be used for, in your words, for records and model cards."""

    training: Training = field(default_factory=_training)
    """Training settings of the teacher, if it is trained. Its size chooses epochs and rate that are null."""


@dataclass(frozen=True, kw_only=True)
class Adapters:
    """Low-rank adapters (LoRA); needs the extra `lora`. They are merged when the student is saved."""

    rank: int = 8
    """Rank of each adapter, >= 1."""

    alpha: int = 16
    """Numerator of the scaling alpha / rank of the adapters, >= 1."""

    dropout: float = 0.0
    """Dropout of the adapters' inputs, in [0, 1)."""


@dataclass(frozen=True, kw_only=True)
class LanguageStudent:
    """The language model to train: its initial weights, its layers, and the fraction that it keeps."""

    init: Literal["teacher", "random"] = "teacher"
    """Initial weights: the teacher's, or random ones."""

    layers: int | tuple[int, ...] | Literal["all"] = 2
    """Number of the teacher's layers to keep, `all`, or a list of their numbers from 0."""

    which: Literal["first", "last", "alternate"] = "first"
    """Which layers are kept if `layers` is a number."""

    model: str | None = None
    """Hub id or folder of another model with the same tokenizer; `layers` is then not used."""

    shape: Shape | None = None
    """Shape of a Llama with random weights; `layers` is then not used."""

    warm: Training | None = None
    """Supervised warm-up, once for each seed, that all methods start from; none by default."""

    keep: float = 1.0
    """Fraction of the heads and neurons of these layers to keep, in (0, 1]; the rest are pruned."""

    pruning: Pruning = field(default_factory=lambda: Pruning(scope="layer"))
    """How heads and neurons are chosen if `keep` is below 1; by layer, so that stock classes fit."""

    adapters: Adapters | None = None
    """Train only LoRA adapters, with frozen weights; all weights are trained by default."""

    checkpointing: bool = False
    """Gradient checkpointing: recompute activations in the backward pass to save memory."""

    @property
    def own(self) -> Mapping[str, bool]:
        """Settings that initialise the student from something else than the teacher's first layers."""
        others = {"model": self.model, "shape": self.shape, "warm": self.warm}
        return {
            "init": self.init != "teacher",
            "which": self.which != "first",
            **{name: value is not None for name, value in others.items()},
        }


@dataclass(frozen=True, kw_only=True)
class Writing:
    """Completions that students generate for the report."""

    prompts: str | None = None
    """File of prompts and references; by default the beginnings of dev passages."""

    rows: int = 40
    """Number of prompts, >= 0; 0 generates nothing."""

    max_new: int = 64
    """Longest completion in tokens, >= 1."""

    begin: int = 16
    """Tokens of a dev passage that serve as its prompt if it has none, >= 1."""

    def __post_init__(self) -> None:
        for name, least in (("rows", 0), ("max_new", 1), ("begin", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} must be >= {least}, got {getattr(self, name)}.")


@dataclass(frozen=True, kw_only=True)
class LanguageRecipe:
    """A distillation of a language model, or several that differ in method and seed."""

    texts: Texts = field(default_factory=Texts)
    """The texts to train and evaluate on."""

    teacher: LanguageTeacher = field(default_factory=LanguageTeacher)
    """The teacher and its training."""

    student: LanguageStudent = field(default_factory=LanguageStudent)
    """The student and its initialisation."""

    methods: Mapping[str, AnyMethod] = field(default_factory=lambda: MappingProxyType({"ATKD": ATKD()}))
    """Methods by the names that tables show."""

    schedule: Schedule = field(default_factory=Direct)
    """The teacher alone, or teacher assistants in between."""

    writing: Writing = field(default_factory=Writing)
    """Completions at the end of a run."""

    training: Training = field(default_factory=_training)
    """Epochs, batch size, optimizer and evaluation. Its seed comes from `seeds`. Size and kind of the student
    choose `epochs` and `optimizer.learning_rate` that are null."""

    seeds: tuple[int, ...] = (0,)
    """Seeds; each method is run once for each."""

    def __post_init__(self) -> None:
        require_runs(self.methods, self.seeds)
        trainings = {"teacher.training": self.teacher.training, "student.warm": self.student.warm}
        require_no_classes({"training": self.training, **trainings})
        require_pruned(self.schedule, self.student.keep, self.student.layers)
        require_first_layers(self.schedule, self.student.own)
        if self.student.adapters is not None and (self.student.keep < 1 or self.schedule != Direct()):
            raise ConfigError(
                f"student.adapters is set, student.keep is {self.student.keep:g} and the schedule is "
                f"{type(self.schedule).__name__.lower()}; a student that is pruned or has assistants has no "
                "place for adapters. Leave student.adapters out."
            )
        writers = [name for name, method in self.methods.items() if completions_of(method).teacher]
        if writers and self.texts.packing:
            raise ConfigError(
                f"methods.{writers[0]} learns the teacher's completions and texts.packing joins the texts, "
                "so that none has a beginning to go on from. Set texts.packing to false."
            )
        others = {**CLASSIFIER_METHODS, **BASELINES}
        require_kind(self.methods, others, "is for classifiers and scorers", LANGUAGE_METHODS)
