"""Rows of numbers to rows of text: for the terminal, for Markdown, for a page, for another program."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from lmdistill.report.metrics import NONE, Value, manner
from lmdistill.report.rows import Comparison, Row, Score
from lmdistill.report.statistics import Spread

BY_DEV, ONE_SEED = "†", "‡"
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


def score_title(score: Score, scores: Sequence[Score]) -> str:
    """Metric and unit, with the split where there are several.

    Examples:
        >>> score_title(("dev", "accuracy"), [("dev", "accuracy")])
        'accuracy, %'
    """
    split, metric = score
    several = len({name for name, _ in scores}) > 1
    title = manner(metric).title
    return f"{split.replace('_', ' ')} {title}" if several else title


def _alarms(row: Row) -> tuple[str, ...]:
    """The alarms of its runs, each once."""
    return tuple(dict.fromkeys(alarm for run in row.runs for alarm in run.record.alarms))


def _speedup(value: Value) -> str:
    """How many times as fast."""
    return NONE if value is None else f"{value:.2f} ×"


def _score_column(score: Score, is_headline: bool) -> Callable[[Row], str]:
    """The text of a score; the headline bears the mark of selection."""
    return lambda row: (
        spread_text(row.quality.get(score), score[1]) + (f" {BY_DEV}" if is_headline and row.selected else "")
    )


def _columns(table: Comparison) -> Mapping[str, Callable[[Row], str]]:
    """Title to text, in order, without those that no row fills."""
    floor = next((row.label for row in table.rows if row.role == "baseline"), "the baseline")
    columns: dict[str, Callable[[Row], str]] = {
        score_title(score, table.scores): _score_column(score, score == table.scores[0])
        for score in table.scores
    }
    columns |= {
        "seeds": lambda row: str(max((value.count for value in row.quality.values()), default=0) or NONE),
        "parameters": lambda row: millions(row.cost.parameters),
        "on disk": lambda row: megabytes(row.cost.disk_bytes),
        f"latency p50, batch {table.batch_size}": lambda row: milliseconds(row.cost.latency_ms),
        "speed-up": lambda row: _speedup(row.cost.speedup),
        "of teacher, %": lambda row: percent(row.kept),
        "gap closed, %": lambda row: percent(row.closed),
        f"p against {floor}": lambda row: p_text(row.p_value),
        "alarms": lambda row: str(len(_alarms(row)) or NONE),
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


def _machine_note(table: Comparison) -> list[str]:
    """A warning where latencies of different conditions stand in one column."""
    latencies = [run.record.student.latency.get(str(table.batch_size)) for run in table.runs]
    places = {(x.device, x.threads, x.tokens) for x in latencies if x is not None}
    processors = {run.record.environment.processor for run in table.runs}
    if len(places) > 1 or (places and len(processors) > 1):
        return ["Latencies come from different devices, threads or lengths: do not compare them across rows."]
    return []


def _repeat_notes(table: Comparison) -> list[str]:
    """A warning where one seed stands twice in a row."""
    seeds = {row.label: [run.record.seed for run in row.runs] for row in table.rows}
    return [
        f"{label}: {len(found)} runs of {len(set(found))} seeds; the deviation is too small."
        for label, found in seeds.items()
        if len(set(found)) < len(found)
    ]


def _test_note(table: Comparison) -> str:
    """What the p-value is."""
    split, metric = table.scores[0]
    if table.task.kind == "classification":
        return f"p: exact McNemar test on the same {split} examples, all seeds of an example together."
    what = "passages" if table.task.kind == "language" else "examples"
    return f"p: paired bootstrap of {metric} on the same {split} {what}."


def _notes(table: Comparison, header: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The sentences below the table, only those that something in it needs."""
    text = "\n".join(cell for row in rows for cell in row)
    notes = []
    if "±" in text:
        notes.append("±: sample standard deviation over seeds.")
    if ONE_SEED in text:
        notes.append(f"{ONE_SEED} one seed, no spread.")
    if BY_DEV in text:
        notes.append(
            f"{BY_DEV} dev-selected: the dev set also chose the weights, so its score is optimistic."
        )
    if any(title.startswith("p against") for title in header):
        notes.append(_test_note(table))
    floors = [
        f"{score_title(score, table.scores).removesuffix(', %')} {percent(floor)}"
        for score in table.scores
        if (floor := table.majority.get(score[0], {}).get(score[1])) is not None
    ]
    if floors:
        notes.append(f"Always the same answer would score: {'; '.join(floors)}.")
    return (*notes, *_machine_note(table), *_repeat_notes(table))


def grid(table: Comparison) -> Grid:
    """The table as text, to be printed by whoever knows how.

    Quality is the mean ± sample standard deviation over seeds, in percent. A column that no row fills is
    left out.
    """
    columns = _columns(table)
    rows = tuple((row.label, *(text(row) for text in columns.values())) for row in table.rows)
    who: dict[str, list[str]] = {}
    for row in table.rows:
        for alarm in _alarms(row):
            who.setdefault(alarm, []).append(row.label)
    return Grid(
        caption=_caption(table),
        header=("", *columns),
        rows=rows,
        notes=_notes(table, tuple(columns), rows),
        alarms=tuple(f"{', '.join(labels)}: {alarm}" for alarm, labels in who.items()),
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
            "gap_closed": row.closed,
            "p_value": row.p_value,
            "dev_selected": row.selected,
            "alarms": list(_alarms(row)),
        }
        for row in table.rows
    ]


def summary(row: Row, table: Comparison) -> str:
    """One sentence: what the student keeps, at which size, how fast; nothing for what was not measured."""
    teacher = next((other for other in table.rows if other.role == "teacher"), None)
    value = row.quality.get(table.scores[0])
    if teacher is None or row.kept is None or value is None:
        shown = manner(table.scores[0][1])
        return "" if value is None else f"{row.label} has {shown.text(value.mean)} {shown.title}."
    speed = "" if row.cost.speedup is None else f" and answers {row.cost.speedup:.2f} times as fast"
    size = 100 * row.cost.parameters / teacher.cost.parameters
    return (
        f"{row.label} keeps {percent(row.kept)} % of the teacher's {table.scores[0][1]}, "
        f"has {size:.0f} % of its parameters{speed}."
    )
