"""Table of benchmark results, from the `benchmarks.json` files in run folders."""

from collections.abc import Iterable, Sequence

from lmdistill.analysis.metric_format import NONE
from lmdistill.analysis.result_table import Comparison
from lmdistill.records.benchmarks import BenchmarkFacts, Question, read_benchmarks
from lmdistill.records.record import RecordedRun
from lmdistill.report.grid import Grid


def benchmark_grid(table: Comparison) -> Grid | None:
    """One row for each run with benchmark results and each of their teachers; None without results."""
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
        caption="Benchmarks of lm-evaluation-harness, one row per run.",
        header=("", *map(_title, questions)),
        rows=tuple((label, *_cells(facts, questions)) for label, facts in lines),
        notes=("±: standard error over the examples of a task, as computed by the harness.",),
        alarms=(),
        name="benchmarks",
    )


def _teacher(name: str, table: Comparison) -> str:
    """The main table's label of the teacher with the fingerprint `name`."""
    teachers = (row for row in table.rows if row.role == "teacher")
    return next(row.label for row in teachers if name in {one.fingerprint for one in row.networks})


def _label(run: RecordedRun, table: Comparison) -> str:
    """The main table's label of a student's row, with the seed if the row has several runs."""
    row = next(row for row in table.rows if any(other.path == run.path for other in row.runs))
    label = run.record.name if row.role == "teacher" else row.label
    return f"{label}, seed {run.record.seed}" if len(row.runs) > 1 else label


def _title(question: Question) -> str:
    """Task, metric, number of shots and limit of examples as a column title.

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
    """The result for each benchmark, or a dash."""
    known = {fact.question: fact for fact in facts}
    return [_text(known[question]) if question in known else NONE for question in questions]


def _text(fact: BenchmarkFacts) -> str:
    """Value with its standard error, if there is one."""
    return f"{fact.value:.4f}" + ("" if fact.error is None else f" ± {fact.error:.4f}")
