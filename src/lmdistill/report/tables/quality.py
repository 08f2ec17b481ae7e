"""Rows of numbers to rows of text: for the terminal, for Markdown, for a page, for another program."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from lmdistill.analysis.alarms import row_alarms
from lmdistill.analysis.footnote_text import BY_DEV, floor_title, score_title
from lmdistill.analysis.metric_format import NONE, metric_format
from lmdistill.analysis.number_format import (
    megabytes,
    millions,
    milliseconds,
    p_text,
    percent,
    spread_text,
    times,
)
from lmdistill.analysis.result_table import Comparison, Row, Score, own_teacher
from lmdistill.analysis.seed_and_example_variance import Interval
from lmdistill.report.grid import Grid
from lmdistill.report.tables.footnotes import notes


def _score_column(score: Score, is_headline: bool) -> Callable[[Row], str]:
    """The text of a score; the headline bears the mark of selection."""
    return lambda row: (
        spread_text(row.quality.get(score), score[1]) + (f" {BY_DEV}" if is_headline and row.selected else "")
    )


def _columns(table: Comparison) -> Mapping[str, Callable[[Row], str]]:
    """Title to text, in order, without those that no row fills."""
    floor = floor_title(table)
    columns: dict[str, Callable[[Row], str]] = {
        score_title(score, table.scores): _score_column(score, score == table.scores[0])
        for score in table.scores
    }
    columns |= {
        "seeds": lambda row: str(max((value.count for value in row.quality.values()), default=0) or NONE),
        "parameters": lambda row: millions(row.cost.parameters),
        "on disk": lambda row: megabytes(row.cost.disk_bytes),
        f"latency p50, batch {table.batch_size}": lambda row: milliseconds(row.cost.latency_ms),
        "speed-up": lambda row: times(row.cost.speedup),
        "of teacher, %": lambda row: percent(row.kept),
        "gap closed, %": lambda row: percent(row.closed),
        f"p against {floor}": lambda row: p_text(row.evidence.p_holm),
        "alarms": lambda row: str(len(row_alarms(row, table)) or NONE),
    }
    return MappingProxyType(
        {title: text for title, text in columns.items() if any(text(row) != NONE for row in table.rows)}
    )


def _caption(table: Comparison) -> str:
    """Task, data and where the texts came from."""
    counts = sorted({run.record.task.rows["train"] for run in table.runs if "train" in run.record.task.rows})
    train = " or ".join(f"{count:,}" for count in counts)
    held_out = [
        f"{n:,} {name}"
        for name, n in table.task.rows.items()
        if (name, table.task.metrics[0]) in table.scores
    ]
    rows = ", ".join([*([f"{train} training"] if train else []), *held_out])
    made = "synthetic data made by a program; " if table.task.synthetic else ""
    what = "passages" if table.task.kind == "language" else "examples"
    return f"{table.task.name} ({made}{rows} {what}; {table.task.source})"


def grid(table: Comparison) -> Grid:
    """The table as text, to be printed by whoever knows how.

    Quality is the mean ± sample standard deviation over seeds, in percent. A column that no row fills is
    left out.
    """
    columns = _columns(table)
    rows = tuple((row.label, *(text(row) for text in columns.values())) for row in table.rows)
    who: dict[str, list[str]] = {}
    for row in table.rows:
        for alarm in row_alarms(row, table):
            who.setdefault(alarm, []).append(row.label)
    return Grid(
        caption=_caption(table),
        header=("", *columns),
        rows=rows,
        notes=notes(table, rows),
        alarms=tuple(f"{', '.join(labels)}: {alarm}" for alarm, labels in who.items()),
        name="quality",
    )


def _interval(found: Interval | None) -> list[float] | None:
    """Its two ends."""
    return None if found is None or found.ends is None else list(found.ends)


def as_data(table: Comparison) -> list[dict[str, Any]]:
    """The rows as plain numbers, ready for JSON."""
    return [
        {
            "name": row.label,
            "role": row.role,
            "seeds": sorted(run.record.seed for run in row.runs),
            "quality": {f"{split}/{metric}": asdict(value) for (split, metric), value in row.quality.items()},
            **asdict(row.cost),
            "share_kept": row.kept,
            "share_kept_interval": _interval(row.evidence.kept),
            "gap_closed": row.closed,
            "gap_closed_interval": _interval(row.evidence.closed),
            "difference": None if row.evidence.difference is None else asdict(row.evidence.difference),
            "against": row.floor,
            "p_value": row.evidence.p_value,
            "p_holm": row.evidence.p_holm,
            "p_these_runs": row.evidence.p_runs,
            "dev_selected": row.selected,
            "alarms": list(row_alarms(row, table)),
        }
        for row in table.rows
    ]


def summary(row: Row, table: Comparison) -> str:
    """One sentence: what the student keeps, at which size, how fast; nothing for what was not measured.

    Where less is better there is no share to keep: then it says how far the teacher is.
    """
    teacher = own_teacher(row, [other for other in table.rows if other.role == "teacher"])
    score, value = table.scores[0], row.quality.get(table.scores[0])
    if value is None:
        return ""
    shown = metric_format(score[1])
    what = f"has {shown.text(value.mean)} {shown.title}"
    if teacher is None or row.ceiling is None:
        return f"{row.label} {what}."
    if row.kept is not None:
        what = f"keeps {percent(row.kept)} % of the teacher's {score[1]}"
    elif shown.lower_is_better:
        gap = value.mean - row.ceiling
        what += f", {shown.text(abs(gap))} {'more' if gap >= 0 else 'less'} than the teacher"
    speed = "" if row.cost.speedup is None else f" and answers {row.cost.speedup:.2f} times as fast"
    size = 100 * row.cost.parameters / teacher.cost.parameters
    whose = "the teacher's" if row.kept is None and not shown.lower_is_better else "its"
    return f"{row.label} {what}, has {size:.0f} % of {whose} parameters{speed}."
