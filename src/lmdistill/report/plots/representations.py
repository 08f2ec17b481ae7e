"""Maps of representations: one panel a row, the same dev examples on each, and a table of what they rest on.

These pictures have no axes and many points, so they are written as paths of a few bytes a point.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lmdistill.analysis.footnote_text import ONE_SEED
from lmdistill.analysis.metric_format import NONE
from lmdistill.analysis.number_format import spread_text
from lmdistill.analysis.result_table import Comparison, Row
from lmdistill.analysis.significance import spread
from lmdistill.records.record import RecordedRun
from lmdistill.records.representation_map import MAP, MapPoint, Point, read_map
from lmdistill.records.schema import MapFacts, Separation
from lmdistill.report.grid import Grid
from lmdistill.report.plots.svg import COLOURS, Mark, Plot, number

SHAPES = (
    "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0",
    "m-4-4l8 8m0-8l-8 8",
    "m0-5l5 8.5h-10z",
    "m-5 0h10m-5-5v10",
    "m-4-4h8v8h-8z",
    "m0-5.5l5.5 5.5l-5.5 5.5l-5.5-5.5z",
)
"""Circle, cross, triangle, plus, square and diamond; the shape alone tells six classes apart."""

SIDE, MARGIN, SHORT = 400, 14, 120
"""Width of a map, room around its points, and its least height, in SVG units; it is no higher than wide."""

PROJECTIONS = {"tsne": "t-SNE", "pca": "PCA"}
POOLS = {
    "first": "the final state of each text's first token",
    "mean": "the mean of each text's final states",
}


@dataclass(frozen=True, kw_only=True)
class Maps:
    """What a page says about representations."""

    grid: Grid
    """How far apart the classes lie, a line a row."""

    plots: tuple[tuple[str, Plot], ...]
    """A map with the row that it is about; rows whose files are gone have none."""


def maps(table: Comparison) -> Maps | None:
    """Maps of the first run of each row, the teacher's first; None where no run was asked for one."""
    found = {row.label: _facts(row, table) for row in table.rows}
    if not any(found.values()):
        return None
    return Maps(grid=_grid(found), plots=tuple(_plots(table)))


def _taught(row: Row, table: Comparison) -> Iterator[RecordedRun]:
    """The first run of each of a teacher's networks."""
    left = {network.fingerprint for network in row.networks}
    for run in table.runs:
        teacher, facts = run.record.teacher, run.record.map
        if facts is not None and facts.teacher is not None and teacher is not None:
            if teacher.fingerprint in left:
                yield run
            left.discard(teacher.fingerprint)


def _facts(row: Row, table: Comparison) -> list[tuple[MapFacts, Separation]]:
    """What each network of a row has; a teacher's are in the records of its students."""
    runs = _taught(row, table) if row.role == "teacher" else iter(row.runs)
    told = [run.record.map for run in runs if run.record.map is not None]
    sides = [one.teacher if row.role == "teacher" else one.student for one in told]
    return [(one, side) for one, side in zip(told, sides, strict=True) if side is not None]


def _grid(found: dict[str, list[tuple[MapFacts, Separation]]]) -> Grid:
    """Mean and deviation over seeds."""
    lines = [
        (
            label,
            spread_text(spread([side.silhouette for _, side in facts]), "silhouette"),
            spread_text(spread([side.spread_ratio for _, side in facts]), "spread_ratio"),
            str(len(facts)),
            " or ".join(f"{count:,}" for count in sorted({one.examples for one, _ in facts})),
        )
        for label, facts in found.items()
        if facts
    ]
    pools = " or ".join(sorted({POOLS[one.pool] for facts in found.values() for one, _ in facts}))
    notes = [
        "Silhouette, −1 to 1: how much nearer examples lie to their own class than to the nearest other.",
        "Between / within: spread of the classes' centres, divided by the spread inside classes.",
        f"Every example and its place is in {MAP} of each run.",
    ]
    if any(ONE_SEED in cell for line in lines for cell in line):
        notes.append(f"{ONE_SEED} A single network, so no deviation.")
    return Grid(
        name="map",
        caption=f"How far apart the classes lie in {pools}, before any projection.",
        header=("", "silhouette", "between / within", "networks", "examples"),
        rows=tuple(lines),
        notes=tuple(notes),
        alarms=(),
    )


def _plots(table: Comparison) -> Iterator[tuple[str, Plot]]:
    """A map for each row that has one."""
    labels = table.task.labels
    for row in table.rows:
        theirs = row.role == "teacher"
        runs = list(_taught(row, table) if theirs else row.runs)
        run = next((run for run in runs if run.record.map is not None), None)
        if run is None or run.record.map is None:
            continue
        places = read_map(run.path / MAP)
        points = [place.teacher if theirs else place.student for place in places]
        facts = run.record.map
        side = facts.teacher if theirs else facts.student
        if places and side is not None and None not in points:
            single = theirs or len(row.runs) == 1
            label = row.label if single else f"{row.label}, seed {run.record.seed}"
            yield label, map_plot(places, [one for one in points if one is not None], labels, facts, side)


def map_plot(
    places: Sequence[MapPoint],
    points: Sequence[Point],
    labels: Sequence[str],
    facts: MapFacts,
    side: Separation,
) -> Plot:
    """One map: a shape and a colour for each class.

    Args:
        places: Whose labels are shown, >= 1.
        points: Where they lie, in the same order.
        labels: Names of the classes.
        facts: How it was made.
        side: How far apart the classes lie before that.
    """
    across_up = np.asarray(points, dtype=float)
    classes = np.array([place.label for place in places])
    marks = [
        Mark(label=name, colour=COLOURS[at % len(COLOURS)], dash="solid", shape=SHAPES[at % len(SHAPES)])
        for at, name in enumerate(labels)
    ]
    drawn = {at: mark for at, mark in enumerate(marks) if (classes == at).any()}
    lines, words = [], []
    for at, mark in drawn.items():
        own = across_up[classes == at]
        centre = own.mean(axis=0)
        away = float(np.linalg.norm(own - centre, axis=1).mean())
        lines.append((mark.label, f"{len(own):,}", *(number(float(x)) for x in (*centre, away))))
        words.append(f"{len(own):,} of {mark.label} around ({centre[0]:.1f}, {centre[1]:.1f})")
    measured = NONE if side.silhouette is None else f"{side.silhouette:.3f}"
    alt = (
        f"{len(places):,} examples of {facts.split} by {PROJECTIONS[facts.projection]}: {', '.join(words)}. "
        f"Silhouette before the projection: {measured}. All points are in {MAP}."
    )
    return Plot(
        svg=_svg(*_fitted(across_up), classes, drawn),
        title="Map of representations",
        alt=alt,
        legend=tuple(drawn.values()),
        table=(("class", "examples", "centre, across", "centre, up", "mean distance from it"), *lines),
    )


def _fitted(points: np.ndarray) -> tuple[np.ndarray, int]:
    """Points in SVG units, and the height of their frame: one scale for both directions, up is up."""
    low, high = points.min(axis=0), points.max(axis=0)
    scale = (SIDE - 2 * MARGIN) / (float((high - low).max()) or 1.0)
    height = max(SHORT, math.ceil(scale * float(high[1] - low[1])) + 2 * MARGIN)
    moved: np.ndarray = np.rint((points - (low + high) / 2) * [scale, -scale] + [SIDE / 2, height / 2])
    return moved.astype(int), height


def _svg(points: np.ndarray, height: int, classes: np.ndarray, marks: dict[int, Mark]) -> str:
    """A frame, and a path for each class."""
    shapes = {
        at: "".join(f"M{x} {y}{mark.shape}" for x, y in points[classes == at]) for at, mark in marks.items()
    }
    paths = [f'<path stroke="{mark.colour}" d="{shapes[at]}"/>' for at, mark in marks.items()]
    frame = (
        f'<rect x=".5" y=".5" width="{SIDE - 1}" height="{height - 1}" stroke="currentColor" opacity=".3"/>'
    )
    return (
        f'<svg viewBox="0 0 {SIDE} {height}" aria-hidden="true"><g fill="none" stroke-width="1.4">'
        f"{frame}{''.join(paths)}</g></svg>"
    )
