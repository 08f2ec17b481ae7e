"""The reports that the browser opens: a run, a study, and names that nobody would wish for."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path

from lmdistill.records.disagreements import DISAGREEMENTS, Text, write_disagreements
from lmdistill.records.predictions import PREDICTIONS, read_predictions, write_predictions
from lmdistill.records.representation_map import MAP, write_map
from tests.report.factory import NUM_DEV, exhaustive_schedule, make_record, plain_record, schedule, write_run
from tests.report.language_factory import TOKENS, write_language_run
from tests.report.plots.test_representations import facts, places_of

LONG = "a-name-without-a-single-space-" * 6


def a_run(root: Path) -> None:
    alarms = ["the student is at chance on dev."]
    record = make_record("MiniDisc", schedule=schedule(), alarms=alarms, map=facts(examples=300))
    run = write_run(root, record)
    write_map(run.path / MAP, places_of(300))
    found = read_predictions(run.path / PREDICTIONS)
    known = [replace(one, label=int(one.example % 3 > 0), tokens=3 + one.example % 40) for one in found]
    write_predictions(run.path / PREDICTIONS, known)
    texts = [Text(example=one.example, split="dev", texts=("a film " * 50, "x" * 300)) for one in found]
    write_disagreements(run.path / DISAGREEMENTS, texts)


def a_study(root: Path) -> None:
    """Four methods of three seeds, two with schedules, one with tokens; settings, and fewer training rows."""
    changes = {
        "FT": {},
        "KD": {"tokens": TOKENS},
        "MiniDisc": {"schedule": schedule()},
        "MaxiDisc": {"schedule": exhaustive_schedule()},
    }
    for place, (name, change) in enumerate(changes.items()):
        for seed in range(3):
            score = 0.84 + 0.01 * place + 0.002 * seed
            record = make_record(name, seed, score, map=facts(0.1 * place), **change)
            run = write_run(root / "whole", record, num_steps=100)
            write_map(run.path / MAP, places_of(20, seed))
    for place, (alpha, heat) in enumerate(product((0.1, 0.5), (1, 2, 4))):
        method = {"name": "pkd", "alpha": alpha, "temperature": heat}
        write_run(
            root / f"map-{place}", make_record("PKD", 0, 0.8 + 0.01 * place, method=method), num_steps=20
        )
    for rows in (100, 1000):
        task = plain_record()["task"] | {"rows": {"train": rows, "dev": NUM_DEV}}
        write_run(root / f"rows-{rows}", make_record("FT", 0, 0.7 + rows / 1e4, task=task), num_steps=20)


def a_language_run(root: Path) -> None:
    """With what it was asked to change, and texts that it and its teacher see differently."""
    write_language_run(root, changed={"share": 0.3, "completions": {"student": 1.0}})


def language_models(root: Path) -> None:
    """Two methods of two seeds."""
    for name, method in (("SFT", {"name": "sft"}), ("ATKD", {"name": "atkd", "share": 0.5})):
        for seed in range(2):
            write_language_run(root, name, seed, method=method)


def long_names(root: Path) -> None:
    """Words that no line can hold."""
    task = plain_record()["task"] | {"name": LONG, "source": f"/{LONG}/{LONG}", "notes": [LONG]}
    for name in ("FT", LONG[:100]):
        write_run(root, make_record(name, task=task, alarms=[LONG], command=f"lmdistill distill {LONG * 3}"))


REPORTS: Mapping[str, Callable[[Path], None]] = {
    "run": a_run,
    "study": a_study,
    "language": a_language_run,
    "languages": language_models,
    "long": long_names,
}
"""What to write into an empty folder, by the name of the report."""
