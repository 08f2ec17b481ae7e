"""The numbers of a comparison table: costs, rows and the table itself."""

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
    """Size and latency of the networks of a row."""

    parameters: int
    """Number of parameters, including embeddings."""

    disk_bytes: float | None
    """Size of the saved weights in bytes, mean over seeds; None if not recorded."""

    latency_ms: float | None
    """Median latency of one batch in milliseconds, over all networks of the same architecture."""

    speedup: float | None = None
    """Latency of the teacher divided by that of the student, over all rows of its architecture; 1 for the
    teacher."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """All seeds of one method with one configuration, or all copies of one kind of teacher."""

    label: str
    """Label in the table, unique among its rows."""

    role: Literal["teacher", "baseline", "student"]
    """A baseline is a student that other students are tested against."""

    runs: tuple[RecordedRun, ...]
    """The runs of the row; empty for a teacher that is only known from its students' records."""

    networks: tuple[NetworkFacts, ...]
    """The network of each seed, at least one."""

    quality: Mapping[Score, Spread]
    """Mean and standard deviation over seeds of each score that the row has."""

    cost: Cost
    """Parameters, size on disk, latency and speed-up."""

    ceiling: float | None = None
    """Mean headline score of the teachers of its runs; without one, that of the table's only teacher."""

    kept: float | None = None
    """Headline score divided by the teacher's."""

    closed: float | None = None
    """Share of the gap between baseline and teacher that the row closes, over the seeds of both rows."""

    evidence: ComparisonStats = NOTHING
    """Comparison with the baseline and the teacher, from the predictions on dev examples."""

    chosen: bool = False
    """For a teacher, whether its students' recipes select its weights by the dev score."""

    floor: str | None = None
    """Label of the baseline that the row was tested against; None for a baseline."""

    @property
    def selected(self) -> bool:
        """Whether the weights were selected by the dev score, which makes that score optimistic."""
        return self.chosen or any(run.record.selected == "dev-best" for run in self.runs)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The rows of one task, evaluated on the same dev examples."""

    task: TaskFacts
    """The task, as the first run records it."""

    scores: tuple[Score, ...]
    """The measured scores, headline first."""

    rows: tuple[Row, ...]
    """Teachers, then the baseline if all rows share one, then the other students."""

    batch_size: int
    """Batch size of the latencies."""

    majority: Mapping[str, Mapping[str, float | None]]
    """Scores of a constant prediction by split and metric."""

    apart: bool = False
    """Whether other runs of the task were evaluated on other dev examples and have another table."""

    shared: tuple[str, ...] = ()
    """Settings that all students share and their labels leave out, such as `layers=3`."""

    @property
    def num_dev(self) -> int:
        """Number of examples of the headline split; 0 if it was not recorded."""
        return self.task.rows.get(self.scores[0][0], 0)

    @property
    def floors(self) -> tuple[str, ...]:
        """Labels of the baselines in the order of the rows."""
        return tuple(row.label for row in self.rows if row.role == "baseline")

    def floor_of(self, row: Row) -> Row | None:
        """The row of the baseline that `row` was tested against; a baseline returns itself."""
        label = row.label if row.role == "baseline" else row.floor
        return next((other for other in self.rows if other.label == label), None)

    @property
    def runs(self) -> tuple[RecordedRun, ...]:
        """All runs of the table, row by row."""
        return tuple(run for row in self.rows for run in row.runs)

    @property
    def learners(self) -> tuple[RecordedRun, ...]:
        """All runs of students, row by row; runs that trained a teacher are left out."""
        return tuple(run for row in self.rows if row.role != "teacher" for run in row.runs)


def own_teacher(row: Row, teachers: Sequence[Row]) -> Row | None:
    """The row of the teacher of a student's row.

    Args:
        row: A row whose first run records the teacher.
        teachers: The rows of the teachers in the same table.

    Returns:
        For a run without a teacher, the only teacher of the table, or None if there are several.
    """
    recorded = row.runs[0].record.teacher if row.runs else None
    if recorded is None:
        return teachers[0] if len(teachers) == 1 else None
    return next(one for one in teachers if recorded.fingerprint in {n.fingerprint for n in one.networks})


def dev_set_label(table: Comparison, others: Sequence[Comparison]) -> str:
    """A label for the dev examples of a table, if another table has the same number of examples.

    Args:
        table: One of `others`.
        others: Tables of one task.

    Returns:
        The first six digits of the examples' fingerprint, or `set N` if it was not recorded; an empty text
        if no other table has as many examples.
    """
    same_size = [other for other in others if other.num_dev == table.num_dev]
    if len(same_size) < 2:
        return ""
    return (table.task.dev_fingerprint or "")[:6] or f"set {same_size.index(table) + 1}"
