"""What benchmarks said of a run: `benchmarks.json` beside its record, and a table of several runs."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from lmdistill.core.errors import RunError
from lmdistill.core.storage import read_json, write_text
from lmdistill.report.facts import Number, Part
from lmdistill.report.metrics import NONE
from lmdistill.report.record import RunFolder
from lmdistill.report.rows import Comparison
from lmdistill.report.tables import Grid

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

    Raises:
        RunError: If the file cannot be read.
    """
    path = folder / BENCHMARKS
    if not path.is_file():
        return BenchmarkFile()
    try:
        return BenchmarkFile.model_validate(read_json(path))
    except (ValidationError, ValueError) as error:
        raise RunError(
            f"{path} is damaged ({str(error).splitlines()[0]}). Remove it, and run again."
        ) from None


def add_benchmarks(folder: Path, found: Mapping[str, Sequence[BenchmarkFacts]]) -> Path:
    """Write numbers into `folder/benchmarks.json`; older answers to the same questions are replaced.

    Args:
        folder: Of a run.
        found: By `student` and `teacher`.
    """
    old = read_benchmarks(folder)
    merged = BenchmarkFile(
        student=_merged(old.student, found.get("student", ())),
        teacher=_merged(old.teacher, found.get("teacher", ())),
    )
    path = folder / BENCHMARKS
    write_text(path, merged.model_dump_json(indent=2) + "\n")
    return path


def _merged(old: Sequence[BenchmarkFacts], new: Sequence[BenchmarkFacts]) -> tuple[BenchmarkFacts, ...]:
    """Both, the newer where they answer the same question."""
    return tuple({fact.question: fact for fact in (*old, *new)}.values())


def benchmark_grid(table: Comparison) -> Grid | None:
    """A line for each run with benchmarks and each of their teachers; None where there is none."""
    files = {run.path: read_benchmarks(run.path) for run in table.runs}
    teachers = {
        run.record.teacher.fingerprint: files[run.path].teacher
        for run in table.runs
        if run.record.teacher is not None and files[run.path].teacher
    }
    lines = [(_teacher(name, table), facts) for name, facts in teachers.items()]
    lines += [(_label(run, table), files[run.path].student) for run in table.runs if files[run.path].student]
    if not lines:
        return None
    questions = list(dict.fromkeys(fact.question for _, facts in lines for fact in facts))
    return Grid(
        caption="Benchmarks of lm-evaluation-harness; a line for each run.",
        header=("", *map(_title, questions)),
        rows=tuple((label, *_cells(facts, questions)) for label, facts in lines),
        notes=("±: standard error over the examples of a task, as the harness gives it.",),
        alarms=(),
        name="benchmarks",
    )


def _teacher(name: str, table: Comparison) -> str:
    """What the first table calls the teacher with this fingerprint."""
    teachers = (row for row in table.rows if row.role == "teacher")
    return next(row.label for row in teachers if name in {one.fingerprint for one in row.networks})


def _label(run: RunFolder, table: Comparison) -> str:
    """What the first table calls the row of a student, with the seed where there are several runs."""
    row = next(row for row in table.rows if any(other.path == run.path for other in row.runs))
    label = run.record.name if row.role == "teacher" else row.label
    return f"{label}, seed {run.record.seed}" if len(row.runs) > 1 else label


def _title(question: Question) -> str:
    """What was asked, in words.

    Examples:
        >>> _title(("arc_easy", "acc", 5, None)), _title(("arc_easy", "acc", None, 10))
        ('arc_easy: acc, 5-shot', 'arc_easy: acc, first 10')
    """
    task, metric, few_shot, limit = question
    parts = [metric]
    parts += [] if few_shot is None else [f"{few_shot}-shot"]
    parts += [] if limit is None else [f"first {limit}"]
    return f"{task}: {', '.join(parts)}"


def _cells(facts: Iterable[BenchmarkFacts], questions: Sequence[Question]) -> list[str]:
    """One number a question."""
    known = {fact.question: fact for fact in facts}
    return [_text(known[question]) if question in known else NONE for question in questions]


def _text(fact: BenchmarkFacts) -> str:
    """Value and error."""
    return f"{fact.value:.4f}" + ("" if fact.error is None else f" ± {fact.error:.4f}")
