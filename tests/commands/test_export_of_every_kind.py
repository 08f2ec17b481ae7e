"""Exports of scorers, of pairs and of several labels for a text: as their network, through command and example."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lmdistill.commands.evaluate import evaluate
from lmdistill.commands.evaluate_exported import evaluate_exported
from lmdistill.commands.export import export
from lmdistill.commands.exported_files import Export
from lmdistill.export.hugging_face import save
from lmdistill.metrics.multi_label import sigmoid
from lmdistill.serving.manifest import read_manifest
from lmdistill.serving.predictor import load_predictor
from tests.cli.cli_project import write_csv
from tests.tiny import WORDS, tiny

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
]  # each writes a graph, which takes seconds

EXAMPLE = Path(__file__).parents[2] / "examples" / "serve_onnx.py"


def rows(count, label, *, pair=False):
    """Texts of a tiny vocabulary, of unequal lengths, each with a label."""
    draw = np.random.default_rng(0)
    texts = [" ".join(draw.choice(WORDS, size=draw.integers(1, 9))) for _ in range(2 * count)]
    first, second = texts[:count], texts[count:]
    return [
        [one, *([other] if pair else []), label(number)]
        for number, (one, other) in enumerate(zip(first, second, strict=True))
    ]


def several():
    """A classifier of any number of labels, with thresholds of its own."""
    network = tiny(layers=1, seed=2, labels=("a", "b", "c"))
    network.model.config.problem_type = "multi_label_classification"
    network = type(network)(network.model, network.tokenizer, source="several")
    network.set_thresholds((0.3, 0.5, 0.7))
    return network


KINDS = {
    "regression": (
        lambda: tiny(layers=1, seed=2, classes=1),
        rows(40, lambda n: n / 7),
        ("text", "score"),
        (),
    ),
    "pairs": (
        lambda: tiny(layers=1, seed=2, labels=("no", "yes")),
        rows(40, lambda n: ("no", "yes")[n % 2], pair=True),
        ("sentence1", "sentence2", "label"),
        ("data.text=[sentence1, sentence2]",),
    ),
    "multilabel": (
        several,
        rows(40, lambda n: ";".join("abc"[: 1 + n % 3])),
        ("text", "label"),
        ("data.kind=multilabel", "data.label_separator=;"),
    ),
}


def written(kind, folder):
    """Write a model and its rows into a folder; the settings of its task."""
    network, table, header, more = KINDS[kind]
    save(network(), folder / "model")
    write_csv(folder / "rows.csv", table, header)
    source = f"data.source={folder / 'rows.csv'}"
    return ("task=own", source, "data.dev=0.5", "data.max_length=12", *more)


@pytest.mark.parametrize("kind", KINDS)
def test_the_folder_answers_as_the_network(kind, tmp_path):
    settings = written(kind, tmp_path)
    manifest = export(tmp_path / "model", tmp_path / "out", Export(timed_texts=3), overrides=settings)
    assert manifest.answers.kind == ("classification" if kind == "pairs" else kind)
    assert manifest.reads.pairs == (kind == "pairs")
    assert manifest.checks.measured["onnx"].agreement.value == 1
    (there,), (here,) = evaluate(tmp_path / "model", settings), evaluate_exported(tmp_path / "out")
    assert here.metrics == pytest.approx(there.metrics, abs=1e-6)
    card = (tmp_path / "out" / "README.md").read_text()
    assert ("0.3, 0.5, 0.7" in card) == (kind == "multilabel")
    assert ("pairs of texts" in card) == (kind == "pairs")


@pytest.mark.parametrize("kind", ["regression", "multilabel"])
def test_the_example_says_the_same(kind, tmp_path):
    settings = written(kind, tmp_path)
    export(tmp_path / "model", tmp_path / "out", Export(timed_texts=0), overrides=settings)
    texts = [row[0] for row in KINDS[kind][1][:5]]
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), str(tmp_path / "out"), *texts],
        capture_output=True,
        text=True,
        check=True,
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    logits = load_predictor(tmp_path / "out").logits(texts)
    if kind == "regression":
        assert [one["score"] for one in said] == pytest.approx(logits[:, 0].tolist(), abs=1e-5)
        return
    limits = read_manifest(tmp_path / "out").answers.thresholds
    expected = [
        [name for name, share, least in zip("abc", row, limits, strict=True) if share >= least]
        for row in sigmoid(logits)
    ]
    assert [one["labels"] for one in said] == expected
