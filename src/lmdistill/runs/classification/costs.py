"""Size, operations and latency of a student and its teacher, for the record."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lmdistill.core.batch import Inputs
from lmdistill.evaluation.efficiency import LATENCY_BATCHES, latencies
from lmdistill.evaluation.process_memory import disk_bytes
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.classifier import Network
from lmdistill.models.model_stats import count_parameters, fingerprint, flops
from lmdistill.records.schema import Latency, NetworkFacts, Parameters
from lmdistill.runs.classification import evaluation
from lmdistill.runs.classification.dataset import EncodedSplit


@dataclass(frozen=True, kw_only=True)
class TimedNetwork:
    """A network, and what it reads while it is timed."""

    network: Network | LanguageNetwork
    """The network that is timed, on its device."""

    inputs: Callable[[int], Inputs]
    """Its inputs for some number of examples of about median length."""

    folder: Path | None = None
    """Where it is saved; None if that is not known."""


def typical(split: EncodedSplit, size: int, *, as_teacher: bool) -> Inputs:
    """A batch of `size` examples of about median length, in tokens of the student or the teacher."""
    middle = typical_rows(split.lengths, size)
    rows = (
        split.student.rows.select(middle),
        None if split.teacher is None else split.teacher.rows.select(middle),
    )
    small = EncodedSplit(
        student=type(split.student)(rows=rows[0], padding=split.student.padding),
        teacher=None
        if split.teacher is None or rows[1] is None
        else type(split.teacher)(rows=rows[1], padding=split.teacher.padding),
        truncated=0.0,
    )
    (batch,) = small.batches(size)
    return batch.for_teacher if as_teacher else batch.inputs


def typical_rows(lengths: np.ndarray, size: int) -> np.ndarray:
    """Numbers of `size` examples of about median length."""
    return np.argsort(lengths, kind="stable")[max(0, (len(lengths) - size) // 2) :][:size]


def of_network(
    network: Network, split: EncodedSplit, folder: Path | None, *, as_teacher: bool = False
) -> TimedNetwork:
    """A classifier that reads a split in tokens of the student or the teacher."""
    return TimedNetwork(
        network=network, inputs=lambda size: typical(split, size, as_teacher=as_teacher), folder=folder
    )


def cost(
    student: TimedNetwork, teacher: Sequence[TimedNetwork], rows: int, device: str
) -> list[NetworkFacts]:
    """Cost of a student and of the parts of its teacher, timed in turn on examples of median length.

    Args:
        student: On `device`.
        teacher: The parts, on `device`; empty without a teacher.
        rows: Number of examples that there are, which limits the batch.
        device: Where they run.

    Returns:
        Facts of the student and of each part.
    """
    parts = [student, *teacher]
    sizes = [size for size in LATENCY_BATCHES if size <= rows]
    times: list[dict[str, Latency]] = [{} for _ in parts]
    tokens = [0] * len(parts)
    for size in sizes:
        inputs = {str(number): part.inputs(size) for number, part in enumerate(parts)}
        tokens = [before or inputs[str(number)].ids.shape[1] for number, before in enumerate(tokens)]
        nets = {str(number): part.network for number, part in enumerate(parts)}
        timings = latencies(
            nets, inputs, runs=evaluation.LATENCY_RUNS, device=device, precision=evaluation.LATENCY_PRECISION
        )
        for number, found in enumerate(times):
            found[str(size)] = timings[str(number)].model_copy(update={"batch_size": size})
    # operations are counted for the student's tokens, unless a network reads more than the text
    read = [
        tokens[0] if isinstance(part.network, Network) else own
        for part, own in zip(parts, tokens, strict=True)
    ]
    return [_facts(*one) for one in zip(parts, read, times, strict=True)]


def _facts(part: TimedNetwork, tokens: int, times: Mapping[str, Latency]) -> NetworkFacts:
    """The facts of one network."""
    network = part.network
    return NetworkFacts(
        source=network.source,
        layers=network.num_layers,
        parameters=count_parameters(network),
        disk_bytes=disk_bytes(part.folder) if part.folder else None,
        flops=float(flops(network, tokens)),
        fingerprint=fingerprint(network),
        latency=dict(times),
    )


def summed(parts: Sequence[NetworkFacts], *, source: str, fingerprint: str) -> NetworkFacts:
    """The cost of several networks that are all run for an example: everything is added up.

    The 95th percentile is the sum of those of the parts, which is at least that of the sum.
    """
    sizes = [part.disk_bytes for part in parts if part.disk_bytes is not None]
    return NetworkFacts(
        source=source,
        layers=sum(part.layers for part in parts),
        parameters=Parameters(
            **{
                name: sum(getattr(part.parameters, name) for part in parts)
                for name in Parameters.model_fields
            }
        ),
        disk_bytes=sum(sizes) if len(sizes) == len(parts) else None,
        flops=sum(part.flops or 0.0 for part in parts),
        fingerprint=fingerprint,
        latency={
            size: first.model_copy(
                update={
                    "p50_ms": sum(part.latency[size].p50_ms for part in parts),
                    "p95_ms": sum(part.latency[size].p95_ms for part in parts),
                }
            )
            for size, first in parts[0].latency.items()
        },
    )
