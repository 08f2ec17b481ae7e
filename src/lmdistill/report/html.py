"""`report.html`: a single HTML file without scripts and external resources."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment as Templates
from jinja2 import FileSystemLoader, StrictUndefined, Template

from lmdistill.core.atomic_io import write_text
from lmdistill.core.errors import RunError
from lmdistill.core.printable import printable
from lmdistill.records.record import REPORT, RecordedRun
from lmdistill.records.schema import Environment
from lmdistill.report.page import page_of
from lmdistill.report.provenance import entry
from lmdistill.report.run_summary import run_summary

TEMPLATES = Path(__file__).parent / "templates"


@cache
def template(name: str) -> Template:
    """A template of the folder `templates`; it escapes every text."""
    loader = FileSystemLoader(TEMPLATES)
    templates = Templates(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return templates.get_template(name)


def _environment(environment: Environment) -> dict[str, str]:
    """The known facts of an environment as text, by title."""
    facts = environment.model_dump()
    if facts["commit"] is not None and facts.pop("dirty"):
        facts["commit"] += ", with uncommitted changes"
    return {name: str(value) for name, value in facts.items() if value is not None and name != "dirty"}


def report_html(
    runs: Sequence[RecordedRun],
    *,
    title: str | None = None,
    baseline: str | None = None,
    order: Sequence[str] = (),
) -> str:
    """The HTML of the page about one run or several.

    The page makes no request, runs no script, has a light and a dark theme, and can be printed. Its size
    grows with the number of rows, not with the number of steps or examples.

    Args:
        runs: Result of `find_records`, at least one run. Histories and predictions in the folders are read.
        title: Heading; by default the names of run and task, or of the tasks of several runs.
        baseline: See `compare.compare`.
        order: See `compare.compare`.
    """
    page = page_of(runs, baseline=baseline, order=order)
    first = runs[0].record
    several = len(runs) > 1
    tasks = ", ".join(dict.fromkeys(run.record.task.name for run in runs))
    page_text = template("report.html.j2").render(
        title=title or (f"Distillation on {tasks}" if several else f"{first.name} on {first.task.name}"),
        synthetic=any(run.record.task.synthetic for run in runs),
        summary=run_summary(runs),
        page=page,
        sections=page.sections,
        anchors=page.anchors,
        entries=[entry(run, page.anchors[run.path]) for run in runs],
        environments=list(
            {run.record.environment: _environment(run.record.environment) for run in runs}.values()
        ),
        versions=", ".join(dict.fromkeys(run.record.lmdistill for run in runs)),
    )
    return printable(page_text)


def write_report(
    folder: Path,
    runs: Sequence[RecordedRun],
    *,
    title: str | None = None,
    baseline: str | None = None,
    order: Sequence[str] = (),
    name: str = REPORT,
) -> Path:
    """Write the page about the runs to `folder/name`, which is replaced if it exists, and return the path.

    The other arguments are those of `report_html`.

    Raises:
        RunError: If the path is a folder.
    """
    path = folder / name
    require_no_folder(path)
    write_text(path, report_html(runs, title=title, baseline=baseline, order=order))
    return path


def require_no_folder(path: Path) -> None:
    """Check that a page can be written to a path.

    Raises:
        RunError: If the path is a folder.
    """
    if path.is_dir():
        raise RunError(
            f"{path} is a folder, so no page can be written there. Move it, or choose another path."
        )
