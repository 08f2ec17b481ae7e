"""Wall-clock time of repeated passes of networks, graphs or other models, without torch."""

import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from lmdistill.core.progress import progress
from lmdistill.records.schema import Latency

REST = 0.02
"""Seconds in which the threads of other runtimes fall asleep."""

FEWEST_RUNS = 10
"""Minimum number of timed passes before `latencies` may stop early."""


def timed(
    passes: Mapping[str, Callable[[], object]],
    *,
    runs: int,
    warmup: int,
    precision: float | None = None,
    wait: Callable[[], None] | None = None,
    settle: int = 0,
) -> dict[str, list[float]]:
    """Milliseconds of each timed pass by name, measured alternately: A B C A B C.

    Args:
        passes: What is timed; results are ignored.
        runs: Number of timed passes of each, >= 1.
        warmup: Number of untimed passes of each before them, >= 0.
        precision: Stop early, after at least 10 passes, if the 95 % confidence interval of every median lies
            within this fraction of the median, > 0; None never stops early.
        wait: Waits until an accelerator has finished its work; None for the CPU.
        settle: Untimed passes right before each timed one, >= 0, after a rest of `REST`. Where passes have
            threads of their own, those of the last one still wait in a loop and take the cores from the next.
    """
    times_ms: dict[str, list[float]] = {name: [] for name in passes}
    total = (warmup + runs) * len(passes)
    with progress("measuring latency", total, unit="pass", minor=True) as progress_bar:
        for run in range(warmup + runs):
            for name, forward in passes.items():
                if settle:
                    time.sleep(REST)
                for _ in range(settle):
                    forward()
                time_ms = _time_ms(forward, wait)
                if run >= warmup:
                    times_ms[name].append(time_ms)
                progress_bar.add()
            if precision is not None and all(is_precise(times, precision) for times in times_ms.values()):
                break
    return times_ms


def latency_of(
    times_ms: Sequence[float], *, batch_size: int, tokens: int, threads: int, device: str = "cpu"
) -> Latency:
    """Percentiles of the times, and the conditions of the measurement."""
    return Latency(
        p50_ms=float(np.percentile(times_ms, 50)),
        p95_ms=float(np.percentile(times_ms, 95)),
        num_runs=len(times_ms),
        batch_size=batch_size,
        tokens=tokens,
        device=device,
        threads=threads,
    )


def _time_ms(forward: Callable[[], object], wait: Callable[[], None] | None) -> float:
    """Time in milliseconds of one pass."""
    if wait is not None:
        wait()
    start = time.perf_counter()
    forward()
    if wait is not None:
        wait()
    return (time.perf_counter() - start) * 1000


def latency_on_cpu(
    answer: Callable[[], object],
    *,
    batch_size: int,
    tokens: int,
    threads: int,
    runs: int,
    warmup: int = 5,
    precision: float | None = None,
) -> Latency:
    """Latency of a model that is no network, from texts to outputs, on the CPU.

    Args:
        answer: Computes the outputs of a batch; its result is ignored.
        batch_size: Number of texts in the batch.
        tokens: Length of each text, for the record.
        threads: Threads that the model may use, for the record.
        runs: See `timed`.
        warmup: See `timed`.
        precision: See `timed`.
    """
    times_ms = timed({"": answer}, runs=runs, warmup=warmup, precision=precision)
    return latency_of(times_ms[""], batch_size=batch_size, tokens=tokens, threads=threads)


def is_precise(times_ms: Sequence[float], precision: float) -> bool:
    """Whether the 95 % confidence interval of the median, from order statistics, is within `precision`."""
    count = len(times_ms)
    if count < FEWEST_RUNS:
        return False
    skipped = int((count - 1.96 * math.sqrt(count)) / 2)
    ordered, median = sorted(times_ms), float(np.median(times_ms))
    low, high = ordered[skipped], ordered[count - 1 - skipped]
    return max(high - median, median - low) <= precision * median
