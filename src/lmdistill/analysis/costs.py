"""Parameters, size, latency and speed-up of the rows of a table."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from lmdistill.analysis.grouping import grouped, layers_of
from lmdistill.analysis.result_table import Cost, Row
from lmdistill.analysis.significance import mean_of
from lmdistill.records.record import Record
from lmdistill.records.schema import NetworkFacts


def _latency(network: NetworkFacts, batch_size: int) -> float | None:
    """Median milliseconds of one batch."""
    measured = network.latency.get(str(batch_size))
    return None if measured is None else measured.p50_ms


def _median(values: Iterable[float | None]) -> float | None:
    """Of those that are known."""
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def cost_of(networks: Sequence[NetworkFacts], batch_size: int) -> Cost:
    """The cost of a network of which there are several copies."""
    return Cost(
        parameters=networks[0].parameters.total,
        disk_bytes=mean_of(network.disk_bytes for network in networks),
        latency_ms=_median(_latency(network, batch_size) for network in networks),
    )


def speedup_of(records: Sequence[Record], batch_size: int) -> float | None:
    """Mean ratio within runs, since a run measures both networks at about the same time; None without any."""
    pairs = [
        (_latency(record.teacher, batch_size), _latency(record.student, batch_size))
        for record in records
        if record.teacher is not None
    ]
    return mean_of(slow / fast for slow, fast in pairs if slow is not None and fast is not None)


def shared_costs(rows: Sequence[Row], batch_size: int) -> list[Row]:
    """Students with the latency and the speed-up of all of their shape, timed at the same place.

    Networks of one shape do the same work: what single rows differ in is noise of the machine, and no method
    is faster than another for it. A row that was not timed has neither.
    """
    latencies: dict[str, float | None] = {}
    speedups: dict[str, float | None] = {}
    for some in grouped(rows, lambda row: _timed(row, batch_size)).values():
        latency = cost_of([network for row in some for network in row.networks], batch_size).latency_ms
        latencies |= {row.label: latency for row in some}
        for taught in grouped(some, _taught).values():
            ratio = speedup_of([run.record for row in taught for run in row.runs], batch_size)
            speedups |= {row.label: ratio or _rescaled(row.cost, latency) for row in taught}
    return [
        replace(row, cost=replace(row.cost, latency_ms=latencies[row.label], speedup=speedups[row.label]))
        for row in rows
    ]


def _rescaled(cost: Cost, latency: float | None) -> float | None:
    """The speed-up of a row that was not timed beside its teacher, by the latency of its shape."""
    if cost.speedup is None or cost.latency_ms is None or latency is None:
        return None
    return cost.speedup * cost.latency_ms / latency


def _taught(row: Row) -> Hashable:
    """The shape of the row's teacher, if it has one."""
    teacher = row.runs[0].record.teacher
    return None if teacher is None else layers_of(teacher)


def _timed(row: Row, batch_size: int) -> Hashable:
    """The shape of the student, and devices, threads and lengths that it was timed with."""
    latencies = [network.latency.get(str(batch_size)) for network in row.networks]
    places = frozenset((x.device, x.threads, x.tokens) for x in latencies if x is not None)
    return layers_of(row.networks[0]), places
