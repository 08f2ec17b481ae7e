"""A run with a test split: scored once at the end, in all parts of the record, choosing nothing."""

import csv
import json

import pytest

from lmdistill.analysis.compare import compare
from lmdistill.commands.evaluate import evaluate
from lmdistill.recipes.files import read_recipe
from lmdistill.records.predictions import PREDICTIONS, read_predictions
from lmdistill.records.record import RecordedRun, read_record
from lmdistill.report.tables.quality import grid
from lmdistill.runs.classification.dataset import EncodedSplit
from lmdistill.runs.run_recipe import run_recipe
from tests.tiny_recipe import write_recipe


def _with_test(folder):
    path = write_recipe(folder, epochs=2, method={"name": "kd"})
    with (folder / "test.csv").open("w", newline="") as file:
        rows = [
            [f"film {word} {number}", ("bad", "good")[number % 2]] for number, word in enumerate("abcdefg")
        ]
        csv.writer(file).writerows([["text", "label"], *rows])
    return path, f"data.test={folder / 'test.csv'}"


def test_test_is_scored_once_for_each_network_and_selects_nothing(tmp_path, no_pages, monkeypatch):
    path, test = _with_test(tmp_path / "given")
    sizes, real = [], EncodedSplit.logits

    def counted(self, network, device, *, as_teacher=False):
        sizes.append(len(self.student.rows))
        return real(self, network, device, as_teacher=as_teacher)

    monkeypatch.setattr(EncodedSplit, "logits", counted)
    (folder,) = run_recipe(read_recipe(path, [test]), tmp_path / "out", command="test")
    assert sizes.count(7) == 2  # student and teacher, after training
    record = read_record(folder)
    assert record.headline == ("dev", "accuracy")
    assert list(record.metrics) == list(record.teacher_metrics) == list(record.majority) == ["dev", "test"]
    assert record.task.rows["test"] == 7
    assert list(record.classes) == ["dev", "test"]
    assert sum(one.split == "test" for one in read_predictions(folder / PREDICTIONS)) == 7
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    scores = [line["dev"] for line in lines if "dev" in line]
    assert record.metrics["dev"]["accuracy"] == max(score["accuracy"] for score in scores)
    table = grid(compare([RecordedRun(path=folder, record=record)])[0])
    assert {"dev accuracy, %", "test accuracy, %"} <= set(table.header)
    assert "7 test" in table.caption
    assert "| test accuracy, % |" in (folder / "student" / "README.md").read_text()
    assert [one.split for one in evaluate(folder)] == ["dev", "test"]


@pytest.mark.slow
def test_the_student_does_not_depend_on_the_test_rows(tmp_path, no_pages):
    path, test = _with_test(tmp_path / "given")
    prints = []
    for name, settings in (("plain", []), ("tested", [test])):
        (folder,) = run_recipe(read_recipe(path, settings), tmp_path / name, command="test")
        record = read_record(folder)
        prints.append((record.student.fingerprint, record.metrics["dev"]))
    assert prints[0] == prints[1]
