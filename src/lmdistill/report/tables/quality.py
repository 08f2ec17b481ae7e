"""The main table: quality and cost of each row as text and as plain numbers, and a summary sentence."""

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
    """A function that formats a score of a row; the headline has a mark if it selected the weights."""
    return lambda row: (
        spread_text(row.quality.get(score), score[1]) + (f" {BY_DEV}" if is_headline and row.selected else "")
    )


def _columns(table: Comparison) -> Mapping[str, Callable[[Row], str]]:
    """The text of a row by column title, in order, without columns that are empty in all rows."""
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
        "score, % of teacher": lambda row: percent(row.kept),
        "gap closed, %": lambda row: percent(row.closed),
        f"p against {floor_title(table)}": lambda row: p_text(row.evidence.p_holm),
        "alarms": lambda row: str(len(row_alarms(row, table)) or NONE),
    }
    return MappingProxyType(
        {title: text for title, text in columns.items() if any(text(row) != NONE for row in table.rows)}
    )


def _caption(table: Comparison) -> str:
    """Task, numbers of training and dev examples and of texts without labels, and the source of the data."""
    counts = sorted({run.record.task.rows["train"] for run in table.runs if "train" in run.record.task.rows})
    train = " or ".join(f"{count:,}" for count in counts)
    unlabelled = sorted({run.record.task.unlabelled_rows for run in table.runs} - {0})
    more = [f"{' or '.join(f'{count:,}' for count in unlabelled)} without labels"] if unlabelled else []
    held_out = [
        f"{n:,} {name}"
        for name, n in table.task.rows.items()
        if (name, table.task.metrics[0]) in table.scores
    ]
    rows = ", ".join([*([f"{train} training"] if train else []), *more, *held_out])
    synthetic = "synthetic data; " if table.task.synthetic else ""
    unit = "passages" if table.task.kind == "language" else "examples"
    return f"{table.task.name} ({synthetic}{rows} {unit}; {table.task.source})"


def grid(table: Comparison) -> Grid:
    """The table as text.

    Scores are the mean ± sample standard deviation over seeds, in the format of their metric. Columns that
    are empty in all rows are left out.
    """
    columns = _columns(table)
    rows = tuple((row.label, *(text(row) for text in columns.values())) for row in table.rows)
    labels_of: dict[str, list[str]] = {}
    for row in table.rows:
        for alarm in row_alarms(row, table):
            labels_of.setdefault(alarm, []).append(row.label)
    return Grid(
        caption=_caption(table),
        header=("", *columns),
        rows=rows,
        notes=notes(table, rows),
        alarms=tuple(f"{', '.join(labels)}: {alarm}" for alarm, labels in labels_of.items()),
        name="quality",
    )


def _interval(interval: Interval | None) -> list[float] | None:
    """Lower and upper end of an interval; None if it has none."""
    return None if interval is None or interval.ends is None else list(interval.ends)


def as_data(table: Comparison) -> list[dict[str, Any]]:
    """The rows as plain numbers and texts that JSON can hold; scores and shares are fractions."""
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
    """One sentence on the row's score, size and speed relative to its teacher.

    For a metric whose lower values are better, it gives the difference to the teacher instead of the share.

    Returns:
        An empty text for a row without a headline score.
    """
    teacher = own_teacher(row, [other for other in table.rows if other.role == "teacher"])
    score, value = table.scores[0], row.quality.get(table.scores[0])
    if value is None:
        return ""
    shown = metric_format(score[1])
    quality = f"has {shown.text(value.mean)} {shown.title}"
    if teacher is None or row.ceiling is None:
        return f"{row.label} {quality}."
    if row.kept is not None:
        quality = f"keeps {percent(row.kept)} % of the teacher's {score[1]}"
    elif shown.lower_is_better:
        gap = value.mean - row.ceiling
        quality += f", {shown.text(abs(gap))} {'more' if gap >= 0 else 'less'} than the teacher"
    speed = "" if row.cost.speedup is None else f" and is {row.cost.speedup:.2f} times as fast"
    size = 100 * row.cost.parameters / teacher.cost.parameters
    whose = "the teacher's" if row.kept is None and not shown.lower_is_better else "its"
    return f"{row.label} {quality}, has {size:.0f} % of {whose} parameters{speed}."
