"""Recipes for classifiers and scorers: a tree of values, each with its default and range.

A recipe is a YAML file; every leaf below is a key of it and can be set with `--set a.b=value`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from lmdistill.core.errors import ConfigError
from lmdistill.data.files.table_format import TableFormat
from lmdistill.engine.training_settings import Training
from lmdistill.evaluation.ensemble import Combine
from lmdistill.methods import BASELINES, CLASSIFIER_METHODS, LANGUAGE_METHODS, AnyMethod, MixKD
from lmdistill.recipes.augmentation import Augmentation
from lmdistill.recipes.classifier_student import Student
from lmdistill.recipes.label_scoring import Scoring
from lmdistill.recipes.representation_map import Map
from lmdistill.recipes.validation import (
    require_first_layers,
    require_kind,
    require_numbers,
    require_pruned,
    require_runs,
)
from lmdistill.schedules.distillation import Direct, Schedule

DEFAULT_TEACHER = "bert-base-uncased"
"""The teacher of a recipe that names none."""

Labels = tuple[str | int, ...] | Mapping[str | int, str] | None
"""Names of labels in order, or label in the file -> name."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """Source of the examples, and how many are used."""

    source: str = "hub"
    """`hub`, a folder with GLUE in either layout, or, for the task `own`, your training file."""

    dev: str | float | None = None
    """Your own dev file, or the share of the training rows to set aside as dev, in (0, 1), a share of each
    class; a tenth without either."""

    test: str | None = None
    """Your own labelled test file, or the name of such a split of a data set on the hub. It is scored at the
    end and chooses nothing: dev stays the first split."""

    text: tuple[str | int, ...] = ()
    """Text column, or two columns for pairs, or several with `join`, in your own data; inferred if empty."""

    join: str | None = None
    """What stands between the columns of `text` to make one text of them, such as `" "`; else a pair."""

    label: str | int | tuple[str | int, ...] | None = None
    """Label column in your own data; inferred if missing. Without `header`, columns are numbered from 1. A
    list names columns of 0 and 1, one for each of several labels of a text."""

    label_separator: str | None = None
    """What stands between several labels that your own data write as one text, such as `";"`."""

    labels: Labels = None
    """Labels in order: `[bad, good]`; or label in the file to name: `{0: bad, 1: good}`; else sorted ones."""

    kind: Literal["classification", "multilabel", "regression"] | None = None
    """Whether a text has one of several classes, any number of labels, or a score; inferred if missing."""

    drop: tuple[Literal["empty", "unlabelled", "duplicates"], ...] = ()
    """Rows of your own data to drop and count; else the first two stop the run, and the last is noted."""

    encoding: str | None = None
    """Encoding of your own file, such as `latin-1`, `cp1252` or `utf-16`; UTF-8 by default."""

    delimiter: str | None = None
    """Character between columns of your CSV or TSV file, such as `"|"`; comma, `;` and tab are found."""

    quote: str | None = None
    """Character around texts of your CSV or TSV file; `""` if quotes are part of the text."""

    header: bool = True
    """Whether the first line of your CSV or TSV file names the columns; else they are 1, 2, 3 and so on."""

    metrics: tuple[str, ...] = ()
    """Metrics such as `[macro_f1, accuracy]`; the first is the headline: it selects the best weights and is
    compared in tables. The usual ones of the task if empty."""

    fraction: float = 1.0
    """Share of the training rows to use, in (0, 1]; the same rows for teacher and student."""

    rows: int | None = None
    """Number of training rows to use, instead of a fraction."""

    subset_seed: int = 0
    """Seed of the choice of rows, >= 0; `seeds` does not change it."""

    unlabelled: tuple[str, ...] = ()
    """Texts that only teacher terms see: files, or `rest` for the training rows that `fraction` or `rows`
    leaves out, whose labels are not read. What is also in dev or test, or repeated, is left out."""

    labelled_per_batch: int | None = None
    """Rows with a label in each batch, in [1, batch_size): an epoch is then a pass over the rows without one.
    By default both are shuffled together."""

    max_length: int = 128
    """Longest input in tokens, >= 3; longer ones are truncated and counted."""

    augmentation: Augmentation | None = None
    """Augmented training rows; none by default."""

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise ConfigError(f"fraction must be in (0, 1], got {self.fraction}.")
        if self.rows is not None and self.rows < 1:
            raise ConfigError(f"rows must be >= 1, got {self.rows}.")
        if self.rows is not None and self.fraction != 1:
            raise ConfigError(f"rows is {self.rows} and fraction is {self.fraction}; set only one of them.")
        if "rest" in self.unlabelled and self.rows is None and self.fraction == 1:
            raise ConfigError(
                "unlabelled is rest, and all training rows are used with their labels. Set fraction or rows."
            )
        _ = self.form  # checks encoding, delimiter and quote

    @property
    def form(self) -> TableFormat:
        """Encoding, delimiter, quotes and header of the files."""
        return TableFormat(
            encoding=self.encoding, delimiter=self.delimiter, quote=self.quote, header=self.header
        )


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """The classifier to learn from, which is fine-tuned first if it has no head for the task."""

    model: str | None = DEFAULT_TEACHER
    """Hub id, folder, run folder, or `packaged:all-MiniLM-L6-v2`; fine-tuned first if it has no head for the
    task. `null` or the default beside `models`."""

    models: tuple[str, ...] = ()
    """Several teachers in place of `model`, each as there. Those of one name are fine-tuned with consecutive
    seeds. The first one gives students their layers."""

    combine: Combine = "log_probabilities"
    """What is averaged over `models`: log-probabilities (the geometric mean), probabilities, or logits."""

    fit_temperature: bool = False
    """Divide the teacher's logits by the temperature that fits best a tenth of the labelled training rows,
    which its fine-tuning leaves out and students learn from."""

    answers: str | None = None
    """File with answers for texts: probabilities, logits, a label or those of several judges, joined by the
    texts. No teacher is run then; `model` gives the pretrained layers of students without their own."""

    prompt: str | None = None
    """File with a prompt, or `default`: `model` is then a decoder without a head, which scores the label
    words behind the prompt. Students need `student.model`."""

    label_words: Mapping[str, str] = field(default_factory=dict)
    """Label -> what stands for it behind the prompt; the label itself for others."""

    scoring: Scoring = field(default_factory=Scoring)
    """How label words are scored."""

    trust_remote_code: bool = False
    """Run Python code that the model's folder or repository carries; off by default."""

    store_outputs: bool = True
    """Compute its logits for the training texts once and keep them for other epochs, seeds and methods, in
    `teachers/outputs` beside the runs; else it is run in every step. Terms on other inputs run it anyway."""

    rows: Literal["same", "all"] = "same"
    """Labelled training rows that it is fine-tuned on: those of the students, or `all`, also those that
    `data.fraction` or `data.rows` leaves out. Records and pages say which."""

    licence: str | None = None
    """Its licence, for records and model cards; by default the `license` in the `README.md` of its folder."""

    answers_use: str | None = None
    """What its answers may be used for, in your words, for records and model cards."""

    training: Training = field(default_factory=lambda: Training(epochs=3, keep="best"))
    """Training settings of its fine-tuning."""

    def __post_init__(self) -> None:
        if self.models and self.model not in (None, DEFAULT_TEACHER):
            raise ConfigError(
                f"model is {self.model} and models is {', '.join(self.models)}; set only one of them, or "
                "model to null."
            )
        if self.answers is not None and self.is_combined:
            name = "models" if self.models else "fit_temperature"
            raise ConfigError(
                f"answers is {self.answers} and {name} is set, and no model is run where a file answers. Set "
                "only one of them."
            )
        if self.prompt is not None and (self.models or self.answers is not None):
            name = "models" if self.models else "answers"
            raise ConfigError(
                f"prompt is {self.prompt} and {name} is set, and a prompt is for the one decoder in model. "
                "Set only one of them."
            )
        if self.rows == "all" and not (self.answers is None and self.prompt is None):
            raise ConfigError(
                "rows is all, and answers or prompt is set, so no teacher is fine-tuned. Leave it out."
            )
        if self.model is None and not self.models:
            raise ConfigError("model is null and models is empty; name a teacher in one of them.")

    @property
    def names(self) -> tuple[str, ...]:
        """The teacher, or all of several."""
        return self.models or (self.model or DEFAULT_TEACHER,)

    @property
    def is_combined(self) -> bool:
        """Whether the teacher is more than the outputs of one classifier."""
        return bool(self.models) or self.fit_temperature


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A distillation, or several that differ in method and seed."""

    task: str = "sst2"
    """A task of `lmdistill list tasks`, `synthetic`, `own`, or `owner/name` of a data set on the hub."""

    data: Data = field(default_factory=Data)
    """The data set."""

    teacher: Teacher = field(default_factory=Teacher)
    """The teacher and its training."""

    student: Student = field(default_factory=Student)
    """The student and its initialisation."""

    methods: Mapping[str, AnyMethod] = field(default_factory=lambda: MappingProxyType({"MixKD": MixKD()}))
    """Methods by the names that tables show. A recipe with one method may have `method:` instead."""

    schedule: Schedule = field(default_factory=Direct)
    """The teacher alone, or teacher assistants in between."""

    training: Training = field(default_factory=Training)
    """Epochs, batch size, optimizer and evaluation. Its seed comes from `seeds`."""

    seeds: tuple[int, ...] = (0,)
    """Seeds; each method is run once for each."""

    map: Map | None = None
    """Map of representations of dev examples, for `map.jsonl` and the report; none by default."""

    def __post_init__(self) -> None:
        require_runs(self.methods, self.seeds)
        require_numbers({"training": self.training, "teacher.training": self.teacher.training})
        require_pruned(self.schedule, self.student.keep, self.student.layers)
        require_first_layers(self.schedule, self.student.own)
        known = {**CLASSIFIER_METHODS, **BASELINES}
        require_kind(self.methods, LANGUAGE_METHODS, "is for models that write text", known)
        if all(isinstance(method, tuple(BASELINES.values())) for method in self.methods.values()):
            self.student.require_network(self.methods)
