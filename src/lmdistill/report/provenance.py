"""The records behind a page: one entry per run, and the anchors that numbers on the page link to."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lmdistill.analysis.footnote_text import score_title
from lmdistill.analysis.metric_format import metric_format
from lmdistill.analysis.result_table import Comparison, Row
from lmdistill.records.number_ranges import Scores
from lmdistill.records.record import Record, RecordedRun
from lmdistill.report.grid import Grid
from lmdistill.report.teaching_text import teaching_facts


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The record of one run as text."""

    anchor: str
    """Id of its element on the page."""

    task: str
    """Name of the task."""

    title: str
    """Name and seed of the run."""

    facts: Mapping[str, str]
    """Folder, seed, scores, method, networks and data with their fingerprints, as text by title."""

    command: str
    """Command that repeats the run."""

    recipe: str
    """The resolved recipe, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """The runs whose scores one row of a table summarizes."""

    anchor: str
    """Id of its element on the page."""

    label: str
    """Label of the row."""

    grid: Grid
    """The scores, one row per run."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """The anchors of one task on a page."""

    section: str
    """Id of the section about the task."""

    sources: tuple[Source, ...]
    """The runs of each row, for rows with several runs."""

    links: Mapping[str, str]
    """Ids of rows and runs, by their labels in tables."""


def entry(run: RecordedRun, anchor: str) -> Entry:
    """The record of a run as text, with scores in the format of their metrics.

    Args:
        run: The run.
        anchor: Id of the entry on the page.
    """
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
        **dict(teaching_facts(record)),
        **_terms(record),
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


def _terms(record: Record) -> dict[str, str]:
    """Licence of the teacher and use of its answers by title; {} without a teacher."""
    terms = record.teacher_terms
    if terms is None:
        return {}
    stated = {"teacher's licence": terms.licence, "use of its answers": terms.answers_use}
    return {title: text or "not stated" for title, text in stated.items()}


def _named(scores: Scores, whose: str) -> dict[str, str]:
    """The text of each score by its title, which begins with `whose`."""
    return {
        f"{whose}{split.replace('_', ' ')} {metric_format(metric).title}": metric_format(metric).text(value)
        for split, values in scores.items()
        for metric, value in values.items()
    }


def _short(path: Path) -> str:
    """The last two parts of a path, so that a page does not show the folders of the machine."""
    return "/".join(path.parts[-2:])


def run_anchors(runs: Sequence[RecordedRun]) -> dict[Path, str]:
    """The id of each run's entry on the page, by its folder."""
    return {run.path: f"run-{index}" for index, run in enumerate(runs)}


def _runs_of(row: Row, table: Comparison) -> tuple[RecordedRun, ...]:
    """The runs whose records have the row's numbers; for a teacher without runs, its students' runs."""
    if row.runs:
        return row.runs
    fingerprints = {network.fingerprint for network in row.networks}
    return tuple(
        run
        for run in table.runs
        if run.record.teacher is not None and run.record.teacher.fingerprint in fingerprints
    )


def _sources(table: Comparison, names: Iterator[str]) -> tuple[Source, ...]:
    """The runs of each row that has several, in the order of the table."""
    sources = []
    for row in table.rows:
        of_teacher = row.role == "teacher" and not row.runs
        runs = _runs_of(row, table)
        if len(runs) == 1:
            continue  # the row links to its only run
        lines = [(_run_label(run, runs), *_scores(run, table, of_teacher), _short(run.path)) for run in runs]
        titles = [score_title(score, table.scores) for score in table.scores]
        grid = Grid(
            caption="The teacher's scores, from the records of its students."
            if of_teacher
            else "Scores of each run.",
            header=("", *titles, "folder"),
            rows=tuple(lines),
            notes=(),
            alarms=(),
        )
        sources.append(Source(anchor=next(names), label=row.label, grid=grid))
    return tuple(sources)


def _run_label(run: RecordedRun, runs: Sequence[RecordedRun]) -> str:
    """Name and seed of a run, with its folder if another run of `runs` has the same."""
    name = f"{run.record.name}, seed {run.record.seed}"
    same = sum((other.record.name, other.record.seed) == (run.record.name, run.record.seed) for other in runs)
    return name if same == 1 else f"{name}, {run.path.name}"


def _scores(run: RecordedRun, table: Comparison, of_teacher: bool) -> list[str]:
    """The scores of the run, or of its teacher, as text."""
    scores = (run.record.teacher_metrics or {}) if of_teacher else run.record.metrics
    return [metric_format(metric).text(scores.get(split, {}).get(metric)) for split, metric in table.scores]


def places_of(table: Comparison, names: Iterator[str], anchors: Mapping[Path, str]) -> Places:
    """The anchors of one task.

    Args:
        table: The comparison of the task.
        names: Unused ids of the page.
        anchors: Ids of the runs, by folder.
    """
    sources = _sources(table, names)
    runs = {row.label: _runs_of(row, table) for row in table.rows}
    by_run = {_run_label(run, of_row): anchors[run.path] for of_row in runs.values() for run in of_row}
    by_seed = {
        f"{label}, {name}": anchors[run.path]
        for label, of_row in runs.items()
        for index, run in enumerate(of_row)
        for name in (f"seed {run.record.seed}", f"run {index + 1}")
    }
    single = {label: anchors[of_row[0].path] for label, of_row in runs.items() if len(of_row) == 1}
    rows = {source.label: source.anchor for source in sources}
    return Places(section=next(names), sources=sources, links=by_seed | by_run | single | rows)
