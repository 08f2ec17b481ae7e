"""Measurements of untrained shapes, kept in a file so that a repeated search takes seconds."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from lmdistill.core.atomic_io import read_json, write_json
from lmdistill.core.errors import RunError
from lmdistill.studies.shrink.limits import Excess, Limits, exceeded
from lmdistill.studies.shrink.shapes import Shape

FILE = "measurements.json"
"""Name of the file in the folder of a search."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What a latency depends on beside the graph."""

    processor: str
    """Name of the processor."""

    threads: int
    """Threads of the runtime."""

    texts: str
    """Fingerprint of the timed texts."""


@dataclass(frozen=True, kw_only=True)
class MeasuredShape:
    """An untrained shape, as a graph in one runtime."""

    shape: Shape
    """Its layers and widths."""

    graph: str
    """Name of the graph, such as `onnx-int8`, which says the runtime."""

    bytes: int
    """Size of its files."""

    parameters: int
    """Parameters of the network."""

    p50_ms: float
    """Median milliseconds from one text to its logits."""

    p95_ms: float
    """95th percentile of that."""

    def exceeded(self, limits: Limits) -> tuple[Excess, ...]:
        """The limits that it does not keep; quality is not known yet."""
        return exceeded(
            limits,
            {
                "latency_ms": self.p50_ms,
                "p95_ms": self.p95_ms,
                "bytes": self.bytes,
                "parameters": self.parameters,
            },
        )


@dataclass(frozen=True, kw_only=True)
class _File:
    """Content of the file."""

    conditions: Conditions
    """Under which all of them were measured."""

    shapes: tuple[MeasuredShape, ...]
    """One for each shape and graph, in the order in which they were measured."""


def read_measurements(folder: Path, conditions: Conditions) -> tuple[MeasuredShape, ...]:
    """The measurements of a search's folder under these conditions; none where others were made.

    Raises:
        RunError: If the file cannot be read.
    """
    path = folder / FILE
    if not path.is_file():
        return ()
    try:
        found = TypeAdapter(_File).validate_python(read_json(path))
    except (ValueError, ValidationError, OSError) as error:
        first = str(error).partition("\n")[0]
        raise RunError(f"{path} cannot be read ({first}). Remove it; shapes are measured again.") from None
    return found.shapes if found.conditions == conditions else ()


def write_measurements(folder: Path, conditions: Conditions, shapes: Iterable[MeasuredShape]) -> None:
    """Write all measurements of a search."""
    table: Mapping[str, Any] = dataclasses.asdict(_File(conditions=conditions, shapes=tuple(shapes)))
    write_json(folder / FILE, table)


def fitting(found: Iterable[MeasuredShape], limits: Limits) -> tuple[MeasuredShape, ...]:
    """Those that keep every limit that can be measured before training."""
    return tuple(one for one in found if not one.exceeded(limits))


def nothing_fits(found: Iterable[MeasuredShape], limits: Limits) -> str:
    """One line about shapes of which none keeps the limits: the nearest, by how much, and what to change.

    The nearest is the one whose worst miss is the smallest part of its limit.

    Args:
        found: At least one, none of which keeps the limits.
        limits: The limits.
    """
    every = list(found)
    nearest = min(every, key=lambda one: max(excess.share for excess in one.exceeded(limits)))
    missed = nearest.exceeded(limits)
    alone = [
        f"{option} by {sum(name not in {miss.name for miss in one.exceeded(limits)} for one in every)}"
        for name, option in _limited(limits)
    ]
    each = f" Alone, of {len(every)} shapes the limits are kept: {', '.join(alone)}." if alone[1:] else ""
    return (
        f"no shape keeps the limits. The nearest is {nearest.shape.name} as {nearest.graph}: "
        f"{', '.join(miss.text for miss in missed)}.{each} Allow "
        f"{' and '.join(miss.option for miss in missed)}, or add smaller shapes with --layers and --widths."
    )


def _limited(limits: Limits) -> list[tuple[str, str]]:
    """Field and option of the limits that are set and can be measured before training."""
    names = {
        "latency_ms": "--max-latency",
        "p95_ms": "--max-p95",
        "bytes": "--max-size",
        "parameters": "--max-params",
    }
    return [(name, option) for name, option in names.items() if getattr(limits, name) is not None]
