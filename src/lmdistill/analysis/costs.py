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
    """Median latency of one batch, in milliseconds; None if it was not measured."""
    measured = network.latency.get(str(batch_size))
    return None if measured is None else measured.p50_ms


def _devices(network: NetworkFacts) -> set[str]:
    """Where a network was timed."""
    return {latency.device for latency in network.latency.values()}


def _median(values: Iterable[float | None]) -> float | None:
    """Median of the values that are not None; None without any."""
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def cost_of(networks: Sequence[NetworkFacts], batch_size: int) -> Cost:
    """The cost of networks with the same architecture.

    Args:
        networks: One network per seed, at least one.
        batch_size: Batch size of the latency.

    Returns:
        Parameters of the first network, mean size on disk and median latency. The speed-up is None.
    """
    return Cost(
        parameters=networks[0].parameters.total,
        disk_bytes=mean_of(network.disk_bytes for network in networks),
        latency_ms=_median(_latency(network, batch_size) for network in networks),
    )


def speedup_of(records: Sequence[Record], batch_size: int) -> float | None:
    """Mean over runs of the teacher's latency divided by the student's.

    The ratio is taken within each run, because a run measures both networks at about the same time. A linear
    model runs on the CPU; beside a teacher on another device it has no ratio.

    Returns:
        A ratio > 0; None if no run measured both networks.
    """
    pairs = [
        (_latency(record.teacher, batch_size), _latency(record.student, batch_size))
        for record in records
        if record.teacher is not None and _devices(record.teacher) == _devices(record.student)
    ]
    return mean_of(
        teacher_ms / student_ms
        for teacher_ms, student_ms in pairs
        if teacher_ms is not None and student_ms is not None
    )


def shared_costs(rows: Sequence[Row], batch_size: int) -> list[Row]:
    """The rows with latency and speed-up pooled over all rows of the same architecture and conditions.

    Networks with the same architecture do the same computation, so differences between their measured
    latencies are noise. A row that was not timed has neither value.
    """
    latencies: dict[str, float | None] = {}
    speedups: dict[str, float | None] = {}
    for same_shape in grouped(rows, lambda row: _latency_key(row, batch_size)).values():
        latency = cost_of([network for row in same_shape for network in row.networks], batch_size).latency_ms
        latencies |= {row.label: latency for row in same_shape}
        for same_teacher in grouped(same_shape, _teacher_shape).values():
            ratio = speedup_of([run.record for row in same_teacher for run in row.runs], batch_size)
            speedups |= {row.label: ratio or _rescaled(row.cost, latency) for row in same_teacher}
    return [
        replace(row, cost=replace(row.cost, latency_ms=latencies[row.label], speedup=speedups[row.label]))
        for row in rows
    ]


def _rescaled(cost: Cost, latency: float | None) -> float | None:
    """The speed-up of a row that was not timed together with its teacher, for the pooled latency."""
    if cost.speedup is None or cost.latency_ms is None or latency is None:
        return None
    return cost.speedup * cost.latency_ms / latency


def _teacher_shape(row: Row) -> Hashable:
    """Layers and layer parameters of the row's teacher; None without one."""
    teacher = row.runs[0].record.teacher
    return None if teacher is None else layers_of(teacher)


def _latency_key(row: Row, batch_size: int) -> Hashable:
    """The student's layers and layer parameters, and the devices, threads and lengths of its latencies."""
    latencies = [network.latency.get(str(batch_size)) for network in row.networks]
    conditions = frozenset((x.device, x.threads, x.tokens) for x in latencies if x is not None)
    return layers_of(row.networks[0]), conditions
