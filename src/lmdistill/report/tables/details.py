"""Table of details: agreement, calibration, losses, training and cost of each row."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Literal

from lmdistill.analysis.metric_format import NONE, Value
from lmdistill.analysis.number_format import millions, milliseconds, percent
from lmdistill.analysis.result_table import Comparison, Row
from lmdistill.analysis.significance import mean_of
from lmdistill.records.calibration_facts import Calibration
from lmdistill.records.record import Record
from lmdistill.records.schema import NetworkFacts
from lmdistill.report.grid import Grid

Text = Callable[[Value], str]
Values = Iterable[Value]
Cell = tuple[Callable[[Row], Values], Text]
"""A function that returns the values of a row, one per run or network, and one that formats their mean."""


def plain(value: Value) -> str:
    """A number with four significant digits.

    Examples:
        >>> plain(0.123456), plain(None)
        ('0.1235', '–')
    """
    return NONE if value is None else f"{value:.4g}"


def billions(value: Value) -> str:
    """Billions (G) with two decimals.

    Examples:
        >>> billions(2_710_000_000)
        '2.71 G'
    """
    return NONE if value is None else f"{value / 1e9:.2f} G"


def duration(value: Value) -> str:
    """A duration given in seconds, as text in seconds, minutes or hours.

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
        "top_agreement": ("agreement with teacher, %", percent),
        "set_agreement": ("agreement with teacher on all labels, %", percent),
        "label_agreement": ("agreement with teacher by label, %", percent),
        "kl_nats": ("KL from the teacher, nats", plain),
        "probability_difference": ("mean difference of probabilities", plain),
    }
)
"""Titles and formats of the numbers of `evaluation.agreement`; other numbers keep their name."""


def _calibrations(row: Row, table: Comparison) -> list[Calibration]:
    """One calibration per network of the row; a teacher's calibration is in the records of its students."""
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
    """A column with one value per run."""
    return lambda row: (get(run.record) for run in row.runs), text


def _of_networks(get: Callable[[NetworkFacts], Value], text: Text = plain) -> Cell:
    """A column with one value per network."""
    return lambda row: (get(network) for network in row.networks), text


def _of_agreement(name: str) -> tuple[str, Cell]:
    """Title and column of one number of the agreement with the teacher."""
    title, text = AGREEMENT.get(name, (name.replace("_", " "), plain))
    return title, _of_runs(lambda r: (r.agreement or {}).get(name), text)


def _timed(row: Row, table: Comparison) -> list[NetworkFacts]:
    """The networks of a row, once per timing; a teacher was timed in the run of each student."""
    if row.role != "teacher":
        return list(row.networks)
    fingerprints = {network.fingerprint for network in row.networks}
    teachers = [run.record.teacher for run in table.runs]
    return [one for one in teachers if one is not None and one.fingerprint in fingerprints]


def _of_latency(table: Comparison, size: str, field: Literal["p50_ms", "p95_ms"]) -> Cell:
    """A column with the latency at one batch size."""
    return (
        lambda row: (getattr(one.latency[size], field) for one in _timed(row, table) if size in one.latency),
        milliseconds,
    )


def _columns(table: Comparison) -> dict[str, Cell]:
    """All columns by title, in order."""
    agreement = dict.fromkeys(name for run in table.runs for name in run.record.agreement or {})
    networks = [network for row in table.rows for network in row.networks]
    sizes = sorted({size for n in networks for size in n.latency}, key=lambda size: (len(size), size))

    def calibrated(get: Callable[[Calibration], Value], text: Text = plain) -> Cell:

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
        "layers": _of_networks(lambda n: n.layers or None),
        "embeddings": _of_networks(lambda n: n.parameters.embeddings, millions),
        "encoder": _of_networks(lambda n: n.parameters.encoder, millions),
        "FLOPs per example": _of_networks(lambda n: n.flops, billions),
    }
    for size in sizes:
        columns[f"latency p50, batch {size}"] = _of_latency(table, size, "p50_ms")
        columns[f"latency p95, batch {size}"] = _of_latency(table, size, "p95_ms")
    return columns


def _token_columns() -> dict[str, Cell]:
    """Columns on easy and hard tokens, and on generated texts."""
    columns: dict[str, Cell] = {}
    for kind in ("easy", "hard"):
        columns[f"{kind} tokens: nats per token"] = _of_runs(partial(_of_tokens, kind, "nats"))
        columns[f"{kind} tokens: teacher's nats per token"] = _of_runs(
            partial(_of_tokens, kind, "teacher_nats")
        )
        columns[f"{kind} tokens: agreement, %"] = _of_runs(partial(_of_tokens, kind, "agreement"), percent)
    for name in ("rouge_l", "distinct_1", "distinct_2", "ended"):
        title = f"generated text: {name.replace('_', '-')}, %"
        columns[title] = _of_runs(partial(_of_generated, name), percent)
    columns["generated text: tokens"] = _of_runs(partial(_of_generated, "length"))
    return columns


def _of_generated(name: str, record: Record) -> Value:
    """One number about the texts that the student generated."""
    return (record.written or {}).get(name)


def _of_tokens(kind: str, name: str, record: Record) -> Value:
    """One number about the easy or the hard tokens."""
    if record.tokens is None:
        return None
    value: Value = getattr(getattr(record.tokens, kind), name)
    return value


def measured(table: Comparison) -> dict[str, Callable[[Row], Values]]:
    """The details as numbers: functions, by title, that return one value of a row per run or network."""
    return {title: values for title, (values, _) in _columns(table).items()}


def details(table: Comparison) -> Grid:
    """Agreement, calibration, losses, training and cost, as means over seeds.

    One line per measurement and one column per row of the main table; measurements that no row has are left
    out.
    """
    lines = [
        (title, *(text(mean_of(values(row))) for row in table.rows))
        for title, (values, text) in _columns(table).items()
    ]
    return Grid(
        caption="Agreement, calibration, losses, training and cost; means over seeds.",
        header=("", *(row.label for row in table.rows)),
        rows=tuple(line for line in lines if set(line[1:]) != {NONE}),
        notes=(),
        alarms=(),
        name="details",
    )
