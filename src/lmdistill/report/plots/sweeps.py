"""Plots of quality over the number of training rows, and of sensitivity to two settings of a method."""

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
    """Rows of students with a headline score."""
    return [
        row for row in table.rows if row.runs and row.role != "teacher" and table.scores[0] in row.quality
    ]


def _fixed(row: Row, varied: Sequence[str]) -> Hashable:
    """The student's size and the method's settings except the `varied` ones; equal for rows of one plot."""
    student = row.runs[0].record.student
    method = {
        name: str(value) for name, value in flat(row.runs[0].record.method).items() if name not in varied
    }
    return student.layers, student.parameters.total, tuple(sorted(method.items()))


def _num_train(row: Row) -> int:
    """Number of training rows; 0 if it was not recorded."""
    return row.runs[0].record.task.rows.get("train", 0)


def data_plot(table: Comparison, *, name: str) -> Plot | None:
    """Quality over the number of training rows, one line for each group of rows that differ only in it.

    A line has the words that the names of its rows share as its label, because a study may put the amount of
    data into the names.

    Args:
        table: The comparison of one task.
        name: See `trade_off.trade_off_plot`.

    Returns:
        None without such a group.
    """
    shown = metric_format(table.scores[0][1])
    lines = _lines(table)
    if not lines:
        return None
    figure, axes = canvas("training rows", shown.title.replace(", %", " × 100"))
    marks = [mark_of(index, label) for index, label in enumerate(lines)]
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
        alt="; ".join(words) + ". Error bars: standard deviation over seeds.",
        legend=tuple(marks),
        table=joined(
            "training rows", {label: [(x, y) for x, y, _ in points] for label, points in lines.items()}
        ),
    )


def _lines(table: Comparison) -> dict[str, list[tuple[int, float, float]]]:
    """Number of training rows, scaled mean and scaled deviation of each point, by the label of the line."""
    score = table.scores[0]
    scale = metric_format(score[1]).scale
    lines: dict[str, list[tuple[int, float, float]]] = {}
    for rows in grouped(_students(table), lambda row: (_fixed(row, ()), _settings(row))).values():
        points = {
            _num_train(row): (scale * row.quality[score].mean, scale * (row.quality[score].sd or 0.0))
            for row in rows
        }
        if len(points) == len(rows) > 1:
            name = without(_shared([row.runs[0].record.name for row in rows]), table.shared)
            label = f"{name}, {len(lines) + 1}" if name in lines else name
            lines[label] = [(size, *points[size]) for size in sorted(points)]
    return lines


def _settings(row: Row) -> str:
    """Fingerprint of the recipe without name, method, seeds and amount of data."""
    amounts = [f"{key}.{name}" for key in ("data", "texts") for name in ("fraction", "rows")]
    settings = {
        name: value
        for name, value in flat(row.runs[0].record.recipe).items()
        if name not in ("name", *SEEDS, *amounts) and name.split(".")[0] not in ("method", "methods")
    }
    return fingerprint(settings)


def _shared(names: Sequence[str]) -> str:
    """The words that all names share, or the first name if they share none.

    Examples:
        >>> _shared(["TMKD fraction=1pct", "TMKD fraction=10pct"]), _shared(["KD", "TMKD"])
        ('TMKD', 'KD')
    """
    words = [word for word in names[0].split() if all(word in name.split() for name in names)]
    return " ".join(words) or names[0]


def _is_number(value: Any) -> bool:
    """Whether a value can be on a numeric axis."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def heat_plots(table: Comparison, names: Iterator[str]) -> Iterator[Plot]:
    """A heat map of the quality for each pair of numeric settings, from rows that differ only in them.

    Args:
        table: The comparison of one task.
        names: See `gallery.pictures`.
    """
    rows = _students(table)
    methods = [flat(row.runs[0].record.method) for row in rows]
    varied = [
        field
        for field in dict.fromkeys(field for method in methods for field in method)
        if len({str(method[field]) for method in methods if _is_number(method.get(field))}) > 1
    ]
    for pair in combinations(varied, 2):
        for group in grouped(rows, partial(_map_key, pair)).values():
            cells = _cells(group, pair)
            if cells is not None:
                yield _heat_plot(table, pair, cells, next(names), fixed=_fixed_text(group[0], pair, varied))


def _map_key(pair: tuple[str, str], row: Row) -> Hashable:
    """A key that is equal for the rows of one heat map."""
    return _fixed(row, pair), _num_train(row), _settings(row)


def _fixed_text(row: Row, pair: tuple[str, str], varied: Sequence[str]) -> str:
    """The values of the other `varied` settings on this heat map, as text."""
    method = flat(row.runs[0].record.method)
    fixed = {field: method[field] for field in varied if field in method and field not in pair}
    return ", ".join(
        f"{field} {number(value) if value is None or _is_number(value) else value}"
        for field, value in fixed.items()
    )


def _cells(rows: Sequence[Row], pair: tuple[str, str]) -> dict[tuple[float, float], Row] | None:
    """Rows by their two values; None if a setting does not vary, or if a pair of values has two rows."""
    fields = [(flat(row.runs[0].record.method), row) for row in rows]
    if not all(_is_number(method.get(field)) for method, _ in fields for field in pair):
        return None
    cells = {(float(method[pair[0]]), float(method[pair[1]])): row for method, row in fields}
    vary = all(len({values[axis] for values in cells}) > 1 for axis in (0, 1))
    return cells if vary and len(cells) == len(rows) > 2 else None


def _seeds(table: Comparison, cells: Mapping[tuple[float, float], Row]) -> str:
    """A sentence on the numbers of seeds, if they differ between cells."""
    counts = {row.quality[table.scores[0]].count for row in cells.values()}
    return f" Cells are means of {min(counts)} to {max(counts)} seeds." if len(counts) > 1 else ""


def _heat_plot(
    table: Comparison,
    pair: tuple[str, str],
    cells: Mapping[tuple[float, float], Row],
    name: str,
    *,
    fixed: str,
) -> Plot:
    """Cells with their score, darker for better scores; `fixed` has the other settings for the title."""
    score = table.scores[0]
    shown = metric_format(score[1])
    across, up = (sorted({values[axis] for values in cells}) for axis in (0, 1))
    means = {values: shown.sign * row.quality[score].mean for values, row in cells.items()}
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
    best = max(means, key=lambda values: means[values])
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
        title=f"Sensitivity to {pair[0]} and {pair[1]}{f' at {fixed}' if fixed else ''}",
        alt=f"The mean {label} is best at {pair[0]} {number(best[0])} and {pair[1]} {number(best[1])}: "
        f"{shown.text(shown.sign * high)}; the worst is {shown.text(shown.sign * low)}."
        f"{_seeds(table, cells)}",
        legend=(),
        table=((f"{pair[1]} \\ {pair[0]}", *(number(x) for x in across)), *lines),
    )
