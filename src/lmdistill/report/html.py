"""`report.html`: one page that needs nothing but itself."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

from jinja2 import Environment as Templates
from jinja2 import FileSystemLoader, StrictUndefined, Template

from lmdistill.core.storage import write_text
from lmdistill.report.assistants import Account, account, accounts
from lmdistill.report.benchmarks import benchmark_grid
from lmdistill.report.canvas import Plot
from lmdistill.report.certainty import certainty
from lmdistill.report.comparison import compare
from lmdistill.report.details import details
from lmdistill.report.facts import Environment
from lmdistill.report.history import HISTORY, read_history
from lmdistill.report.metrics import manner
from lmdistill.report.plots import loss_plot, reliability_plot, score_plot, uncertainty_plot
from lmdistill.report.record import RunFolder
from lmdistill.report.rows import Comparison, Row
from lmdistill.report.schedules import schedule_grids
from lmdistill.report.tables import Grid, grid, percent, summary
from lmdistill.report.trade_off import trade_off_plot

REPORT = "report.html"
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, kw_only=True)
class Section:
    """What the page says about one task."""

    summary: str
    """One sentence about the best student."""

    tables: tuple[Grid, ...]
    """Quality and cost; everything else."""

    certainty: Grid | None
    """Intervals, where there are several seeds or answers."""

    benchmarks: Grid | None
    """Standard tasks, where they were asked."""

    schedules: tuple[Grid, ...]
    """Schedules side by side, where several led to the same student."""

    routes: Grid | None
    """How students came to their teachers, a line a run; None for a single run, which has `accounts`."""

    accounts: tuple[tuple[str, Account, Plot | None], ...]
    """The same at length, of the first run of each row, with the row and a picture."""

    plots: tuple[tuple[str, Plot], ...]
    """Pictures with the row that they are about, empty for all."""

    notes: tuple[str, ...]
    """What was inferred, dropped, counted or cut in the data."""


@cache
def _template() -> Template:
    """The page, with every text escaped."""
    loader = FileSystemLoader(TEMPLATES)
    templates = Templates(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return templates.get_template("report.html.j2")


def _shown(table: Comparison) -> dict[str, Row]:
    """Students by what the first run of their row is called."""
    return {
        row.label if len(row.runs) == 1 else f"{row.label}, seed {row.runs[0].record.seed}": row
        for row in table.rows
        if row.runs and row.role != "teacher"
    }


def _accounts(table: Comparison, names: Iterator[str]) -> Iterator[tuple[str, Account, Plot | None]]:
    """How the first student of each row came to its teacher; a single run needs no name."""
    for who, row in _shown(table).items():
        record = row.runs[0].record
        found = account(record)
        if found is not None and record.schedule is not None:
            plot = trade_off_plot(record.schedule, name=next(names))
            yield "" if len(table.runs) == 1 else who, found, plot


def _plots(table: Comparison, names: Iterator[str]) -> Iterator[tuple[str, Plot | None]]:
    """The dev score of all rows, then the losses and the reliability of the first run of each."""
    split, metric = table.scores[0]
    students = [row for row in table.rows if row.runs and row.role != "teacher"]
    shown = _shown(table)
    teacher = next((row.quality.get(table.scores[0]) for row in table.rows if row.role == "teacher"), None)
    histories = {row.label: [read_history(run.path / HISTORY) for run in row.runs] for row in students}
    yield (
        "",
        score_plot(
            histories,
            metric,
            name=next(names),
            teacher=None if teacher is None else teacher.mean,
            majority=table.majority.get(split, {}).get(metric),
        ),
    )
    for who, row in shown.items():
        yield who, loss_plot(histories[row.label][0], name=next(names))
    for who, row in shown.items():
        record = row.runs[0].record
        if record.calibration is not None:
            yield who, reliability_plot(record.calibration, record.teacher_calibration, name=next(names))
    facts = next((row.runs[0].record.tokens for row in students if row.runs[0].record.tokens), None)
    if facts is not None:
        yield "", uncertainty_plot(facts, name=next(names))


def _best(table: Comparison) -> Row | None:
    """The student with the best headline score."""
    scored = [row for row in table.rows if row.role != "teacher" and table.scores[0] in row.quality]
    sign = manner(table.scores[0][1]).sign
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


def _section(table: Comparison, names: Iterator[str]) -> Section:
    """Everything about one task."""
    best = _best(table)
    return Section(
        summary="" if best is None else summary(best, table),
        tables=(grid(table), details(table)),
        certainty=certainty(table),
        benchmarks=benchmark_grid(table),
        schedules=schedule_grids(table.runs),
        routes=accounts(table.runs) if len(table.runs) > 1 else None,
        accounts=tuple(_accounts(table, names)),
        plots=tuple((who, plot) for who, plot in _plots(table, names) if plot is not None),
        notes=_notes(table),
    )


def _environment(environment: Environment) -> dict[str, str]:
    """Title to text, for what is known."""
    facts = environment.model_dump()
    if facts["commit"] is not None and facts.pop("dirty"):
        facts["commit"] += ", with uncommitted changes"
    return {name: str(value) for name, value in facts.items() if value is not None and name != "dirty"}


def report_html(
    runs: Sequence[RunFolder],
    *,
    title: str | None = None,
    baseline: str | None = None,
    order: Sequence[str] = (),
) -> str:
    """The page about one run or several, as text.

    It makes no request, runs no script, follows the light or dark preference of its reader, and prints. Its
    size grows with the number of rows, not with that of steps or examples.

    Args:
        runs: What `find_records` found, at least one. Histories and predictions beside them are read.
        title: Heading; by default the name of the run, or of the task.
        baseline: See `comparison.compare`.
        order: See `comparison.compare`.
    """
    names = (f"plot{number}" for number in count())
    sections = [_section(table, names) for table in compare(runs, baseline=baseline, order=order)]
    first = runs[0].record
    several = len(runs) > 1
    tasks = ", ".join(dict.fromkeys(run.record.task.name for run in runs))
    return _template().render(
        title=title or (f"Distillation on {tasks}" if several else f"{first.name} on {first.task.name}"),
        synthetic=any(run.record.task.synthetic for run in runs),
        sections=sections,
        runs=[
            (run, json.dumps(run.record.recipe, indent=2, ensure_ascii=False, default=str)) for run in runs
        ],
        environments=list(
            {run.record.environment: _environment(run.record.environment) for run in runs}.values()
        ),
        versions=", ".join(dict.fromkeys(run.record.lmdistill for run in runs)),
    )


def write_report(
    folder: Path,
    runs: Sequence[RunFolder],
    *,
    title: str | None = None,
    baseline: str | None = None,
    order: Sequence[str] = (),
    name: str = REPORT,
) -> Path:
    """Write a page about the runs into `folder` and return its path; an older one is replaced."""
    path = folder / name
    write_text(path, report_html(runs, title=title, baseline=baseline, order=order))
    return path
