"""Maps of representations: one plot per row with the same dev examples, and a table of class separation.

The plots have no axes and many points, so they are written directly as SVG paths with few bytes per point.
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
"""Marker shapes: circle, cross, triangle, plus, square and diamond, so six classes differ without colour."""

SIDE, MARGIN, SHORT = 400, 14, 120
"""Width, margin and smallest height of a map in SVG units; the height is at most the width."""

PROJECTIONS = {"tsne": "t-SNE", "pca": "PCA"}
"""Titles of the projections by their name in recipes."""

POOLS = {
    "first": "the last hidden state of the first token",
    "mean": "the mean of the last hidden states",
}
"""Descriptions of the pooling methods by their name in recipes."""


@dataclass(frozen=True, kw_only=True)
class Maps:
    """Class separation and maps of a comparison."""

    grid: Grid
    """The table of class separation, one row per row of the comparison."""

    plots: tuple[tuple[str, Plot], ...]
    """Label of a row and its map; rows whose files are missing have no map."""


def maps(table: Comparison) -> Maps | None:
    """Maps of the first run of each row, teachers first; None if no recipe asked for maps."""
    facts = {row.label: _facts(row, table) for row in table.rows}
    if not any(facts.values()):
        return None
    return Maps(grid=_grid(facts), plots=tuple(_plots(table)))


def _teacher_runs(row: Row, table: Comparison) -> Iterator[RecordedRun]:
    """The first run with a map for each network of a teacher's row."""
    remaining = {network.fingerprint for network in row.networks}
    for run in table.runs:
        teacher, facts = run.record.teacher, run.record.map
        if facts is not None and facts.teacher is not None and teacher is not None:
            if teacher.fingerprint in remaining:
                yield run
            remaining.discard(teacher.fingerprint)


def _facts(row: Row, table: Comparison) -> list[tuple[MapFacts, Separation]]:
    """Map and separation of each network of a row; a teacher's are in the records of its students."""
    runs = _teacher_runs(row, table) if row.role == "teacher" else iter(row.runs)
    recorded = [run.record.map for run in runs if run.record.map is not None]
    separations = [one.teacher if row.role == "teacher" else one.student for one in recorded]
    return [(one, side) for one, side in zip(recorded, separations, strict=True) if side is not None]


def _grid(facts_of: dict[str, list[tuple[MapFacts, Separation]]]) -> Grid:
    """The table of class separation: mean and deviation over seeds, by the label of the row."""
    lines = [
        (
            label,
            spread_text(spread([side.silhouette for _, side in facts]), "silhouette"),
            spread_text(spread([side.spread_ratio for _, side in facts]), "spread_ratio"),
            str(len(facts)),
            " or ".join(f"{count:,}" for count in sorted({one.examples for one, _ in facts})),
        )
        for label, facts in facts_of.items()
        if facts
    ]
    pools = " or ".join(sorted({POOLS[one.pool] for facts in facts_of.values() for one, _ in facts}))
    notes = [
        "Silhouette, −1 to 1: how much closer an example is to its own class than to the nearest other one.",
        "Between / within: spread of the class centres divided by the spread within classes.",
        f"{MAP} of each run has all examples with their coordinates.",
    ]
    if any(ONE_SEED in cell for line in lines for cell in line):
        notes.append(f"{ONE_SEED} one network, so no standard deviation.")
    return Grid(
        name="map",
        caption=f"Separation of the classes in {pools}, before projection.",
        header=("", "silhouette", "between / within", "networks", "examples"),
        rows=tuple(lines),
        notes=tuple(notes),
        alarms=(),
    )


def _plots(table: Comparison) -> Iterator[tuple[str, Plot]]:
    """Label and map of each row that has one."""
    labels = table.task.labels
    for row in table.rows:
        is_teacher = row.role == "teacher"
        runs = list(_teacher_runs(row, table) if is_teacher else row.runs)
        run = next((run for run in runs if run.record.map is not None), None)
        if run is None or run.record.map is None:
            continue
        examples = read_map(run.path / MAP)
        points = [one.teacher if is_teacher else one.student for one in examples]
        facts = run.record.map
        side = facts.teacher if is_teacher else facts.student
        if examples and side is not None and None not in points:
            single = is_teacher or len(row.runs) == 1
            label = row.label if single else f"{row.label}, seed {run.record.seed}"
            yield label, map_plot(examples, [one for one in points if one is not None], labels, facts, side)


def map_plot(
    places: Sequence[MapPoint],
    points: Sequence[Point],
    labels: Sequence[str],
    facts: MapFacts,
    side: Separation,
) -> Plot:
    """One map, with a marker shape and a colour for each class.

    Args:
        places: Examples with their labels, at least one.
        points: Coordinates of the examples, in the same order.
        labels: Names of the classes.
        facts: Settings of the map.
        side: Separation of the classes before the projection.
    """
    coordinates = np.asarray(points, dtype=float)
    classes = np.array([place.label for place in places])
    marks = [
        Mark(label=name, colour=COLOURS[i % len(COLOURS)], dash="solid", shape=SHAPES[i % len(SHAPES)])
        for i, name in enumerate(labels)
    ]
    present = {index: mark for index, mark in enumerate(marks) if (classes == index).any()}
    lines, words = [], []
    for index, mark in present.items():
        own = coordinates[classes == index]
        centre = own.mean(axis=0)
        distance = float(np.linalg.norm(own - centre, axis=1).mean())
        lines.append((mark.label, f"{len(own):,}", *(number(float(x)) for x in (*centre, distance))))
        words.append(f"{len(own):,} of {mark.label} around ({centre[0]:.1f}, {centre[1]:.1f})")
    silhouette = NONE if side.silhouette is None else f"{side.silhouette:.3f}"
    alt = (
        f"{len(places):,} examples of {facts.split} by {PROJECTIONS[facts.projection]}: {', '.join(words)}. "
        f"Silhouette before the projection: {silhouette}. All points are in {MAP}."
    )
    return Plot(
        svg=_svg(*_fitted(coordinates), classes, present),
        title="Map of representations",
        alt=alt,
        legend=tuple(present.values()),
        table=(("class", "examples", "centre, x", "centre, y", "mean distance from centre"), *lines),
    )


def _fitted(points: np.ndarray) -> tuple[np.ndarray, int]:
    """Points in SVG units with the same scale for x and y, and the height of the frame."""
    low, high = points.min(axis=0), points.max(axis=0)
    scale = (SIDE - 2 * MARGIN) / (float((high - low).max()) or 1.0)
    height = max(SHORT, math.ceil(scale * float(high[1] - low[1])) + 2 * MARGIN)
    moved: np.ndarray = np.rint((points - (low + high) / 2) * [scale, -scale] + [SIDE / 2, height / 2])
    return moved.astype(int), height


def _svg(points: np.ndarray, height: int, classes: np.ndarray, marks: dict[int, Mark]) -> str:
    """The SVG of a map: a frame, and one path for each class."""
    shapes = {
        index: "".join(f"M{x} {y}{mark.shape}" for x, y in points[classes == index])
        for index, mark in marks.items()
    }
    paths = [f'<path stroke="{mark.colour}" d="{shapes[index]}"/>' for index, mark in marks.items()]
    frame = (
        f'<rect x=".5" y=".5" width="{SIDE - 1}" height="{height - 1}" stroke="currentColor" opacity=".3"/>'
    )
    return (
        f'<svg viewBox="0 0 {SIDE} {height}" aria-hidden="true"><g fill="none" stroke-width="1.4">'
        f"{frame}{''.join(paths)}</g></svg>"
    )
