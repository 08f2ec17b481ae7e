"""Records as a study of tasks, sizes, augmentation and methods writes them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmdistill.records.record import RecordedRun
from tests.report.factory import NUM_DEV, make_record, network, plain_record, write_run

KINDS: Mapping[str, str] = {"FT": "finetune", "KD": "kd", "PKD": "pkd"}


def cell(
    root: Path,
    method: str,
    accuracy: float,
    *,
    seed: int = 0,
    task: str = "sst2",
    layers: int = 3,
    augmentation: str | None = None,
    fraction: float | None = None,
    rows: int = 6735,
    **fields: Any,
) -> RecordedRun:
    """One run: its name says method, size and new rows, as `lmdistill study` has it."""
    new = None if augmentation is None else {"augmenter": {"name": augmentation}}
    said = f"{method} layers={layers} augmentation={'none' if new is None else 'BT'}"
    said += "" if fraction is None else f" fraction={fraction:g}"
    facts = plain_record()["task"] | {"name": task, "rows": {"train": rows, "dev": NUM_DEV}}
    settings = {"name": KINDS.get(method, "mixkd"), "alpha_sm": 0.0 if method == "TMKD" else 1.0, **fields}
    record = make_record(
        said,
        seed,
        accuracy,
        task=facts,
        method=settings,
        recipe={
            "task": task,
            "data": {"fraction": fraction, "rows": None, "augmentation": new},
            "methods": {said: settings},
            "seeds": [seed],
        },
        student=network(layers, f"{task}-{said}-{seed}"),
        teacher=network(6, f"teacher-{task}"),
    )
    place = "-".join(f"{value}" for value in fields.values())
    return write_run(root / f"{task}-{fraction}-{place}", record, num_steps=2)
