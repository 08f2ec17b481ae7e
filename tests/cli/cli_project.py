"""A folder to try the command line in: tiny models, a small table of texts, a recipe."""

import csv
import random
from pathlib import Path

import datasets
import torch
import yaml

from lmdistill.core.batch import Inputs
from lmdistill.export.hugging_face import save
from lmdistill.models.classification_head import reorder_outputs
from lmdistill.models.quiet_transformers import quiet
from lmdistill.runs.classification import evaluation
from tests.tiny import tiny

WORDS = {"neg": "bad dull slow", "mid": "fine film plot", "pos": "good bright very"}
TAILS = ("", ', a "quoted" one', "\nnew line", " 😀", "; the end\r\nof it", "\tvery")
LABELS = ("neg", "mid", "pos")
OTHER_WORDS = [word for words in WORDS.values() for word in words.split()]


def texts(count, seed=0):
    """Rows of text and label: commas, quotes, newlines and emoji inside; a label shows in the words."""
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        label = LABELS[number % 3]
        words = " ".join(rng.choice(WORDS[label].split()) for _ in range(rng.randint(2, 7)))
        rows.append([f"{words} {number}{TAILS[number % len(TAILS)]}", label])
    return rows


def write_csv(path, rows, header=("text", "label")):
    """A table as spreadsheets write it."""
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def read_csv(path):
    """Its rows, header included."""
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def trained(order, layers=1, network=None):
    """A classifier that tells the texts apart, with its outputs in this order; names LABEL_0 and so on."""
    names = tuple(f"LABEL_{number}" for number in range(len(order)))
    network = network or tiny(layers=layers, seed=1, labels=names)
    rows = texts(96, seed=7)
    encoded = network.tokenizer([row[0] for row in rows], return_tensors="pt", padding=True)
    inputs = Inputs(ids=encoded["input_ids"], mask=encoded["attention_mask"])
    labels = torch.tensor([order.index(row[1]) for row in rows])
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    for _ in range(30):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(inputs).logits, labels).backward()
        optimizer.step()
    return network


def write_models(folder):
    """A classifier for the texts, encoders without a head, one of another tokenizer and width."""
    save(tiny(layers=3, seed=1, labels=LABELS), folder / "classifier")
    wise = trained(("pos", "neg", "mid"))
    save(wise, folder / "nameless-in-another-order")
    save(reorder_outputs(wise, (0, 1, 2), ("Pos", "NEG", "mid")), folder / "named-in-another-order")
    save(reorder_outputs(wise, (2, 1, 0), ("LABEL_0", "LABEL_1", "LABEL_2")), folder / "nameless")
    save(tiny(layers=2, seed=1, labels=("yes", "no", "perhaps")), folder / "stranger")
    save(tiny(layers=2, seed=1, labels=("bad", "good")), folder / "binary")
    save(tiny(layers=3, seed=1, classes=1), folder / "scorer")
    for name, network in {
        "encoder": tiny(layers=3, seed=2),
        "other": tiny(layers=2, seed=3, width=8, words=OTHER_WORDS),
    }.items():
        with quiet():
            network.model.bert.save_pretrained(folder / name)
            network.tokenizer.save_pretrained(folder / name)


RECIPE = {
    "task": "own",
    "data": {"source": "texts.csv", "dev": "dev.csv", "max_length": 32},
    "teacher": {"model": "models/classifier", "training": {"epochs": 1, "batch_size": 16}},
    "student": {"layers": 2},
    "method": {"name": "mixkd"},
    "training": {"epochs": 1, "batch_size": 16},
}


def write_recipe(path, recipe=RECIPE):
    """A recipe as a file."""
    Path(path).write_text(yaml.safe_dump(recipe), encoding="utf-8")


def furnish(folder, models, cache, monkeypatch):
    """Make `folder` the working directory, with models, texts and a recipe."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
    monkeypatch.setattr(evaluation, "LATENCY_RUNS", 1)  # times are not looked at
    monkeypatch.chdir(folder)
    (folder / "models").symlink_to(models)
    write_csv("texts.csv", texts(48))
    write_csv("dev.csv", texts(12, seed=1))
    write_recipe("recipe.yaml")


def files_in(folder):
    """Every file and folder below, but the models and the caches of the test."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    return {name for name in found if not name.startswith("models")}
