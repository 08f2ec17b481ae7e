"""What a recipe for a language model can say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from lmdistill.core.completions import completions_of
from lmdistill.core.errors import ConfigError
from lmdistill.core.protocols import Method
from lmdistill.engine.training_settings import Optimizer, Training
from lmdistill.methods import ATKD, CLASSIFIER_METHODS, LANGUAGE_METHODS
from lmdistill.recipes.pruning import Pruning
from lmdistill.recipes.validation import require_first_layers, require_kind, require_pruned, require_runs
from lmdistill.schedules.distillation import Direct, Schedule


def _training() -> Training:
    """The released script's set-up, where it names one."""
    return Training(epochs=3, optimizer=Optimizer(learning_rate=2e-5, schedule="cosine", warmup=0.03))


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Where the passages come from and how they are cut."""

    source: str = "stories"
    """`stories` (made by this program), a file, a folder, or a data set on the hub."""

    dev: str | None = None
    """A file of dev passages; without one, and where the source has none, training rows are set aside."""

    dev_rows: int = 250
    """How many of them are set aside, >= 1, or kept of those that the source or the dev file has."""

    rows: int | None = None
    """Number of training rows to use; all unless given."""

    subset_seed: int = 0
    """Which rows those are; not changed by `seeds`."""

    template: str | None = None
    """How a row becomes a prompt, with {column} fields; the released script's template unless given."""

    layout: Literal["messages", "instruction", "prompt", "text"] | None = None
    """What the rows are: chats, instructions, prompts or plain texts; told by their columns unless given."""

    completion: str | None = None
    """Column of what is learned; told by its name unless given."""

    separator: str | None = None
    """What ends a text in a text file; `<|endoftext|>` where that stands in it, else a line, unless given."""

    packing: bool = False
    """Join plain texts and cut them into blocks of `max_length`."""

    max_length: int = 512
    """Longest passage in tokens, prompt included."""

    evaluation: tuple[str, ...] = ()
    """Files of prompts that must not be trained on; rows that share one are dropped and counted."""

    def __post_init__(self) -> None:
        for name in ("dev_rows", "rows"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be >= 1, got {value}.")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A Llama with random weights."""

    width: int = 64
    """Of the states, a multiple of `heads`."""

    layers: int = 4
    """Depth, >= 1."""

    heads: int = 4
    """Attention heads."""

    def __post_init__(self) -> None:
        if min(self.width, self.layers, self.heads) < 1 or self.width % (2 * self.heads):
            raise ConfigError(
                f"width {self.width} cannot be shared by {self.heads} heads in {self.layers} layers: all "
                "must be >= 1 and the width a multiple of twice the heads. Change one of them."
            )


@dataclass(frozen=True, kw_only=True)
class LanguageTeacher:
    """The network that is imitated."""

    model: str | None = None
    """Hub id or folder of a causal language model."""

    shape: Shape = field(default_factory=Shape)
    """Without a model: what is trained from random weights first, once."""

    tokenizer: str | None = None
    """Folder or hub id of the tokenizer of a shape; one of words is made for the texts unless given."""

    tune: bool = False
    """Train the model on the texts first, once; always done without a model."""

    dtype: Literal["auto", "float32", "bfloat16"] = "float32"
    """Of its weights while it teaches; bfloat16 takes half the memory; auto takes what the model has."""

    trust_remote_code: bool = False
    """Run code that comes with the model."""

    training: Training = field(default_factory=_training)
    """How it is trained, where it is."""


@dataclass(frozen=True, kw_only=True)
class Adapters:
    """Low-rank adapters (LoRA); needs the extra `lora`. They are merged when the student is saved."""

    rank: int = 8
    """Rank of each adapter, >= 1."""

    alpha: int = 16
    """What the adapters add is multiplied by alpha / rank, >= 1."""

    dropout: float = 0.0
    """On what an adapter reads, in [0, 1)."""


@dataclass(frozen=True, kw_only=True)
class LanguageStudent:
    """The network that learns."""

    init: Literal["teacher", "random"] = "teacher"
    """Weights: the teacher's, or none."""

    layers: int | tuple[int, ...] | Literal["all"] = 2
    """How many of the teacher's layers, or which of them (counted from 0)."""

    which: Literal["first", "last", "alternate"] = "first"
    """Which layers, where `layers` is a number."""

    model: str | None = None
    """Another model with the same tokenizer instead; `layers` is then not used."""

    shape: Shape | None = None
    """A Llama with random weights instead; `layers` is then not used."""

    warm: Training | None = None
    """A first stage of supervised training, once for each seed, that all methods start from."""

    keep: float = 1.0
    """Fraction of the heads and neurons of these layers, in (0, 1]; below 1 the rest are pruned."""

    pruning: Pruning = field(default_factory=lambda: Pruning(scope="layer"))
    """Which of them, where some are; the same share of each layer, so that stock classes hold the student."""

    adapters: Adapters | None = None
    """Learn adapters alone, beside frozen weights; all weights learn unless asked for."""

    checkpointing: bool = False
    """Keep only what goes into each layer, and compute the rest again in the backward pass."""

    @property
    def own(self) -> Mapping[str, bool]:
        """Settings of a student that begins as something else than the teacher's first layers."""
        others = {"model": self.model, "shape": self.shape, "warm": self.warm}
        return {
            "init": self.init != "teacher",
            "which": self.which != "first",
            **{name: value is not None for name, value in others.items()},
        }


@dataclass(frozen=True, kw_only=True)
class Writing:
    """What students write for the report."""

    prompts: str | None = None
    """File of prompts and references; the beginnings of dev passages unless given."""

    rows: int = 40
    """How many, >= 0; 0 writes nothing."""

    max_new: int = 64
    """Longest completion in tokens, >= 1."""

    begin: int = 16
    """Tokens of a dev passage that are its prompt, where it has none of its own, >= 1."""

    def __post_init__(self) -> None:
        for name, least in (("rows", 0), ("max_new", 1), ("begin", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} must be >= {least}, got {getattr(self, name)}.")


@dataclass(frozen=True, kw_only=True)
class LanguageRecipe:
    """A distillation of a language model, or several that differ in method and seed."""

    texts: Texts = field(default_factory=Texts)
    """Passages."""

    teacher: LanguageTeacher = field(default_factory=LanguageTeacher)
    """Who is imitated."""

    student: LanguageStudent = field(default_factory=LanguageStudent)
    """Who learns."""

    methods: Mapping[str, Method] = field(default_factory=lambda: MappingProxyType({"ATKD": ATKD()}))
    """How, by the names that tables show."""

    schedule: Schedule = field(default_factory=Direct)
    """Whom the student learns from on the way: the teacher alone, or assistants in between."""

    writing: Writing = field(default_factory=Writing)
    """What they write at the end."""

    training: Training = field(default_factory=_training)
    """How long, how fast, in what batches. Its seed comes from `seeds`."""

    seeds: tuple[int, ...] = (0,)
    """A run for each."""

    def __post_init__(self) -> None:
        require_runs(self.methods, self.seeds)
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
        require_kind(self.methods, CLASSIFIER_METHODS, "is for classifiers and scorers", LANGUAGE_METHODS)
