"""Epochs and learning rate of language models: chosen by the student, written with the run, never over a value."""

import pytest
import yaml

from lmdistill.core.errors import ConfigError
from lmdistill.export.hugging_face import save
from lmdistill.recipes.files import read_recipe, recipe_of
from lmdistill.recipes.language_model import LanguageRecipe
from lmdistill.records.record import read_record
from lmdistill.runs.language.training_defaults import chosen_training, student_size, with_chosen_training
from lmdistill.runs.run_recipe import run_recipe
from tests.tiny import WORDS
from tests.tiny_causal import tiny_language

BASE = {
    "texts": {"source": "stories.txt", "dev_rows": 6, "max_length": 24},
    "teacher": {"shape": {"width": 8, "layers": 2, "heads": 2}, "training": {"epochs": 1, "batch_size": 8}},
    "student": {"layers": 1},
    "method": {"name": "sft"},
    "writing": {"rows": 0},
    "training": {"batch_size": 8},
}


def recipe(**changes) -> LanguageRecipe:
    return recipe_of({**BASE, **changes})


def chosen(found: LanguageRecipe) -> tuple[int | None, float | None]:
    return found.training.epochs, found.training.optimizer.learning_rate


@pytest.fixture
def project(place, tmp_path):
    (tmp_path / "stories.txt").write_text("\n".join(" ".join(WORDS[n % 7 :][:6]) for n in range(40)))
    save(tiny_language(layers=3), tmp_path / "model")
    return tmp_path


def test_kind_and_size_of_the_student_decide(project):
    shape = {"width": 768, "layers": 12, "heads": 12}
    cases = {
        "layers of a teacher that is trained first": ({"student": {"layers": 1}}, (8, 1, False)),
        "layers of a model": ({"teacher": {"model": "model"}, "student": {"layers": 2}}, (16, 2, False)),
        "all layers": ({"teacher": {"model": "model"}, "student": {"layers": "all"}}, (16, 3, False)),
        "some layers": ({"teacher": {"model": "model"}, "student": {"layers": [0, 2]}}, (16, 2, False)),
        "random weights": ({"student": {"layers": 1, "init": "random"}}, (8, 1, True)),
        "another model": ({"student": {"model": "model"}}, (16, 3, False)),
        "a shape": ({"student": {"shape": shape}}, (768, 12, True)),
        "a shape after a warm-up": ({"student": {"shape": shape, "warm": {"epochs": 1}}}, (768, 12, False)),
    }
    for name, (changes, expected) in cases.items():
        size = student_size(recipe(**changes))
        assert (size.width, size.layers, size.fresh) == expected, name
    assert chosen(with_chosen_training(recipe(student={"shape": shape}))) == (3, 6e-4)
    assert chosen(with_chosen_training(recipe())) == (3, 3e-3)
    assert chosen(with_chosen_training(recipe(student={"layers": 1, "init": "random"}))) == (10, 3e-3)


def test_what_a_recipe_sets_stays(project):
    given = {"epochs": 7, "optimizer": {"learning_rate": 1e-5}}
    assert chosen(with_chosen_training(recipe(training=given))) == (7, 1e-5)
    assert chosen(with_chosen_training(recipe(training={"epochs": 7}))) == (7, 3e-3)
    rate_alone = {"optimizer": {"learning_rate": 1e-5}}
    assert chosen(with_chosen_training(recipe(training=rate_alone))) == (3, 1e-5)
    teacher = with_chosen_training(recipe()).teacher.training
    assert (teacher.epochs, teacher.optimizer.learning_rate) == (1, 3e-3)
    for name in ("demo-language",):
        built_in = read_recipe(name)
        assert with_chosen_training(built_in) == built_in


@pytest.mark.slow
def test_the_numbers_are_written_with_the_run_which_repeats_and_goes_on(project):
    (folder,) = run_recipe(recipe(), project / "run", command="test")
    written = yaml.safe_load((folder / "recipe.yaml").read_text())
    assert (written["training"]["epochs"], written["training"]["optimizer"]["learning_rate"]) == (3, 3e-3)
    record = read_record(folder)
    assert record.recipe == written
    assert run_recipe(recipe(), project / "run", command="again") == [folder]  # finished, and the same recipe
    (again,) = run_recipe(read_recipe(folder / "recipe.yaml"), project / "again", command="test")
    assert read_record(again).metrics == record.metrics


def test_a_warm_up_is_chosen_by_the_student_before_it(project):
    warm = {"epochs": None, "optimizer": {"learning_rate": None}}
    student = {"shape": {"width": 8, "layers": 1, "heads": 2}, "warm": warm}
    found = with_chosen_training(recipe(student=student))
    assert (found.student.warm.epochs, found.student.warm.optimizer.learning_rate) == (10, 3e-3)
    assert chosen(found) == (3, 3e-3)


def test_a_loaded_network_is_judged_by_its_parameters(project):
    open_settings = LanguageRecipe().training
    assert chosen_training(open_settings, tiny_language()).optimizer.learning_rate == 3e-3
    assert chosen_training(open_settings, tiny_language()).epochs == 3


@pytest.mark.parametrize("setting", ["training.epochs=null", "training.optimizer.learning_rate=null"])
def test_classifiers_need_numbers(setting):
    with pytest.raises(ConfigError, match=r"null.*Set it"):
        read_recipe("demo", [setting])
