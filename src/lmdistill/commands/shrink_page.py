"""The page of a search for a student, from what it found."""

import shlex
from dataclasses import fields
from pathlib import Path

from lmdistill.analysis.metric_format import metric_format
from lmdistill.commands.shrink_tables import shapes_grid, students_grid
from lmdistill.records.record import REPORT, read_record
from lmdistill.report.plots.student_front import FrontPoint, Kind, front_plots
from lmdistill.report.search_page import SearchPage, write_search_page
from lmdistill.studies.shrink.choice import Student, reason
from lmdistill.studies.shrink.limits import BOUNDS, Excess, Limits
from lmdistill.studies.shrink.outcome import SearchOutcome


def other_shapes(out: Path) -> str:
    """Command line that trains a shape of a search in full."""
    recipe = out / "recipes" / "SHAPE.yaml"
    return shlex.join(["lmdistill", "distill", str(recipe), "--out", str(out / "SHAPE")])


def choice_text(found: SearchOutcome) -> str:
    """The choice and why, in a sentence."""
    chosen = found.chosen
    assert chosen is not None
    why = reason(chosen, found.students, found.limits)
    early = (
        f" The hours ended first ({found.hours:.2f} were used), so it is the best so far."
        if found.out_of_time
        else ""
    )
    return f"Chosen: {chosen.shape.name} as {chosen.graph}; {why}.{early}"


def write_page(found: SearchOutcome, out: Path) -> None:
    """Write `report.html` of a finished search.

    Args:
        found: With a choice.
        out: Folder of the search.
    """
    chosen = found.chosen
    assert chosen is not None
    record = read_record(Path(chosen.run))
    shown = metric_format(record.headline[1])
    plots = front_plots(
        _points(found),
        score=shown.title if "%" in shown.title else f"{shown.title} × 100",
        latency_limit=found.limits.latency_ms,
        size_limit=None if found.limits.bytes is None else found.limits.bytes / 1e6,
    )
    page = SearchPage(
        title=f"A student for {record.task.name} within limits",
        lead=choice_text(found),
        alarms=chosen.alarms,
        plots=plots,
        grids=(
            ("The trained students", students_grid(found)),
            ("All shapes", shapes_grid(found)),
        ),
        facts={
            "limits": limits_text(found.limits),
            "hours used": f"{found.hours:.2f}",
            "chosen": f"{chosen.folder}, from the run {chosen.run}",
            "dev texts": f"{record.task.rows.get(record.headline[0], 0):,}, which chose the student",
        },
        command=other_shapes(out),
    )
    write_search_page(out / REPORT, page)


def limits_text(limits: Limits) -> str:
    """All limits in words."""
    found = []
    for one in fields(Limits):
        value = getattr(limits, one.name)
        if value is not None:
            excess = Excess(name=one.name, value=value, limit=value)
            found.append(f"{BOUNDS[one.name][0]} {excess.text.partition(' (')[0]}")
    return ", ".join(found)


def _points(found: SearchOutcome) -> list[FrontPoint]:
    """Every trained shape as each graph, with intervals if it was exported; else its last short score."""
    points = [_of_student(one, found) for one in found.students]
    exported = {one.shape for one in found.students}
    scores = {name: score for each in found.rounds for name, score in each.scores.items()}
    points += [
        FrontPoint(
            label=f"{one.shape.name} as {one.graph}",
            latency_ms=one.p50_ms,
            megabytes=one.bytes / 1e6,
            quality=100 * scores[one.shape.name],
            low=None,
            high=None,
            kind="short",
        )
        for one in found.shapes
        if one.shape not in exported and one.shape.name in scores and not one.exceeded(found.limits)
    ]
    return points


def _of_student(one: Student, found: SearchOutcome) -> FrontPoint:
    """An exported student."""
    full: Kind = "trained" if one.steps is None else "short"
    return FrontPoint(
        label=f"{one.shape.name} as {one.graph}",
        latency_ms=one.p50_ms,
        megabytes=one.bytes / 1e6,
        quality=100 * one.quality.value,
        low=100 * one.quality.low,
        high=100 * one.quality.high,
        kind="chosen" if one == found.chosen else full,
    )
