"""Size, latency and memory of any model that answers random inputs, without torch."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lmdistill.evaluation.process_memory import peak_memory_of
from lmdistill.evaluation.timing import latency_of, timed
from lmdistill.records.schema import Latency, Parameters

log = logging.getLogger("lmdistill")

BATCHES = (1, 16)
"""Batch sizes at which latency is measured; 16 is that of MixKD's Table 2."""

WARMUP = 5
"""Untimed passes of each model and batch size."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What is known of a model without running it."""

    layers: int | None = None
    """Number of layers; 0 for a linear model, None for a graph."""

    parameters: Parameters | None = None
    """Number of parameters by part; None for a graph."""

    flops: int | None = None
    """Floating-point operations for one example; None for a linear model and a graph."""

    disk_bytes: int | None = None
    """Bytes of its folder, or of the graph's files; None for a model of the hub."""

    parts: Mapping[str, int] = field(default_factory=dict)
    """Bytes of its weights on disk by part: embeddings, encoder, head; what is not known is missing."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A model to be measured."""

    shape: Shape
    """What is known of it."""

    passes: Mapping[int, Callable[[], object]]
    """By batch size: one pass over random inputs."""

    load_and_answer: Callable[[], object]
    """Loads it and answers one batch in a new process; must be picklable."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Measurements of one model."""

    name: str
    """Name in the table."""

    shape: Shape
    """What is known of it without running it."""

    latency: Mapping[int, Latency]
    """Latency by batch size; all models are timed in turn."""

    peak_mb: float
    """Megabytes that loading it and one pass of 16 examples add to an idle process."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """How models are timed."""

    tokens: int = 64
    """Length of the random texts, >= 1."""

    runs: int = 30
    """Timed passes of each model and batch size, >= 1."""

    threads: int = 0
    """Threads of each model; 0 if each chooses."""

    device: str = "cpu"
    """Device of networks."""

    wait: Callable[[], None] | None = None
    """Waits until an accelerator has finished its work."""


def measure_all(
    candidates: Mapping[str, Candidate], conditions: Conditions, idle: Callable[[], object]
) -> list[Measured]:
    """Time models alternately, and measure the memory of each in a process of its own.

    Args:
        candidates: Models by name.
        conditions: How they are timed.
        idle: Does nothing in a new process that has loaded the same libraries; must be picklable.
    """
    log.info(
        "timing %s, %d passes each in batches of %s",
        ", ".join(candidates),
        conditions.runs,
        " and ".join(map(str, BATCHES)),
    )
    times = {size: _times(candidates, size, conditions) for size in BATCHES}
    log.info("measuring memory")
    at_rest = peak_memory_of(idle)
    return [
        Measured(
            name=name,
            shape=one.shape,
            latency={size: found[name] for size, found in times.items()},
            peak_mb=peak_memory_of(one.load_and_answer) - at_rest,
        )
        for name, one in candidates.items()
    ]


def _times(candidates: Mapping[str, Candidate], size: int, conditions: Conditions) -> dict[str, Latency]:
    """Latency by name at one batch size."""
    passes = {name: one.passes[size] for name, one in candidates.items()}
    times_ms = timed(passes, runs=conditions.runs, warmup=WARMUP, wait=conditions.wait, settle=1)
    return {
        name: latency_of(
            found,
            batch_size=size,
            tokens=conditions.tokens,
            threads=max(1, conditions.threads),
            device=conditions.device,
        )
        for name, found in times_ms.items()
    }
