"""Runs that never ran and have no folder, and the rows that they make."""

from pathlib import Path

from lmdistill.analysis.compare import compare
from lmdistill.analysis.result_table import Row
from lmdistill.records.record import RecordedRun
from tests.report.factory import make_record, plain_record

SCORE = ("dev", "accuracy")


def run(name: str, seed: int = 0, accuracy: float = 0.8, **changes: object) -> RecordedRun:
    return RecordedRun(path=Path(f"{name}-{seed}"), record=make_record(name, seed, accuracy, **changes))


def rows_of(*runs: RecordedRun, **options: object) -> dict[str, Row]:
    (table,) = compare(runs, **options)  # type: ignore[arg-type]
    return {row.label: row for row in table.rows}


def language(name: str, seed: int = 0, *, taught: bool = True, **changes: object) -> RecordedRun:
    metrics = ["nats", "accuracy_of_tokens", *(["agreement"] if taught else [])]
    task = plain_record()["task"] | {"kind": "language", "labels": [], "metrics": metrics}
    scores = {"nats": 2.0, "accuracy_of_tokens": 0.6} | ({"agreement": 0.7} if taught else {})
    alone = {} if taught else {"teacher": None, "teacher_metrics": None}
    facts = {"task": task, "metrics": {"dev": scores}, "teacher_metrics": {"dev": scores}, **alone}
    return run(name, seed, **facts | changes)
