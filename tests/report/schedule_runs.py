"""Runs of three schedules on the published pilot figure."""

from pathlib import Path
from typing import Any

from lmdistill.records.record import RecordedRun
from tests.report.factory import exhaustive_schedule, make_record, schedule


def run(
    name: str, seed: int, accuracy: float, value: dict[str, Any], fingerprint: str = "one"
) -> RecordedRun:
    record = make_record(name, seed, accuracy, schedule=value | {"metric": "accuracy"})
    task = record.task.model_copy(update={"fingerprint": fingerprint})
    return RecordedRun(path=Path(f"{name}-{seed}"), record=record.model_copy(update={"task": task}))


def direct(**changes: Any) -> dict[str, Any]:
    return schedule("direct", candidates=[], lam=None, exhaustive=None, **changes)


def three_schedules() -> list[RecordedRun]:
    return [
        *(run("MiniDisc", seed, 0.85 + 0.01 * seed, schedule()) for seed in (0, 1)),
        *(run("MaxiDisc", seed, 0.86, exhaustive_schedule(chosen=(0.3,))) for seed in (0, 1)),
        run("direct", 0, 0.80, direct()),
    ]
