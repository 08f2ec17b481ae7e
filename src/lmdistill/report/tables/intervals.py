"""The table of intervals: how sure a comparison is of each row."""

from collections.abc import Callable

import numpy as np

from lmdistill.analysis.footnote_text import compared, floor_title, score_title
from lmdistill.analysis.metric_format import NONE, MetricFormat, Value, metric_format
from lmdistill.analysis.number_format import p_text, percent
from lmdistill.analysis.result_table import Comparison, Row
from lmdistill.analysis.seed_and_example_variance import Interval
from lmdistill.analysis.significance import seeds_interval
from lmdistill.report.grid import Grid
from lmdistill.report.tables.footnotes import p_notes

Cell = Callable[[Row], str]


def ends(value: Value, low: Value, high: Value, text: Callable[[Value], str]) -> str:
    """A number with the ends of its interval.

    Examples:
        >>> ends(0.957, 0.94, 0.97, percent)
        '95.70 [94.00, 97.00]'
    """
    return f"{text(value)} [{text(low)}, {text(high)}]"


def _interval(found: Interval | None, text: Callable[[Value], str]) -> str:
    """A dash where there is no number, and the number alone where nothing tells how far others lie."""
    if found is None or found.ends is None:
        return NONE if found is None else text(found.value)
    return ends(found.value, *found.ends, text)


def _mean(row: Row, table: Comparison) -> str:
    """The headline with its interval over seeds."""
    found = row.quality.get(table.scores[0])
    reach = None if found is None or found.sd == 0 else seeds_interval(found)  # equal scores are chance
    if found is None or reach is None:
        return NONE
    shown = metric_format(table.scores[0][1])
    low, high = np.clip(reach, *shown.range).tolist()
    return ends(found.mean, low, high, shown.text)


def _signed(shown: MetricFormat) -> Callable[[Value], str]:
    """The number with its sign."""
    return lambda value: NONE if value is None else f"{shown.scale * value:+.{shown.digits}f}"


def _examples(row: Row, size: int) -> str:
    """How many dev examples the difference amounts to."""
    found = row.evidence.difference
    return NONE if found is None else f"{found.value * size:+.1f}"


def _columns(table: Comparison) -> dict[str, Cell]:
    """Title to text, in order."""
    split, metric = table.scores[0]
    floor = floor_title(table)
    signed, size = _signed(metric_format(metric)), table.task.rows.get(split)
    columns: dict[str, Cell] = {
        score_title(table.scores[0], table.scores): lambda row: _mean(row, table),
        f"against {floor}": lambda row: _interval(row.evidence.difference, signed),
    }
    if metric == "accuracy" and size is not None:
        columns[f"of {size:,} examples"] = lambda row: _examples(row, size)
    columns |= {
        "seeds of both": lambda row: str(row.evidence.seeds or NONE),
        "p": lambda row: p_text(row.evidence.p_value),
    }
    if len(compared(table)) > 1:
        columns["p, Holm"] = lambda row: p_text(row.evidence.p_holm)
    if any(row.evidence.seeds > 1 for row in table.rows):
        columns["p, these runs"] = lambda row: p_text(row.evidence.p_runs)
    return columns | {
        "of teacher, %": lambda row: _interval(row.evidence.kept, percent),
        "gap closed, %": lambda row: _interval(row.evidence.closed, percent),
    }


def _notes(table: Comparison, filled: dict[str, Cell]) -> tuple[str, ...]:
    """What the intervals count, and what they leave out."""
    first = score_title(table.scores[0], table.scores)
    found = []
    if first in filled:
        found.append(f"{first}: mean and 95 % interval over seeds (Student's t), on these examples.")
    if set(filled) - {first}:
        over = "seeds and examples" if any(row.evidence.seeds > 1 for row in table.rows) else "examples"
        which = "Other intervals" if first in filled else "Intervals"
        found.append(f"{which}: 95 %, over {over}; not corrected for several comparisons.")
    if "gap closed, %" in filled or "of teacher, %" in filled:
        found.append(
            "Shares: Fieller's interval, which holds for these teachers; none where what is shared may be 0."
        )
    found += p_notes(table)
    if "p, these runs" in filled:
        found.append(
            "p, these runs: over examples alone; it holds for these networks and says nothing of other seeds."
        )
    return tuple(found)


def certainty(table: Comparison) -> Grid | None:
    """Intervals of means, differences and shares; None where there is neither a second seed nor an answer.

    Wider than a terminal, so it stands on pages only.
    """
    rows = [row for row in table.rows if row.role != "teacher"]
    filled = {
        title: text for title, text in _columns(table).items() if any(text(row) != NONE for row in rows)
    }
    if not filled:
        return None
    return Grid(
        caption="Differences, their intervals and tests.",
        header=("", *filled),
        rows=tuple((row.label, *(text(row) for text in filled.values())) for row in rows),
        notes=_notes(table, filled),
        alarms=(),
        name="certainty",
    )
