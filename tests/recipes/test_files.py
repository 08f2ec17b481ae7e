"""Recipes from text: what is written is what is meant, and every leaf can be reached."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from lmdistill.core.errors import ConfigError
from lmdistill.data.augment import Eda
from lmdistill.methods import KD, FineTune, MixKD
from lmdistill.recipes.augmentation import Augmentation
from lmdistill.recipes.classifier import Recipe
from lmdistill.recipes.files import read_recipe, recipe_of, recipe_text
from lmdistill.recipes.serialization import plain
from lmdistill.recipes.yaml_tables import builtin, override, table_from

FOLDER = Path(__file__).parents[2] / "examples"
EXAMPLES = sorted(path for path in FOLDER.glob("*.yaml") if path.stem not in ("study", "search"))


def leaves(tree, where=""):
    """Paths and values of everything that is no table."""
    for key, value in tree.items():
        path = f"{where}.{key}" if where else key
        if isinstance(value, dict):
            yield from leaves(value, path)
        else:
            yield path, value


def at(tree, path):
    for part in path.split("."):
        tree = tree[part]
    return tree


OTHER = {
    "task": "rte", "data.source": "texts.csv", "data.dev": "dev.csv", "data.test": "test.csv", "data.text": ["a", "b"], "data.label": "y",
    "data.join": ": ", "data.labels": {0: "bad", 1: "good"}, "data.drop": ["empty", "duplicates"],
    "data.metrics": ["macro_f1", "accuracy"], "data.unlabelled": ["more.csv"], "data.labelled_per_batch": 8, "teacher.answers": "answers.jsonl",
    "data.encoding": "latin-1", "data.delimiter": "|", "data.quote": "'",
    "data.kind": "regression", "data.label_separator": ";", "student.threshold": "dev", "student.vocabulary": "texts", "student.saved_as": "float16", "data.rows": 7, "data.augmentation": {"augmenter": plain(Eda(seed=1)), "copies": 2, "rows": "all", "labels": "teacher", "up_to": 9},
    "teacher.model": "models/other", "student.init": "random", "student.which": "last", "student.model": "models/small",
    "teacher.models": ["a", "b"], "teacher.combine": "logits", "teacher.prompt": "prompt.txt",
    "teacher.licence": "mit", "teacher.rows": "all", "training.max_steps": 9, "teacher.training.max_steps": 9, "teacher.answers_use": "research",
    "student.pruning.score": "magnitude", "student.pruning.data": "dev", "student.pruning.scope": "layer",
    "seeds": [3, 4], "methods.MixKD.distance": "forward_kl", "methods.MixKD.share": "batch",
    "methods.MixKD.partner": "batch", "methods.MixKD.segments": "keep",
    "map": {"examples": 300, "pool": "mean", "projection": "pca"},
}  # fmt: skip
TRAINING = {
    "class_weights": "balanced",
    "sampling": "by_class",
    "precision": "bf16",
    "keep": "best",
    "optimizer.schedule": "cosine",
}


def another(path, value):
    """A value that differs from the default."""
    if path in OTHER:
        return OTHER[path]
    last = path.partition("training.")[2]
    if last in TRAINING:
        return "last" if value == TRAINING[last] else TRAINING[last]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value / 2 or 0.5
    raise AssertionError(f"no other value for {path}; add one to the test")


PATHS = [
    (path, value)
    for path, value in leaves(plain(Recipe()))
    if not path.endswith(".name") and path != "training.seed"  # a choice of class; and a list of its own
]


@pytest.mark.parametrize(("path", "value"), PATHS)
def test_set_reaches_every_leaf_and_no_other(path, value):
    table = plain(Recipe())
    override(
        table, f"{path}={yaml.safe_dump(another(path, value), default_flow_style=True).removesuffix('...')}"
    )
    changed = plain(recipe_of(table))
    assert at(changed, path) == another(path, value) != value
    before = dict(leaves(plain(Recipe())))
    assert [other for other, was in before.items() if other != path and at(changed, other) != was] == []


@pytest.mark.parametrize("text", ["1e-5", "1E-5", "0.00001", "'1e-5'"])
def test_a_number_is_a_number_however_it_is_written(tmp_path, text):
    (tmp_path / "a.yaml").write_text(f"training: {{optimizer: {{learning_rate: {text}}}}}")
    assert read_recipe(tmp_path / "a.yaml").training.optimizer.learning_rate == 1e-5
    assert (
        read_recipe(
            "mixkd-sst2", [f"training.optimizer.learning_rate={text}"]
        ).training.optimizer.learning_rate
        == 1e-5
    )


@pytest.mark.parametrize("text", ["3.5", "true", "'x'", "[3]"])
def test_a_number_of_epochs_is_whole(text):
    with pytest.raises(ConfigError, match=r"^training\.epochs must be a valid (integer|number).*, got "):
        read_recipe("mixkd-sst2", [f"training.epochs={text}"])


def test_method_stands_for_methods_with_one_entry():
    assert recipe_of({"method": {"name": "kd", "alpha": 0.3}}) == recipe_of(
        {"methods": {"KD": {"name": "kd", "alpha": 0.3}}}
    )
    assert recipe_of({"method": {"name": "finetune"}}).methods == {"FineTune": FineTune()}
    assert recipe_of({}).methods == {"MixKD": MixKD()}


def test_null_beside_methods_drops_the_method_of_a_recipe():
    recipe = read_recipe("mixkd-sst2", ["method=null", "methods.A.name=kd", "methods.B.name=finetune"])
    assert recipe.methods == {"A": KD(), "B": FineTune()}


def test_overrides_are_applied_in_order():
    recipe = read_recipe(
        "mixkd-sst2", ["training.epochs=2", "training.epochs=7", "student={layers: 2}", "student.which=last"]
    )
    assert recipe.training.epochs == 7
    assert (recipe.student.layers, recipe.student.which) == (2, "last")


def test_a_value_may_hold_an_equals_sign():
    assert read_recipe("mixkd-sst2", ["data.source=a=b.csv"]).data.source == "a=b.csv"


def test_one_text_column_may_stand_alone():
    assert recipe_of({"data": {"text": "body"}}).data.text == ("body",)


@pytest.mark.parametrize("name", [*builtin(), *map(str, EXAMPLES)], ids=lambda name: Path(name).name)
def test_a_resolved_recipe_reads_back_to_an_equal_one(name, tmp_path):
    recipe = read_recipe(name)
    (tmp_path / "again.yaml").write_text(recipe_text(recipe))
    assert read_recipe(tmp_path / "again.yaml") == recipe
    assert recipe_text(read_recipe(tmp_path / "again.yaml")) == recipe_text(recipe)


def test_a_resolved_recipe_has_every_default_and_its_augmenter(tmp_path):
    recipe = Recipe(data=replace(Recipe().data, augmentation=Augmentation(augmenter=Eda(swap=0.2), copies=3)))
    (tmp_path / "a.yaml").write_text(recipe_text(recipe))
    assert read_recipe(tmp_path / "a.yaml") == recipe
    table = yaml.safe_load(recipe_text(Recipe()))
    assert {path for path, _ in leaves(table)} == {path for path, _ in leaves(plain(Recipe()))} - {
        "training.seed"
    }


def test_the_file_of_a_single_run_reads_back_too(tmp_path):
    """It is the plain recipe, with the seed that a training has when none is given."""
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(plain(Recipe(seeds=(5,)))))
    assert read_recipe(tmp_path / "a.yaml") == Recipe(seeds=(5,))
    with pytest.raises(ConfigError, match=r"training\.seed is 2; a recipe has a list of seeds"):
        read_recipe("mixkd-sst2", ["training.seed=2"])


def test_texts_of_any_language_survive(tmp_path):
    recipe = read_recipe("mixkd-sst2", ["data.source=données/été 😀.csv"])
    (tmp_path / "a.yaml").write_text(recipe_text(recipe), encoding="utf-8")
    assert "données/été" in recipe_text(recipe)
    assert read_recipe(tmp_path / "a.yaml") == recipe


def test_a_key_that_is_there_twice_is_refused_with_both_lines(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("task: sst2\ndata:\n  rows: 5\n  rows: 7\n")
    with pytest.raises(ConfigError, match=r"recipe\.yaml has rows in line 3 and in line 4\. Remove one\."):
        read_recipe(str(path))
    path.write_text("a: &part {rows: 5}\nb: {<<: *part, rows: 7}\n")
    assert table_from(path.read_text(), "here")["b"] == {"rows": 7}


def test_an_empty_recipe_says_so():
    with pytest.raises(ConfigError, match=r"^here must be a table of keys and values, and is empty\.$"):
        table_from("# nothing\n", "here")
