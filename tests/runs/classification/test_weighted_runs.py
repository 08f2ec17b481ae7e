"""Runs with class weights: what they train on, record, refuse and keep."""

from dataclasses import fields

import numpy as np
import pytest
import yaml
from sklearn.utils.class_weight import compute_class_weight

import lmdistill as ld
from lmdistill.core.errors import ConfigError
from lmdistill.engine.training_settings import Training
from lmdistill.recipes.files import read_recipe
from lmdistill.recipes.serialization import LATER, training_inputs
from lmdistill.records.record import read_record
from lmdistill.runs.run_recipe import run_recipe
from tests.tiny_recipe import history, write_recipe


def imbalanced(folder):
    """A recipe whose table has one `bad` row in four."""
    path = write_recipe(folder, epochs=1, method={"name": "kd"}, dropout=0.0)
    table = folder / "texts.csv"
    header, *lines = table.read_text().splitlines()
    kept = [line for number, line in enumerate(lines) if line.endswith("good") or number % 6 == 0]
    table.write_text("\n".join([header, *kept]) + "\n")
    return path


def test_balanced_weights_change_the_label_term_alone_and_are_recorded(tmp_path, no_pages):
    path = imbalanced(tmp_path / "given")
    records, steps = [], []
    for name, settings in (("plain", []), ("weighed", ["training.class_weights=balanced"])):
        (folder,) = run_recipe(read_recipe(path, settings), tmp_path / name, command="test")
        records.append(read_record(folder))
        steps.append(history(folder)[0])
    task = ld.load_task("own", yaml.safe_load(path.read_text())["data"]["source"])
    labels = task.train["label"][:]
    expected = compute_class_weight("balanced", classes=np.array([0, 1]), y=np.array(labels))
    assert list(records[1].class_weights) == ["bad", "good"]
    assert list(records[1].class_weights.values()) == pytest.approx(expected)
    assert records[0].class_weights == {}
    assert steps[0]["parts"]["teacher"] == steps[1]["parts"]["teacher"]
    assert steps[0]["parts"]["label"] != steps[1]["parts"]["label"]
    card = (tmp_path / "weighed" / "student" / "README.md").read_text()
    assert f"Weights of the classes in the loss: bad {expected[0]:.3g}, good {expected[1]:.3g}." in card


def test_weights_of_other_classes_are_refused_before_anything_is_trained(tmp_path):
    path = write_recipe(tmp_path / "given", method={"name": "kd"})
    for where in ("training", "teacher.training"):
        with pytest.raises(ConfigError, match=rf"^{where}\.class_weights has 3 weights and own has 2"):
            run_recipe(
                read_recipe(path, [f"{where}.class_weights=[1, 2, 3]"]), tmp_path / "out", command="test"
            )
    assert not (tmp_path / "out").exists()


def test_a_cached_teacher_is_still_found_where_weights_are_not_set():
    first = {"epochs", "batch_size", "accumulate", "precision", "compile", "group_by_length", "eval_every"}
    first |= {"checkpoint_every", "patience", "keep", "seed", "optimizer"}
    assert set(training_inputs(Training())) == first
    assert {one.name for one in fields(Training)} == first | set(LATER)
    assert training_inputs(Training(class_weights=(1.0, 2.0)))["class_weights"] == [1.0, 2.0]
