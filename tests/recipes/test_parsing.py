"""Plain values to objects: what fits is taken, what does not fit is refused by its path."""

import dataclasses
from collections.abc import Mapping

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError, LmdistillError, UnknownNameError
from lmdistill.core.protocols import Method
from lmdistill.data.augment import AUGMENTERS, Augmenter
from lmdistill.engine.training_settings import Optimizer, Training
from lmdistill.methods import METHODS, PKD, MixKD
from lmdistill.recipes.classifier import Recipe, Student
from lmdistill.recipes.language_model import LanguageRecipe
from lmdistill.recipes.parsing import parse
from lmdistill.recipes.serialization import plain
from lmdistill.schedules.distillation import SCHEDULES, Schedule
from lmdistill.studies.search.settings import Range, Search
from tests.recipes.configuration import tables_of


def comes_back(hint, table):
    """Build an object, and build it again from what it is written as; objects are not built inside strategies."""
    try:
        first = parse(hint, table)
    except LmdistillError:
        assume(False)
    assert parse(hint, yaml.safe_load(yaml.safe_dump(plain(first)))) == first


@pytest.mark.parametrize(
    ("interface", "table"), [(Method, METHODS), (Augmenter, AUGMENTERS), (Schedule, SCHEDULES)]
)
@given(data=st.data())
def test_what_a_recipe_chooses_by_name_comes_back_equal(interface, table, data):
    name = data.draw(st.sampled_from(sorted(table)))
    comes_back(interface, {"name": name, **data.draw(tables_of(table[name]))})


@pytest.mark.parametrize("cls", [Training, Student])
@given(data=st.data())
def test_the_rest_of_a_recipe_comes_back_equal(cls, data):
    comes_back(cls, data.draw(tables_of(cls)))


def test_missing_keys_take_their_defaults():
    assert parse(Method, {"name": "mixkd"}) == MixKD()
    assert parse(Student, {}) == Student()


def test_an_object_is_taken_as_it_is():
    method = MixKD(ratio=3)
    assert parse(Method, method) is method
    assert parse(Mapping[str, Method], {"A": method}) == {"A": method}


@pytest.mark.parametrize(
    ("hint", "value", "error", "match"),
    [
        (
            Student,
            {"layer": 3},
            UnknownNameError,
            "no setting of student is called 'layer'. Did you mean 'layers'?",
        ),
        (
            Student,
            {"init": "Teacher"},
            UnknownNameError,
            "no choice for student.init is called 'Teacher'. Did you mean",
        ),
        (Student, {"layers": "three"}, ConfigError, r"student\.layers must be .*, got 'three'"),
        (Student, ["a"], ConfigError, "student must be a table of keys and values, got \\['a'\\]"),
        (Training, {"epochs": True}, ConfigError, r"student\.epochs must be .*, got True"),
        (Training, {"compile": 3}, ConfigError, r"student\.compile must be .*, got 3"),
        (
            Training,
            {"optimizer": {"clip": -1}},
            ConfigError,
            r"student\.optimizer\.clip must be >= 0, got -1",
        ),
        (Method, {"name": "kdd"}, UnknownNameError, "no method is called 'kdd'. Did you mean 'kd'?"),
        (Method, "kd", ConfigError, "student must be a table"),
        (Method, {"name": "kd", "temperature": 0}, ConfigError, r"student\.temperature must be > 0, got 0"),
        (Augmenter, {"copies": 1}, ConfigError, "student.name is missing. Known augmenters: apertium, eda"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_path(hint, value, error, match):
    with pytest.raises(error, match=match):
        parse(hint, value, "student")


def test_a_table_that_names_some_fields_leaves_the_others_their_defaults():
    """A teacher is trained for three epochs, best on dev, unless these two are named; not for a student's four."""
    recipe = parse(Recipe, {"teacher": {"training": {"batch_size": 8, "optimizer": {"learning_rate": 1e-3}}}})
    wanted = dataclasses.replace(
        Recipe().teacher.training, batch_size=8, optimizer=Optimizer(learning_rate=1e-3)
    )
    assert recipe.teacher.training == wanted
    assert (wanted.epochs, wanted.keep) == (3, "best")
    language = parse(LanguageRecipe, {"texts": {}, "training": {"optimizer": {"clip": 2.0}}})
    assert language.training.optimizer == dataclasses.replace(LanguageRecipe().training.optimizer, clip=2.0)
    assert language.training.epochs == LanguageRecipe().training.epochs


def test_what_is_wrong_is_said_before_what_is_missing():
    with pytest.raises(ConfigError, match=r"^search\.trials must be a valid integer, got 'x'\.$"):
        parse(Search, {"trials": "x"}, "search")
    with pytest.raises(ConfigError, match=r"^search\.fields is missing; it has no default\.$"):
        parse(Search, {"trials": 3}, "search")


@pytest.mark.parametrize(("given", "made"), [(3, 3), (3.0, 3.0), ("1e-5", 1e-5), ("3", 3.0)])
def test_a_number_may_be_whole_or_a_text(given, made):
    assert parse(Optimizer, {"clip": given}).clip == made


def test_a_whole_number_stays_whole_where_both_are_taken():
    span = parse(Range, {"low": 1, "high": 4.0})
    assert (type(span.low), type(span.high)) == (int, float)


def test_a_method_inside_a_method_may_say_its_name():
    assert parse(Method, {"name": "pkd", "kd": {"name": "kd", "alpha": 0.3}}) == parse(
        Method, {"name": "pkd", "kd": {"alpha": 0.3}}
    )
    assert plain(PKD())["kd"]["name"] == "kd"
