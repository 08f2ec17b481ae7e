"""Rows of numbers to rows of text: for the terminal, for Markdown, for a page, for another program."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from lmdistill.report.alarms import row_alarms
from lmdistill.report.crossed import Interval
from lmdistill.report.metrics import NONE, Value, manner
from lmdistill.report.notes import BY_DEV, ONE_SEED, floor_title, notes, score_title
from lmdistill.report.rows import Comparison, Row, Score
from lmdistill.report.statistics import Spread

SMALLEST_P = 0.001


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A finished table; the first column is text, the others are numbers."""

    caption: str
    """What the table is about, in one line."""

    header: tuple[str, ...]
    """One title a column."""

    rows: tuple[tuple[str, ...], ...]
    """One text a cell."""

    notes: tuple[str, ...]
    """What a reader needs to read the numbers, one sentence each."""

    alarms: tuple[str, ...]
    """What a reader must know before believing them."""

    name: str = "table"
    """What files call it after the name of the task: letters and hyphens."""


def percent(value: Value) -> str:
    """Hundredths with two decimals, without a sign for it.

    Examples:
        >>> percent(0.8612), percent(None)
        ('86.12', '–')
    """
    return NONE if value is None else f"{100 * value:.2f}"


def spread_text(value: Spread | None, metric: str = "accuracy") -> str:
    """Mean and deviation in the manner of a metric; a single value bears a mark.

    Examples:
        >>> spread_text(Spread(mean=0.5, sd=0.01, count=3)), spread_text(Spread(mean=0.5, sd=None, count=1))
        ('50.00 ± 1.00', '50.00 ‡')
        >>> spread_text(Spread(mean=2.0614, sd=0.0123, count=3), "nats")
        '2.061 ± 0.012'
    """
    if value is None:
        return NONE
    text = manner(metric).text
    return f"{text(value.mean)} {ONE_SEED}" if value.sd is None else f"{text(value.mean)} ± {text(value.sd)}"


def millions(value: Value) -> str:
    """Millions with two decimals, thousands below one.

    Examples:
        >>> millions(22_713_216), millions(4_312)
        ('22.71 M', '4.3 k')
    """
    if value is None:
        return NONE
    return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{value / 1e3:.1f} k"


def megabytes(value: Value) -> str:
    """Megabytes of 1,000,000 bytes.

    Examples:
        >>> megabytes(90_870_000)
        '90.9 MB'
    """
    return NONE if value is None else f"{value / 1e6:.1f} MB"


def milliseconds(value: Value) -> str:
    """Three digits, roughly.

    Examples:
        >>> milliseconds(123.4), milliseconds(3.217)
        ('123 ms', '3.22 ms')
    """
    return NONE if value is None else f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} ms"


def p_text(value: Value) -> str:
    """Three decimals, or that it is smaller.

    Examples:
        >>> p_text(0.04321), p_text(1e-9)
        ('0.043', '< 0.001')
    """
    if value is None:
        return NONE
    return f"< {SMALLEST_P}" if value < SMALLEST_P else f"{value:.3f}"


def times(value: Value) -> str:
    """How many times as fast."""
    return NONE if value is None else f"{value:.2f} ×"


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


def _cell(text: str) -> str:
    """`text` where a bar or a newline would end the cell."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def markdown(table: Grid) -> str:
    """The table in GitHub's Markdown, with its caption above and its notes below."""
    lines = [table.header, ["---", *["---:"] * (len(table.header) - 1)], *table.rows]
    body = "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)
    below = [*(f"Alarm: {alarm}" for alarm in table.alarms), *table.notes]
    return "\n".join(
        [
            f"**{_cell(table.caption)}**",
            "",
            body,
            *(["", *(f"- {_cell(x)}" for x in below)] if below else []),
            "",
        ]
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


def _teacher_of(row: Row, table: Comparison) -> Row | None:
    """The row's own teacher; the only one, where it had none."""
    teachers = [other for other in table.rows if other.role == "teacher"]
    names = {run.record.teacher.fingerprint for run in row.runs if run.record.teacher is not None}
    own = [one for one in teachers if names & {network.fingerprint for network in one.networks}]
    return next(iter(own), teachers[0] if len(teachers) == 1 else None)


def summary(row: Row, table: Comparison) -> str:
    """One sentence: what the student keeps, at which size, how fast; nothing for what was not measured.

    Where less is better there is no share to keep: then it says how far the teacher is.
    """
    teacher = _teacher_of(row, table)
    score, value = table.scores[0], row.quality.get(table.scores[0])
    if value is None:
        return ""
    shown = manner(score[1])
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
