"""`map.jsonl`: two-dimensional representations of dev examples, for student and teacher."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmdistill.core.atomic_io import atomic_file
from lmdistill.records.jsonl import encode_line, read_items

MAP = "map.jsonl"
Point = tuple[float, float]
"""Horizontal and vertical coordinate, without a unit."""


@dataclass(frozen=True, kw_only=True)
class MapPoint:
    """One example on the maps of both networks; the axes of the two maps are unrelated."""

    example: int
    """Number of the example in its split."""

    split: str
    """Name of the split."""

    label: int
    """Number of its class, from 0, in the order of the task's labels."""

    student: Point
    """Point on the student's map."""

    teacher: Point | None = None
    """Point on the teacher's map; None without a teacher."""


def write_map(path: Path, places: Iterable[MapPoint]) -> None:
    """Write one line an example, the whole file or nothing."""
    with atomic_file(path) as part, part.open("w", encoding="utf-8") as file:
        file.writelines(encode_line(vars(place)) for place in places)


def _point(value: tuple[float, float] | list[float] | None) -> Point | None:
    """A pair of numbers, if there is one."""
    if value is None:
        return None
    across, up = value
    return float(across), float(up)


def _place(line: dict[str, Any]) -> MapPoint:
    """One line of the file as an object."""
    return MapPoint(
        example=int(line["example"]),
        split=str(line["split"]),
        label=int(line["label"]),
        student=_point(line["student"]) or (0.0, 0.0),
        teacher=_point(line.get("teacher")),
    )


def read_map(path: Path) -> list[MapPoint]:
    """What `write_map` wrote; nothing if there is no file.

    Raises:
        RunError: See `history.read_items`.
    """
    return read_items(path, _place)
