"""Wall-clock time of repeated passes of a network or of another model."""

import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from lmdistill.core.progress import progress
from lmdistill.records.schema import Latency

FEWEST_RUNS = 10
"""Minimum number of timed passes before `latencies` may stop early."""


def latency_on_cpu(
    answer: Callable[[], object],
    *,
    batch_size: int,
    tokens: int,
    runs: int,
    warmup: int = 5,
    precision: float | None = None,
) -> Latency:
    """Latency of a model that is no network, from texts to outputs, on the CPU.

    Args:
        answer: Computes the outputs of a batch; its result is ignored.
        batch_size: Number of texts in the batch.
        tokens: Length of each text, for the record.
        runs: See `latencies`.
        warmup: See `latencies`.
        precision: See `latencies`.
    """
    target = torch.device("cpu")
    times_ms = timed({"": answer}, target, runs=runs, warmup=warmup, precision=precision)
    return latency_of(times_ms[""], batch_size=batch_size, tokens=tokens, device=target)


def timed(
    passes: Mapping[str, Callable[[], object]],
    device: torch.device,
    *,
    runs: int,
    warmup: int,
    precision: float | None,
) -> dict[str, list[float]]:
    """Milliseconds of each timed pass by name, measured alternately; see `efficiency.latencies`."""
    times_ms: dict[str, list[float]] = {name: [] for name in passes}
    total = (warmup + runs) * len(passes)
    with progress("measuring latency", total, unit="pass", minor=True) as progress_bar:
        for run in range(warmup + runs):
            for name, forward in passes.items():
                time_ms = _time_ms(forward, device)
                if run >= warmup:
                    times_ms[name].append(time_ms)
                progress_bar.add()
            if precision is not None and all(is_precise(times, precision) for times in times_ms.values()):
                break
    return times_ms


def latency_of(times_ms: list[float], *, batch_size: int, tokens: int, device: torch.device) -> Latency:
    """Percentiles of the times, and the conditions of the measurement."""
    return Latency(
        p50_ms=float(np.percentile(times_ms, 50)),
        p95_ms=float(np.percentile(times_ms, 95)),
        num_runs=len(times_ms),
        batch_size=batch_size,
        tokens=tokens,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        threads=torch.get_num_threads(),
    )


def _time_ms(forward: Callable[[], object], device: torch.device) -> float:
    """Time in milliseconds of one forward pass."""
    _synchronize(device)
    start = time.perf_counter()
    forward()
    _synchronize(device)
    return (time.perf_counter() - start) * 1000


def _synchronize(device: torch.device) -> None:
    """Wait until an accelerator has finished its work."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def is_precise(times_ms: Sequence[float], precision: float) -> bool:
    """Whether the 95 % confidence interval of the median, from order statistics, is within `precision`."""
    count = len(times_ms)
    if count < FEWEST_RUNS:
        return False
    skipped = int((count - 1.96 * math.sqrt(count)) / 2)
    ordered, median = sorted(times_ms), float(np.median(times_ms))
    low, high = ordered[skipped], ordered[count - 1 - skipped]
    return max(high - median, median - low) <= precision * median
