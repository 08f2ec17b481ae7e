"""`benchmarks.json`: results of lm-evaluation-harness beside a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from lmdistill.core.atomic_io import read_json, write_text
from lmdistill.core.errors import RunError
from lmdistill.records.parsing import has_unknown_fields, parse_part
from lmdistill.records.schema import Number, Part

BENCHMARKS = "benchmarks.json"


Question = tuple[str, str, int | None, int | None]
"""Task, metric, few-shot number and limit: what two numbers must share to be compared."""


class BenchmarkFacts(Part):
    """One number of one task."""

    task: str
    """Name of the task, or of a group of tasks."""
    metric: str
    """Its metric."""
    value: float
    """As the task defines it; an accuracy is a fraction."""
    error: Number
    """Standard error of the value."""
    examples: int | None
    """How many were asked; None for a group."""
    few_shot: int | None
    """Solved examples before each question; None where the harness does not say."""
    limit: int | None
    """The most examples that were asked of a task; None for all."""
    harness: str
    """Version of lm-evaluation-harness."""

    @property
    def question(self) -> Question:
        """What was asked."""
        return self.task, self.metric, self.few_shot, self.limit


class BenchmarkFile(Part):
    """Everything in `benchmarks.json`."""

    student: tuple[BenchmarkFacts, ...] = ()
    """Of the run's student."""
    teacher: tuple[BenchmarkFacts, ...] = Field(default=())
    """Of its teacher."""


def read_benchmarks(folder: Path) -> BenchmarkFile:
    """What is known of the run in `folder`; nothing, where no benchmark has been run.

    Fields of a newer version are ignored.

    Raises:
        RunError: If the file cannot be read.
    """
    path = folder / BENCHMARKS
    if not path.is_file():
        return BenchmarkFile()
    try:
        return parse_part(BenchmarkFile, read_json(path), path)
    except (ValidationError, ValueError) as error:
        raise RunError(
            f"{path} is damaged ({str(error).splitlines()[0]}). Remove it, and run again."
        ) from None


def add_benchmarks(folder: Path, found: Mapping[str, Sequence[BenchmarkFacts]]) -> Path:
    """Write numbers into `folder/benchmarks.json`; older answers to the same questions are replaced.

    Args:
        folder: Of a run.
        found: By `student` and `teacher`.

    Raises:
        RunError: If the file cannot be read, or has fields of a newer version, which would be lost.
    """
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
    write_text(path, merged.model_dump_json(indent=2) + "\n")
    return path


def _merged(old: Sequence[BenchmarkFacts], new: Sequence[BenchmarkFacts]) -> tuple[BenchmarkFacts, ...]:
    """Both, the newer where they answer the same question."""
    return tuple({fact.question: fact for fact in (*old, *new)}.values())
