"""What is said of classes that are never predicted."""

from dataclasses import replace

import numpy as np

from lmdistill.data.tasks.task_spec import SYNTHETIC
from lmdistill.runs.classification.split_alarms import MOST_NAMES, alarms_of, class_alarms, facts_of

SPEC = replace(SYNTHETIC, labels=("a", "b", "c"))
LABELS = np.array([0, 0, 0, 1, 1, 2])


def one_hot(classes, size=3):
    return np.eye(size)[np.asarray(classes)]


def test_a_class_that_is_never_predicted_rings_and_is_named_with_its_examples():
    logits = one_hot([0, 0, 0, 1, 1, 1])
    (alarm,) = class_alarms("the student", "dev", SPEC, LABELS, logits)
    assert alarm.startswith("the student never predicts c (1 examples) on dev. ")
    assert (alarm,) == tuple(alarms_of("the student", "dev", SPEC, LABELS, logits))
    assert facts_of(SPEC, LABELS, logits)[2].predicted == 0


def test_a_class_without_examples_does_not_ring():
    assert not list(class_alarms("it", "dev", SPEC, np.array([0, 1]), one_hot([0, 1])))


def test_a_network_that_learned_nothing_rings_once():
    (alarm,) = alarms_of("the student", "dev", SPEC, LABELS, one_hot([0] * 6))
    assert "learned nothing" in alarm


def test_of_many_classes_some_are_named_and_the_others_counted():
    spec = replace(SPEC, labels=tuple("abcdefghij"))
    labels = np.arange(10)
    (alarm,) = class_alarms("it", "dev", spec, labels, one_hot([0] * 10, size=10))
    assert f" and {9 - MOST_NAMES} more on dev" in alarm
