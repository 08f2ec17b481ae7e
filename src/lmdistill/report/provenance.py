"""Where on a page the record of a row or of a run stands, so that each number can lead to it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lmdistill.analysis.footnote_text import score_title
from lmdistill.analysis.metric_format import metric_format
from lmdistill.analysis.result_table import Comparison, Row
from lmdistill.records.record import RecordedRun
from lmdistill.records.schema import Scores
from lmdistill.report.grid import Grid


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The record of one run, as a page shows it."""

    anchor: str
    """Its place on the page."""

    task: str
    """Its name."""

    title: str
    """Name and seed."""

    facts: Mapping[str, str]
    """Title to text: folder, scores, fingerprints."""

    command: str
    """What to type to repeat the run."""

    recipe: str
    """The resolved recipe, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """What the numbers of one row were made from."""

    anchor: str
    """Its place on the page."""

    label: str
    """Of the row."""

    grid: Grid
    """A line for each run."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where on a page one task and its records are."""

    section: str
    """What is said of the task."""

    sources: tuple[Source, ...]
    """The runs of each row that has several."""

    links: Mapping[str, str]
    """The place of a row or a run, by what it is called in a table."""


def entry(run: RecordedRun, anchor: str) -> Entry:
    """The record of a run; numbers are those of its `record.json`, in the manner of their metric."""
    record = run.record
    scores = _named(record.metrics, "")
    teacher = None if record.teacher is None else f"{record.teacher.source} ({record.teacher.fingerprint})"
    facts = {
        "folder": _short(run.path),
        "seed": str(record.seed),
        **scores,
        **_named(record.teacher_metrics or {}, "teacher's "),
        "method": ", ".join(f"{name} {value}" for name, value in record.method.items()),
        "student": f"{record.student.source} ({record.student.fingerprint})",
        "teacher": teacher,
        "data": f"{record.task.source} ({record.task.fingerprint})",
    }
    return Entry(
        anchor=anchor,
        task=record.task.name,
        title=f"{record.name}, seed {record.seed}",
        facts={title: text for title, text in facts.items() if text is not None},
        command=record.command,
        recipe=json.dumps(record.recipe, indent=2, ensure_ascii=False, default=str),
    )


def _named(scores: Scores, whose: str) -> dict[str, str]:
    """Every score by its title."""
    return {
        f"{whose}{split.replace('_', ' ')} {metric_format(metric).title}": metric_format(metric).text(value)
        for split, values in scores.items()
        for metric, value in values.items()
    }


def _short(path: Path) -> str:
    """The end of a path: what lies above it is the business of the machine."""
    return "/".join(path.parts[-2:])


def run_anchors(runs: Sequence[RecordedRun]) -> dict[Path, str]:
    """A name for each run, by its folder."""
    return {run.path: f"run-{place}" for place, run in enumerate(runs)}


def _told(row: Row, table: Comparison) -> tuple[RecordedRun, ...]:
    """The runs whose records hold the row's numbers: of a teacher without runs, those of its students."""
    if row.runs:
        return row.runs
    names = {network.fingerprint for network in row.networks}
    return tuple(
        run
        for run in table.runs
        if run.record.teacher is not None and run.record.teacher.fingerprint in names
    )


def _sources(table: Comparison, names: Iterator[str]) -> tuple[Source, ...]:
    """What each row of several runs was made from, in the order of the table."""
    found = []
    for row in table.rows:
        theirs = row.role == "teacher" and not row.runs
        runs = _told(row, table)
        if len(runs) == 1:
            continue  # the run itself is where to look
        lines = [(_called(run, runs), *_scores(run, table, theirs), _short(run.path)) for run in runs]
        titles = [score_title(score, table.scores) for score in table.scores]
        grid = Grid(
            caption="The teacher's scores, from the records of its students."
            if theirs
            else "Scores, run by run.",
            header=("", *titles, "folder"),
            rows=tuple(lines),
            notes=(),
            alarms=(),
        )
        found.append(Source(anchor=next(names), label=row.label, grid=grid))
    return tuple(found)


def _called(run: RecordedRun, runs: Sequence[RecordedRun]) -> str:
    """Name and seed, and the folder where two share them."""
    name = f"{run.record.name}, seed {run.record.seed}"
    same = sum((other.record.name, other.record.seed) == (run.record.name, run.record.seed) for other in runs)
    return name if same == 1 else f"{name}, {run.path.name}"


def _scores(run: RecordedRun, table: Comparison, theirs: bool) -> list[str]:
    """Of the run, or of its teacher."""
    scores = (run.record.teacher_metrics or {}) if theirs else run.record.metrics
    return [metric_format(metric).text(scores.get(split, {}).get(metric)) for split, metric in table.scores]


def places_of(table: Comparison, names: Iterator[str], anchors: Mapping[Path, str]) -> Places:
    """Where the numbers of a table come from.

    Args:
        table: Of one task.
        names: Places that are still free: a name may stand but once on a page.
        anchors: Those of the runs.
    """
    found = _sources(table, names)
    runs = {row.label: _told(row, table) for row in table.rows}
    one_by_one = {_called(run, those): anchors[run.path] for those in runs.values() for run in those}
    in_rows = {
        f"{label}, {name}": anchors[run.path]
        for label, those in runs.items()
        for place, run in enumerate(those)
        for name in (f"seed {run.record.seed}", f"run {place + 1}")
    }
    single = {label: anchors[those[0].path] for label, those in runs.items() if len(those) == 1}
    rows = {one.label: one.anchor for one in found}
    return Places(section=next(names), sources=found, links=in_rows | one_by_one | single | rows)
