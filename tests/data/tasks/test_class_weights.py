"""Weights of classes: scikit-learn's formula, the user's numbers, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from lmdistill.core.errors import ConfigError
from lmdistill.data.tasks.class_weights import class_weights, require_class_weights, require_sampling
from lmdistill.data.tasks.task_spec import SYNTHETIC, TASKS
from lmdistill.engine.training_settings import Training
from lmdistill.recipes.files import recipe_of

SPEC = replace(SYNTHETIC, name="own", labels=("a", "b", "c", "d"))


@settings(deadline=None, max_examples=60)
@given(labels=st.lists(st.integers(-1, 3), min_size=1, max_size=40).filter(lambda rows: max(rows) >= 0))
def test_balanced_weights_are_those_of_scikit_learn_on_rows_with_a_label(labels):
    labels = np.array(labels)
    known = labels[labels >= 0]
    found = class_weights("balanced", labels, SPEC)
    classes = np.unique(known)
    assert found[classes] == pytest.approx(
        compute_class_weight("balanced", classes=classes, y=known), rel=1e-13
    )
    assert found[known].mean() == pytest.approx(1.0)
    assert not found[np.setdiff1d(np.arange(4), classes)].any()


def test_numbers_are_taken_as_they_are_in_order_or_by_name():
    labels = np.array([0, 1])
    assert class_weights((1.0, 2.0, 3.0, 4.0), labels, SPEC).tolist() == [1, 2, 3, 4]
    assert class_weights({"d": 4, "a": 1, "c": 3, "b": 2}, labels, SPEC).tolist() == [1, 2, 3, 4]
    numbers = replace(SPEC, labels=("0", "1"))
    assert class_weights({1: 5.0, 0: 2.0}, labels, numbers).tolist() == [2, 5]
    assert class_weights(None, labels, SPEC) is None


@pytest.mark.parametrize(
    ("chosen", "spec", "said"),
    [
        ("balanced", TASKS["stsb"], r"^training\.class_weights is set, and stsb has scores\. Leave it out"),
        (
            (1.0, 2.0),
            SPEC,
            r"^training\.class_weights has 2 weights and own has 4 classes: a, b, c, d\. Give",
        ),
        ({"a": 1, "b": 1, "c": 1}, SPEC, r"^training\.class_weights: d has no weight, and own has 4 classes"),
        ({"a": 1, "b": 1, "c": 1, "d": 1, "e": 1}, SPEC, r"^training\.class_weights: e is no class, and own"),
    ],
)
def test_weights_that_do_not_fit_the_classes_are_refused(chosen, spec, said):
    with pytest.raises(ConfigError, match=said) as caught:
        require_class_weights(chosen, spec, "training")
    assert "\n" not in str(caught.value)


def test_scores_are_not_sampled_by_class():
    with pytest.raises(
        ConfigError, match=r"^training\.sampling is by_class, and stsb has scores\. Leave it out"
    ):
        require_sampling("by_class", TASKS["stsb"], "training")
    require_sampling("by_class", SPEC, "training")
    require_sampling("shuffled", TASKS["stsb"], "training")


@pytest.mark.parametrize("weights", [(1.0, 0.0), (1.0, float("nan")), {"a": -1.0}])
def test_weights_are_above_zero(weights):
    with pytest.raises(ConfigError, match="class_weights must be > 0 and finite, got"):
        Training(class_weights=weights)


@pytest.mark.parametrize(
    "value", ["balanced", [1, 9.5], {"usual": 1.0, "urgent": 9}, {0: 1.0, 1: 2.0}], ids=str
)
def test_recipes_take_each_form(value):
    found = recipe_of({"training": {"class_weights": value}}).training.class_weights
    assert found == (tuple(value) if isinstance(value, list) else value)


@pytest.mark.parametrize("where", ["training", "teacher.training", "student.warm"])
@pytest.mark.parametrize(("setting", "value"), [("class_weights", "balanced"), ("sampling", "by_class")])
def test_language_models_have_no_classes(where, setting, value):
    table = {"texts": {"source": "a.jsonl"}}
    inner = table
    for part in where.split("."):
        inner = inner.setdefault(part, {})
    inner[setting] = value
    with pytest.raises(ConfigError, match=rf"{where}\.{setting} is set, and language models have no"):
        recipe_of(table)
