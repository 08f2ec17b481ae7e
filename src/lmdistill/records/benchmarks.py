"""`benchmarks.json`: results of lm-evaluation-harness beside a run."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from lmdistill.core.atomic_io import read_json, write_text
from lmdistill.core.checksums import is_unchanged, object_checksum
from lmdistill.core.errors import RunError
from lmdistill.core.file_lock import exclusive_file, lock_of
from lmdistill.records.number_ranges import Count, KnownAmount
from lmdistill.records.parsing import has_unknown_fields, parse_part
from lmdistill.records.schema import Part

BENCHMARKS = "benchmarks.json"


Question = tuple[str, str, int | None, int | None]
"""Task, metric, few-shot number and limit: what two numbers must share to be compared."""


class BenchmarkFacts(Part):
    """One result of one task."""

    task: str
    """Name of the task, or of a group of tasks."""
    metric: str
    """Name of the metric."""
    value: float
    """Value as the task defines it; an accuracy is a fraction in [0, 1]."""
    error: KnownAmount
    """Standard error of the value."""
    examples: Count | None
    """Number of examples; None for a group of tasks."""
    few_shot: Count | None
    """Solved examples before each question; None if the harness does not report it."""
    limit: Count | None
    """Limit of examples of a task; None for all."""
    harness: str
    """Version of lm-evaluation-harness."""

    @property
    def question(self) -> Question:
        """Task, metric, few-shot number and limit of this result."""
        return self.task, self.metric, self.few_shot, self.limit


class BenchmarkFile(Part):
    """The contents of `benchmarks.json`."""

    student: tuple[BenchmarkFacts, ...] = ()
    """Results of the run's student."""
    teacher: tuple[BenchmarkFacts, ...] = Field(default=())
    """Results of its teacher."""
    checksum: str | None = None
    """SHA-256 of the other fields; None in older files."""


def read_benchmarks(folder: Path) -> BenchmarkFile:
    """The benchmark results of the run in `folder`; empty if there are none.

    Fields of a newer version are ignored.

    Raises:
        RunError: If the file cannot be read.
    """
    path = folder / BENCHMARKS
    if not path.is_file():
        return BenchmarkFile()
    try:
        value = read_json(path)
        if isinstance(value, dict) and not is_unchanged(value):
            raise ValueError("its checksum differs")
        return parse_part(BenchmarkFile, value, path)
    except (ValidationError, ValueError, RecursionError) as error:
        raise RunError(
            f"{path} is damaged ({str(error).splitlines()[0]}). Remove it, and run again."
        ) from None


def add_benchmarks(folder: Path, found: Mapping[str, Sequence[BenchmarkFacts]]) -> Path:
    """Add results to `folder/benchmarks.json`; older results of the same questions are replaced.

    Args:
        folder: A run folder.
        found: Results by `student` and `teacher`.

    Raises:
        RunError: If the file cannot be read, or has fields of a newer version, which would be lost.
    """
    with exclusive_file(lock_of(folder / BENCHMARKS)):
        return _added(folder, found)


def _added(folder: Path, found: Mapping[str, Sequence[BenchmarkFacts]]) -> Path:
    """What `add_benchmarks` does while no other command does it."""
    path = folder / BENCHMARKS
    old = read_benchmarks(folder)
    if path.is_file() and has_unknown_fields(BenchmarkFile, read_json(path)):
        raise RunError(
            f"{path} has fields of a newer version of lmdistill, which writing would lose. Update lmdistill."
        )
    merged = BenchmarkFile(
        student=_merged(old.student, found.get("student", ())),
        teacher=_merged(old.teacher, found.get("teacher", ())),
    )
    checksum = object_checksum(json.loads(merged.model_dump_json()))
    checked = merged.model_copy(update={"checksum": checksum})
    write_text(path, checked.model_dump_json(indent=2) + "\n")
    return path


def _merged(old: Sequence[BenchmarkFacts], new: Sequence[BenchmarkFacts]) -> tuple[BenchmarkFacts, ...]:
    """Old and new results; a new one replaces an old one of the same question."""
    return tuple({fact.question: fact for fact in (*old, *new)}.values())
