"""Runs of language models that never ran; what is said of texts and of places adds up to the headline."""

from pathlib import Path
from typing import Any

import numpy as np

from lmdistill.records.disagreements import DISAGREEMENTS, Text, most_unlike, write_disagreements
from lmdistill.records.predictions import PREDICTIONS, Prediction, write_predictions
from lmdistill.records.record import RecordedRun
from tests.report.factory import calibration, make_record, plain_record, write_run

NUM_TEXTS = 40
TOKENS = {
    "easy": {"count": 500, "nats": 0.4, "teacher_nats": 0.3, "agreement": 0.93},
    "hard": {"count": 500, "nats": 3.1, "teacher_nats": 2.6, "agreement": 0.41},
    "histogram": [600, 150, 120, 80, 50],
}


def write_language_run(root: Path, name: str = "ATKD", seed: int = 0, **changes: Any) -> RecordedRun:
    """A run of `NUM_TEXTS` texts that are the easier the further one has read; `changes` replaces keys."""
    noise = np.random.default_rng([seed, len(name)])
    lengths = np.random.default_rng(0).integers(6, 60, NUM_TEXTS)
    places = [np.arange(1, length) for length in lengths]
    student = [4 * place**-0.3 + noise.random(len(place)) for place in places]
    teacher = [3 * place**-0.3 + 0.5 * np.sin(place) ** 2 for place in places]
    ours, theirs, before = (np.concatenate(parts) for parts in (student, teacher, places))
    predictions = [
        Prediction(
            example=number,
            split="dev",
            label=len(place),
            student=(float(student[number].sum()),),
            teacher=(float(teacher[number].sum()),),
            tokens=len(place) + 1,
        )
        for number, place in enumerate(places)
    ]
    task = plain_record()["task"] | {
        "name": "stories", "kind": "language", "labels": [], "metrics": ["nats", "perplexity", "agreement"],
        "rows": {"train": 2000, "dev": NUM_TEXTS},
    }  # fmt: skip
    facts = {
        "task": task,
        "method": {"name": "atkd", "share": 0.5, "completions": {"student": 1.0}},
        "metrics": {"dev": {"nats": ours.mean(), "perplexity": np.exp(ours.mean()), "agreement": 0.6}},
        "teacher_metrics": {"dev": {"nats": theirs.mean(), "perplexity": np.exp(theirs.mean()), "agreement": 1.0}},
        "majority": {},
        "agreement": None,
        "risk": None,
        "calibration": calibration(0.05) | {"brier": None},
        "tokens": TOKENS,
        "positions": [
            {
                "first": 2**power,
                "last": 2 ** (power + 1) - 1,
                "count": int(inside.sum()),
                "nats": ours[inside].mean(),
                "teacher_nats": theirs[inside].mean(),
            }
            for power in range(6)
            for inside in [(before >= 2**power) & (before < 2 ** (power + 1))]
        ],
    }  # fmt: skip
    run = write_run(root, make_record(name, seed, **facts | changes), num_steps=40)
    write_predictions(run.path / PREDICTIONS, predictions)
    texts = ("What does Anna do?", "Anna takes the red ball and runs to the lake. " * 6)
    write_disagreements(
        run.path / DISAGREEMENTS,
        [Text(example=one.example, split="dev", texts=texts) for one in most_unlike(predictions)],
    )
    return run
