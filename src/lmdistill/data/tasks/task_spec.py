"""What a task asks: the nine GLUE tasks, AX and the synthetic one as tables; examples are in `task.py`."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from lmdistill.core.errors import ConfigError, UnknownNameError

Kind = Literal["classification", "regression"]


@dataclass(frozen=True, kw_only=True)
class OfficialFiles:
    """How the files of the official download look; all are TSV without quoting."""

    folder: str
    """Folder inside `glue_data`."""

    columns: tuple[str, ...]
    """Names of the text columns in these files."""

    label: str = "label"
    """Name of the label column; test files lack it."""

    header: tuple[str, ...] = ()
    """Column names of files that carry none (CoLA's train and dev)."""

    index: str = "index"
    """Column with the number that a submission to the test server needs."""

    gaps: bool = False
    """Whether the official rows hold cut lines or empty texts: these are dropped, counted and said."""


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """What a task asks: its columns, labels, metrics and splits."""

    name: str
    """Key in `TASKS`, or "own"."""

    kind: Kind = "classification"
    """Classes or scores."""

    columns: tuple[str, ...]
    """Names of one or two text columns, as on the hub or in the user's file."""

    labels: tuple[str, ...] = ()
    """Names in official order, which is also the meaning of numbers; () for scores."""

    metrics: tuple[str, ...] = ("accuracy",)
    """Keys of the table of metrics; the first is the headline."""

    splits: tuple[str, ...] = ("dev",)
    """Splits to evaluate on; the first is the one to select by."""

    test_splits: tuple[str, ...] = ("test",)
    """Splits without labels, for the test server."""

    score_range: tuple[float, float] | None = None
    """Lowest and highest score; None where unknown."""

    hub: str = ""
    """Configuration of `nyu-mll/glue`; "" for other tasks."""

    official: OfficialFiles | None = None
    """The official files; None for other tasks."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.columns) <= 2:
            raise ConfigError(
                f"a task reads one or two text columns, got {len(self.columns)}: {self.columns}."
            )
        if (self.kind == "classification") != (len(self.labels) >= 2):
            raise ConfigError(
                f"a {self.kind} task cannot have the labels {list(self.labels)}: "
                "classification needs two or more names, regression none."
            )

    @property
    def num_classes(self) -> int:
        """Outputs of a model for this task: the number of labels, 1 for scores."""
        return max(1, len(self.labels))


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
"""GLUE (Wang et al., 2019) with its diagnostic set: columns and label order of `nyu-mll/glue`."""

SYNTHETIC = TaskSpec(name="synthetic", columns=("sentence",), labels=("negative", "positive"), test_splits=())
"""What the synthetic task asks; `data.synthetic.reviews` makes its texts."""

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
"""Rows of the official splits, so that a subset is called one."""


def task_named(name: str) -> TaskSpec:
    """The task called `name`.

    Raises:
        UnknownNameError: No task has this name; the message lists those that exist.

    Examples:
        >>> task_named("mnli").labels
        ('entailment', 'neutral', 'contradiction')
    """
    if name not in TASKS:
        raise UnknownNameError("task", name, TASKS)
    return TASKS[name]
