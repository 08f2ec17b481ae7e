"""`report.html`: one page that needs nothing but itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

from jinja2 import Environment as Templates
from jinja2 import FileSystemLoader, StrictUndefined, Template

from lmdistill.core.errors import RunError
from lmdistill.core.storage import write_text
from lmdistill.report.anchors import Places, entry, places_of, run_anchors
from lmdistill.report.asked import asked
from lmdistill.report.assistants import Account, account, accounts
from lmdistill.report.benchmarks import benchmark_grid
from lmdistill.report.canvas import Plot
from lmdistill.report.certainty import certainty
from lmdistill.report.comparison import compare
from lmdistill.report.details import details
from lmdistill.report.disagreements import Quotes, quotes
from lmdistill.report.facts import Environment
from lmdistill.report.likelihood import likelihoods
from lmdistill.report.metrics import manner
from lmdistill.report.pictures import Pictures, pictures, students
from lmdistill.report.record import RunFolder
from lmdistill.report.rows import Comparison, Row
from lmdistill.report.schedules import schedule_grids
from lmdistill.report.slices import slices
from lmdistill.report.tables import Grid, grid, percent
from lmdistill.report.trade_off import trade_off_plot
from lmdistill.report.verdict import verdict

REPORT = "report.html"
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, kw_only=True)
class Section:
    """What the page says about one task."""

    verdict: tuple[str, str]
    """What the best student's row is called, and what to say of it; empty texts where none was scored."""

    tables: tuple[Grid, ...]
    """Quality and cost; everything else."""

    slices: tuple[Grid, ...]
    """Quality by class, by length of text and by place in it."""

    quotes: Quotes | None
    """Where the best student and its teacher answer most differently."""

    certainty: Grid | None
    """Intervals, where there are several seeds or answers."""

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


@cache
def _template() -> Template:
    """The page, with every text escaped."""
    loader = FileSystemLoader(TEMPLATES)
    templates = Templates(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return templates.get_template("report.html.j2")


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


def _section(table: Comparison, names: Iterator[str], anchors: Mapping[Path, str]) -> Section:
    """Everything about one task."""
    best = _best(table)
    routes = accounts(table.runs) if len(table.runs) > 1 else None
    return Section(
        verdict=("", "") if best is None else (best.label, verdict(best, table).removeprefix(best.label)),
        tables=(grid(table), details(table)),
        slices=(*slices(table), *likelihoods(table)),
        quotes=None if best is None else quotes(best.runs[0]),
        certainty=certainty(table),
        benchmarks=benchmark_grid(table),
        schedules=(*schedule_grids(table.runs), *([] if routes is None else [routes])),
        accounts=tuple(_accounts(table, names)),
        pictures=pictures(table, names),
        notes=_notes(table),
        places=places_of(table, names, anchors),
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
    names = (f"part{number}" for number in count())
    anchors = run_anchors(runs)
    sections = [_section(table, names, anchors) for table in compare(runs, baseline=baseline, order=order)]
    first = runs[0].record
    several = len(runs) > 1
    tasks = ", ".join(dict.fromkeys(run.record.task.name for run in runs))
    return _template().render(
        title=title or (f"Distillation on {tasks}" if several else f"{first.name} on {first.task.name}"),
        synthetic=any(run.record.task.synthetic for run in runs),
        asked=asked(runs),
        sections=sections,
        anchors=anchors,
        entries=[entry(run, anchors[run.path]) for run in runs],
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
    """Write a page about the runs into `folder` and return its path; an older one is replaced.

    Raises:
        RunError: If a folder has the name of the page.
    """
    path = folder / name
    if path.is_dir():
        raise RunError(
            f"{path} is a folder, so no page can be written there. Move it, or name another place."
        )
    write_text(path, report_html(runs, title=title, baseline=baseline, order=order))
    return path
