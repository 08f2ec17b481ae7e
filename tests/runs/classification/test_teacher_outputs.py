"""Teachers that are stored, recorded or alive teach the same student."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from lmdistill.core.errors import ConfigError, DataError, MismatchError
from lmdistill.data.load_task import load_task
from lmdistill.data.tasks.subsample import with_train_subset
from lmdistill.export.hugging_face import save
from lmdistill.models.classifier import Network
from lmdistill.models.loading.classifier import load
from lmdistill.recipes.files import read_recipe
from lmdistill.records.record import read_record
from lmdistill.runs.classification.dataset import encode_task
from lmdistill.runs.run_recipe import run_recipe
from tests.tiny import tiny
from tests.tiny_recipe import write_recipe

KD = {"KD": {"name": "kd", "alpha": 1.0, "divergence": "mse"}}
EXTRA = [f"film {word} was a x{number}" for number, word in enumerate(["good", "bad", "fine"] * 8)]


@pytest.fixture
def given(tmp_path):
    """A recipe of 20 steps without dropout, and texts without labels."""
    path = write_recipe(tmp_path / "given", dropout=0.0, epochs=4, methods=KD)
    (tmp_path / "extra.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in EXTRA))
    return path


def weights(folder):
    return load_file(folder / "student" / "model.safetensors")


def run(path, out, *changes):
    folders = run_recipe(read_recipe(str(path), list(changes)), out, command="test")
    return folders[0] if len(folders) == 1 else folders


def close(first, second, tolerance=1e-5):
    """Whether all weights agree, but for the biases of attention keys, which softmax cancels."""
    one, two = weights(first), weights(second)
    return all(
        torch.allclose(one[name], two[name], atol=tolerance, rtol=0) for name in one if "key.bias" not in name
    )


def test_stored_outputs_teach_the_student_of_a_live_teacher(given, tmp_path, no_pages, monkeypatch):
    live = run(given, tmp_path / "live", "teacher.store_outputs=false")
    stored = run(given, tmp_path / "stored")
    assert close(live, stored)
    (store,) = (tmp_path / "teachers" / "outputs").iterdir()
    calls, real = [], Network.__call__

    def counted(self, *arguments, **named):
        calls.append(self.training)
        return real(self, *arguments, **named)

    monkeypatch.setattr(Network, "__call__", counted)
    run(given, tmp_path / "again", "seeds=[5]")
    assert len(list((tmp_path / "teachers" / "outputs").iterdir())) == 1  # read by another seed
    assert store.is_dir()


def answers_of(given, tmp_path, kind, order=1):
    """A file with what the teacher says of all texts of the task."""
    recipe = read_recipe(str(given))
    task = load_task("own", recipe.data.source)
    teacher = load(recipe.teacher.model)
    lines = []
    for name in ("train", "dev"):
        data = encode_task(task, teacher, None, max_length=32)
        split = data.train if name == "train" else data.dev["dev"]
        logits = split.logits(teacher, "cpu")
        for text, values in zip(task.split(name)["sentence1"], logits, strict=True):
            values = values.astype(np.float64)
            shares = np.exp(values - values.max())
            numbers = values if kind == "logits" else shares / shares.sum()
            lines.append({"text": text, kind: dict(zip(task.spec.labels, numbers.tolist(), strict=True))})
    path = tmp_path / f"{kind}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines[::order]))
    return path


@pytest.mark.parametrize("order", [pytest.param(1, marks=pytest.mark.slow), -1])
def test_a_file_of_logits_teaches_the_student_of_the_live_teacher(given, tmp_path, no_pages, order):
    path = answers_of(given, tmp_path, "logits", order)
    save(tiny(layers=2, seed=9, labels=("bad", "good")), tmp_path / "other")
    student = f"student={{model: {tmp_path / 'other'}}}"
    live = run(given, tmp_path / "live", student, "teacher.store_outputs=false")
    told = run(given, tmp_path / "told", student, f"teacher.answers={path}")
    assert close(live, told)
    ours, theirs = read_record(told), read_record(live)
    assert ours.teacher is None
    assert ours.teacher_metrics == theirs.teacher_metrics
    assert ours.agreement == pytest.approx(theirs.agreement, abs=1e-4)
    assert (ours.answers.kind, ours.answers.answered, ours.answers.unanswered) == ("logits", 43, 0)


@pytest.mark.slow
def test_probabilities_teach_alike_where_a_softmax_reads_them(given, tmp_path, no_pages):
    path = answers_of(given, tmp_path, "probabilities")
    method = "methods={KD: {name: kd, alpha: 1.0, temperature: 1.0}}"
    save(tiny(layers=2, seed=9, labels=("bad", "good")), tmp_path / "other")
    student = f"student={{model: {tmp_path / 'other'}}}"
    live = run(given, tmp_path / "live", student, method)
    told = run(given, tmp_path / "told", student, method, f"teacher.answers={path}")
    assert close(live, told, 1e-4)


def test_texts_without_labels_reach_teacher_terms_only(given, tmp_path, no_pages):
    methods = "methods={FT: {name: finetune}, KD: {name: kd, alpha: 1.0}}"
    extra = f"data.unlabelled=[{tmp_path / 'extra.jsonl'}]"
    plain = run(given, tmp_path / "plain", methods)
    more = run(given, tmp_path / "more", methods, extra)
    assert all(torch.equal(one, weights(more[0])[name]) for name, one in weights(plain[0]).items())
    assert not close(plain[1], more[1])
    records = [read_record(folder) for folder in more]
    assert [one.task.unlabelled_rows for one in records] == [24, 24]
    assert [one.task.rows["train"] for one in records] == [43, 43]
    assert [one.training.steps for one in records] == [24, 36]
    assert records[1].risk.sample_size == 43


def test_labels_of_the_rest_are_not_read(given, tmp_path, no_pages):
    """Labels of rows that keep none are swapped in the file, and the student stays the same."""
    changes = (
        "methods={KD: {name: kd}}",
        "data.rows=20",
        "data.unlabelled=[rest]",
        "data.labelled_per_batch=2",
    )
    source = Path(yaml.safe_load(given.read_text())["data"]["source"])
    task = load_task("own", str(source))
    with_labels = {*with_train_subset(task, 20).train["sentence1"], *task.dev["dev"]["sentence1"]}
    dev = set(task.dev["dev"]["sentence1"])
    with source.open(newline="") as file:
        header, *rows = csv.reader(file)
    files = {"dev": [row for row in rows if row[0] in dev]}
    files["train"] = [row for row in rows if row[0] not in dev]
    files["other"] = [
        row if row[0] in with_labels else [row[0], "good" if row[1] == "bad" else "bad"]
        for row in files["train"]
    ]
    assert files["other"] != files["train"]
    for name, kept in files.items():
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([header, *kept])
    first, second = (
        run(
            given,
            tmp_path / f"{name}-run",
            *changes,
            f"data.source={tmp_path / name}.csv",
            f"data.dev={tmp_path}/dev.csv",
        )
        for name in ("train", "other")
    )
    assert read_record(first).task.unlabelled_rows == read_record(second).task.unlabelled_rows == 23
    assert all(torch.equal(one, weights(second)[name]) for name, one in weights(first).items())


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        (
            ["methods={M: {name: mixkd}}"],
            MismatchError,
            r"M has to run its teacher on new inputs.*Use method kd",
        ),
        (["methods={M: {name: pkd}}"], MismatchError, r"M has to run its teacher"),
        (
            [
                "student.keep=0.3",
                "student.layers=all",
                "schedule={name: minidisc, grid: [0.7, 0.5, 0.3], largest: 0.7}",
            ],
            ConfigError,
            "has only answers",
        ),
    ],
)
def test_methods_that_ask_new_questions_are_refused_before_anything_is_trained(
    given, tmp_path, no_pages, changes, error, said
):
    path = answers_of(given, tmp_path, "logits")
    with pytest.raises(error, match=said):
        run(given, tmp_path / "out", f"teacher.answers={path}", *changes)
    assert not (tmp_path / "out" / "record.json").exists()


def test_answers_for_other_texts_are_refused(given, tmp_path, no_pages):
    path = tmp_path / "few.jsonl"
    path.write_text('{"text": "nothing", "label": "bad"}\n')
    with pytest.raises(DataError, match=r"has answers for 0 of 43 training texts"):
        run(given, tmp_path / "out", f"teacher.answers={path}")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("data.unlabelled=[rest]", r"unlabelled is rest, and all training rows are used"),
        ("data.labelled_per_batch=2", r"labelled_per_batch is 2, and every row has a label"),
    ],
)
def test_settings_that_fit_nothing_are_refused(given, change, said, tmp_path):
    with pytest.raises(ConfigError, match=said):
        run(given, tmp_path / "out", change)
    assert not (tmp_path / "out").exists()
