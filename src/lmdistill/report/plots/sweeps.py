"""Rows that differ in one number or two: curves over the training rows, maps over settings of a method."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any

from lmdistill.analysis.grouping import SEEDS, flat, grouped, without
from lmdistill.analysis.metric_format import NONE, metric_format
from lmdistill.analysis.result_table import Comparison, Row
from lmdistill.core.fingerprint import fingerprint
from lmdistill.report.plots.svg import COLOURS, INK, Plot, as_svg, canvas, draw, joined, mark_of, number


def _students(table: Comparison) -> list[Row]:
    """Rows of runs with a headline score."""
    return [
        row for row in table.rows if row.runs and row.role != "teacher" and table.scores[0] in row.quality
    ]


def _rest(row: Row, without: Sequence[str]) -> Hashable:
    """What two rows must share, apart from some fields of the method and the number of training rows."""
    student = row.runs[0].record.student
    method = {
        name: str(value) for name, value in flat(row.runs[0].record.method).items() if name not in without
    }
    return student.layers, student.parameters.total, tuple(sorted(method.items()))


def _num_train(row: Row) -> int:
    """Training rows."""
    return row.runs[0].record.task.rows.get("train", 0)


def data_plot(table: Comparison, *, name: str) -> Plot | None:
    """Quality over the number of training rows, a line for rows that differ in nothing else; else None.

    In a study the name of a row may tell how much data it had; a line is called by what its names share.

    Args:
        table: Of one task.
        name: Letters, digits and hyphens, another one for each picture on a page.
    """
    shown = metric_format(table.scores[0][1])
    lines = _lines(table)
    if not lines:
        return None
    figure, axes = canvas("training rows", shown.title.replace(", %", " × 100"))
    marks = [mark_of(place, label) for place, label in enumerate(lines)]
    words = []
    for mark, points in zip(marks, lines.values(), strict=True):
        sizes, means = [size for size, _, _ in points], [mean for _, mean, _ in points]
        draw(axes, mark, sizes, means)
        axes.errorbar(
            sizes, means, yerr=[sd for _, _, sd in points], fmt="none", color=mark.colour, linewidth=1
        )
        first, last = number(means[0]), number(means[-1])
        words.append(f"{mark.label} goes from {first} on {sizes[0]:,} rows to {last} on {sizes[-1]:,}")
    all_sizes = [size for points in lines.values() for size, _, _ in points]
    if max(all_sizes) > 10 * max(1, min(all_sizes)):
        axes.set_xscale("log")
    return Plot(
        svg=as_svg(figure, name),
        title="Quality and training rows",
        alt="; ".join(words) + ". Bars: deviation over seeds.",
        legend=tuple(marks),
        table=joined(
            "training rows", {label: [(x, y) for x, y, _ in points] for label, points in lines.items()}
        ),
    )


def _lines(table: Comparison) -> dict[str, list[tuple[int, float, float]]]:
    """Training rows, mean and deviation as they are shown, by what the line is called."""
    score = table.scores[0]
    scale = metric_format(score[1]).scale
    found: dict[str, list[tuple[int, float, float]]] = {}
    for rows in grouped(_students(table), lambda row: (_rest(row, ()), _settings(row))).values():
        points = {
            _num_train(row): (scale * row.quality[score].mean, scale * (row.quality[score].sd or 0.0))
            for row in rows
        }
        if len(points) == len(rows) > 1:
            name = without(_shared([row.runs[0].record.name for row in rows]), table.shared)
            label = f"{name}, {len(found) + 1}" if name in found else name
            found[label] = [(size, *points[size]) for size in sorted(points)]
    return found


def _settings(row: Row) -> str:
    """The recipe of a row, apart from the method, how much data, which seeds, and what the row is called."""
    amounts = [f"{where}.{name}" for where in ("data", "texts") for name in ("fraction", "rows")]
    less = {
        name: value
        for name, value in flat(row.runs[0].record.recipe).items()
        if name not in ("name", *SEEDS, *amounts) and name.split(".")[0] not in ("method", "methods")
    }
    return fingerprint(less)


def _shared(names: Sequence[str]) -> str:
    """The words that all names have; the first name where they share none.

    Examples:
        >>> _shared(["TMKD fraction=1pct", "TMKD fraction=10pct"]), _shared(["KD", "TMKD"])
        ('TMKD', 'KD')
    """
    words = [word for word in names[0].split() if all(word in name.split() for name in names)]
    return " ".join(words) or names[0]


def _is_number(value: Any) -> bool:
    """Whether a field can be an axis."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def heat_plots(table: Comparison, names: Iterator[str]) -> Iterator[Plot]:
    """A map of the quality for every two numeric fields in which some rows, and nothing else, differ.

    Args:
        table: Of one task.
        names: Letters, digits and hyphens, another one for each picture on a page.
    """
    rows = _students(table)
    methods = [flat(row.runs[0].record.method) for row in rows]
    varied = [
        field
        for field in dict.fromkeys(field for method in methods for field in method)
        if len({str(method[field]) for method in methods if _is_number(method.get(field))}) > 1
    ]
    for pair in combinations(varied, 2):
        for group in grouped(rows, partial(_beside, pair)).values():
            cells = _cells(group, pair)
            if cells is not None:
                yield _heat_plot(table, pair, cells, next(names), held=_held(group[0], pair, varied))


def _beside(pair: tuple[str, str], row: Row) -> Hashable:
    """What the rows of one map share."""
    return _rest(row, pair), _num_train(row), _settings(row)


def _held(row: Row, pair: tuple[str, str], varied: Sequence[str]) -> str:
    """What the other fields are on this map, where they differ between maps."""
    method = flat(row.runs[0].record.method)
    held = {field: method[field] for field in varied if field in method and field not in pair}
    return ", ".join(
        f"{field} {number(value) if value is None or _is_number(value) else value}"
        for field, value in held.items()
    )


def _cells(rows: Sequence[Row], pair: tuple[str, str]) -> dict[tuple[float, float], Row] | None:
    """Rows by their two numbers; None where these do not make a map, or where one place has two rows."""
    fields = [(flat(row.runs[0].record.method), row) for row in rows]
    if not all(_is_number(method.get(field)) for method, _ in fields for field in pair):
        return None
    cells = {(float(method[pair[0]]), float(method[pair[1]])): row for method, row in fields}
    wide = all(len({place[axis] for place in cells}) > 1 for axis in (0, 1))
    return cells if wide and len(cells) == len(rows) > 2 else None


def _seeds(table: Comparison, cells: Mapping[tuple[float, float], Row]) -> str:
    """That squares are means of different numbers of seeds, where they are."""
    counts = {row.quality[table.scores[0]].count for row in cells.values()}
    return f" Squares are means of {min(counts)} to {max(counts)} seeds." if len(counts) > 1 else ""


def _heat_plot(
    table: Comparison,
    pair: tuple[str, str],
    cells: Mapping[tuple[float, float], Row],
    name: str,
    *,
    held: str,
) -> Plot:
    """Squares that are the fuller the better, each with its number; `held` says what else is as it is."""
    score = table.scores[0]
    shown = metric_format(score[1])
    across, up = (sorted({place[axis] for place in cells}) for axis in (0, 1))
    means = {place: shown.sign * row.quality[score].mean for place, row in cells.items()}
    low, high = min(means.values()), max(means.values())
    figure, axes = canvas(pair[0].replace("_", " "), pair[1].replace("_", " "))
    axes.grid(visible=False)
    for (x, y), mean in means.items():
        alpha = 0.08 + 0.5 * (mean - low) / ((high - low) or 1.0)
        left, bottom = across.index(x) - 0.5, up.index(y) - 0.5
        axes.fill(
            [left, left + 1, left + 1, left],
            [bottom, bottom, bottom + 1, bottom + 1],
            color=COLOURS[0],
            alpha=alpha,
            linewidth=0,
        )
        axes.text(
            left + 0.5, bottom + 0.5, shown.text(shown.sign * mean), ha="center", va="center", color=INK
        )
    axes.set_xticks(range(len(across)), [number(value) for value in across])
    axes.set_yticks(range(len(up)), [number(value) for value in up])
    best = max(means, key=lambda place: means[place])
    label = table.scores[0][1]
    lines = [
        (
            number(y),
            *(shown.text(cells[x, y].quality[score].mean) if (x, y) in cells else NONE for x in across),
        )
        for y in up
    ]
    return Plot(
        svg=as_svg(figure, name),
        title=f"Sensitivity to {pair[0]} and {pair[1]}{f' at {held}' if held else ''}",
        alt=f"The mean {label} is best at {pair[0]} {number(best[0])} and {pair[1]} {number(best[1])}: "
        f"{shown.text(shown.sign * high)}; the worst is {shown.text(shown.sign * low)}."
        f"{_seeds(table, cells)}",
        legend=(),
        table=((f"{pair[1]} \\ {pair[0]}", *(number(x) for x in across)), *lines),
    )
