"""Run folders of version 0.1 are read, reported, continued, evaluated and predicted with.

`v0.1/` was written by commit 4f0eb75 with one thread: a classifier (`classifier`), the same run stopped in
step 17 with a checkpoint of step 14 (`classifier-interrupted`), a language model, and a pruned student whose
class is in its folder. The pages of reports were removed. Recipes name files by paths relative to `v0.1/`.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import datasets
import pytest
import torch
from safetensors.torch import load_file

from lmdistill.records.predictions import read_predictions
from lmdistill.records.record import read_record
from lmdistill.runs.classification import evaluation
from tests.cli.conftest import run
from tests.tiny_recipe import environment

RECORDED = Path(__file__).parent / "v0.1"
FINISHED = ("classifier", "language", "pruned")
KERNELS = {"rtol": 1e-4, "atol": 1e-5}
"""Weights after 24 steps with other kernels or numbers of threads; measured with 2 threads: 3e-7."""

NO_GRADIENT = "attention.self.key.bias"
"""Adds a constant to all scores of a query, so its gradient is 0; AdamW scales up what rounding leaves."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the recorded folders, as working directory."""
    copy = tmp_path / "v0.1"
    shutil.copytree(RECORDED, copy)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(evaluation, "LATENCY_RUNS", 1)
    monkeypatch.chdir(copy)
    return copy


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def steps_in(run_folder):
    return [line["step"] for line in lines_of(run_folder / "history.jsonl") if "step" in line]


def headline(name):
    """The recorded accuracy in percent, or the recorded perplexity, as tables show it."""
    (metrics,) = json.loads((RECORDED / name / "record.json").read_text())["metrics"].values()
    return f"{metrics['perplexity']:.2f}" if name == "language" else f"{100 * metrics['accuracy']:.2f}"


def assert_same_student(one, other):
    first, second = (load_file(Path(path) / "student/model.safetensors") for path in (one, other))
    assert first.keys() == second.keys()
    for name in [name for name in first if not name.endswith(NO_GRADIENT)]:
        torch.testing.assert_close(first[name], second[name], **KERNELS)


@pytest.mark.parametrize("name", FINISHED)
def test_a_record_is_read_with_every_field_that_was_written(name):
    written = json.loads((RECORDED / name / "record.json").read_text())
    record = read_record(RECORDED / name)
    assert written["lmdistill"] == record.lmdistill == "0.1.0"
    assert written["metrics"] == record.metrics
    assert written["recipe"] == record.recipe
    assert written["student"]["parameters"]["total"] == record.student.parameters.total
    assert len(read_predictions(RECORDED / name / "predictions.jsonl")) > 0


def test_a_report_shows_their_metrics_on_stdout_and_on_a_page(folder):
    done = run("report", *FINISHED, "--out", "page")
    assert done.code == 0, done.err
    for name in FINISHED:
        assert headline(name) in done.out
    page = (folder / "page/report.html").read_text()
    assert all(headline(name) in page for name in FINISHED)


def test_a_run_that_was_interrupted_continues_to_the_weights_of_the_one_that_was_not(folder):
    first = steps_in(folder / "classifier-interrupted")
    done = run("distill", "classifier.yaml", "--out", "classifier-interrupted")
    assert done.code == 0, done.err
    assert "14" in done.err
    assert_same_student("classifier-interrupted", RECORDED / "classifier")
    assert first[-1] == 16
    assert steps_in(folder / "classifier-interrupted") == steps_in(RECORDED / "classifier")
    before, after = (read_record(Path(name)) for name in ("classifier", "classifier-interrupted"))
    assert after.metrics == before.metrics


def test_the_recipe_gives_the_same_student_again(folder):
    done = run("distill", "classifier/recipe.yaml", "--out", "again")
    assert done.code == 0, done.err
    assert_same_student("again", RECORDED / "classifier")


@pytest.mark.parametrize("name", FINISHED)
def test_a_finished_run_is_not_run_again(folder, name):
    before = {path: path.stat().st_mtime_ns for path in (folder / name / "student").iterdir()}
    done = run("distill", f"{name}.yaml", "--out", name)
    assert done.code == 0, done.err
    assert before == {path: path.stat().st_mtime_ns for path in (folder / name / "student").iterdir()}


@pytest.mark.parametrize("name", ["classifier", "pruned"])
def test_evaluate_gives_the_accuracy_of_the_record_and_predict_the_recorded_predictions(folder, name):
    done = run("evaluate", name)
    assert done.code == 0, done.err
    assert headline(name) in done.out
    done = run("predict", name, "dev.csv", "--out", "answers.jsonl")
    assert done.code == 0, done.err
    answers = lines_of(Path("answers.jsonl"))
    recorded = read_predictions(RECORDED / name / "predictions.jsonl")
    labels = read_record(Path(name)).task.labels
    assert len(answers) == len(recorded)
    assert [answer["predicted"] for answer in answers] == [
        labels[max(range(len(row.student)), key=row.student.__getitem__)] for row in recorded
    ]


def test_evaluate_gives_the_perplexity_of_a_language_run(folder):
    done = run("evaluate", "language")
    assert done.code == 0, done.err
    assert headline("language") in done.out


def test_plain_transformers_loads_the_pruned_student_with_its_own_class(folder):
    script = (
        "import sys, torch\n"
        "from transformers import AutoModelForSequenceClassification as Auto\n"
        "model = Auto.from_pretrained('pruned/student', trust_remote_code=True)\n"
        "assert 'lmdistill' not in sys.modules\n"
        "assert type(model).__module__.endswith('modeling_narrow')\n"
        "print(sum(p.numel() for p in model.parameters()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env={**environment(), "HF_HOME": str(folder / "hf")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = json.loads((RECORDED / "pruned/record.json").read_text())
    assert int(done.stdout) == record["student"]["parameters"]["total"]
