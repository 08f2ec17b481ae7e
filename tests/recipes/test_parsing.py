"""Plain values to objects and back."""

import dataclasses
import types
from collections.abc import Mapping
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError, LmdistillError, UnknownNameError
from lmdistill.core.protocols import Method
from lmdistill.data.augment import AUGMENTERS, Augmenter
from lmdistill.engine.training_settings import Optimizer, Training
from lmdistill.methods import METHODS, MixKD
from lmdistill.recipes.classifier import Recipe, Student
from lmdistill.recipes.language_model import LanguageRecipe
from lmdistill.recipes.parsing import changed, construct, plain
from lmdistill.schedules.distillation import SCHEDULES, Schedule

PLAIN = {
    bool: st.booleans(),
    int: st.integers(1, 6),
    float: st.floats(0.01, 1),
    str: st.text("abc/", min_size=1, max_size=5),
}


def values_of(hint):
    """Values of a field's type, as YAML has them."""
    origin, inner = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint):
        return tables_of(hint)
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is tuple:
        if inner[-1] is Ellipsis:
            return st.lists(values_of(inner[0]), min_size=1, max_size=3)
        return st.tuples(*map(values_of, inner)).map(list)
    if origin is types.UnionType or inner:
        return st.one_of([st.none() if option is types.NoneType else values_of(option) for option in inner])
    return PLAIN[hint]


def tables_of(cls):
    """Some of the fields of a dataclass; they need not fit each other."""
    hints = get_type_hints(cls)
    return st.fixed_dictionaries(
        {}, optional={f.name: values_of(hints[f.name]) for f in dataclasses.fields(cls)}
    )


def comes_back(hint, table):
    """Build an object, and build it again from what it is written as; objects are not built inside strategies."""
    try:
        first = construct(hint, table)
    except LmdistillError:
        assume(False)
    assert construct(hint, yaml.safe_load(yaml.safe_dump(plain(first)))) == first


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


def test_every_method_has_its_name_first():
    for name, cls in METHODS.items():
        assert next(iter(plain(cls()).items())) == ("name", name)


@pytest.mark.parametrize("name", sorted(METHODS))
@given(data=st.data())
def test_what_was_changed_is_all_that_it_takes_to_make_it_again(name, data):
    try:
        made = construct(Method, {"name": name, **data.draw(tables_of(METHODS[name]))})
    except LmdistillError:
        assume(False)
    assert construct(Method, {"name": name, **changed(made)}) == made
    assert all(plain(made)[field] != plain(METHODS[name]())[field] for field in changed(made))
    assert changed(METHODS[name]()) == {}


def test_missing_keys_take_their_defaults():
    assert construct(Method, {"name": "mixkd"}) == MixKD()
    assert construct(Student, {}) == Student()


def test_an_object_is_taken_as_it_is():
    method = MixKD(ratio=3)
    assert construct(Method, method) is method
    assert construct(Mapping[str, Method], {"A": method}) == {"A": method}


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
        construct(hint, value, "student")


OWN = """
from dataclasses import dataclass

@dataclass(frozen=True, kw_only=True)
class Mine:
    weight: float = 1.0
    uses_teacher = False
    mixing = None
    def check(self, student, teacher): ...
    def losses(self, student, teacher, batch): ...

@dataclass
class Half:
    weight: float = 1.0

class Bare: ...
"""


def test_a_method_from_a_file_comes_back_equal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OWN)
    mine = construct(Method, {"name": "mine.py:Mine", "weight": 0.25})
    assert mine.weight == 0.25
    assert plain(mine) == {"name": "mine.py:Mine", "weight": 0.25}
    assert plain(construct(Method, yaml.safe_load(yaml.safe_dump(plain(mine))))) == plain(mine)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("mine.py:Mien", r"mine\.py has no dataclass 'Mien'; method\.name must name one"),
        ("mine.py:Bare", r"mine\.py has no dataclass 'Bare'"),
        ("mine.py:Half", r"mine\.py:Half is no method; it must have check, losses, mixing, uses_teacher"),
        ("yours.py:Mine", r"method\.name is 'yours\.py:Mine', and there is no Python file yours\.py"),
        ("bad.py:Mine", r"bad\.py cannot be run: ZeroDivisionError: division by zero"),
    ],
)
def test_a_file_without_a_method_is_refused(tmp_path, monkeypatch, name, match):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OWN)
    (tmp_path / "bad.py").write_text("1 / 0")
    with pytest.raises(ConfigError, match=match):
        construct(Method, {"name": name}, "method")


def test_a_table_that_names_some_fields_leaves_the_others_their_defaults():
    """A teacher is trained for three epochs, best on dev, unless these two are named; not for a student's four."""
    recipe = construct(
        Recipe, {"teacher": {"training": {"batch_size": 8, "optimizer": {"learning_rate": 1e-3}}}}
    )
    wanted = dataclasses.replace(
        Recipe().teacher.training, batch_size=8, optimizer=Optimizer(learning_rate=1e-3)
    )
    assert recipe.teacher.training == wanted
    assert (wanted.epochs, wanted.keep) == (3, "best")
    language = construct(LanguageRecipe, {"texts": {}, "training": {"optimizer": {"clip": 2.0}}})
    assert language.training.optimizer == dataclasses.replace(LanguageRecipe().training.optimizer, clip=2.0)
    assert language.training.epochs == LanguageRecipe().training.epochs
