"""All tasks in one table: rows are methods, columns are tasks, as papers show them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lmdistill.analysis.baselines import block_of
from lmdistill.analysis.footnote_text import BY_DEV
from lmdistill.analysis.grouping import asked_data, grouped, numbered, row_labels, student_size, without
from lmdistill.analysis.metric_format import NONE, metric_format
from lmdistill.analysis.number_format import millions, spread_text
from lmdistill.analysis.paired_comparison import NOTHING, ComparisonStats
from lmdistill.analysis.result_table import Comparison, Row, dev_set_label
from lmdistill.analysis.significance import ALPHA, Spread
from lmdistill.records.record import RecordedRun
from lmdistill.report.grid import Grid
from lmdistill.report.tables.footnotes import mark_notes, shared_note

BETTER, WORSE = "↑", "↓"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One score of one row."""

    row: str
    """Label of the row."""

    column: str
    """Task and metric."""

    metric: str
    """Which score."""

    quality: Spread
    """Over seeds."""

    evidence: ComparisonStats
    """Against the baseline, for the headline of the task; else nothing."""

    role: str
    """Of the row: teacher, baseline or student."""

    floor: str | None
    """Label of the row that it was tested against; none of a baseline or a teacher."""

    selected: bool
    """Whether the dev set has chosen the weights by this score."""

    @property
    def mark(self) -> str:
        """An arrow, where two seeds or more and a corrected p-value bear it."""
        found, p_value = self.evidence.difference, self.evidence.p_holm
        if found is None or p_value is None or p_value >= ALPHA or self.evidence.seeds < 2:
            return ""
        return f" {BETTER if metric_format(self.metric).sign * found.value > 0 else WORSE}"


@dataclass(frozen=True, kw_only=True)
class Overview:
    """All tasks together."""

    grid: Grid
    """As text."""

    cells: tuple[Cell, ...]
    """As numbers, row by row."""


def overview(tables: Sequence[Comparison]) -> Overview:
    """Teachers first, then students by size; a column for each score of each task and amount of data.

    Tests are those of the tables: an arrow stands where the corrected p of the task's own table bears it. A
    cell says its number of seeds where not all cells have the same. Nothing is averaged over tasks.

    Args:
        tables: What `compare` found, at least one.
    """
    cells = tuple(_cells(tables))
    columns = list(dict.fromkeys(cell.column for cell in cells))
    placed = {(cell.row, cell.column): cell for cell in cells}
    counts = {cell.quality.count for cell in cells if cell.role != "teacher"}
    rows = tuple(
        (row, *(_text(placed.get((row, column)), len(counts) > 1) for column in columns))
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


def _text(cell: Cell | None, counted: bool) -> str:
    """Mean and deviation, the number of seeds where they differ, and the mark."""
    if cell is None:
        return NONE
    several = f" ({cell.quality.count})" if counted and cell.role != "teacher" else ""
    chosen = f" {BY_DEV}" if cell.selected else ""
    return f"{spread_text(cell.quality, cell.metric)}{several}{chosen}{cell.mark}"


def _notes(cells: Sequence[Cell], rows: Sequence[Sequence[str]], counts: set[int]) -> tuple[str, ...]:
    """What a reader needs to read the cells."""
    floors = ", ".join(dict.fromkeys(cell.floor for cell in cells if cell.floor))
    found = mark_notes(rows)
    if len(counts) > 1:
        found.append("In brackets: seeds of the cell; cells of different numbers are not to be averaged.")
    elif counts:
        found.append(f"Students: {min(counts)} {'seed' if counts == {1} else 'seeds'} a cell.")
    if floors:
        found.append(
            f"{BETTER}, {WORSE}: better or worse than its baseline ({floors}), p < 0.05 over seeds and "
            "examples, Holm's correction within the task; two seeds or more."
        )
    return tuple(found)


def _cells(tables: Sequence[Comparison]) -> Iterator[Cell]:
    """Teachers' cells, then those of each size; of two in one place, that of more seeds."""
    learners = [run for table in tables for run in table.learners]
    places = list(dict.fromkeys(student_size(run.record) for run in learners))
    found: list[tuple[int, Cell]] = []
    for task in grouped(tables, lambda table: table.task.name).values():
        for table in task:
            names = _labels(table, task)
            for row in table.rows:
                place = -1 if row.role == "teacher" else places.index(student_size(row.runs[0].record))
                found += [(place, cell) for cell in _of_row(row, table, task, names)]
    first: dict[tuple[str, str], Cell] = {}
    for _, cell in sorted(found, key=lambda one: one[0]):
        before = first.setdefault((cell.row, cell.column), cell)
        if cell.quality.count > before.quality.count:
            first[cell.row, cell.column] = cell
    yield from first.values()


def _of_row(
    row: Row, table: Comparison, task: Sequence[Comparison], names: Mapping[str, str]
) -> Iterator[Cell]:
    """A cell for each score, and of a teacher for each amount of data that its students had."""
    several = len({split for split, _ in table.scores}) > 1
    limited = len({str(asked_data(run)) for one in task for run in one.learners}) > 1
    for some in grouped(_pupils(row, table), lambda run: str(asked_data(run))).values():
        told = f"{table.task.name}{_share(some) if limited else ''}{_judged_on(table, task)}"
        for score in table.scores:
            if score in row.quality:
                split = f" {score[0].replace('_', ' ')}" if several else ""
                yield Cell(
                    row=names[row.label],
                    column=f"{told}{split} {metric_format(score[1]).title}",
                    metric=score[1],
                    quality=row.quality[score],
                    evidence=row.evidence if score == table.scores[0] else NOTHING,
                    role=row.role,
                    floor=names.get(row.floor or ""),
                    selected=row.selected and score == table.scores[0],
                )


def _pupils(row: Row, table: Comparison) -> Sequence[RecordedRun]:
    """The runs of a student's row; of a teacher's, those that it taught."""
    if row.role != "teacher":
        return row.runs
    own = {network.fingerprint for network in row.networks}
    return [run for run in table.learners if run.record.teacher and run.record.teacher.fingerprint in own]


def _share(runs: Sequence[RecordedRun]) -> str:
    """How much data was asked for, in brackets; of a fraction also how many examples it came to."""
    asked = asked_data(runs[0])
    said = [f"{name} {value:g}" for name, value in asked.items()]
    counts = [run.record.task.rows["train"] for run in runs if "train" in run.record.task.rows]
    if "fraction" in asked and counts:
        unit = "passages" if runs[0].record.task.kind == "language" else "examples"
        said.append(f"{min(counts):,} {unit}")
    return f" ({', '.join(said)})" if said else ""


def _judged_on(table: Comparison, task: Sequence[Comparison]) -> str:
    """What tells the dev examples of a table from others of the task: their number, else their contents."""
    if len(task) == 1 and not table.apart:
        return ""
    which = dev_set_label(table, task)
    return f", {table.num_dev:,} dev{f' ({which})' if which else ''}"


def _labels(table: Comparison, task: Sequence[Comparison]) -> dict[str, str]:
    """What each row is called here, by its label in the table: it may stand in several columns.

    How much data a row had is left out, since the column says it. Depths are said where sizes differ, and the
    weights of the layers where depths do not tell students apart.
    """
    learners = [run for one in task for run in one.learners]
    shapes = {student_size(run.record) for run in learners}
    taught = {run.record.teacher.layers for run in learners if run.record.teacher is not None}
    found = {}
    for row in table.rows:
        if row.role == "teacher":
            depth = f" ({row.networks[0].layers} layers)"
            found[row.label] = f"Teacher{depth if len(taught) > 1 else ''}"
    students = [row for row in table.rows if row.role != "teacher"]
    for block in grouped(students, lambda row: block_of(row.runs[0])).values():
        names = [without(name, table.shared) for name in row_labels([row.runs for row in block])]
        labels = numbered(_label(row, name, shapes) for row, name in zip(block, names, strict=True))
        found |= {row.label: label for row, label in zip(block, labels, strict=True)}
    return found


def _label(row: Row, name: str, shapes: set[tuple[int, float]]) -> str:
    """The name of a student without its amount of data, and with what its size is."""
    network, words = row.networks[0], name.split(" ")
    said = [" ".join(word for word in words if not word.startswith(("fraction=", "rows="))) or name]
    if len(shapes) > 1 and f"layers={network.layers}" not in words:
        said.append(f"{network.layers} layers")
    if sum(layers == network.layers for layers, _ in shapes) > 1:
        said.append(f"{millions(network.parameters.encoder)} in them")
    return ", ".join(said)
