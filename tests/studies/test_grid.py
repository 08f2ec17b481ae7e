"""From axes and seeds to recipes: the product, by names that differ, in the order of the file."""

import math
import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.methods import KD
from lmdistill.recipes.files import read_recipe, recipe_of, recipe_text
from lmdistill.recipes.serialization import plain
from lmdistill.studies.grid import study_cells
from lmdistill.studies.schema import Study, read_study, study_text

BASE = {"task": "synthetic", "student": {"layers": 3}, "method": {"name": "kd"}}
METHODS = {"FT": {"name": "finetune"}, "KD": {"method": {"name": "kd"}, "training.epochs": 2}}


def made(tmp_path, **keys):
    """The cells of a study with these keys."""
    table = {"study": "one", "base": BASE, "seeds": [0], **keys}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(table, sort_keys=False))
    return study_cells(read_study(tmp_path / "study.yaml"), tmp_path / "out")


def names(cells):
    return [cell.name for cell in cells]


AXES = {
    "student.layers": st.lists(st.integers(1, 9), min_size=1, max_size=2, unique=True),
    "training.optimizer.learning_rate": st.lists(st.sampled_from([1e-5, "3e-4"]), min_size=1, unique=True),
    "student.which": st.lists(st.sampled_from(["first", "last"]), min_size=1, unique=True),
    "method": st.sampled_from([METHODS, {"KD": {"name": "kd"}}, [{"name": "kd"}, {"name": "finetune"}]]),
}


@settings(max_examples=10)
@given(
    axes=st.fixed_dictionaries({}, optional=AXES),
    seeds=st.lists(st.integers(0, 99), min_size=1, max_size=2, unique=True),
)
def test_cells_are_the_product_of_axes_and_seeds(tmp_path_factory, axes, seeds):
    tmp_path = tmp_path_factory.mktemp("product")
    cells = made(tmp_path, axes=axes, seeds=seeds)
    assert len(cells) == math.prod(map(len, axes.values())) * len(seeds)
    assert len({name.casefold() for name in names(cells)}) == len(cells)
    assert not [name for name in names(cells) if name.startswith(".") or set(name) & set('/\\:*?"<>|')]
    assert names(cells) == names(made(tmp_path, axes=axes, seeds=seeds))
    for number, cell in enumerate(cells):
        assert cell.recipe.seeds == (seeds[number % len(seeds)],)
        assert len(cell.recipe.methods) == 1
    assert plain(read_recipe_text(cells[-1], tmp_path)) == plain(cells[-1].recipe)
    rows = {(cell.row, cell.recipe.seeds) for cell in cells}
    assert len(rows) == len(cells)  # seeds of different cells are never taken for one row


def read_recipe_text(cell, folder):
    (folder / "again.yaml").write_text(recipe_text(cell.recipe))
    return read_recipe(folder / "again.yaml")


def test_names_and_rows_by_hand(tmp_path):
    cells = made(
        tmp_path,
        axes={"task": ["sst2", "rte"], "student.layers": [2], "method": METHODS},
        seeds=[0, 5],
    )
    assert names(cells) == [
        f"{task}-layers=2-{method}-seed{seed}"
        for task in ("sst2", "rte")
        for method in ("FT", "KD")
        for seed in (0, 5)
    ]
    assert [cell.row for cell in cells[::2]] == ["FT layers=2", "KD layers=2"] * 2
    assert {cell.labels["method"] for cell in cells} == {"FT", "KD"}


def test_axes_with_one_last_part_are_called_by_their_whole_names(tmp_path):
    axes = {"training.epochs": [1, 2], "teacher.training.epochs": [1], "student.layers": [2]}
    cells = made(tmp_path, axes=axes)
    assert [cell.row for cell in cells] == [
        f"KD training.epochs={epochs} teacher.training.epochs=1 layers=2" for epochs in (1, 2)
    ]
    assert names(cells) == [
        f"training.epochs={epochs}-teacher.training.epochs=1-layers=2-seed0" for epochs in (1, 2)
    ]
    own = made(tmp_path, axes={"epochs": {"3": {"teacher.training.epochs": 3}}, "training.epochs": [2]})
    assert [cell.row for cell in own] == ["KD epochs=3 training.epochs=2"]


def test_a_value_sets_its_field_and_a_table_sets_several(tmp_path):
    cells = made(
        tmp_path,
        set={"training.epochs": 7, "data.rows": 5},
        axes={
            "size": {"small": {"student.layers": 1, "student.keep": 0.5}, "large": {"student.layers": 2}},
            "student.pruning": {"even": {"scope": "layer"}, "free": {"scope": "global"}},
        },
    )
    assert names(cells) == [f"{a}-{b}-seed0" for a in ("small", "large") for b in ("even", "free")]
    found = [cell.recipe.student for cell in cells]
    assert [(s.layers, s.keep, s.pruning.scope) for s in found] == [
        (1, 0.5, "layer"),
        (1, 0.5, "global"),
        (2, 1.0, "layer"),
        (2, 1.0, "global"),
    ]
    assert {(cell.recipe.training.epochs, cell.recipe.data.rows) for cell in cells} == {(7, 5)}


@pytest.mark.parametrize("order", [1, -1])
def test_a_field_of_the_method_is_set_after_the_method(tmp_path, order):
    axes = {
        "method.temperature": [2.0, 3.0],
        "method": {"A": {"name": "kd"}, "B": {"name": "kd", "divergence": "mse"}},
    }
    cells = made(
        tmp_path, axes=dict(list(axes.items())[::order]), set={"method.alpha": 0.3} if order < 0 else {}
    )
    methods = [next(iter(cell.recipe.methods.values())) for cell in cells]
    assert {method.temperature for method in methods} == {2.0, 3.0}
    assert len(methods) == 4


def test_a_base_with_several_methods_has_them_as_its_last_axis(tmp_path):
    base = {**BASE, "methods": METHODS_OF_A_RECIPE, "seeds": [4, 5]}
    del base["method"]
    cells = made(tmp_path, base=base, axes={"student.layers": [1, 2]})
    assert names(cells) == [f"layers={n}-{m}-seed0" for n in (1, 2) for m in ("FT", "Mine")]
    assert [cell.row for cell in cells[:2]] == ["FT layers=1", "Mine layers=1"]
    replaced = made(tmp_path, base=base, axes={"method": {"KD": {"name": "kd"}}})
    assert [list(cell.recipe.methods) for cell in replaced] == [["KD"]]
    one = {**base, "methods": {"Mine": {"name": "kd"}}}
    assert [cell.row for cell in made(tmp_path, base=one, axes={"method.temperature": [2.0]})] == [
        "Mine temperature=2.0"
    ]


def test_a_field_of_one_method_of_the_base_can_be_set(tmp_path):
    base = {**BASE, "methods": METHODS_OF_A_RECIPE}
    del base["method"]
    cells = made(tmp_path, base=base, set={"methods.Mine.alpha": 0.25})
    assert [plain(cell.recipe)["methods"] for cell in cells] == [
        {"FT": {"name": "finetune"}},
        {"Mine": plain(KD(alpha=0.25))},
    ]


METHODS_OF_A_RECIPE = {"FT": {"name": "finetune"}, "Mine": {"name": "kd"}}


def test_two_tasks_of_one_name_are_told_apart_in_the_table(tmp_path):
    axes = {
        "task": {"a": {"task": "own", "data.source": "a.csv"}, "b": {"task": "own", "data.source": "b.csv"}}
    }
    assert [cell.row for cell in made(tmp_path, axes=axes)] == ["KD task=a", "KD task=b"]


def test_what_is_skipped_is_left_out_and_nothing_else(tmp_path):
    keys = {"axes": {"student.layers": [1, 2], "method": METHODS}, "seeds": [0, 1]}
    whole = made(tmp_path, **keys)
    skip = [{"student.layers": 1, "method": "KD"}, {"seed": 1, "student.layers": "2"}]
    left = made(tmp_path, **keys, skip=skip)
    gone = {"layers=1-KD-seed0", "layers=1-KD-seed1", "layers=2-FT-seed1", "layers=2-KD-seed1"}
    assert names(left) == [name for name in names(whole) if name not in gone]
    assert set(names(whole)) - set(names(left)) == gone
    written = [{**entry, "seed": str(entry["seed"])} if "seed" in entry else entry for entry in skip]
    assert names(made(tmp_path, **keys, skip=written)) == names(left)


@pytest.mark.parametrize(
    ("axis", "wanted", "left"),
    [
        ({"method.temperature": {"1": 2.0, "2": 1.0}}, 1, ["2"]),  # a label stands over a value
        ({"method.temperature": {"1": 2.0, "2": 1.0}}, "2", ["1"]),
        (
            {"method.temperature": {"low": 2.0, "high": 9.0}},
            2,
            ["high"],
        ),  # without such a label the value counts
        ({"student.layers": {"few": [0, 1], "1": 1}}, [0, 1], ["1"]),
        ({"training.group_by_length": [True, False]}, True, ["false"]),
        ({"training.group_by_length": [True, False]}, "false", ["true"]),
        ({"student.layers": [2, None]}, None, ["2"]),
    ],
)
def test_what_is_skipped_is_named_by_its_label_or_else_by_its_value(tmp_path, axis, wanted, left):
    (name,) = axis
    cells = made(tmp_path, axes=axis, skip=[{name: wanted}])
    assert [cell.labels[name] for cell in cells] == left


def read(tmp_path, *overrides, **keys):
    """The labels of the cells of a study with these keys and overrides."""
    table = {"study": "one", "base": BASE, "seeds": [0, 1], **keys}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(table, sort_keys=False))
    study = read_study(tmp_path / "study.yaml", overrides)
    return [(cell.labels.get("student.layers"), cell.labels["seed"]) for cell in study_cells(study, tmp_path)]


def test_what_an_override_removes_need_not_be_skipped_any_more(tmp_path):
    keys = {
        "axes": {"student.layers": [1, 2], "method": METHODS},
        "skip": [{"student.layers": 1}, {"student.layers": 2, "method": "KD", "seed": 1}],
    }
    assert len(read(tmp_path, **keys)) == 3
    assert read(tmp_path, "axes.student.layers=[3]", **keys) == [("3", "0"), ("3", "1")] * 2
    assert (
        read(tmp_path, "axes.student.layers=[1, 3]", **keys) == [("3", "0"), ("3", "1")] * 2
    )  # 1 is skipped
    assert len(read(tmp_path, "seeds=[0, 2]", **keys)) == 4
    assert read(tmp_path, "axes={student.layers: [1, 3]}", **keys) == [("3", "0"), ("3", "1")]
    with pytest.raises(UnknownNameError, match=r"^no value of student\.layers to skip is called '1'"):
        read(tmp_path, "axes.student.layers=[3]", "skip=[{student.layers: 1}]", **keys)
    with pytest.raises(UnknownNameError, match=r"^no value of method to skip is called 'PKD'"):
        read(tmp_path, "axes.student.layers=[3]", **(keys | {"skip": [{"method": "PKD"}]}))


def test_a_scale_stands_over_set_and_the_command_over_both(tmp_path):
    scales = {"small": {"data.rows": 9}, "paper": {"data.rows": 99, "training.epochs": 4}}
    file = tmp_path / "study.yaml"
    table = {"study": "s", "base": BASE, "seeds": [0], "scales": scales, "set": {"training.epochs": 1}}
    file.write_text(yaml.safe_dump(table, sort_keys=False))

    def found(*overrides):
        (cell,) = study_cells(read_study(file, overrides), tmp_path)
        return cell.recipe.data.rows, cell.recipe.training.epochs

    assert found() == (9, 1)
    assert found("scale=paper") == (99, 4)
    assert found("scale=paper", "training.epochs=6") == (99, 6)
    assert found("set.training.epochs=7") == (9, 7)
    assert read_study(file, ["seeds=[3, 4]", "jobs=auto"]).seeds == (3, 4)
    assert read_study(file, ["axes.student.layers=[1, 2]"]).axes == {"student.layers": [1, 2]}


def test_a_base_is_found_beside_the_study(tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(BASE))
    monkeypatch.chdir(tmp_path / "inner")
    assert made(tmp_path, base="mine.yaml")[0].recipe == made(tmp_path)[0].recipe
    assert made(tmp_path, base="demo", axes={"student.layers": [1]})[0].recipe.task == "synthetic"


def test_the_resolved_study_is_the_same_study(tmp_path):
    scales = {"small": {"data.rows": 9}}
    keys = {
        "axes": {"student.layers": [1, 2], "method": METHODS},
        "skip": [{"method": "KD"}],
        "scales": scales,
    }
    cells = made(tmp_path, **keys)
    study = read_study(tmp_path / "study.yaml")
    assert isinstance(study, Study)
    (tmp_path / "again.yaml").write_text(study_text(study))
    again = study_cells(read_study(tmp_path / "again.yaml"), tmp_path / "out")
    assert [(cell.name, plain(cell.recipe)) for cell in again] == [
        (cell.name, plain(cell.recipe)) for cell in cells
    ]


def test_language_models_have_studies_too(tmp_path):
    base = {"texts": {"rows": 20}, "methods": {"SFT": {"name": "sft"}, "KD": {"name": "token_kd"}}}
    cells = made(tmp_path, base=base, axes={"student.layers": [1]})
    assert [cell.row for cell in cells] == ["SFT layers=1", "KD layers=1"]
    assert cells[0].recipe == recipe_of(
        {"texts": {"rows": 20}, "student": {"layers": 1}, "methods": {"SFT layers=1": {"name": "sft"}}}
    )


REFUSED = {
    "unknown axis": ({"axes": {"student.layer": [2]}}, r"^axes\.student\.layer: no setting of student is called 'layer'\. Did you mean 'layers'\?"),
    "unknown first part": ({"axes": {"studnet.layers": [2]}}, r"^axes\.studnet\.layers: no setting of a recipe is called 'studnet'\. Did you mean 'student'\?"),
    "unknown field in a table": ({"axes": {"size": {"a": {"studnt.layers": 2}}}}, r"^axes\.size: no setting of a recipe is called 'studnt'\. Did you mean 'student'\?"),
    "misspelt axis with methods": ({"axes": {"methd": {"FT": {"name": "finetune"}}}}, r"^axes\.methd: no setting of a recipe is called 'methd'"),
    "unknown value": ({"axes": {"student.which": ["first", "lats"]}}, r"^axes\.student\.which: no choice for student\.which is called 'lats'\. Did you mean 'last'\?"),
    "unknown method": ({"axes": {"method": {"A": {"name": "kdd"}}}}, r"^axes\.method: no method is called 'kdd'\. Did you mean 'kd'\?"),
    "mistake in set": ({"set": {"training.epoch": 2}}, r"^set: no setting of training is called 'epoch'"),
    "mistake in the base": ({"base": {**BASE, "tsk": "x"}}, r"^base: no setting of a recipe is called 'tsk'\. Did you mean 'task'"),
    "mistake in a combination": ({"axes": {"student.keep": [0.5], "schedule": {"far": {"name": "path", "kept": [0.4]}}}}, r"^student\.keep=0\.5 schedule=far: schedule\.kept is 0\.4 and the student keeps 0\.5"),
    "through a value": ({"axes": {"task.name": ["x"]}}, r"^axes\.task\.name: axes: task\.name: task is 'synthetic', which has no keys"),
    "no seeds": ({"seeds": []}, r"^seeds is empty; give at least one"),
    "a seed twice": ({"seeds": [1, 1]}, r"^seeds are \[1, 1\], one of them twice"),
    "one seed without a list": ({"seeds": 3}, r"^seeds must be a valid list, got 3\. Write a list in brackets, as in \[1, 2\]\.$"),
    "a setting of a method that has none": ({"base": {**BASE, "method": {"name": "finetune"}}, "set": {"method.alpha": 1}}, r"^set: no setting of method is called 'alpha'\. There are none\.$"),
    "seeds as an axis": ({"axes": {"seeds": [1]}}, r"^axes\.seeds: seeds are a key of the study beside axes"),
    "a list of seeds in set": ({"set": {"seeds": [1, 2]}}, r"^set\.seeds: seeds are a key of the study beside set\. Move them there\."),
    "seeds in set": ({"set": {"training.seed": 3}}, r"^set: training\.seed is 3; a recipe has a list of seeds"),
    "a value twice": ({"axes": {"student.layers": [2, 2]}}, r"^axes\.student\.layers has 2 twice"),
    "one cell under two labels": ({"axes": {"student.layers": {"a": 2, "b": 2}}}, r"^the cells a-seed0 and b-seed0 are the same run under two labels"),
    "one value written twice": ({"axes": {"training.optimizer.learning_rate": ["1e-4", 0.0001]}}, r"are the same run under two labels"),
    "two cells of one name": ({"axes": {"student.layers": {"a/b": 1, "a:b": 2}}}, r"^two cells are called a_b-seed0: .*other labels"),
    "one field by two axes": ({"axes": {"student.layers": [1], "size": {"a": {"student.layers": 2}}}}, r"^student\.layers is set by axes\.student\.layers and by axes\.size"),
    "one field by an axis and for all": ({"axes": {"student.layers": [1]}, "set": {"student.layers": 2}}, r"^student\.layers is set by set and by axes\.student\.layers"),
    "an empty axis": ({"axes": {"student.layers": []}}, r"^axes\.student\.layers is empty"),
    "an axis that is a value": ({"axes": {"student.layers": 2}}, r"^axes\.student\.layers must be a list of values or a table of labels, got 2"),
    "a table without a label": ({"axes": {"student.pruning": [{"scope": "layer"}]}}, r"^axes\.student\.pruning: .* has no name\. Give it a label"),
    "all skipped": ({"axes": {"student.layers": [1]}, "skip": [{"student.layers": 1}]}, r"^skip leaves out every cell"),
    "unknown axis to skip": ({"axes": {"student.layers": [1]}, "skip": [{"student.layer": 1}]}, r"^no axis to skip is called 'student\.layer'\. Did you mean 'student\.layers'"),
    "unknown value to skip": ({"axes": {"student.layers": [1, 2]}, "skip": [{"student.layers": 3}]}, r"^no value of student\.layers to skip is called '3'"),
    "a number to skip where there is yes and no": ({"axes": {"training.group_by_length": [True, False]}, "skip": [{"training.group_by_length": 1}]}, r"^no value of training\.group_by_length to skip is called '1'"),
    "unknown scale": ({"scales": {"small": {}}, "scale": "smal"}, r"^no scale is called 'smal'\. Did you mean 'small'"),
    "unknown base": ({"base": "mixkd-sst"}, r"^no recipe is called 'mixkd-sst'\. Did you mean 'mixkd-sst2'\?"),
    "missing base file": ({"base": "none.yaml"}, r"^there is no recipe file .*none\.yaml"),
    "unknown key": ({"axs": {}}, r"^no setting of a study is called 'axs'\. Did you mean 'axes'\?"),
    "no jobs": ({"jobs": 0}, r"^jobs must be >= 1 or auto, got 0"),
    "jobs of another kind": ({"jobs": "many"}, r"^jobs must be .*got 'many'"),
    "a name that is a path": ({"study": "a/b"}, r"^study is 'a/b'; it names a folder"),
    "axes that are no table": ({"axes": [1]}, r"^axes must be a table of keys and values, got \[1\]"),
    "several methods in a cell": ({"base": {"methods": METHODS_OF_A_RECIPE}, "axes": {"size": {"a": {"student.layers": 1}, "b": {"method": {"name": "kd"}}}}}, r"^a cell has the methods FT, Mine, and it must have one"),
    "labels that are too long": ({"axes": {"student.layers": {"x" * 200: 1}}}, r"has 206 bytes, and 150 fit"),
    "labels that are too long in bytes": ({"axes": {"student.layers": {"模" * 60: 1}}}, r"has 186 bytes, and 150 fit"),
    "a name of two lines": ({"study": "a\0b"}, r"^study is 'a\\x00b', which has the character .*; it names a folder\. Choose another"),
    "a name that is too long": ({"study": "é" * 99}, r"^the name of the study éé.* has 198 bytes, and 150 fit\. Shorten it\."),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_a_mistake_is_named_with_its_place(tmp_path, what):
    keys, message = REFUSED[what]
    with pytest.raises((ConfigError, UnknownNameError)) as refused:
        made(tmp_path, **keys)
    assert re.search(message, str(refused.value)), refused.value
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("value", ["2020-13-45", "9" * 5000, "[" * 3000])
def test_what_yaml_cannot_make_a_value_of_is_a_mistake_too(tmp_path, value):
    made(tmp_path)
    with pytest.raises(ConfigError, match=r"^--set seeds=\S+ is not YAML: "):
        read_study(tmp_path / "study.yaml", [f"seeds={value}"])


@pytest.mark.parametrize(("key", "name"), [("study", "name"), ("base", "base"), ("seeds", "seeds")])
def test_what_a_study_must_have_is_named(tmp_path, key, name):
    table = {"study": "s", "base": BASE, "seeds": [0]}
    del table[key]
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(table))
    with pytest.raises(ConfigError, match=f"^the study has no {name}\\. Give it"):
        read_study(tmp_path / "study.yaml")
