"""What a page says, before it is a page: the same pieces become `report.html`, and files of their own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from lmdistill.analysis.compare import compare
from lmdistill.analysis.metric_format import metric_format
from lmdistill.analysis.number_format import percent
from lmdistill.analysis.result_table import Comparison, Row, dev_set_label
from lmdistill.records.record import RecordedRun
from lmdistill.report.grid import Grid
from lmdistill.report.plots.gallery import Pictures, pictures, students
from lmdistill.report.plots.svg import Plot
from lmdistill.report.plots.trade_off import trade_off_plot
from lmdistill.report.provenance import Places, places_of, run_anchors
from lmdistill.report.quotes import Quotes, quotes
from lmdistill.report.tables.assistants import Account, account, accounts
from lmdistill.report.tables.benchmarks import benchmark_grid
from lmdistill.report.tables.costs import costs_grid
from lmdistill.report.tables.details import details
from lmdistill.report.tables.intervals import certainty
from lmdistill.report.tables.likelihood import likelihoods
from lmdistill.report.tables.overview import Overview, overview
from lmdistill.report.tables.quality import grid
from lmdistill.report.tables.schedules import schedule_grids
from lmdistill.report.tables.seeds import seeds_grid
from lmdistill.report.tables.slices import slices
from lmdistill.report.verdict import verdict


@dataclass(frozen=True, kw_only=True)
class Section:
    """What the page says about one task."""

    title: str
    """The task, and what its dev examples are where another section has others."""

    verdict: tuple[str, str]
    """What the best student's row is called, and what to say of it; empty texts where none was scored."""

    tables: tuple[Grid, ...]
    """Quality and cost; everything else."""

    slices: tuple[Grid, ...]
    """Quality by class, by length of text and by place in it."""

    quotes: Quotes | None
    """Where the best student and its teacher answer most differently."""

    certainty: tuple[Grid, ...]
    """Intervals, where there are several seeds or answers; how far the seeds of each row lie apart."""

    benchmarks: Grid | None
    """Standard tasks, where they were asked."""

    schedules: tuple[Grid, ...]
    """Schedules side by side, and how students came to their teachers, a line a run; a single run has
    `accounts`."""

    accounts: tuple[tuple[str, Account, Plot | None], ...]
    """The same at length, of the first run of each row, with the row and a picture."""

    pictures: Pictures
    """All other pictures."""

    notes: tuple[str, ...]
    """What was inferred, dropped, counted or cut in the data."""

    places: Places
    """Where on the page the records are."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """All that is said of some runs."""

    tables: tuple[Comparison, ...]
    """The rows as numbers, a task each."""

    overview: Overview | None
    """All tasks in one table, where there are several."""

    costs: Grid | None
    """What networks weigh and take, where students are of several sizes."""

    sections: tuple[Section, ...]
    """What is said of each of `tables`."""

    anchors: Mapping[Path, str]
    """Where on the page the record of each run is, by its folder."""


def _accounts(table: Comparison, names: Iterator[str]) -> Iterator[tuple[str, Account, Plot | None]]:
    """How the first student of each row came to its teacher; a single run needs no name."""
    for who, row in students(table).items():
        record = row.runs[0].record
        found = account(record)
        if found is not None and record.schedule is not None:
            plot = trade_off_plot(record.schedule, name=next(names))
            yield "" if len(table.runs) == 1 else who, found, plot


def _best(table: Comparison) -> Row | None:
    """The student with the best headline score."""
    scored = [row for row in table.rows if row.role != "teacher" and table.scores[0] in row.quality]
    sign = metric_format(table.scores[0][1]).sign
    return max(scored, key=lambda row: sign * row.quality[table.scores[0]].mean, default=None)


def _notes(table: Comparison) -> tuple[str, ...]:
    """Notes on the data, each once."""
    tasks = [run.record.task for run in table.runs]
    cut = {
        split: max(task.truncated.get(split, 0.0) for task in tasks)
        for split in dict.fromkeys(split for task in tasks for split in task.truncated)
    }
    shares = ", ".join(f"{percent(share)} % of {split}" for split, share in cut.items() if share > 0)
    said = dict.fromkeys(note for task in tasks for note in task.notes)
    return (*said, *([f"Cut to the longest allowed length: {shares}."] if shares else []))


def _titles(tables: Sequence[Comparison]) -> Iterator[str]:
    """What each table is about: its task, and its dev examples where another has others of them."""
    for table in tables:
        apart = [other for other in tables if other.task.name == table.task.name and other.apart]
        known = f"{table.num_dev:,} dev examples" if apart else ""
        yield ", ".join(part for part in (table.task.name, known, dev_set_label(table, apart)) if part)


def _section(table: Comparison, title: str, names: Iterator[str], anchors: Mapping[Path, str]) -> Section:
    """Everything about one task."""
    best = _best(table)
    routes = accounts(table.runs) if len(table.runs) > 1 else None
    return Section(
        title=title,
        verdict=("", "") if best is None else (best.label, verdict(best, table).removeprefix(best.label)),
        tables=(grid(table), details(table)),
        slices=(*slices(table), *likelihoods(table)),
        quotes=None if best is None else quotes(best.runs[0]),
        certainty=tuple(one for one in (certainty(table), seeds_grid(table)) if one is not None),
        benchmarks=benchmark_grid(table),
        schedules=(*schedule_grids(table.runs), *([] if routes is None else [routes])),
        accounts=tuple(_accounts(table, names)),
        pictures=pictures(table, names),
        notes=_notes(table),
        places=places_of(table, names, anchors),
    )


def page_of(runs: Sequence[RecordedRun], *, baseline: str | None = None, order: Sequence[str] = ()) -> Page:
    """Tables, pictures and sentences about one run or several.

    Args:
        runs: What `find_records` found, at least one. Histories and predictions beside them are read.
        baseline: See `comparison.compare`.
        order: See `comparison.compare`.
    """
    names = (f"part{number}" for number in count())
    anchors = run_anchors(runs)
    tables = compare(runs, baseline=baseline, order=order)
    return Page(
        tables=tables,
        overview=overview(tables) if len({table.task.name for table in tables}) > 1 else None,
        costs=costs_grid(runs),
        sections=tuple(
            _section(table, title, names, anchors)
            for title, table in zip(_titles(tables), tables, strict=True)
        ),
        anchors=anchors,
    )
