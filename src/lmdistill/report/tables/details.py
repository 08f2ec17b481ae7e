"""The second table: what is known of each row beside its score."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Literal

from lmdistill.analysis.metric_format import NONE, Value
from lmdistill.analysis.number_format import millions, milliseconds, percent
from lmdistill.analysis.result_table import Comparison, Row
from lmdistill.analysis.significance import mean_of
from lmdistill.records.record import Record
from lmdistill.records.schema import Calibration, NetworkFacts
from lmdistill.report.grid import Grid

Text = Callable[[Value], str]
Values = Iterable[Value]
Cell = tuple[Callable[[Row], Values], Text]
"""Where the values of a row come from, one a run, and how their mean is written."""


def plain(value: Value) -> str:
    """Four digits.

    Examples:
        >>> plain(0.123456), plain(None)
        ('0.1235', '–')
    """
    return NONE if value is None else f"{value:.4g}"


def billions(value: Value) -> str:
    """Billions with two decimals.

    Examples:
        >>> billions(2_710_000_000)
        '2.71 G'
    """
    return NONE if value is None else f"{value / 1e9:.2f} G"


def duration(value: Value) -> str:
    """Seconds, minutes or hours.

    Examples:
        >>> duration(42.4), duration(600), duration(9000)
        ('42 s', '10.0 min', '2.5 h')
    """
    if value is None:
        return NONE
    return (
        f"{value:.0f} s"
        if value < 100
        else f"{value / 60:.1f} min"
        if value < 6000
        else f"{value / 3600:.1f} h"
    )


AGREEMENT: Mapping[str, tuple[str, Text]] = MappingProxyType(
    {
        "top_agreement": ("same answer as the teacher, %", percent),
        "kl_nats": ("KL from the teacher, nats", plain),
        "probability_difference": ("mean difference of probabilities", plain),
    }
)
"""Titles of the figures of `evaluation.agreement`; others go by their own name."""


def _calibrations(row: Row, table: Comparison) -> list[Calibration]:
    """One a network of the row; a teacher's are in the records of its students, however many it taught."""
    if row.role != "teacher":
        return [one for run in row.runs if (one := run.record.calibration) is not None]
    names = {network.fingerprint for network in row.networks}
    known = {run.record.student.fingerprint: run.record.calibration for run in row.runs}
    for record in (run.record for run in table.runs):
        name = None if record.teacher is None else record.teacher.fingerprint
        if name in names and record.teacher_calibration is not None:
            known[name] = record.teacher_calibration
    return [one for one in known.values() if one is not None]


def _of_runs(get: Callable[[Record], Value], text: Text = plain) -> Cell:
    """A column about runs."""
    return lambda row: (get(run.record) for run in row.runs), text


def _of_networks(get: Callable[[NetworkFacts], Value], text: Text = plain) -> Cell:
    """A column about networks."""
    return lambda row: (get(network) for network in row.networks), text


def _of_agreement(name: str) -> tuple[str, Cell]:
    """One figure of the agreement with the teacher, with its title."""
    title, text = AGREEMENT.get(name, (name.replace("_", " "), plain))
    return title, _of_runs(lambda r: (r.agreement or {}).get(name), text)


def _timed(row: Row, table: Comparison) -> list[NetworkFacts]:
    """The networks of a row, each as often as it was timed: a teacher is, beside every student."""
    if row.role != "teacher":
        return list(row.networks)
    names = {network.fingerprint for network in row.networks}
    taught = [run.record.teacher for run in table.runs]
    return [one for one in taught if one is not None and one.fingerprint in names]


def _of_latency(table: Comparison, size: str, field: Literal["p50_ms", "p95_ms"]) -> Cell:
    """One latency at one batch size."""
    return (
        lambda row: (getattr(one.latency[size], field) for one in _timed(row, table) if size in one.latency),
        milliseconds,
    )


def _columns(table: Comparison) -> dict[str, Cell]:
    """Title to text, in order."""
    agreement = dict.fromkeys(name for run in table.runs for name in run.record.agreement or {})
    networks = [network for row in table.rows for network in row.networks]
    sizes = sorted({size for n in networks for size in n.latency}, key=lambda size: (len(size), size))

    def calibrated(get: Callable[[Calibration], Value], text: Text = plain) -> Cell:
        """A column about probabilities."""
        return lambda row: (get(one) for one in _calibrations(row, table)), text

    columns = dict(map(_of_agreement, agreement)) | {
        "calibration error, %": calibrated(lambda c: c.ece, percent),
        "Brier": calibrated(lambda c: c.brier),
        "NLL, nats": calibrated(lambda c: c.nll),
        "training loss": _of_runs(lambda r: r.risk.train if r.risk else None),
        "dev loss": _of_runs(lambda r: r.risk.dev if r.risk else None),
        "gap": _of_runs(lambda r: r.risk.gap if r.risk else None),
        **_token_columns(),
        "steps": _of_runs(lambda r: r.training.steps),
        "training time": _of_runs(lambda r: r.training.seconds, duration),
        "examples/s": _of_runs(lambda r: r.training.examples_per_second),
        "layers": _of_networks(lambda n: n.layers),
        "embeddings": _of_networks(lambda n: n.parameters.embeddings, millions),
        "encoder": _of_networks(lambda n: n.parameters.encoder, millions),
        "FLOPs an example": _of_networks(lambda n: n.flops, billions),
    }
    for size in sizes:
        columns[f"p50, batch {size}"] = _of_latency(table, size, "p50_ms")
        columns[f"p95, batch {size}"] = _of_latency(table, size, "p95_ms")
    return columns


def _token_columns() -> dict[str, Cell]:
    """Easy and hard tokens apart, and what was written."""
    columns: dict[str, Cell] = {}
    for kind in ("easy", "hard"):
        columns[f"{kind} tokens: nats"] = _of_runs(partial(_of_tokens, kind, "nats"))
        columns[f"{kind} tokens: teacher's nats"] = _of_runs(partial(_of_tokens, kind, "teacher_nats"))
        columns[f"{kind} tokens: agreement, %"] = _of_runs(partial(_of_tokens, kind, "agreement"), percent)
    for name in ("rouge_l", "distinct_1", "distinct_2", "ended"):
        columns[f"written: {name.replace('_', '-')}, %"] = _of_runs(partial(_of_written, name), percent)
    columns["written: tokens"] = _of_runs(partial(_of_written, "length"))
    return columns


def _of_written(name: str, record: Record) -> Value:
    """One figure of what the student wrote."""
    return (record.written or {}).get(name)


def _of_tokens(kind: str, name: str, record: Record) -> Value:
    """One figure of the easy or the hard tokens."""
    if record.tokens is None:
        return None
    found: Value = getattr(getattr(record.tokens, kind), name)
    return found


def measured(table: Comparison) -> dict[str, Callable[[Row], Values]]:
    """The same figures as numbers: title to the values of a row, one a run or a network."""
    return {title: found for title, (found, _) in _columns(table).items()}


def details(table: Comparison) -> Grid:
    """Agreement, calibration, risk, training and cost, each the mean over seeds.

    One line a figure and one column a row of the first table; figures that no row has are left out.
    """
    lines = [
        (title, *(text(mean_of(found(row))) for row in table.rows))
        for title, (found, text) in _columns(table).items()
    ]
    return Grid(
        caption="Beside the score; means over seeds.",
        header=("", *(row.label for row in table.rows)),
        rows=tuple(line for line in lines if set(line[1:]) != {NONE}),
        notes=(),
        alarms=(),
        name="details",
    )
