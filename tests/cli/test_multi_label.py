"""Several labels a text from the command line and from Python: runs, scores, thresholds, predictions, answers, pages."""

import csv
import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from scipy.special import expit
from sklearn.metrics import accuracy_score, f1_score
from transformers import AutoConfig, pipeline

import lmdistill as ld
from lmdistill.analysis.compare import compare
from lmdistill.analysis.paired_comparison import judged
from lmdistill.core.batch import Inputs
from lmdistill.core.errors import ConfigError, MismatchError
from lmdistill.engine.training_settings import Training
from lmdistill.evaluation.multi_label import choose_thresholds
from lmdistill.export.hugging_face import save
from lmdistill.methods import KD
from lmdistill.models.loading.classifier import load
from lmdistill.records.predictions import read_predictions
from lmdistill.records.predictions_parquet import read_parquet, write_parquet
from lmdistill.records.record import RecordedRun, find_records, read_record
from lmdistill.report.quotes import quotes
from lmdistill.report.tables.label_slices import label_slices
from lmdistill.runs.classification import evaluation
from tests.cli.conftest import run
from tests.cli.test_bad_input import refused
from tests.run_fixtures import no_pages as no_pages
from tests.tiny import tiny

LABELS = ("blame", "cast", "plot", "praise")
WORDS = {"blame": "bad dull slow", "cast": "cast", "plot": "plot film", "praise": "good bright fine"}


def examples(count, seed=0):
    """Texts whose words tell their labels; a few have none."""
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        labels = [label for label in LABELS if rng.random() < 0.35]
        words = [rng.choice(WORDS[label].split()) for label in labels] + rng.choices(["it", "is", "the"], k=3)
        rng.shuffle(words)
        rows.append({"text": f"{' '.join(words)} {number}", "labels": labels})
    return rows


def write_lines(path, rows):
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows))


RECIPE = {
    "task": "own",
    "data": {"source": "texts.jsonl", "dev": "dev.jsonl", "max_length": 32},
    "teacher": {"model": "teacher"},
    "student": {"layers": 2, "threshold": "dev"},
    "methods": {"KD": {"name": "kd"}, "MixKD": {"name": "mixkd"}},
    "training": {"epochs": 2, "batch_size": 16, "optimizer": {"learning_rate": 2e-3}},
}  # fmt: skip


@pytest.fixture(scope="module")
def done(tmp_path_factory, models, examples_cache):
    """A directory with the runs of two methods."""
    folder = tmp_path_factory.mktemp("labels")
    with pytest.MonkeyPatch.context() as patch:
        enter(folder, examples_cache, patch)
        patch.setattr(
            "lmdistill.runs.stage.write_pages", lambda folder: None
        )  # one page of all runs is enough
        (folder / "models").symlink_to(models)
        save(trained(), "teacher")
        write_lines("texts.jsonl", examples(96))
        write_lines("dev.jsonl", examples(40, seed=1))
        Path("recipe.yaml").write_text(yaml.safe_dump(RECIPE))
        Path("one.yaml").write_text(yaml.safe_dump({**RECIPE, "methods": {"KD": {"name": "kd"}}}))
        said = run("distill", "recipe.yaml", "--out", "runs/all")
    assert said.code == 0, said.err
    return folder, said


def trained():
    """A classifier that tells the labels of these texts."""
    network = tiny(layers=3, seed=1, labels=LABELS)
    network.model.config.problem_type = "multi_label_classification"
    rows = examples(300, seed=2)
    encoded = network.tokenizer([row["text"] for row in rows], return_tensors="pt", padding=True)
    inputs = Inputs(ids=encoded["input_ids"], mask=encoded["attention_mask"])
    labels = torch.tensor([[float(label in row["labels"]) for label in LABELS] for row in rows])
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.005)
    for _ in range(100):
        optimizer.zero_grad()
        torch.nn.BCEWithLogitsLoss()(network(inputs).logits, labels).backward()
        optimizer.step()
    return network


def enter(folder, cache, patch):
    patch.setattr("datasets.config.HF_DATASETS_CACHE", cache)
    patch.setattr(evaluation, "LATENCY_RUNS", 1)
    patch.chdir(folder)


@pytest.fixture
def place(done, examples_cache, monkeypatch, no_pages):
    """That directory as working directory; further runs write no pages."""
    enter(done[0], examples_cache, monkeypatch)
    return done[0]


def outputs(folder):
    """Labels as rows, and logits of student and teacher."""
    found = read_predictions(Path(folder) / "predictions.jsonl")
    return (
        np.stack([one.label_row() for one in found]),
        np.array([one.student for one in found]),
        np.array([one.teacher for one in found]),
    )


@pytest.mark.parametrize("name", ["KD", "MixKD"])
def test_the_record_has_the_scores_of_scikit_learn_at_the_chosen_thresholds(place, name):
    folder = Path("runs/all") / f"{name}-seed0"
    record = read_record(folder)
    labels, *logits = outputs(folder)
    assert (record.task.kind, record.task.multi_label, record.task.labels) == ("classification", True, LABELS)
    assert record.thresholds.split == "dev"
    sides = (record.metrics, record.thresholds.student), (record.teacher_metrics, record.thresholds.teacher)
    for (metrics, thresholds), values in zip(sides, logits, strict=True):
        assert thresholds == pytest.approx(choose_thresholds(labels, values), abs=1e-6)
        said = expit(values) >= np.array(thresholds)
        assert metrics["dev"] == pytest.approx(
            {
                "micro_f1": f1_score(labels, said, average="micro", zero_division=0),
                "macro_f1": f1_score(labels, said, average="macro", zero_division=0),
                "subset_accuracy": accuracy_score(labels, said),
            }
        )
    assert record.teacher_metrics["dev"]["micro_f1"] > 0.8
    assert len(record.calibration.by_label) == 4
    assert record.calibration.ece == pytest.approx(np.mean(record.calibration.by_label))
    assert {"set_agreement", "label_agreement", "kl_nats"} < set(record.agreement)
    assert record.risk.dev == pytest.approx(record.calibration.nll)
    assert judged(RecordedRun(path=folder, record=record)).student.mean() == pytest.approx(
        record.metrics["dev"]["micro_f1"]
    )


def test_the_table_and_the_page_say_that_dev_chose_the_thresholds(place, done):
    assert "KD, MixKD: the threshold of each label was chosen on dev too, for its F1" in done[1].out
    page = Path("runs/all/report.html").read_text()
    for part in ("F1 by label, %", "Calibration error by label, %", "Probability from which on a label",
                 "Micro F1 by length, %", "agreement with teacher on all labels, %", "chosen on dev too"):  # fmt: skip
        assert part in page, part
    assert "Accuracy by class" not in page
    card = Path("runs/all/KD-seed0/student/README.md").read_text()
    assert "Labels (any number of them for a text): blame, cast, plot, praise." in card
    assert "`label_thresholds` in config.json" in card
    assert "The threshold of each label was chosen on dev too" in card


def test_a_stock_pipeline_gives_the_same_probabilities(place):
    folder = "runs/all/KD-seed0/student"
    config = AutoConfig.from_pretrained(folder)
    assert config.problem_type == "multi_label_classification"
    assert tuple(config.label_thresholds) == read_record(Path("runs/all/KD-seed0")).thresholds.student
    stock = pipeline("text-classification", folder, device="cpu")
    texts = [row["text"] for row in examples(40, seed=1)]
    found = [{one["label"]: one["score"] for one in answer} for answer in stock(texts, top_k=None)]
    expected = expit(outputs("runs/all/KD-seed0")[1])
    np.testing.assert_allclose([[one[label] for label in LABELS] for one in found], expected, atol=1e-5)


def test_evaluate_gives_the_scores_of_the_record(place, lmdistill):
    said = lmdistill("evaluate", "runs/all/KD-seed0")
    assert said.code == 0, said.err
    for name, value in read_record(Path("runs/all/KD-seed0")).metrics["dev"].items():
        assert f"{name}, %" in said.out
        assert f"{100 * value:.2f}" in said.out
    assert "labels are predicted from these probabilities on: blame" in said.err


def test_predict_writes_the_labels_and_the_probability_of_each(place, lmdistill, tmp_path):
    thresholds = dict(zip(LABELS, read_record(Path("runs/all/KD-seed0")).thresholds.student, strict=True))
    for suffix in (".csv", ".jsonl"):
        said = lmdistill("predict", "runs/all/KD-seed0", "dev.jsonl", "--out", tmp_path / f"out{suffix}")
        assert said.code == 0, said.err
    with (tmp_path / "out.csv").open(newline="") as file:
        cells = list(csv.DictReader(file))
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    expected = expit(outputs("runs/all/KD-seed0")[1])
    for cell, row, values in zip(cells, rows, expected, strict=True):
        assert json.loads(cell["predicted"]) == row["predicted"]
        assert row["predicted"] == [name for name, t in thresholds.items() if row[f"p_{name}"] >= t]
        assert [row[f"p_{name}"] for name in LABELS] == pytest.approx(values, abs=2e-5)
        assert [float(cell[f"p_{name}"]) for name in LABELS] == [row[f"p_{name}"] for name in LABELS]


def test_predictions_of_a_student_teach_another_as_a_file_of_answers(place, lmdistill, tmp_path):
    assert lmdistill("predict", "runs/all/KD-seed0", "texts.jsonl", "--out", "answers.jsonl").code == 0
    recipe = {**RECIPE, "methods": {"KD": {"name": "kd"}}, "training": {**RECIPE["training"], "epochs": 1}}
    recipe["teacher"] = {"model": "models/encoder", "answers": "answers.jsonl"}
    Path("answered.yaml").write_text(yaml.safe_dump(recipe))
    said = lmdistill("distill", "answered.yaml", "--out", tmp_path / "out")
    assert said.code == 0, said.err
    record = read_record(tmp_path / "out")
    assert (record.answers.kind, record.answers.answered) == ("probabilities", 96)


def test_texts_without_labels_teach_through_stored_outputs(place, lmdistill, tmp_path):
    changes = ["data.unlabelled=[rest]", "data.rows=24", "data.labelled_per_batch=8", "training.epochs=1"]
    changes += ["student.threshold=0.4", "teacher.model=models/encoder", "teacher.training.epochs=1"]
    words = [word for change in changes for word in ("--set", change)]
    said = lmdistill("distill", "one.yaml", "--out", tmp_path / "out", *words)
    assert said.code == 0, said.err
    record = read_record(tmp_path / "out")
    assert (record.task.rows["train"], record.task.unlabelled_rows) == (24, 72)
    assert record.thresholds.model_dump() == {"split": None, "student": (0.4,) * 4, "teacher": None}
    assert "was chosen on" not in said.out
    assert load(tmp_path / "out" / "student").thresholds == (0.4,) * 4


def test_from_python_it_is_the_same(place, tmp_path):
    task = ld.load_task("own", "texts.jsonl", dev="dev.jsonl")
    teacher = load("teacher")
    settings = {"training": Training(epochs=2, batch_size=16), "max_length": 32, "method": KD()}
    student = ld.truncate(teacher, layers=2)
    found = ld.distill(teacher, task, student=student, out=tmp_path / "a", threshold="dev", **settings)
    assert found.metrics["micro_f1"] == read_record(tmp_path / "a").metrics["dev"]["micro_f1"]
    assert found.student.multi_label
    assert found.student.thresholds == found.record.thresholds.student
    assert found.record.recipe["student"]["threshold"] == "dev"
    Path("answers.csv").write_text(
        "text,labels\n" + "".join(f"{t},blame;cast\n" for t in task.train["sentence1"])
    )
    answers = ld.load_answers("answers.csv", task, label_separator=";")
    assert expit(answers.of(task.train)[0].astype(float)) == pytest.approx([1, 1, 0, 0], abs=2e-6)
    plain = ld.distill(teacher, task, student=ld.truncate(teacher, layers=2), out=tmp_path / "b", **settings)
    assert plain.record.thresholds is None
    assert plain.student.thresholds is None
    same = [read_predictions(tmp_path / name / "predictions.jsonl") for name in "ab"]
    assert [one.student for one in same[0]] == [one.student for one in same[1]]
    with pytest.raises(ConfigError, match=r"the threshold of labels must be in \(0, 1\), or dev, got 1\.5"):
        ld.distill(teacher, task, student=student, out=tmp_path / "c", threshold=1.5, **settings)
    classes = tiny(layers=2, labels=LABELS)
    with pytest.raises(MismatchError, match="outputs are a softmax over classes and the student's a sigmoid"):
        ld.distill(classes, task, student=ld.truncate(teacher, layers=2), out=tmp_path / "d", **settings)


def test_predictions_keep_their_labels_in_one_file_for_several_runs(place, tmp_path):
    runs = {
        name: read_predictions(Path(f"runs/all/{name}-seed0/predictions.jsonl")) for name in ("KD", "MixKD")
    }
    write_parquet(tmp_path / "predictions.parquet", runs)
    assert read_parquet(tmp_path / "predictions.parquet") == runs


def test_a_teacher_for_classes_is_refused_and_the_other_way_round(place, lmdistill, tmp_path):
    save(tiny(layers=3, labels=LABELS), tmp_path / "classes")
    said = lmdistill(
        "distill", "recipe.yaml", "--out", tmp_path / "a", "--set", f"teacher.model={tmp_path / 'classes'}"
    )
    refused(
        said, r"the teacher .*classes has a softmax over classes, and own has several labels a text\. Use an"
    )
    rows = [{"text": row["text"], "label": LABELS[n % 4]} for n, row in enumerate(examples(40))]
    write_lines(tmp_path / "one.jsonl", rows)
    changes = [f"data.source={tmp_path / 'one.jsonl'}", "data.dev=null", "teacher.model=teacher"]
    changes += ["student.threshold=0.5"]
    words = [word for change in changes for word in ("--set", change)]
    said = lmdistill("distill", "recipe.yaml", "--out", tmp_path / "b", *words)
    refused(said, r"the teacher teacher has a sigmoid for each label .* and own has no several labels")
    said = lmdistill("distill", "recipe.yaml", "--out", tmp_path / "b", *words[:-1], "student.threshold=dev")
    refused(
        said, r"student\.threshold is dev, which is for several labels a text, and own has one class a text"
    )
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("student.threshold=1.0", r"^student: threshold must be in \(0, 1\) or dev, got 1\.0|student.*threshold must be"),
        (
            "teacher={model: null, models: [teacher, teacher]}",
            r"own has several labels a text, and models are combined or prompted for one class",
        ),
        ("map={examples: 20}", r"map is for tasks with classes and own has several labels a text"),
        ("data.metrics=[accuracy]", r"data\.metrics: accuracy is not for several labels a text; use macro_f1, micro_f1"),
        ("data.kind=classification", r"line 1: 'labels' holds a list, where one label is needed"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_are_refused_in_one_line(place, lmdistill, tmp_path, change, said):
    refused(lmdistill("distill", "recipe.yaml", "--out", tmp_path / "out", "--set", change), said)
    assert not (tmp_path / "out").exists()


def test_a_teacher_whose_outputs_are_in_another_order_is_found_out(place, lmdistill, tmp_path):
    network = load("teacher")
    network.model.config.id2label = {at: f"LABEL_{at}" for at in range(4)}
    network.model.config.label2id = {f"LABEL_{at}": at for at in range(4)}
    save(network, tmp_path / "nameless")
    words = ["--set", f"teacher.model={tmp_path / 'nameless'}", "--set", "training.epochs=1"]
    said = lmdistill("distill", "one.yaml", "--out", tmp_path / "a", *words)
    assert said.code == 0, said.err
    assert "they reach a mean correlation with the labels of 0." in said.err
    words += ["--set", "data.labels=[plot, praise, blame, cast]"]
    said = lmdistill("distill", "one.yaml", "--out", tmp_path / "b", *words)
    refused(
        said,
        r"no label names, and its outputs fit another order much better: .* as blame, cast, plot, praise\.",
    )


def test_a_schedule_with_an_assistant_runs_on_several_labels(place, lmdistill, tmp_path):
    recipe = {
        **RECIPE,
        "methods": {"Hidden": {"name": "hidden_kd"}},
        "teacher": {"model": "teacher"},
    }
    recipe["student"] = {"layers": "all", "keep": 0.5}
    recipe["schedule"] = {"name": "minidisc", "grid": [0.8, 0.5], "largest": 0.8}
    recipe["training"] = {"epochs": 1, "batch_size": 32}
    Path("schedule.yaml").write_text(yaml.safe_dump(recipe))
    said = lmdistill("distill", "schedule.yaml", "--out", tmp_path / "out")
    assert said.code == 0, said.err
    record = read_record(tmp_path / "out")
    assert record.schedule.metric == "micro_f1"
    assert record.task.multi_label


def test_a_copied_student_predicts_with_its_thresholds_without_its_run(place, lmdistill, tmp_path):
    shutil.copytree("runs/all/KD-seed0/student", tmp_path / "model")
    for target, out in (("runs/all/KD-seed0", "a.csv"), (tmp_path / "model", "b.csv")):
        assert lmdistill("predict", target, "dev.jsonl", "--out", tmp_path / out).code == 0
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()


def test_the_tables_by_label_have_the_numbers_of_scikit_learn(place):
    (table,) = compare(find_records(["runs/all"]))
    grids = {grid.name: grid for grid in label_slices(table)}
    labels, student, teacher = outputs("runs/all/KD-seed0")
    record = read_record(Path("runs/all/KD-seed0"))
    lines = {row[0]: row[1:] for row in grids["f1-by-label"].rows}
    assert grids["f1-by-label"].header[1:] == tuple(
        f"{name} ({count})" for name, count in zip(LABELS, labels.sum(axis=0), strict=True)
    )
    for row, logits, thresholds in (
        ("KD", student, record.thresholds.student),
        ("Teacher", teacher, record.thresholds.teacher),
    ):
        expected = f1_score(labels, expit(logits) >= np.array(thresholds), average=None, zero_division=0)
        assert lines[row] == tuple(f"{100 * value:.2f}" for value in expected)
    lines = {row[0]: row[1:] for row in grids["threshold-by-label"].rows}
    assert lines["KD"] == tuple(f"{value:.3f}" for value in record.thresholds.student)
    lines = {row[0]: row[1:] for row in grids["calibration-by-label"].rows}
    assert lines["KD"] == tuple(f"{100 * value:.2f}" for value in record.calibration.by_label)
    sizes = [int(title.split("(")[1].rstrip(")")) for title in grids["f1-by-length"].header[1:]]
    assert sum(sizes) == len(labels)


def test_quotes_show_the_labels_of_both_networks_where_they_differ(place):
    (kept,) = find_records(["runs/all/KD-seed0"])
    found = quotes(kept)
    labels, student, teacher = outputs("runs/all/KD-seed0")
    thresholds = kept.record.thresholds
    unlike = (expit(student) >= thresholds.student) != (expit(teacher) >= thresholds.teacher)
    assert len(found.found) == min(20, int(unlike.any(axis=1).sum()))
    rows = [json.loads(line)["text"] for line in Path("dev.jsonl").read_text().splitlines()]
    for quote in found.found:
        at = int(quote.title.rpartition(" ")[2])
        assert quote.texts == (rows[at],)
        assert quote.student != quote.teacher
        assert quote.label == (", ".join(np.array(LABELS)[labels[at] == 1]) or "none of the labels")
