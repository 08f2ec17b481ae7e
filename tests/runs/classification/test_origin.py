"""Two steps: the student of one task becomes that of another, with a new head, and its record says so."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

import lmdistill as ld
from lmdistill.core.checksums import file_checksum
from lmdistill.core.errors import LmdistillError, ModelError
from lmdistill.models.loading.classifier import load
from lmdistill.recipes.files import read_recipe
from lmdistill.records.record import read_record
from lmdistill.runs.classification.origin import origin_of, origin_of_loaded
from lmdistill.runs.run_recipe import run_recipe
from tests.cli.cli_project import LABELS, texts, write_csv
from tests.tiny_recipe import write_recipe


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A recipe, and in `first` a student of two classes."""
    folder = tmp_path_factory.mktemp("two steps")
    path = write_recipe(folder / "given", epochs=1, method={"name": "kd"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lmdistill.runs.write_report.write_report", lambda folder, runs, order=(): None)
        run_recipe(read_recipe(path), folder / "first", command="test")
    return folder


@pytest.fixture
def first(tmp_path, finished, no_pages):
    """A copy of that run, which a test may change."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return tmp_path / "first"


def second_step(tmp_path, models, first, *settings):
    """A recipe for three classes whose student is that of the first step."""
    write_csv(tmp_path / "three.csv", texts(48))
    return read_recipe(
        tmp_path / "given" / "recipe.yaml",
        [
            f"data.source={tmp_path / 'three.csv'}", f"teacher.model={models / 'classifier'}",
            f"student.model={first}", *settings,
        ],
    )  # fmt: skip


def test_the_body_of_the_first_student_gets_a_new_head_and_the_record_has_its_origin(
    tmp_path, models, first, caplog
):
    recipe = second_step(tmp_path, models, first, "training.optimizer.learning_rate=1e-30")
    (folder,) = run_recipe(recipe, tmp_path / "second", command="test")
    origin, before = read_record(folder).origin, read_record(first)
    assert (origin.source, origin.labels) == (str(first), ("bad", "good"))
    assert (origin.task, origin.name, origin.seed) == ("own", "KD", 3)
    assert (origin.fingerprint, origin.steps) == (before.student.fingerprint, before.training.steps)
    assert origin.files == {"model.safetensors": file_checksum(first / "student" / "model.safetensors")}
    assert "the head of" in caplog.text
    assert "is for bad, good; it is replaced by a new one for mid, neg, pos" in caplog.text
    card = (folder / "student" / "README.md").read_text()
    assert "Began as: first, trained on own with seed 3; its head for bad, good was replaced by a" in card
    one, two = load(first).model.bert.state_dict(), load(folder).model.bert.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)  # with such a rate nothing moves
    assert load(folder).labels == tuple(sorted(LABELS))


def test_a_student_of_its_own_layers_has_no_origin_and_a_bare_classifier_has_one_without_a_run(first, models):
    assert read_record(first).origin is None
    found = origin_of(str(models / "stranger"))
    assert (found.labels, found.task, found.seed) == (("yes", "no", "perhaps"), None, None)
    assert list(found.files) == ["model.safetensors"]
    assert origin_of(str(models / "encoder")) is None


def test_a_run_folder_is_a_model_in_python_too(tmp_path, models, first):
    write_csv(tmp_path / "three.csv", texts(48))
    task = ld.load_task("own", tmp_path / "three.csv")
    student = ld.load(first, labels=task.spec.labels)
    run = ld.distill(
        None,
        task,
        student=student,
        method=ld.FineTune(),
        out=tmp_path / "run",
        training=ld.Training(epochs=1),
        max_length=32,
    )
    assert run.record.origin.task == "own"
    assert run.record.origin.labels == ("bad", "good")
    teacher = ld.load(models / "classifier")
    other = ld.distill(
        teacher, task, student=ld.truncate(teacher, layers=1), method=ld.KD(), out=tmp_path / "other",
        training=ld.Training(epochs=1), max_length=32,
    )  # fmt: skip
    assert other.record.origin is None


def test_a_network_that_was_made_otherwise_than_by_loading_a_folder_has_no_origin(models):
    classifier = load(models / "classifier")
    assert origin_of_loaded(classifier.source).labels == classifier.labels
    cut = ld.truncate(classifier, layers=1)
    assert "layer" in cut.source  # it names what was kept, so it is nowhere as a folder or on a hub
    assert origin_of_loaded(cut.source) is None
    assert origin_of_loaded("packaged:all-MiniLM-L6-v2, layers 0, 1") is None


def test_a_changed_first_student_and_an_unfinished_run_are_refused(tmp_path, models, first):
    (tmp_path / "several").mkdir()
    (tmp_path / "several" / "recipe.yaml").write_text("task: own")
    with pytest.raises(
        ModelError, match=r"several is a run that is not finished, or holds several runs\. Fin"
    ):
        load(tmp_path / "several")
    value = json.loads((first / "student" / "config.json").read_text())
    (first / "student" / "config.json").write_text(json.dumps(value | {"classifier_dropout": 0.5}))
    recipe = second_step(tmp_path, models, first)
    with pytest.raises(LmdistillError, match=r"is not as its run wrote it: config\.json has changed"):
        run_recipe(replace(recipe, seeds=(0,)), tmp_path / "second", command="test")
