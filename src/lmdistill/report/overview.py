"""All tasks in one table: rows are methods, columns are tasks, as papers show them."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from lmdistill.report.comparison import compare
from lmdistill.report.evidence import NOTHING, Evidence
from lmdistill.report.grouping import asked_data, grouped, layers_of, shared_settings, teaching
from lmdistill.report.metrics import NONE, manner
from lmdistill.report.notes import BY_DEV, DEV_NOTE, ONE_SEED, shared_note
from lmdistill.report.record import RunFolder
from lmdistill.report.rows import Comparison, Row
from lmdistill.report.statistics import Spread
from lmdistill.report.tables import Grid, millions, spread_text

LEVEL = 0.05
"""A corrected p below it has a mark."""

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

    evidence: Evidence
    """Against the baseline, for the headline of the task; else nothing."""

    role: str
    """Of the row: teacher, baseline or student."""

    floor: str | None
    """The row that it was tested against, if there is one."""

    selected: bool
    """Whether the dev set has chosen the weights by this score."""

    @property
    def mark(self) -> str:
        """An arrow, where two seeds or more and a corrected p-value bear it."""
        found, p_value = self.evidence.difference, self.evidence.p_holm
        if found is None or p_value is None or p_value >= LEVEL or self.evidence.seeds < 2:
            return ""
        return f" {BETTER if manner(self.metric).sign * found.value > 0 else WORSE}"


@dataclass(frozen=True, kw_only=True)
class Overview:
    """All tasks together."""

    grid: Grid
    """As text."""

    cells: tuple[Cell, ...]
    """As numbers, row by row."""


def overview(runs: Sequence[RunFolder], *, order: Sequence[str] = ()) -> Overview:
    """Teachers first, then students by size; a column for each score of each task.

    Students are tested against the fine-tuned one of their own size and training data, not against one of
    another size. Holm's correction is for the rows of one size and one task. A cell says its number of seeds
    where not all cells have the same. Nothing is averaged over tasks.

    Args:
        runs: What `find_records` found, at least one.
        order: Labels of rows in the order they shall have within a size.
    """
    shared = shared_settings(runs)
    cells = tuple(_cells(runs, order, shared))
    columns = list(dict.fromkeys(cell.column for cell in cells))
    placed = {(cell.row, cell.column): cell for cell in cells}
    counts = {cell.quality.count for cell in cells if cell.role != "teacher"}
    rows = tuple(
        (row, *(_text(placed.get((row, column)), len(counts) > 1) for column in columns))
        for row in dict.fromkeys(cell.row for cell in cells)
    )
    tasks = ", ".join(dict.fromkeys(run.record.task.name for run in runs))
    grid = Grid(
        caption=f"Methods and tasks: {tasks}",
        header=("", *columns),
        rows=rows,
        notes=(*_notes(cells, rows, counts), *shared_note(shared)),
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
    text = "\n".join(cell for row in rows for cell in row)
    floors = ", ".join(dict.fromkeys(cell.floor for cell in cells if cell.floor))
    found = []
    if "±" in text:
        found.append("±: sample standard deviation over seeds.")
    if ONE_SEED in text:
        found.append(f"{ONE_SEED} one seed, no spread.")
    if BY_DEV in text:
        found.append(DEV_NOTE)
    if len(counts) > 1:
        found.append("In brackets: seeds of the cell; cells of different numbers are not to be averaged.")
    elif counts:
        found.append(f"Students: {min(counts)} {'seed' if counts == {1} else 'seeds'} a cell.")
    if floors:
        found.append(
            f"{BETTER}, {WORSE}: better or worse than the baseline of the same size and data ({floors}), "
            "p < 0.05 over seeds and examples, Holm's correction within size and task; two seeds or more."
        )
    return tuple(found)


def _cells(runs: Sequence[RunFolder], order: Sequence[str], shared: Sequence[str]) -> Iterator[Cell]:
    """Teachers' cells, then those of each size."""
    teachers = teaching(runs)
    learners = [run for run in runs if run not in teachers]
    known = {
        task: (
            {layers_of(run.record.student) for run in some},
            {run.record.teacher.layers for run in some if run.record.teacher},
        )
        for task, some in grouped(learners, lambda run: run.record.task.name).items()
    }
    places = list(dict.fromkeys(layers_of(run.record.student) for run in learners))
    found: list[tuple[bool, int, Cell]] = []
    for size, group in grouped(learners, _block).items():
        theirs = {run.record.teacher.fingerprint for run in group if run.record.teacher is not None}
        own = [run for run in teachers if run.record.student.fingerprint in theirs]
        for table in compare([*group, *own], order=order, shared=shared):
            place = places.index(size[0])
            found += [
                (cell.role != "teacher", place, cell)
                for cell in _of_table(table, _limited(runs), _dev_sets(runs), *known[size[1]])
            ]
    first: dict[tuple[str, str], Cell] = {}
    for _, _, cell in sorted(found, key=lambda one: one[:2]):
        before = first.setdefault((cell.row, cell.column), cell)
        if cell.role == "teacher" and cell.quality.count > before.quality.count:
            first[cell.row, cell.column] = cell  # of more of its seeds
    yield from first.values()


def _block(run: RunFolder) -> tuple[tuple[int, int], str, Hashable]:
    """Runs that may be tested against each other."""
    return layers_of(run.record.student), run.record.task.name, str(asked_data(run))


def _limited(runs: Sequence[RunFolder]) -> set[str]:
    """Tasks of which some runs had less training data than others."""
    asked = grouped(runs, lambda run: run.record.task.name)
    return {name for name, some in asked.items() if len({str(asked_data(run)) for run in some}) > 1}


def _dev_set(run: RunFolder) -> tuple[str, int, str | None]:
    """Task, number of dev examples, and fingerprint of their contents."""
    task = run.record.task
    return task.name, task.rows.get(run.record.headline[0], 0), task.dev_fingerprint


def _dev_sets(runs: Sequence[RunFolder]) -> set[tuple[str, int, str | None]]:
    """Those whose contents are known."""
    return {found for found in map(_dev_set, runs) if found[2] is not None}


def _judged_on(table: Comparison, known: set[tuple[str, int, str | None]]) -> str:
    """What tells the dev examples of a table from others of the task: their number, else their contents."""
    own = [_dev_set(run) for run in table.runs]
    of_task = [found for found in known if found[0] == table.task.name]
    if not (own and (table.apart or len(of_task) > 1)):
        return ""
    contents = next((found[2] for found in own if found[2] is not None), None)
    twins = sum(found[1] == own[0][1] for found in of_task)
    return f", {own[0][1]:,} dev{f' ({contents[:6]})' if contents and twins > 1 else ''}"


def _of_table(
    table: Comparison,
    limited: set[str],
    dev_sets: set[tuple[str, int, str | None]],
    shapes: set[tuple[int, int]],
    taught: set[int],
) -> Iterator[Cell]:
    """The cells of one task, one size and one amount of data."""
    floor = next(iter(table.floors), None)
    dev = _judged_on(table, dev_sets)
    task = f"{table.task.name}{_share(table) if table.task.name in limited else ''}{dev}"
    for row in table.rows:
        for score in table.scores:
            if score in row.quality:
                split = "" if len({name for name, _ in table.scores}) == 1 else f" {score[0]}"
                yield Cell(
                    row=_label(row, shapes, taught),
                    column=f"{task}{split.replace('_', ' ')} {manner(score[1]).title}",
                    metric=score[1],
                    quality=row.quality[score],
                    evidence=row.evidence if score == table.scores[0] else NOTHING,
                    role=row.role,
                    floor=floor,
                    selected=row.selected and score == table.scores[0],
                )


def _share(table: Comparison) -> str:
    """How much data was asked for, in brackets; of a fraction also how many examples it came to."""
    asked = asked_data(table.learners[0]) if table.learners else {}
    said = [f"{name} {value:g}" for name, value in asked.items()]
    counts = [run.record.task.rows["train"] for run in table.learners if "train" in run.record.task.rows]
    if "fraction" in asked and counts:
        said.append(f"{min(counts):,} {'passages' if table.task.kind == 'language' else 'examples'}")
    return f" ({', '.join(said)})" if said else ""


def _label(row: Row, shapes: set[tuple[int, int]], taught: set[int]) -> str:
    """What the row is called, with its depth where sizes differ and its name does not say it.

    Students of one depth and several widths are told apart by the weights of their layers. How much data a
    row had is left out: that is said by the column.
    """
    network = row.networks[0]
    depth, words = network.layers, row.label.split(" ")
    if row.role == "teacher":
        return f"Teacher ({depth} layers)" if len(taught) > 1 else row.label
    label = " ".join(word for word in words if not word.startswith(("fraction=", "rows="))) or row.label
    said = [label]
    if len(shapes) > 1 and f"layers={depth}" not in words:
        said.append(f"{depth} layers")
    if sum(layers == depth for layers, _ in shapes) > 1:
        said.append(f"{millions(network.parameters.encoder)} in them")
    return ", ".join(said)
