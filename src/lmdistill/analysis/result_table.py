"""What a comparison of runs consists of, as numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lmdistill.analysis.paired_comparison import NOTHING, ComparisonStats
from lmdistill.analysis.significance import Spread
from lmdistill.records.record import RecordedRun
from lmdistill.records.schema import NetworkFacts, TaskFacts

Score = tuple[str, str]
"""A split and a metric."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a network takes."""

    parameters: int
    """Weights, embeddings included."""

    disk_bytes: float | None
    """Size of the saved weights; the mean over seeds."""

    latency_ms: float | None
    """Median time of one batch; the median over all networks of the shape."""

    speedup: float | None = None
    """Latency of the teacher divided by that of the row, of all rows of the shape; 1 for the teacher."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """All seeds of one way to get a network."""

    label: str
    """Its name in the table."""

    role: Literal["teacher", "baseline", "student"]
    """A baseline is what others are tested against."""

    runs: tuple[RecordedRun, ...]
    """The runs it is made of; none for a teacher that is only known from its students."""

    networks: tuple[NetworkFacts, ...]
    """The network of each seed, >= 1."""

    quality: Mapping[Score, Spread]
    """Scores over seeds."""

    cost: Cost
    """What the network takes."""

    ceiling: float | None = None
    """Headline score of its own teachers, the mean over its runs; of the only teacher, where it had none."""

    kept: float | None = None
    """Share of the teacher's headline score."""

    closed: float | None = None
    """Share of the way from the baseline to the teacher, over the seeds that both rows have."""

    evidence: ComparisonStats = NOTHING
    """Against the baseline and the teacher, from the answers to the dev examples."""

    chosen: bool = False
    """Whether the recipes of its students say that the dev set has chosen its weights."""

    floor: str | None = None
    """Label of the baseline that it was tested against; none for a baseline."""

    @property
    def selected(self) -> bool:
        """Whether the dev set has chosen the weights."""
        return self.chosen or any(run.record.selected == "dev-best" for run in self.runs)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All rows about one task."""

    task: TaskFacts
    """Of the first run."""

    scores: tuple[Score, ...]
    """The measured ones, headline first."""

    rows: tuple[Row, ...]
    """Teachers, then the baseline where there is one for all, then the others."""

    batch_size: int
    """Of the latencies."""

    majority: Mapping[str, Mapping[str, float | None]]
    """What a constant answer scores."""

    apart: bool = False
    """Whether other runs of the task were judged on other dev examples, and stand in another table."""

    shared: tuple[str, ...] = ()
    """Settings of all rows that their labels leave out, as in `layers=3`."""

    @property
    def num_dev(self) -> int:
        """Examples of the headline's split; 0 where the record does not say."""
        return self.task.rows.get(self.scores[0][0], 0)

    @property
    def floors(self) -> tuple[str, ...]:
        """Labels of the baselines."""
        return tuple(row.label for row in self.rows if row.role == "baseline")

    def floor_of(self, row: Row) -> Row | None:
        """The baseline that a row was tested against; a baseline is its own."""
        wanted = row.label if row.role == "baseline" else row.floor
        return next((other for other in self.rows if other.label == wanted), None)

    @property
    def runs(self) -> tuple[RecordedRun, ...]:
        """Every run in the table."""
        return tuple(run for row in self.rows for run in row.runs)

    @property
    def learners(self) -> tuple[RecordedRun, ...]:
        """Every run in it but those that made the teachers."""
        return tuple(run for row in self.rows if row.role != "teacher" for run in row.runs)


def own_teacher(row: Row, teachers: Sequence[Row]) -> Row | None:
    """The row of the network that taught the runs of a row.

    Args:
        row: Its first run says which network.
        teachers: The rows of the teachers in the same table.

    Returns:
        The only teacher of the table, where the run had none; None where there are several.
    """
    theirs = row.runs[0].record.teacher if row.runs else None
    if theirs is None:
        return teachers[0] if len(teachers) == 1 else None
    return next(one for one in teachers if theirs.fingerprint in {n.fingerprint for n in one.networks})


def dev_set_label(table: Comparison, others: Sequence[Comparison]) -> str:
    """What tells the dev examples of a table from equally many of others: their contents, else a number.

    Args:
        table: One of `others`.
        others: Tables of one task.

    Returns:
        Nothing where their number tells them.
    """
    twins = [other for other in others if other.num_dev == table.num_dev]
    if len(twins) < 2:
        return ""
    return (table.task.dev_fingerprint or "")[:6] or f"set {twins.index(table) + 1}"
