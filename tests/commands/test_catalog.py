"""What `lmdistill list` says is what the classes say, though they are not imported for it."""

import pytest

from lmdistill.commands.catalog import catalog
from lmdistill.data.augment import AUGMENTERS
from lmdistill.data.tasks.task_spec import TASKS
from lmdistill.methods import BASELINES, METHODS
from lmdistill.recipes.yaml_tables import builtin


@pytest.mark.parametrize(("kind", "table"), [("methods", METHODS | BASELINES), ("augmenters", AUGMENTERS)])
def test_classes_have_the_first_line_of_their_docstrings(kind, table):
    assert catalog(kind) == {name: table[name].__doc__.splitlines()[0] for name in sorted(table)}


def test_tasks_say_what_is_asked_and_how_it_is_scored():
    found = catalog("tasks")
    assert list(found) == [*TASKS, "synthetic", "own"]
    assert found["rte"] == "sentence1 and sentence2 to entailment, not_entailment; accuracy"
    assert found["stsb"] == "sentence1 and sentence2 to a score; pearson, spearman"


def test_recipes_have_the_comment_at_their_top():
    found = catalog("recipes")
    assert list(found) == list(builtin())
    assert all(line and not line.startswith("#") for line in found.values())
