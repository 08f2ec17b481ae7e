"""One table over all tasks, with methods as rows and tasks as columns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lmdistill.analysis.baselines import block_of
from lmdistill.analysis.footnote_text import BY_DEV
from lmdistill.analysis.grouping import asked_data, grouped, numbered, row_labels, student_size, without
from lmdistill.analysis.metric_format import NONE, metric_format
from lmdistill.analysis.number_format import layers_text, millions, spread_text
from lmdistill.analysis.paired_comparison import NOTHING, ComparisonStats
from lmdistill.analysis.result_table import Comparison, Row, dev_set_label
from lmdistill.analysis.significance import ALPHA, Spread
from lmdistill.records.record import RecordedRun
from lmdistill.report.grid import Grid
from lmdistill.report.tables.footnotes import mark_notes, shared_note

BETTER, WORSE = "↑", "↓"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One score of one row on one task."""

    row: str
    """Label of the row."""

    column: str
    """Title of the column: task, amount of data if it varies, and metric with its unit."""

    metric: str
    """Name of the metric."""

    quality: Spread
    """Mean and standard deviation over seeds."""

    evidence: ComparisonStats
    """Comparison with the baseline; without values unless the metric is the headline of the task."""

    role: str
    """Role of the row: teacher, baseline or student."""

    floor: str | None
    """Label of the baseline that the row was tested against; None for a baseline or a teacher."""

    selected: bool
    """Whether the weights were selected by this score on the dev set."""

    @property
    def mark(self) -> str:
        """An arrow for a significant difference (corrected p-value, at least two seeds), else nothing."""
        difference, p_value = self.evidence.difference, self.evidence.p_holm
        if difference is None or p_value is None or p_value >= ALPHA or self.evidence.seeds < 2:
            return ""
        return f" {BETTER if metric_format(self.metric).sign * difference.value > 0 else WORSE}"


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The table over all tasks."""

    grid: Grid
    """The table as text."""

    cells: tuple[Cell, ...]
    """The numbers of the table, row by row."""


def overview(tables: Sequence[Comparison]) -> Overview:
    """Teachers first, then students by size; one column for each score of each task and amount of data.

    An arrow marks a difference that is significant in the table of the task. Cells show their number of seeds
    if it differs between cells. Scores are not averaged over tasks.

    Args:
        tables: Result of `compare`, at least one table.
    """
    cells = tuple(_cells(tables))
    columns = list(dict.fromkeys(cell.column for cell in cells))
    by_position = {(cell.row, cell.column): cell for cell in cells}
    counts = {cell.quality.count for cell in cells if cell.role != "teacher"}
    rows = tuple(
        (row, *(_text(by_position.get((row, column)), len(counts) > 1) for column in columns))
        for row in dict.fromkeys(cell.row for cell in cells)
    )
    tasks = ", ".join(dict.fromkeys(table.task.name for table in tables))
    grid = Grid(
        caption=f"Methods and tasks: {tasks}",
        header=("", *columns),
        rows=rows,
        notes=(*_notes(cells, rows, counts), *shared_note(tables[0].shared)),
        alarms=(),
        name="overview",
    )
    return Overview(grid=grid, cells=cells)


def _text(cell: Cell | None, with_count: bool) -> str:
    """Mean and deviation, the number of seeds of a student if `with_count`, and the marks."""
    if cell is None:
        return NONE
    count = f" ({cell.quality.count})" if with_count and cell.role != "teacher" else ""
    selected = f" {BY_DEV}" if cell.selected else ""
    return f"{spread_text(cell.quality, cell.metric)}{count}{selected}{cell.mark}"


def _notes(cells: Sequence[Cell], rows: Sequence[Sequence[str]], counts: set[int]) -> tuple[str, ...]:
    """The notes below the table on marks, numbers of seeds and tests."""
    baselines = ", ".join(dict.fromkeys(cell.floor for cell in cells if cell.floor))
    notes = mark_notes(rows)
    if len(counts) > 1:
        notes.append("In brackets: number of seeds. Do not average cells with different numbers of seeds.")
    elif counts:
        notes.append(f"Students: {min(counts)} {'seed' if counts == {1} else 'seeds'} per cell.")
    if baselines:
        notes.append(
            f"{BETTER}, {WORSE}: better or worse than the baseline ({baselines}); p < 0.05 over seeds and "
            "examples with Holm's correction per task, at least two seeds."
        )
    return tuple(notes)


def _cells(tables: Sequence[Comparison]) -> Iterator[Cell]:
    """Cells of teachers, then of students by size; of two cells in one position, the one with more seeds."""
    learners = [run for table in tables for run in table.learners]
    sizes = list(dict.fromkeys(student_size(run.record) for run in learners))
    ranked: list[tuple[int, Cell]] = []
    for task in grouped(tables, lambda table: table.task.name).values():
        for table in task:
            names = _labels(table, task)
            for row in table.rows:
                rank = -1 if row.role == "teacher" else sizes.index(student_size(row.runs[0].record))
                ranked += [(rank, cell) for cell in _of_row(row, table, task, names)]
    by_position: dict[tuple[str, str], Cell] = {}
    for _, cell in sorted(ranked, key=lambda one: one[0]):
        before = by_position.setdefault((cell.row, cell.column), cell)
        if cell.quality.count > before.quality.count:
            by_position[cell.row, cell.column] = cell
    yield from by_position.values()


def _of_row(
    row: Row, table: Comparison, task: Sequence[Comparison], names: Mapping[str, str]
) -> Iterator[Cell]:
    """One cell per score; for a teacher, also per amount of data of its students."""
    several_splits = len({split for split, _ in table.scores}) > 1
    several_amounts = len({str(asked_data(run)) for one in task for run in one.learners}) > 1
    for runs in grouped(_student_runs(row, table), lambda run: str(asked_data(run))).values():
        data = f"{table.task.name}{_amount_text(runs) if several_amounts else ''}{_dev_text(table, task)}"
        for score in table.scores:
            if score in row.quality:
                split = f" {score[0].replace('_', ' ')}" if several_splits else ""
                yield Cell(
                    row=names[row.label],
                    column=f"{data}{split} {metric_format(score[1]).title}",
                    metric=score[1],
                    quality=row.quality[score],
                    evidence=row.evidence if score == table.scores[0] else NOTHING,
                    role=row.role,
                    floor=names.get(row.floor or ""),
                    selected=row.selected and score == table.scores[0],
                )


def _student_runs(row: Row, table: Comparison) -> Sequence[RecordedRun]:
    """The runs of a student's row; for a teacher's row, the runs of its students."""
    if row.role != "teacher":
        return row.runs
    own = {network.fingerprint for network in row.networks}
    return [run for run in table.learners if run.record.teacher and run.record.teacher.fingerprint in own]


def _amount_text(runs: Sequence[RecordedRun]) -> str:
    """The amount of data that recipes set, in brackets; for a fraction also the number of examples."""
    settings = asked_data(runs[0])
    texts = [f"{name} {value:g}" for name, value in settings.items()]
    counts = [run.record.task.rows["train"] for run in runs if "train" in run.record.task.rows]
    if "fraction" in settings and counts:
        unit = "passages" if runs[0].record.task.kind == "language" else "examples"
        texts.append(f"{min(counts):,} {unit}")
    return f" ({', '.join(texts)})" if texts else ""


def _dev_text(table: Comparison, task: Sequence[Comparison]) -> str:
    """Number and label of the dev examples, if the task has several sets of them."""
    if len(task) == 1 and not table.apart:
        return ""
    label = dev_set_label(table, task)
    return f", {table.num_dev:,} dev{f' ({label})' if label else ''}"


def _labels(table: Comparison, task: Sequence[Comparison]) -> dict[str, str]:
    """The label of each row in this table, by its label in the table of the task.

    The amount of data is left out, because the column has it. The number of layers is added if sizes differ,
    and the parameters of the layers if students with the same number of layers differ in them.
    """
    learners = [run for one in task for run in one.learners]
    shapes = {student_size(run.record) for run in learners if run.record.student.layers}
    teacher_depths = {run.record.teacher.layers for run in learners if run.record.teacher is not None}
    renamed = {}
    for row in table.rows:
        if row.role == "teacher":
            depth = f" ({layers_text(row.networks[0].layers)})"
            renamed[row.label] = f"Teacher{depth if len(teacher_depths) > 1 else ''}"
    students = [row for row in table.rows if row.role != "teacher"]
    for block in grouped(students, lambda row: block_of(row.runs[0])).values():
        names = [without(name, table.shared) for name in row_labels([row.runs for row in block])]
        labels = numbered(_label(row, name, shapes) for row, name in zip(block, names, strict=True))
        renamed |= {row.label: label for row, label in zip(block, labels, strict=True)}
    return renamed


def _label(row: Row, name: str, shapes: set[tuple[int, float]]) -> str:
    """The name of a student without its amount of data and with its size."""
    network, words = row.networks[0], name.split(" ")
    texts = [" ".join(word for word in words if not word.startswith(("fraction=", "rows="))) or name]
    if network.layers and len(shapes) > 1 and f"layers={network.layers}" not in words:
        texts.append(layers_text(network.layers))
    if sum(layers == network.layers for layers, _ in shapes) > 1:
        texts.append(f"{millions(network.parameters.encoder)} layer parameters")
    return ", ".join(texts)
