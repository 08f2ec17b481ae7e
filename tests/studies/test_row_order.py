"""Rows stand as the study or the recipe of their folder has them."""

from pathlib import Path

import pytest

from lmdistill.core.atomic_io import write_text
from lmdistill.recipes.yaml_tables import STUDIES, builtin
from lmdistill.studies.grid import study_cells
from lmdistill.studies.row_order import row_order
from lmdistill.studies.schema import read_study, study_text

STUDY = """
study: small
base: {task: sst2, data: {source: data}, teacher: {model: t}, student: {layers: 1}}
axes: {method: {KD: {name: kd}, FT: {name: finetune}}, student.layers: [2, 1]}
seeds: [1, 0]
"""


def test_a_study_names_its_rows_once_and_a_recipe_its_methods(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "study.yaml", STUDY)
    write_text(tmp_path / "b" / "recipe.yaml", "methods: {Z: {name: kd}, FT layers=1: {name: finetune}}\n")
    ours = ("KD layers=2", "KD layers=1", "FT layers=2", "FT layers=1")
    assert row_order([tmp_path / "a"]) == ours
    assert row_order([tmp_path / "b", tmp_path / "a"]) == ("Z", "FT layers=1", *ours[:3])


@pytest.mark.parametrize("name", builtin(STUDIES))
def test_rows_are_those_of_the_cells_though_no_recipe_is_made(tmp_path: Path, name: str) -> None:
    study = read_study(name)
    write_text(tmp_path / "study.yaml", study_text(study))
    cells = study_cells(study, tmp_path) if study.search is None else ()
    assert row_order([tmp_path]) == tuple(dict.fromkeys(cell.row for cell in cells))


@pytest.mark.parametrize(
    ("base", "row"),
    [("method: {name: kd}", "KD layers="), ("seeds: [1]", "MixKD layers=")],
    ids=["class", "default"],
)
def test_a_row_named_after_the_class_of_its_method_is_found_too(tmp_path: Path, base: str, row: str) -> None:
    text = f"study: small\nbase: {{{base}}}\naxes: {{student.layers: [2, 1]}}\nseeds: [0]\n"
    write_text(tmp_path / "study.yaml", text)
    assert row_order([tmp_path]) == (f"{row}2", f"{row}1")


@pytest.mark.parametrize("text", ["study: small\n", "a: [", "search: {fields: {}}\n" + STUDY.lstrip()])
def test_a_study_that_cannot_be_read_is_no_error(tmp_path: Path, text: str) -> None:
    write_text(tmp_path / "study.yaml", text)
    assert row_order([tmp_path, tmp_path / "missing"]) == ()


def test_a_recipe_without_methods_has_no_rows(tmp_path: Path) -> None:
    write_text(tmp_path / "recipe.yaml", "task: sst2\n")
    assert row_order([tmp_path]) == ()
