"""Definitions of the nine GLUE tasks, the diagnostic set AX and the synthetic task, without examples."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from lmdistill.core.errors import ConfigError, UnknownNameError

Kind = Literal["classification", "multilabel", "regression"]


USUAL_METRICS: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {
        "classification": ("accuracy", "matthews"),
        "multilabel": ("micro_f1", "macro_f1", "subset_accuracy"),
        "regression": ("pearson", "spearman"),
    }
)
"""Metrics of a task of your own or of the hub, unless you choose others."""


@dataclass(frozen=True, kw_only=True)
class OfficialFiles:
    """Format of the files of the official GLUE download; all are TSV without quoting."""

    folder: str
    """Name of the task's folder inside `glue_data`."""

    columns: tuple[str, ...]
    """Names of the text columns in these files."""

    label: str = "label"
    """Name of the label column; test files have none."""

    header: tuple[str, ...] = ()
    """Column names of files without a header line (CoLA's train and dev files); () if all have one."""

    index: str = "index"
    """Name of the column with the row index that the test server expects."""

    gaps: bool = False
    """Whether the official files contain incomplete lines or empty texts; such rows are dropped."""


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """Definition of a task: its columns, labels, metrics and splits."""

    name: str
    """Name of the task: a key of `TASKS`, "synthetic", "own", or the name of a data set of the hub."""

    kind: Kind = "classification"
    """Whether a text has one of several classes, any number of labels, or a score (regression)."""

    columns: tuple[str, ...]
    """Names of one or two text columns, as on the hub or in the user's file."""

    labels: tuple[str, ...] = ()
    """Label names; the class number of a label is its position. () for regression."""

    metrics: tuple[str, ...] = ("accuracy",)
    """Names of metrics; the first is the headline metric."""

    splits: tuple[str, ...] = ("dev",)
    """Names of the splits to evaluate on; the first one selects the best weights."""

    test_splits: tuple[str, ...] = ("test",)
    """Names of the splits without labels, for the test server."""

    score_range: tuple[float, float] | None = None
    """Lowest and highest score of a regression task; None if not limited."""

    hub: str = ""
    """Configuration of `nyu-mll/glue`; "" for tasks outside GLUE."""

    official: OfficialFiles | None = None
    """Format of the official files; None for tasks outside GLUE."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.columns) <= 2:
            raise ConfigError(f"a task has one or two text columns, got {len(self.columns)}: {self.columns}.")
        if (self.kind != "regression") != (len(self.labels) >= 2):
            raise ConfigError(
                f"a {self.kind} task cannot have the labels {list(self.labels)}: "
                "classification needs two or more label names, as multilabel does, and regression none."
            )

    @property
    def num_classes(self) -> int:
        """Number of outputs of a model for this task: the number of labels, or 1 for regression."""
        return max(1, len(self.labels))

    @property
    def chosen_metrics(self) -> tuple[str, ...]:
        """The metrics if they are not the usual ones of this task; else ()."""
        known = TASKS.get(self.name, SYNTHETIC if self.name == SYNTHETIC.name else None)
        usual = USUAL_METRICS[self.kind] if known is None else known.metrics
        return () if self.metrics == usual else self.metrics


_PAIR = ("sentence1", "sentence2")
_NLI = ("entailment", "neutral", "contradiction")
_ENTAILED = ("entailment", "not_entailment")

TASKS: Mapping[str, TaskSpec] = MappingProxyType(
    {
        "cola": TaskSpec(
            name="cola",
            columns=("sentence",),
            labels=("unacceptable", "acceptable"),
            metrics=("matthews", "accuracy"),
            hub="cola",
            official=OfficialFiles(
                folder="CoLA", columns=("sentence",), header=("source", "label", "mark", "sentence")
            ),
        ),
        "sst2": TaskSpec(
            name="sst2",
            columns=("sentence",),
            labels=("negative", "positive"),
            hub="sst2",
            official=OfficialFiles(folder="SST-2", columns=("sentence",)),
        ),
        "mrpc": TaskSpec(
            name="mrpc",
            columns=_PAIR,
            labels=("not_equivalent", "equivalent"),
            metrics=("f1", "accuracy"),
            hub="mrpc",
            official=OfficialFiles(folder="MRPC", columns=("#1 String", "#2 String"), label="Quality"),
        ),
        "stsb": TaskSpec(
            name="stsb",
            kind="regression",
            columns=_PAIR,
            metrics=("pearson", "spearman"),
            score_range=(0.0, 5.0),
            hub="stsb",
            official=OfficialFiles(folder="STS-B", columns=_PAIR, label="score"),
        ),
        "qqp": TaskSpec(
            name="qqp",
            columns=("question1", "question2"),
            labels=("not_duplicate", "duplicate"),
            metrics=("f1", "accuracy"),
            hub="qqp",
            official=OfficialFiles(
                folder="QQP", columns=("question1", "question2"), label="is_duplicate", index="id", gaps=True
            ),
        ),
        "mnli": TaskSpec(
            name="mnli",
            columns=("premise", "hypothesis"),
            labels=_NLI,
            splits=("dev_matched", "dev_mismatched"),
            test_splits=("test_matched", "test_mismatched"),
            hub="mnli",
            official=OfficialFiles(folder="MNLI", columns=_PAIR, label="gold_label", gaps=True),
        ),
        "qnli": TaskSpec(
            name="qnli",
            columns=("question", "sentence"),
            labels=_ENTAILED,
            hub="qnli",
            official=OfficialFiles(folder="QNLI", columns=("question", "sentence")),
        ),
        "rte": TaskSpec(
            name="rte",
            columns=_PAIR,
            labels=_ENTAILED,
            hub="rte",
            official=OfficialFiles(folder="RTE", columns=_PAIR),
        ),
        "wnli": TaskSpec(
            name="wnli",
            columns=_PAIR,
            labels=("not_entailment", "entailment"),
            hub="wnli",
            official=OfficialFiles(folder="WNLI", columns=_PAIR),
        ),
        "ax": TaskSpec(
            name="ax",
            columns=("premise", "hypothesis"),
            labels=_NLI,
            metrics=("matthews",),
            splits=(),
            hub="ax",
            official=OfficialFiles(folder="diagnostic", columns=_PAIR),
        ),
    }
)
"""Name -> task: GLUE (Wang et al., 2019) and its diagnostic set, columns and labels as in `nyu-mll/glue`."""

SYNTHETIC = TaskSpec(name="synthetic", columns=("sentence",), labels=("negative", "positive"), test_splits=())
"""The synthetic task; `data.synthetic.reviews` generates its texts."""

SIZES: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "cola": {"train": 8551, "dev": 1043, "test": 1063},
        "sst2": {"train": 67349, "dev": 872, "test": 1821},
        "mrpc": {"train": 3668, "dev": 408, "test": 1725},
        "stsb": {"train": 5749, "dev": 1500, "test": 1379},
        "qqp": {"train": 363846, "dev": 40430, "test": 390965},
        "mnli": {
            "train": 392702,
            "dev_matched": 9815,
            "dev_mismatched": 9832,
            "test_matched": 9796,
            "test_mismatched": 9847,
        },
        "qnli": {"train": 104743, "dev": 5463, "test": 5463},
        "rte": {"train": 2490, "dev": 277, "test": 3000},
        "wnli": {"train": 635, "dev": 71, "test": 146},
        "ax": {"test": 1104},
    }
)
"""Task -> split -> number of rows of the official split, so that a smaller file is noticed."""


def task_named(name: str) -> TaskSpec:
    """The GLUE task called `name`.

    Raises:
        UnknownNameError: There is no such task; the message lists the existing ones.

    Examples:
        >>> task_named("mnli").labels
        ('entailment', 'neutral', 'contradiction')
    """
    if name not in TASKS:
        raise UnknownNameError("task", name, TASKS)
    return TASKS[name]
