"""Runs whose metrics are chosen: the first one selects the weights and is compared."""

import json

import pytest
from sklearn.metrics import f1_score

from lmdistill.analysis.paired_comparison import judged
from lmdistill.recipes.files import read_recipe
from lmdistill.records.predictions import PREDICTIONS, read_predictions
from lmdistill.records.record import RecordedRun, read_record
from lmdistill.runs.run_recipe import run_recipe
from tests.tiny_recipe import write_recipe

CHOSEN = "data.metrics=[macro_f1, accuracy]"


def test_the_first_metric_is_the_headline_selects_the_weights_and_is_compared(tmp_path, no_pages):
    path = write_recipe(tmp_path / "given", epochs=4, method={"name": "kd"})
    (folder,) = run_recipe(read_recipe(path, [CHOSEN]), tmp_path / "out", command="test")
    record = read_record(folder)
    assert record.headline == ("dev", "macro_f1")
    assert list(record.metrics["dev"]) == ["macro_f1", "accuracy"] == list(record.teacher_metrics["dev"])
    predictions = read_predictions(folder / PREDICTIONS)
    labels = [one.label for one in predictions]
    said = [int(one.student[1] > one.student[0]) for one in predictions]
    expected = f1_score(labels, said, average="macro", labels=[0, 1], zero_division=0.0)
    assert record.metrics["dev"]["macro_f1"] == pytest.approx(expected)
    found = judged(RecordedRun(path=folder, record=record))
    assert found.student.mean() == pytest.approx(expected)
    by_class = record.classes["dev"]
    assert [one.label for one in by_class] == ["bad", "good"]
    assert sum(one.f1 for one in by_class) / 2 == pytest.approx(expected)
    assert [one.support for one in by_class] == [labels.count(0), labels.count(1)]
    assert list(record.teacher_classes) == ["dev"]
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    scores = [line["dev"]["macro_f1"] for line in lines if "dev" in line]
    assert record.metrics["dev"]["macro_f1"] == max(scores) > min(scores)


def test_a_teacher_that_other_metrics_selected_is_not_used_again(tmp_path, models, no_pages):
    teacher = {"model": str(models / "encoder"), "training": {"epochs": 1}}
    path = write_recipe(tmp_path / "given", epochs=1, teacher=teacher)
    for number, settings in enumerate(([], [CHOSEN], ["data.metrics=[accuracy, matthews]"])):
        run_recipe(read_recipe(path, settings), tmp_path / "runs" / str(number), command="test")
    kept = [entry for entry in (tmp_path / "runs" / "teachers").iterdir() if entry.name.startswith("own-")]
    assert len([entry for entry in kept if entry.is_dir()]) == 2  # the last names the usual metrics
