"""The command line as a user meets it: a table of texts in, a small network, its numbers and its answers out."""

import csv
import gzip
import json
import math
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from lmdistill.core.errors import MissingExtraError
from lmdistill.data.augment.wordnet import wordnet_synonyms
from lmdistill.evaluation.glue_submission import TEST_FILES
from lmdistill.recipes.files import read_recipe
from lmdistill.records.disagreements import instructive
from lmdistill.records.predictions import read_predictions
from lmdistill.records.record import read_record
from lmdistill.runs.classification.data import load_whole
from tests.cli.cli_project import LABELS, RECIPE, files_in, read_csv, texts, write_csv, write_recipe

GLUE = Path(__file__).parents[2] / "../shared/data/glue_raw"


def record(folder):
    return json.loads((Path(folder) / "record.json").read_text())


def distilled(lmdistill, out="runs/x", **changes):
    """Run a changed recipe; its record."""
    write_recipe("changed.yaml", {**RECIPE, **changes})
    said = lmdistill("distill", "changed.yaml", "--out", out)
    assert said.code == 0, said.err
    return record(out)


@pytest.fixture
def no_pages(monkeypatch):
    """Pages take longer than the training of a tiny network."""
    monkeypatch.setattr("lmdistill.runs.write_report.write_report", lambda folder, runs, order=(): None)


def test_a_run_leaves_what_the_house_says(finished):
    assert {
        "recipe.yaml", "record.json", "history.jsonl", "predictions.jsonl", "report.html", "README.md",
        "student/model.safetensors", "student/config.json", "student/README.md", "student/tokenizer.json",
        "teacher/model.safetensors", "disagreements.jsonl", "text_hashes.npz", "teacher/text_hashes.npz",
    } <= files_in(finished / "runs/one")  # fmt: skip
    assert not [name for name in files_in(finished) if ".part" in name or "checkpoints" in name]
    assert record("runs/one")["task"]["labels"] == ["mid", "neg", "pos"]
    assert record("runs/one")["task"]["rows"] == {"train": 48, "dev": 12}
    task = load_whole("own", read_recipe("recipe.yaml").data)
    assert record("runs/one")["task"]["fingerprint"] == task.fingerprint
    assert record("runs/one")["task"]["dev_fingerprint"] == replace(task, splits=task.dev).fingerprint


def test_a_run_keeps_lengths_and_the_texts_on_which_its_networks_disagree(finished):
    answers = read_predictions(finished / "runs/one/predictions.jsonl")
    texts = [row[0].split() for row in read_csv(finished / "dev.csv")[1:]]
    assert all(len(text) + 2 <= one.tokens <= 32 for one, text in zip(answers, texts, strict=True))
    kept = [json.loads(line) for line in (finished / "runs/one/disagreements.jsonl").read_text().splitlines()]
    assert [one["example"] for one in kept] == [one.example for one in instructive(answers)]
    assert all(one["texts"][0].split() == texts[one["example"]] for one in kept)


def test_the_same_command_again_does_nothing_and_shows_the_same_table(finished, lmdistill):
    before = {path: path.stat().st_mtime_ns for path in (finished / "runs/one").rglob("*")}
    again = lmdistill("distill", "recipe.yaml", "--out", "runs/one", "--set", "teacher.model=models/encoder")
    assert again.code == 0, again.err
    assert {path: path.stat().st_mtime_ns for path in (finished / "runs/one").rglob("*")} == before
    assert again.out == lmdistill("report", "runs/one").out + "report: runs/one/report.html\n"
    assert "using the teacher fine-tuned before" in again.err


def test_another_recipe_beside_it_uses_the_teacher_that_is_there(finished, lmdistill, no_pages):
    said = lmdistill(
        "finetune", "recipe.yaml", "--out", "runs/teachers", "--set", "teacher.model=models/encoder"
    )
    (folder,) = Path("runs/teachers").iterdir()
    assert said.out == f"{folder}/student\n"
    assert "using the teacher fine-tuned before" in said.err


def test_evaluate_gives_the_numbers_of_the_record(finished, lmdistill):
    said = lmdistill("evaluate", "runs/one")
    assert said.code == 0, said.err
    cells = [[cell.strip() for cell in line.split("│")] for line in said.out.splitlines() if "│" in line]
    metrics, majority = record("runs/one")["metrics"]["dev"], record("runs/one")["majority"]["dev"]
    assert cells[:2] == [
        ["dev", "12", "accuracy, %", f"{100 * metrics['accuracy']:.2f}", f"{100 * majority['accuracy']:.2f}"],
        ["dev", "12", "matthews × 100", f"{100 * metrics['matthews']:.2f}", "0.00"],
    ]
    ece = record("runs/one")["calibration"]["ece"]
    assert ["dev", "12", "calibration error, %", f"{100 * ece:.2f}", "–"] in cells
    for one in record("runs/one")["classes"]["dev"]:
        shares = [f"{100 * one[name]:.2f}" for name in ("precision", "recall", "f1")]
        assert [one["label"], *shares, str(one["support"]), str(one["predicted"])] in cells


def test_a_fine_tuned_teacher_is_evaluated_on_the_data_it_was_made_for(finished, lmdistill):
    (folder,) = Path("runs/teachers").iterdir()
    said = lmdistill("evaluate", folder)
    assert f"{100 * record('runs/one')['teacher_metrics']['dev']['accuracy']:.2f}" in said.out


def test_any_classifier_is_evaluated_on_named_data(finished, lmdistill):
    said = lmdistill("evaluate", "models/named-in-another-order", "--set", "task=own", "--set",
                     "data={source: texts.csv, dev: dev.csv, max_length: 32}")  # fmt: skip
    assert said.code == 0, said.err
    assert "100.00" in said.out


def test_predictions_keep_order_and_texts_and_carry_the_users_names(finished, lmdistill):
    odd = [["7", *row] for row in texts(30, seed=5)] + [
        ["8", " spaces, kept ", "neg"],
        ["9", "lone\rreturn", ""],
    ]
    write_csv("new.csv", odd, header=("number", "text", "note"))
    said = lmdistill("predict", "runs/one", "new.csv")
    assert said.code == 0, said.err
    assert said.out == "32 rows: new.predicted.csv\n"
    header, *rows = read_csv("new.predicted.csv")
    assert header == ["number", "text", "note", "predicted", "p_mid", "p_neg", "p_pos"]
    assert [row[:3] for row in rows] == odd
    for row in rows:
        shares = dict(zip(("mid", "neg", "pos"), map(float, row[4:]), strict=True))
        assert sum(shares.values()) == pytest.approx(1, abs=2e-6)
        assert row[3] == max(shares, key=shares.get)


def test_predictions_equal_those_of_the_run(finished, lmdistill):
    lmdistill("predict", "runs/one", "dev.csv", "--out", "out.jsonl")
    stored = [json.loads(line) for line in Path("runs/one/predictions.jsonl").read_text().splitlines()]
    for line, kept in zip(Path("out.jsonl").read_text().splitlines(), stored, strict=True):
        weights = [math.exp(value) for value in kept["student"]]
        shares = [json.loads(line)[f"p_{name}"] for name in ("mid", "neg", "pos")]
        assert shares == pytest.approx([weight / sum(weights) for weight in weights], abs=2e-5)


def test_json_lines_keep_their_types(finished, lmdistill):
    rows = [{"id": 7, "text": "a “fine” film 😀\nnew", "tags": ["a", None], "text_length": 1.5}]
    Path("new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows * 3))
    assert lmdistill("predict", "runs/one", "new.jsonl").code == 0
    for line in Path("new.predicted.jsonl").read_text(encoding="utf-8").splitlines():
        found = json.loads(line)
        assert {key: found[key] for key in rows[0]} == rows[0]
        assert found["predicted"] in LABELS


def test_compressed_and_unquoted_tables_are_read(finished, lmdistill):
    with gzip.open("new.tsv.gz", "wt", encoding="utf-8") as file:
        file.write('text\tid\na "good" film\t1\n"bad" plot, and\t2\n')
    said = lmdistill("predict", "runs/one", "new.tsv.gz")
    assert said.out == "2 rows: new.predicted.tsv\n"
    with open("new.predicted.tsv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, dialect="excel-tab"))
    assert [row["text"] for row in rows] == ['a "good" film', '"bad" plot, and']


def test_predict_says_what_it_replaces(finished, lmdistill):
    assert "replacing" not in lmdistill("predict", "runs/one", "dev.csv", "--out", "twice.csv").err
    assert "replacing twice.csv" in lmdistill("predict", "runs/one", "dev.csv", "--out", "twice.csv").err


def test_measure_shows_student_and_teacher(finished, lmdistill, monkeypatch):
    monkeypatch.setattr("lmdistill.commands.measured.peak_memory_of", lambda work: 1.0)  # it starts processes
    said = lmdistill("measure", "runs/one", "models/binary", "--tokens", "8", "--runs", "1")
    assert said.code == 0, said.err
    names = [line.split("│")[0].strip() for line in said.out.splitlines() if "│" in line]
    assert names == ["runs/one", "runs/one/teacher", "models/binary"] * 2  # speed, and bytes on disk


def test_theory_shows_the_gap_that_a_run_has_measured_itself(finished, lmdistill):
    said = lmdistill("theory", "runs/one")
    assert said.code == 0, said.err
    values = {line.split("│")[0].strip(): line.split("│")[-1].strip() for line in said.out.splitlines()}
    risk = read_record(Path("runs/one")).risk
    assert float(values["measured gap, 0/1 loss"]) == pytest.approx(
        risk.dev_error - risk.train_error, abs=1e-4
    )
    assert "at most" not in said.out


def test_report_writes_the_page_that_was_named(finished, lmdistill):
    assert lmdistill("report", "runs", "--out", "pages/two.html").code == 0
    assert Path("pages/two.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_report_writes_tables_and_pictures_as_files(finished, lmdistill):
    assert lmdistill("report", "runs", "--files", "pages/files").code == 0
    names = {path.name.partition("-")[2] for path in Path("pages/files").iterdir()}
    assert {"quality.csv", "quality.md", "details.csv"} <= names
    assert any(name.endswith(".svg") for name in names)


def test_report_writes_one_page_that_needs_nothing_else(finished, lmdistill):
    said = lmdistill("report", "runs", "--out", "pages", "--markdown")
    assert said.code == 0, said.err
    assert "| MixKD |" in said.out
    assert "report: " not in lmdistill("report", "runs/one", "--markdown").out
    page = Path("pages/report.html").read_text()
    assert "://" not in page.replace("http://www.w3.org", "")
    assert not re.search(r"<script|src=(?!.data:)", page)


STOCK = """
import json, sys
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
assert not [name for name in sys.modules if name.startswith("lmdistill")]
folder, rows = sys.argv[1], json.load(sys.stdin)
model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
tokenizer = AutoTokenizer.from_pretrained(folder)
with torch.no_grad():
    print(json.dumps([model(**tokenizer(row, return_tensors="pt")).logits[0].tolist() for row in rows]))
print(json.dumps(model.config.id2label))
"""


def test_the_student_gives_the_same_logits_in_a_process_with_transformers_alone(finished):
    rows = json.dumps([row[0] for row in texts(12, seed=1)])
    found = subprocess.run(
        [sys.executable, "-c", STOCK, "runs/one/student"],
        input=rows,
        capture_output=True,
        text=True,
        check=True,
    )
    logits, labels = (json.loads(line) for line in found.stdout.splitlines())
    assert list(labels.values()) == ["mid", "neg", "pos"]
    stored = [
        json.loads(line)["student"] for line in Path("runs/one/predictions.jsonl").read_text().splitlines()
    ]
    for ours, theirs in zip(stored, logits, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5)


def test_methods_and_seeds_go_into_a_folder_of_runs(place, lmdistill, no_pages):
    Path("mine.py").write_text(MINE)
    recipe = {key: value for key, value in RECIPE.items() if key != "method"} | {
        "student": {"model": "models/other"},  # another tokenizer, another width
        "methods": {
            "Mine": {"name": "mine.py:Mine", "weight": 0.5},
            "MixKD 2": {"name": "mixkd", "ratio": 2, "partner": "train"},
        },
        "seeds": [0, 1],
    }
    write_recipe("many.yaml", recipe)
    said = lmdistill("distill", "many.yaml", "--out", "runs/many", "--allow-code")
    assert said.code == 0, said.err
    names = ["Mine-seed0", "Mine-seed1", "MixKD 2-seed0", "MixKD 2-seed1"]
    assert sorted(path.parent.name for path in Path("runs/many").glob("*/record.json")) == names
    found = {name: record(f"runs/many/{name}") for name in names}
    assert [one["seed"] for one in found.values()] == [0, 1, 0, 1]
    assert found["MixKD 2-seed1"]["method"]["ratio"] == 2
    assert found["Mine-seed0"]["method"] == {"name": "mine.py:Mine", "weight": 0.5}
    assert {one["student"]["source"] for one in found.values()} == {"models/other"}
    shown = [line.split("│")[0].strip() for line in said.out.splitlines() if "│" in line]
    assert shown == ["Teacher", "Mine", "MixKD 2"]
    assert lmdistill("distill", "runs/many/recipe.yaml", "--out", "runs/many", "--allow-code").out == said.out
    assert (
        lmdistill(
            "distill", "runs/many/Mine-seed1/recipe.yaml", "--out", "runs/many/Mine-seed1", "--allow-code"
        ).code
        == 0
    )


MINE = '''
from dataclasses import dataclass

from lmdistill.objectives.reduction import masked_sum
from lmdistill.objectives.supervised import label_loss


@dataclass(frozen=True, kw_only=True)
class Mine:
    """A method of the user's own."""

    weight: float = 1.0
    uses_teacher = False
    mixing = None

    def check(self, student, teacher):
        pass

    def losses(self, student, teacher, batch):
        return {"label": self.weight * masked_sum(label_loss(student(batch.inputs).logits, batch.labels), batch.scored)}
'''


def test_scores_are_learned_and_predicted(place, lmdistill, no_pages):
    for name, count, seed in (("texts.csv", 36, 0), ("dev.csv", 12, 1)):
        scores = {"neg": 0.5, "mid": 2.5, "pos": 4.75}
        write_csv(
            name, [[text, scores[label]] for text, label in texts(count, seed)], header=("text", "score")
        )
    found = distilled(lmdistill, teacher={"model": "models/encoder", "training": {"epochs": 1}})
    assert found["task"]["kind"] == "regression"
    assert list(found["metrics"]["dev"]) == ["pearson", "spearman"]
    assert lmdistill("predict", "runs/x", "dev.csv").code == 0
    header, *rows = read_csv("dev.predicted.csv")
    assert header == ["text", "score", "predicted"]
    assert all(math.isfinite(float(row[2])) for row in rows)
    assert "pearson × 100" in lmdistill("evaluate", "runs/x").out


def test_pairs_are_learned_and_predicted(place, lmdistill, no_pages):
    def pairs(count, seed):
        sides = zip(texts(count, seed), texts(count, seed + 1)[::-1], strict=True)
        return [
            {"premise": a[0], "hypothesis": b[0], "label": ("same", "other")[a[1] != b[1]]} for a, b in sides
        ]

    for name, count, seed in (("train.jsonl", 36, 0), ("dev.jsonl", 12, 5)):
        Path(name).write_text("".join(json.dumps(row) + "\n" for row in pairs(count, seed)))
    found = distilled(
        lmdistill,
        data={"source": "train.jsonl", "dev": "dev.jsonl", "max_length": 48},
        teacher={"model": "models/encoder", "training": {"epochs": 1}},
        student={"init": "pretrained", "layers": [0, 2]},
    )
    assert found["task"]["labels"] == ["other", "same"]
    assert found["student"]["layers"] == 2
    assert lmdistill("predict", "runs/x", "dev.jsonl").code == 0
    rows = [json.loads(line) for line in Path("dev.predicted.jsonl").read_text().splitlines()]
    assert [row["premise"] for row in rows] == [row["premise"] for row in pairs(12, 5)]
    assert {row["predicted"] for row in rows} <= {"other", "same"}


def test_a_task_of_pairs_does_not_answer_single_texts(place, lmdistill, no_pages):
    table = "sentence1\tsentence2\tlabel\na film\ta plot\t0\na cast\ta meal\t1\nit is\tit was\t1\n"
    Path("glue/rte").mkdir(parents=True)
    for name in ("train", "dev"):
        Path(f"glue/rte/{name}.tsv").write_text(table)
    distilled(lmdistill, task="rte", data={"source": "glue", "max_length": 32},
              teacher={"model": "models/encoder", "training": {"epochs": 1}})  # fmt: skip
    said = lmdistill("predict", "runs/x", "texts.csv")
    assert said.code == 2
    assert "texts.csv: the text is read from text, and the model was trained on pairs" in said.err


def wordnet_is_missing():
    try:
        wordnet_synonyms(None)
    except MissingExtraError:
        return True
    return False


@pytest.mark.skipif(wordnet_is_missing(), reason="WordNet is not installed")
def test_augmented_rows_are_added_for_the_student_alone(place, lmdistill, no_pages):
    data = {**RECIPE["data"], "augmentation": {"augmenter": {"name": "eda"}, "copies": 2}}
    found = distilled(lmdistill, data=data, student={"init": "random", "layers": 1})
    assert 48 < found["task"]["rows"]["train"] <= 144
    assert any("training rows added by eda" in note for note in found["task"]["notes"])
    assert found["task"]["rows"]["dev"] == 12


@pytest.mark.parametrize("teacher", ["named-in-another-order", "nameless"])
def test_a_teacher_in_another_order_is_matched_by_name(teacher, place, lmdistill, no_pages):
    """The teacher says Pos, NEG, mid and the data mid, neg, pos; without names the order must be the data's."""
    found = distilled(lmdistill, teacher={"model": f"models/{teacher}"}, student={"layers": 1})
    assert found["task"]["labels"] == ["mid", "neg", "pos"]
    assert found["teacher_metrics"]["dev"]["accuracy"] == 1
    lmdistill("predict", "runs/x", "dev.csv")
    right = [row[2] == row[1] for row in read_csv("dev.predicted.csv")[1:]]
    assert sum(right) / len(right) == pytest.approx(found["metrics"]["dev"]["accuracy"])


def test_a_teacher_without_names_in_a_wrong_order_stops_the_run(place, lmdistill):
    said = lmdistill("distill", "recipe.yaml", "--out", "runs/x", "--set", "student.layers=1",
                     "--set", "teacher.model=models/nameless-in-another-order")  # fmt: skip
    assert said.code == 2
    assert "has no label names, and its outputs fit another order much better" in said.err
    assert "as pos, neg, mid. Put these names into id2label" in said.err
    assert not Path("runs").exists()


@pytest.mark.skipif(not (GLUE / "RTE").is_dir(), reason="../shared/data/glue_raw is not here")
def test_a_submission_holds_every_file_of_the_server(place, lmdistill, no_pages):
    for task, rows in (("rte", 60), ("stsb", 40)):
        found = distilled(
            lmdistill, f"runs/{task}", task=task, data={"source": str(GLUE), "rows": rows, "max_length": 16},
            teacher={"model": "models/encoder", "training": {"epochs": 1}}, student={"layers": 1},
        )  # fmt: skip
        assert found["task"]["rows"]["train"] == rows
    said = lmdistill("submit", "runs/stsb", "runs/rte", "--data", GLUE, "--out", "glue.zip")
    assert said.code == 2
    assert "missing: cola, sst2, mrpc" in said.err
    assert not Path("glue.zip").exists()
    said = lmdistill("submit", "runs/stsb", "runs/rte", "--data", GLUE, "--out", "glue.zip", "--fill")
    assert said.code == 0, said.err
    assert said.out.startswith("glue.zip (constant answers for cola, sst2, mrpc")
    with zipfile.ZipFile("glue.zip") as archive:
        for key, file in TEST_FILES.items():
            lines = archive.read(f"{file.name}.tsv").decode().splitlines()
            assert len(lines) == file.rows + 1, key
        answers = {line.split("\t")[1] for line in archive.read("RTE.tsv").decode().splitlines()[1:]}
        assert answers <= {"entailment", "not_entailment"}
        scores = [float(line.split("\t")[1]) for line in archive.read("STS-B.tsv").decode().splitlines()[1:]]
        assert all(0 <= score <= 5 for score in scores)
    twice = lmdistill("submit", "runs/rte", "runs/rte", "--data", GLUE, "--out", "b.zip")
    assert "two runs answer rte" in twice.err
