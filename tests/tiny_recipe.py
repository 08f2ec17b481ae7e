"""A whole recipe in miniature: a tiny teacher in a folder, a table of texts, a few dozen steps."""

import csv
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import yaml

from lmdistill.export.hugging_face import save
from tests.tiny import WORDS, tiny

ROOT = Path(__file__).parents[1]


def write_model(folder, *, dropout=0.1, layers=3):
    """A teacher of random weights that knows two labels."""
    save(tiny(layers=layers, seed=1, dropout=dropout, labels=("bad", "good")), folder)


def write_table(path, rows=48):
    """Texts of different lengths with labels."""
    rng = random.Random(0)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for number in range(rows):
            label = ("bad", "good")[number % 2]
            writer.writerow(
                [" ".join([*rng.choices(WORDS, k=rng.randint(2, 12)), label, str(number)]), label]
            )


def write_recipe(folder, **changes):
    """Everything a run needs, in `folder`; the recipe's path."""
    folder.mkdir(exist_ok=True)
    write_model(folder / "model", dropout=changes.pop("dropout", 0.1))
    write_table(folder / "texts.csv")
    recipe = {
        "task": "own",
        "data": {"source": str(folder / "texts.csv"), "max_length": 32},
        "teacher": {"model": str(folder / "model")},
        "student": {"layers": 2},
        "training": {
            "epochs": changes.pop("epochs", 10), "batch_size": 8, "checkpoint_every": 7, "eval_every": 5,
            "keep": "best", "optimizer": {"learning_rate": 1e-3},
        },
        "seeds": [3],
        **changes,
    }  # fmt: skip
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def environment():
    """One thread, no hub, the package as it is here."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def start(*arguments, launcher=()):
    """`lmdistill` with these arguments, as a process of its own."""
    before = [sys.executable, *launcher] if launcher else [sys.executable]
    return subprocess.Popen(
        [*before, "-m", "lmdistill", *map(str, arguments)], cwd=ROOT, env=environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def history(folder):
    """The lines of a run's history, without the times."""
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]
