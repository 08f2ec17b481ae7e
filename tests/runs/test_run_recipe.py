"""What the runs of one recipe share."""

import yaml

from lmdistill.recipes.files import read_recipe
from lmdistill.records.predictions import PREDICTIONS, read_predictions
from lmdistill.records.record import read_record
from lmdistill.runs.classification.dataset import EncodedSplit
from lmdistill.runs.run_recipe import run_recipe
from tests.tiny_recipe import write_recipe


def evaluations_as_teacher(monkeypatch):
    """Notes whenever a network is evaluated as a teacher."""
    calls, real = [], EncodedSplit.logits

    def counted(self, network, device, *, as_teacher=False):
        calls.append(as_teacher)
        return real(self, network, device, as_teacher=as_teacher)

    monkeypatch.setattr(EncodedSplit, "logits", counted)
    return lambda: calls.count(True)


def test_the_teacher_is_evaluated_once_for_all_runs_of_a_recipe(tmp_path, no_pages, monkeypatch):
    path = write_recipe(tmp_path / "given", epochs=1, seeds=[0, 1], methods={"KD": {"name": "kd"}})
    count = evaluations_as_teacher(monkeypatch)
    folders = run_recipe(read_recipe(path), tmp_path / "out", command="test")
    assert count() == 2  # on the training texts, for its outputs, and on the dev texts
    records = [read_record(folder) for folder in folders]
    assert len(records) == 2
    assert records[0].teacher_metrics == records[1].teacher_metrics is not None


def test_a_teacher_that_was_just_fine_tuned_is_not_evaluated_again(tmp_path, models, no_pages, monkeypatch):
    teacher = {"model": str(models / "encoder"), "training": {"epochs": 1}}
    path = write_recipe(tmp_path / "given", epochs=1, teacher=teacher)
    count = evaluations_as_teacher(monkeypatch)
    run_recipe(read_recipe(path), tmp_path / "first", command="test")
    assert count() == 0
    run_recipe(read_recipe(path, ["seeds=[4]"]), tmp_path / "second", command="test")
    assert count() == 1  # the teacher comes from its folder, so its logits are not known
    first, second = (read_record(tmp_path / name) for name in ("first", "second"))
    assert first.teacher_metrics == second.teacher_metrics
    rows = [read_predictions(tmp_path / name / PREDICTIONS) for name in ("first", "second")]
    assert [row.teacher for row in rows[0]] == [row.teacher for row in rows[1]]


def test_the_training_risk_is_of_a_sample_with_an_interval(tmp_path, no_pages, monkeypatch):
    path = write_recipe(tmp_path / "given", epochs=1)
    (folder,) = run_recipe(read_recipe(path), tmp_path / "whole", command="test")
    whole = read_record(folder).risk
    monkeypatch.setattr("lmdistill.runs.classification.risk.RISK_ROWS", 12)
    (folder,) = run_recipe(read_recipe(path), tmp_path / "sample", command="test")
    sample = read_record(folder).risk
    assert whole.train_interval == (whole.train, whole.train)
    assert whole.sample_size > sample.sample_size == 12
    low, high = sample.train_interval
    assert low < sample.train < high
    assert yaml.safe_load((folder / "recipe.yaml").read_text())["seeds"] == [3]
