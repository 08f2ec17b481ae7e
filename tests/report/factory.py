"""Runs that never ran: a record, a curve and answers, with every number chosen by the test."""

from pathlib import Path
from typing import Any

import numpy as np

from lmdistill.records.history import HISTORY, HistoryWriter
from lmdistill.records.predictions import PREDICTIONS, Prediction, write_predictions
from lmdistill.records.record import Record, RecordedRun, write_record

NUM_DEV = 200


def latency(p50: float, batch_size: int) -> dict[str, Any]:
    return {
        "p50_ms": p50,
        "p95_ms": 1.2 * p50,
        "num_runs": 50,
        "batch_size": batch_size,
        "tokens": 32,
        "device": "cpu",
        "threads": 2,
    }


def network(layers: int, fingerprint: str) -> dict[str, Any]:
    encoder = layers * 1_774_464
    return {
        "source": f"runs/{fingerprint}",
        "layers": layers,
        "parameters": {
            "embeddings": 11_918_592,
            "encoder": encoder,
            "head": 148_610,
            "total": 11_918_592 + encoder + 148_610,
        },
        "disk_bytes": 4 * (11_918_592 + encoder + 148_610),
        "flops": 2 * 32 * encoder,
        "fingerprint": fingerprint,
        "latency": {"1": latency(2.0 * layers, 1), "16": latency(20.0 * layers, 16)},
    }


def calibration(ece: float) -> dict[str, Any]:
    bins = [
        {"confidence": c, "accuracy": c - ece, "count": n}
        for c, n in [(0.55, 10), (0.65, 20), (0.75, 30), (0.85, 50), (0.97, 90)]
    ]
    return {"ece": ece, "brier": 0.1, "nll": 0.3, "bins": bins}


def plain_record(
    name: str = "MixKD", seed: int = 0, accuracy: float = 0.86, **changes: Any
) -> dict[str, Any]:
    """The JSON of a record; `changes` replaces keys at the top."""
    value = {
        "schema": 1,
        "lmdistill": "0.1.0",
        "kind": "distill",
        "name": name,
        "seed": seed,
        "task": {
            "name": "sst2",
            "kind": "classification",
            "labels": ["negative", "positive"],
            "metrics": ["accuracy"],
            "source": "glue folder",
            "fingerprint": "d" * 16,
            "dev_fingerprint": None,
            "rows": {"train": 6735, "dev": NUM_DEV},
            "truncated": {"train": 0.0125, "dev": 0.0},
            "synthetic": False,
            "notes": ["2 empty texts were dropped from train."],
        },
        "method": {"name": {"FT": "finetune", "KD": "kd"}.get(name, "mixkd"), "alpha": 1.0},
        "recipe": {"name": name, "seed": seed, "train": {"epochs": 3, "rate": 5e-5}},
        "command": f"lmdistill distill sst2 --set seed={seed} --out runs/{name.lower()}-{seed}",
        "environment": {
            "python": "3.11.7",
            "torch": "2.13.0",
            "transformers": "5.23.0",
            "accelerate": "1.15.0",
            "platform": "Linux 6.1 x86_64",
            "processor": "A processor",
            "device": "cpu",
            "threads": 2,
            "commit": "0123456789abcdef0123456789abcdef01234567",
            "dirty": True,
        },
        "student": network(3, f"{name}-{seed}"),
        "teacher": network(6, "teacher"),
        "metrics": {"dev": {"accuracy": accuracy}},
        "teacher_metrics": {"dev": {"accuracy": 0.9}},
        "majority": {"dev": {"accuracy": 0.51}},
        "selected": "last",
        "agreement": {"same_answer": 0.93, "kl_nats": 0.071},
        "calibration": calibration(0.06),
        "teacher_calibration": calibration(0.03),
        "risk": {"train": 0.21, "dev": 0.37, "gap": 0.16, "train_error": 0.06, "dev_error": 0.14},
        "training": {
            "steps": 600,
            "epochs": 3.0,
            "seconds": 412.0,
            "examples_per_second": 48.3,
            "resumed": False,
        },
        "alarms": [],
    }
    return value | changes


def schedule(
    name: str = "minidisc", chosen: tuple[float, ...] = (0.3,), keep: float = 0.1, **changes: Any
) -> dict[str, Any]:
    """The published pilot figure for MRPC, metric and student by kept fraction, as a MiniDisc run has it."""
    metrics = {0.7: 0.915, 0.6: 0.913, 0.5: 0.913, 0.4: 0.899, 0.3: 0.889, 0.2: 0.870, 0.1: 0.867}
    candidates = [
        {
            "kept": kept,
            "parameters": round(10_646_784 * kept),
            "latency_ms": 40 * kept,
            "metric": metric,
            "score": metric + 0.2 * (1 - kept),
            "chosen": kept in chosen,
        }
        for kept, metric in metrics.items()
    ]
    value = {
        "name": name,
        "keep": keep,
        "metric": "f1",
        "lam": 0.2,
        "candidates": candidates,
        "work": {"teacher_steps": 200.0, "seconds": 400.0},
        "exhaustive": {"teacher_steps": 500.0, "seconds": 1000.0},
    }
    return value | changes


def exhaustive_schedule(**changes: Any) -> dict[str, Any]:
    """The same figure as a MaxiDisc run has it: students and no scores."""
    students = {0.7: 0.863, 0.6: 0.864, 0.5: 0.864, 0.4: 0.868, 0.3: 0.874, 0.2: 0.871}
    one_by_one = [
        {**one, "score": None, "student_metric": students[one["kept"]]}
        for one in schedule()["candidates"]
        if one["kept"] in students
    ]
    return schedule("maxidisc", candidates=one_by_one, lam=None, exhaustive=None, **changes)


def make_record(name: str = "MixKD", seed: int = 0, accuracy: float = 0.86, **changes: Any) -> Record:
    return Record.model_validate(plain_record(name, seed, accuracy, **changes))


def answers(right: list[bool]) -> list[Prediction]:
    """Label 1 everywhere, and a student that is right where the list says so."""
    return [
        Prediction(
            example=i, split="dev", label=1, student=(0.0, 1.0) if hit else (1.0, 0.0), teacher=(0.0, 2.0)
        )
        for i, hit in enumerate(right)
    ]


def write_run(
    root: Path, record: Record, *, right: list[bool] | None = None, num_steps: int = 600
) -> RecordedRun:
    """A run folder with everything that a report reads."""
    path = root / f"{record.name.lower()}-{record.seed}"
    write_record(path, record)
    noise = np.random.default_rng(record.seed)
    score = record.metrics["dev"][record.task.metrics[0]]
    with HistoryWriter(path / HISTORY) as history:
        for step in range(1, num_steps + 1):
            slope = float(np.exp(-step / 150))
            parts = {
                "label": 0.2 + 0.5 * slope + 0.05 * noise.random(),
                "mixed": 0.4 + 0.3 * slope + 0.1 * noise.random(),
                "teacher": 0.1 + 1.5 * slope + 0.2 * noise.random(),
            }
            parts = {"label": parts["label"]} if record.name == "FT" else parts
            line = {"step": step, "loss": sum(parts.values()), "parts": parts, "count": 32}
            history.append(line | {"rate": 5e-5, "seconds": 0.5})
            if step % 100 == 0:
                history.append({"step": step, "dev": {record.task.metrics[0]: score - 0.2 * slope}})
    if right is None:
        right = [i < round(score * NUM_DEV) for i in noise.permutation(NUM_DEV)]
    write_predictions(path / PREDICTIONS, answers(right))
    return RecordedRun(path=path, record=record)
