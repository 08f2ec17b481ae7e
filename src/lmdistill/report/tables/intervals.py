"""Table of confidence intervals and tests: mean, difference to the baseline, and shares of each row."""

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
    """A number with its interval in brackets.

    Examples:
        >>> ends(0.957, 0.94, 0.97, percent)
        '95.70 [94.00, 97.00]'
    """
    return f"{text(value)} [{text(low)}, {text(high)}]"


def _interval(interval: Interval | None, text: Callable[[Value], str]) -> str:
    """A dash for None, the number alone if its variance is 0, else the number with its interval."""
    if interval is None or interval.ends is None:
        return NONE if interval is None else text(interval.value)
    return ends(interval.value, *interval.ends, text)


def _mean(row: Row, table: Comparison) -> str:
    """Mean headline score with its interval over seeds, limited to possible values."""
    scores = row.quality.get(table.scores[0])
    # equal scores of all seeds are a coincidence, so they give no interval
    interval = None if scores is None or scores.sd == 0 else seeds_interval(scores)
    if scores is None or interval is None:
        return NONE
    shown = metric_format(table.scores[0][1])
    low, high = np.clip(interval, *shown.range).tolist()
    return ends(scores.mean, low, high, shown.text)


def _signed(shown: MetricFormat) -> Callable[[Value], str]:
    """A function that formats a number in the format of a metric, with its sign."""
    return lambda value: NONE if value is None else f"{shown.scale * value:+.{shown.digits}f}"


def _examples(row: Row, size: int) -> str:
    """The difference of accuracies as a number of dev examples."""
    difference = row.evidence.difference
    return NONE if difference is None else f"{difference.value * size:+.1f}"


def _columns(table: Comparison) -> dict[str, Cell]:
    """The text of a row by column title, in order."""
    split, metric = table.scores[0]
    baseline = floor_title(table)
    signed, size = _signed(metric_format(metric)), table.task.rows.get(split)
    columns: dict[str, Cell] = {
        score_title(table.scores[0], table.scores): lambda row: _mean(row, table),
        f"difference to {baseline}": lambda row: _interval(row.evidence.difference, signed),
    }
    if metric == "accuracy" and size is not None:
        columns[f"difference, of {size:,} examples"] = lambda row: _examples(row, size)
    columns |= {
        "paired seeds": lambda row: str(row.evidence.seeds or NONE),
        "p": lambda row: p_text(row.evidence.p_value),
    }
    if len(compared(table)) > 1:
        columns["p, Holm"] = lambda row: p_text(row.evidence.p_holm)
    if any(row.evidence.seeds > 1 for row in table.rows):
        columns["p, examples only"] = lambda row: p_text(row.evidence.p_runs)
    return columns | {
        "score, % of teacher": lambda row: _interval(row.evidence.kept, percent),
        "gap closed, %": lambda row: _interval(row.evidence.closed, percent),
    }


def _notes(table: Comparison, filled: dict[str, Cell]) -> tuple[str, ...]:
    """What the intervals and p-values of the table account for."""
    first = score_title(table.scores[0], table.scores)
    notes = []
    if first in filled:
        notes.append(f"{first}: mean and 95 % interval over seeds (Student's t), on these examples.")
    if set(filled) - {first}:
        over = "seeds and examples" if any(row.evidence.seeds > 1 for row in table.rows) else "examples"
        which = "Other intervals" if first in filled else "Intervals"
        notes.append(f"{which}: 95 %, over {over}; not corrected for multiple comparisons.")
    if "gap closed, %" in filled or "score, % of teacher" in filled:
        notes.append(
            "Score in % of the teacher, gap closed: Fieller's interval, with the teachers taken as fixed; "
            "none if the denominator may be 0."
        )
    notes += p_notes(table)
    if "p, examples only" in filled:
        notes.append(
            "p, examples only: test over examples for these trained networks; it does not account for "
            "variation between seeds."
        )
    return tuple(notes)


def certainty(table: Comparison) -> Grid | None:
    """Confidence intervals of means, differences and shares.

    The table is wider than a terminal, so only pages show it.

    Returns:
        None if no row has a second seed or stored predictions.
    """
    rows = [row for row in table.rows if row.role != "teacher"]
    filled = {
        title: text for title, text in _columns(table).items() if any(text(row) != NONE for row in rows)
    }
    if not filled:
        return None
    return Grid(
        caption="Differences, confidence intervals and tests.",
        header=("", *filled),
        rows=tuple((row.label, *(text(row) for text in filled.values())) for row in rows),
        notes=_notes(table, filled),
        alarms=(),
        name="intervals",
    )
