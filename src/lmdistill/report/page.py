"""The content of a page, from which `report.html` and the exported files are made."""

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
from lmdistill.report.tables.classes import class_tables
from lmdistill.report.tables.costs import costs_grid
from lmdistill.report.tables.details import details
from lmdistill.report.tables.intervals import certainty
from lmdistill.report.tables.label_slices import label_slices
from lmdistill.report.tables.likelihood import likelihoods
from lmdistill.report.tables.overview import Overview, overview
from lmdistill.report.tables.quality import grid
from lmdistill.report.tables.schedules import schedule_grids
from lmdistill.report.tables.seeds import seeds_grid
from lmdistill.report.tables.slices import slices
from lmdistill.report.verdict import verdict


@dataclass(frozen=True, kw_only=True)
class Section:
    """The content about one task."""

    title: str
    """The task, with a label of the dev examples if another section has other ones."""

    verdict: tuple[str, str]
    """Label of the best student's row, and the conclusion about it; empty texts without a score."""

    tables: tuple[Grid, ...]
    """The table of quality and cost, and the table of details."""

    slices: tuple[Grid, ...]
    """Quality by class or label, by text length and by position in the text."""

    quotes: Quotes | None
    """Examples on which the best student and its teacher disagree most; None if not known."""

    certainty: tuple[Grid, ...]
    """Intervals and tests, and the spread over seeds; empty without several seeds or predictions."""

    benchmarks: Grid | None
    """Results of lm-evaluation-harness; None without any."""

    schedules: tuple[Grid, ...]
    """Comparison of schedules, and schedules and assistants with one row per run; empty for a single run."""

    accounts: tuple[tuple[str, Account, Plot | None], ...]
    """Label, schedule and plot of the first run of each row that has a schedule."""

    pictures: Pictures
    """All other plots."""

    notes: tuple[str, ...]
    """Notes on the data: inferred columns, dropped, added and truncated examples."""

    places: Places
    """Anchors of the records on the page."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """The content of a page about one run or several."""

    tables: tuple[Comparison, ...]
    """The numbers, one comparison per task and set of dev examples."""

    overview: Overview | None
    """The table over all tasks; None for a single task."""

    costs: Grid | None
    """Size and cost of the networks; None for a single architecture of students."""

    sections: tuple[Section, ...]
    """One section for each of `tables`."""

    anchors: Mapping[Path, str]
    """Id of each run's record on the page, by its folder."""


def _accounts(table: Comparison, names: Iterator[str]) -> Iterator[tuple[str, Account, Plot | None]]:
    """The schedule of the first run of each row, with its label, which is empty for a single run."""
    for label, row in students(table).items():
        record = row.runs[0].record
        schedule = account(record)
        if schedule is not None and record.schedule is not None:
            plot = trade_off_plot(record.schedule, name=next(names))
            yield "" if len(table.runs) == 1 else label, schedule, plot


def _best(table: Comparison) -> Row | None:
    """The student with the best mean headline score; None without a score."""
    scored = [row for row in table.rows if row.role != "teacher" and table.scores[0] in row.quality]
    sign = metric_format(table.scores[0][1]).sign
    return max(scored, key=lambda row: sign * row.quality[table.scores[0]].mean, default=None)


def _notes(table: Comparison) -> tuple[str, ...]:
    """Notes on the data without duplicates, and the share of truncated examples."""
    tasks = [run.record.task for run in table.runs]
    truncated = {
        split: max(task.truncated.get(split, 0.0) for task in tasks)
        for split in dict.fromkeys(split for task in tasks for split in task.truncated)
    }
    shares = ", ".join(f"{percent(share)} % of {split}" for split, share in truncated.items() if share > 0)
    notes = dict.fromkeys(note for task in tasks for note in task.notes)
    return (*notes, *([f"Truncated to the maximum length: {shares}."] if shares else []))


def _titles(tables: Sequence[Comparison]) -> Iterator[str]:
    """The title of each section: the task, and its dev examples if the task has several sets of them."""
    for table in tables:
        separate = [other for other in tables if other.task.name == table.task.name and other.apart]
        num_dev = f"{table.num_dev:,} dev examples" if separate else ""
        yield ", ".join(part for part in (table.task.name, num_dev, dev_set_label(table, separate)) if part)


def _section(table: Comparison, title: str, names: Iterator[str], anchors: Mapping[Path, str]) -> Section:
    """The section of one task."""
    best = _best(table)
    routes = accounts(table.runs) if len(table.runs) > 1 else None
    return Section(
        title=title,
        verdict=("", "") if best is None else (best.label, verdict(best, table).removeprefix(best.label)),
        tables=(grid(table), details(table)),
        slices=(*class_tables(table), *slices(table), *label_slices(table), *likelihoods(table)),
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
    """Tables, plots and sentences about one run or several.

    Args:
        runs: Result of `find_records`, at least one run. Histories and predictions in the folders are read.
        baseline: See `compare.compare`.
        order: See `compare.compare`.
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
