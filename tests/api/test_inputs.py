"""Texts without labels and answers of a teacher from Python: what a recipe does with the same files."""

import csv
import json

import pytest

import lmdistill as ld
from lmdistill.core.errors import ConfigError, DataError, MismatchError
from lmdistill.export.hugging_face import save
from lmdistill.recipes.files import read_recipe
from lmdistill.runs.classification import evaluation
from lmdistill.runs.run_recipe import run_recipe
from tests.tiny import tiny
from tests.tiny_recipe import write_table

LABELS = ("bad", "good")
TRAINING = ld.Training(epochs=1, batch_size=8, optimizer=ld.Optimizer(learning_rate=1e-3))
RECIPE = """
task: own
data: {source: texts.csv, max_length: 32, rows: 16, unlabelled: [rest], labelled_per_batch: 3}
student: {model: small}
methods: {KD: {name: kd}}
training: {epochs: 1, batch_size: 8, optimizer: {learning_rate: 1.0e-3}}
teacher: """


@pytest.fixture
def place(tmp_path, monkeypatch, no_pages):
    """A teacher, a student, a table and answers to its texts, in the working directory."""
    monkeypatch.setattr(evaluation, "LATENCY_RUNS", 1)
    monkeypatch.chdir(tmp_path)
    save(tiny(layers=2, seed=1, labels=LABELS), tmp_path / "big")
    save(tiny(layers=1, seed=3, labels=LABELS), tmp_path / "small")
    write_table(tmp_path / "texts.csv")
    with open("texts.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    (tmp_path / "answers.jsonl").write_text(
        "".join(
            json.dumps({"text": row["text"], "probabilities": {"bad": 0.3 + 0.01 * (n % 40), "good": 0.7 - 0.01 * (n % 40)}}) + "\n"
            for n, row in enumerate(rows)
        )
    )  # fmt: skip
    return tmp_path


def both():
    """The task with 16 labelled rows and the others without their labels."""
    whole = ld.load_task("own", "texts.csv")
    return ld.add_unlabelled(ld.subset(whole, 16), whole)


def distilled(teacher, task, out, **changes):
    settings = {"method": ld.KD(), "training": TRAINING, "max_length": 32, "labelled_per_batch": 3}
    return ld.distill(teacher, task, student=ld.load("small"), out=out, **{**settings, **changes})


@pytest.mark.parametrize(
    "teacher", ["{model: big, store_outputs: false}", "{answers: answers.jsonl}"], ids=["model", "answers"]
)
def test_python_gives_the_student_of_the_recipe(place, teacher):
    task = both()
    given = ld.load("big") if "model" in teacher else ld.load_answers("answers.jsonl", task)
    run = distilled(given, task, "runs/a")
    (place / "recipe.yaml").write_text(RECIPE + teacher)
    (folder,) = run_recipe(read_recipe("recipe.yaml"), place / "runs" / "b", command="test")
    other = ld.Run(folder)
    assert run.record.task.fingerprint == other.record.task.fingerprint
    assert run.record.student.fingerprint == other.record.student.fingerprint
    assert run.record.answers == other.record.answers
    assert any("texts without labels" in note for note in run.record.task.notes)


def test_labelled_rows_in_each_batch_make_a_difference(place):
    teacher = ld.load("big")
    first = distilled(teacher, both(), "runs/a")
    second = distilled(teacher, both(), "runs/b", labelled_per_batch=None)
    assert first.record.student.fingerprint != second.record.student.fingerprint


def test_files_of_texts_and_their_columns(place):
    (place / "more.jsonl").write_text('{"words": "some new text"}\n{"words": "and one more"}\n')
    task = ld.subset(ld.load_task("own", "texts.csv"), 16)
    found = ld.add_unlabelled(task, "more.jsonl", text="words")
    assert found.train["sentence1"][16:] == ["some new text", "and one more"]
    assert found.train["label"][16:] == [-1, -1]
    with pytest.raises(DataError, match=r"more\.jsonl"):
        ld.add_unlabelled(task, "more.jsonl", text="wrods")
    with pytest.raises(ConfigError, match=r"^add_unlabelled got no texts\. Name files, or a task"):
        ld.add_unlabelled(task)


def test_a_method_that_asks_about_new_inputs_is_refused_before_anything_is_written(place):
    task = both()
    with pytest.raises(MismatchError, match=r"answers\.jsonl has only its answers .* Use method kd"):
        distilled(ld.load_answers("answers.jsonl", task), task, "runs/a", method=ld.MixKD())
    assert not (place / "runs" / "a" / "record.json").exists()


def test_answers_to_other_texts_are_refused(place):
    (place / "others.jsonl").write_text('{"text": "no text of the task", "label": "good"}\n')
    task = both()
    with pytest.raises(DataError, match=r"less than half"):
        distilled(ld.load_answers("others.jsonl", task), task, "runs/a")


def test_a_language_model_is_not_taught_by_answers(place):
    task = both()
    (place / "story.txt").write_text("\n".join(f"a b c {n}" for n in range(40)))
    with pytest.raises(MismatchError, match=r"the data are texts and the teacher is answers\.jsonl"):
        ld.distill(
            ld.load_answers("answers.jsonl", task),
            ld.load_texts("story.txt", dev_rows=4, max_length=8),
            student=ld.load("small"),
            out="runs/a",
        )
