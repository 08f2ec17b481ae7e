"""Names that become files: nothing leaves the folder, nothing is written that a system or a terminal cannot take."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.atomic_io import write_text
from lmdistill.core.errors import RunError
from lmdistill.core.file_names import fitted, require_new_name, unfit
from lmdistill.core.printable import CONTROL
from tests.cli.cli_project import RECIPE, files_in

BAD = ["../x", "/x", "a\0b", "a\nb", "a\x1bb", "a\tb", "a\u202eb", "con", "NUL.txt", "Lpt1", "..", ""]
"""Names that no method and no study has."""

UNWRITABLE = ["a\nb", "a\x1b]0;x\x07", "CON", "aux.txt", "deep/a\nb/c", "a\u202eb"]
"""Paths that are not made."""


@pytest.mark.parametrize("name", BAD)
def test_a_method_and_a_study_of_such_a_name_are_refused(name, place, lmdistill):
    recipe = {key: value for key, value in RECIPE.items() if key != "method"}
    Path("bad.yaml").write_text(yaml.safe_dump(recipe | {"methods": {name: {"name": "kd"}}}))
    Path("study.yaml").write_text(yaml.safe_dump({"study": name, "base": RECIPE, "seeds": [0]}))
    before = files_in(place)
    for command in (
        ("distill", "bad.yaml", "--out", "out"),
        ("study", "study.yaml"),
        ("study", "study.yaml", "--list"),
    ):
        said = lmdistill(*command)
        assert (said.code, said.err.count("\n")) == (2, 1), said.err
        assert "names a folder" in said.err
    assert files_in(place) == before


@pytest.mark.parametrize("out", UNWRITABLE)
def test_an_output_of_such_a_name_is_refused_before_the_work(out, finished, lmdistill):
    before = files_in(finished)
    for command in (
        ("distill", "recipe.yaml", "--out", out),
        ("predict", "runs/one", "dev.csv", "--out", f"{out}.csv"),
        ("prune", "runs/one", "--keep", "0.5", "--out", out),
        ("report", "runs", "--out", f"{out}.html"),
        ("report", "runs", "--files", out),
    ):
        said = lmdistill(*command)
        assert said.code == 2, (command, said.err)
        assert said.err.count("error: ") == 1
        assert "Choose another name" in said.err
    assert files_in(finished) == before


def test_labels_of_axes_become_names_that_every_system_takes(place, lmdistill):
    axes = {"method": {"K\x1bD/\n": {"name": "kd"}, "..": {"name": "finetune"}}}
    Path("study.yaml").write_text(yaml.safe_dump({"study": "s", "base": RECIPE, "seeds": [0], "axes": axes}))
    said = lmdistill("study", "study.yaml", "--list")
    assert said.code == 0, said.err
    assert "K_D-seed0" in said.out


@given(st.text(max_size=40))
def test_a_fitted_label_is_one_name(label):
    name = f"{fitted(label)}-seed0"
    assert unfit(name) is None
    assert not set(name) & set('/\\:*?"<>|')
    assert not name.startswith(".")
    assert CONTROL.search(name) is None


def test_a_folder_that_is_there_may_have_any_name(tmp_path):
    there = tmp_path / "a\nb"
    there.mkdir()
    require_new_name(there / "c")
    with pytest.raises(RunError, match="Choose another name"):
        require_new_name(there / "c\0")
    with pytest.raises(RunError, match="Choose another name"):
        write_text(there / "c\nd", "")
