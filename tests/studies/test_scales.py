"""A scale of a study: what it may set, and what stands over what."""

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.studies.grid import study_cells
from lmdistill.studies.schema import read_study, study_text

TABLE = {
    "study": "one",
    "base": {"task": "synthetic", "method": {"name": "kd"}},
    "set": {"training.epochs": 7},
    "axes": {"student.layers": [1, 2], "method.alpha": [0.1, 0.5]},
    "seeds": [0],
}
ENTRIES = {
    "training.epochs": st.integers(1, 5),
    "data.rows": st.integers(1, 5),
    "set.data.rows": st.integers(6, 9),
    "seeds": st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
    "axes.student.layers": st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True),
    "axes.task": st.lists(st.sampled_from(["sst2", "rte", "mrpc"]), min_size=1, unique=True),
    "axes": st.just({"student.layers": [4]}),
    "skip": st.just([{"student.layers": 9}]),
    "jobs": st.integers(2, 4),
}


def read(folder, *overrides, **keys):
    """The study with these keys."""
    (folder / "study.yaml").write_text(yaml.safe_dump({**TABLE, **keys}, sort_keys=False))
    return read_study(folder / "study.yaml", overrides)


@settings(max_examples=15)
@given(entries=st.fixed_dictionaries({}, optional=ENTRIES))
def test_choosing_a_scale_is_the_same_as_setting_all_that_it_says(tmp_path_factory, entries):
    folder = tmp_path_factory.mktemp("law")
    chosen = read(folder, "scale=large", scales={"none": {}, "large": entries})
    said = read(folder, *(f"{path}={json.dumps(value)}" for path, value in entries.items()))
    assert chosen == said
    assert chosen.jobs == entries.get("jobs", 1)


def test_a_scale_changes_axes_and_seeds_and_leaves_the_other_axes(tmp_path):
    scales = {"small": {"axes.student.layers": [3], "seeds": [4, 5]}, "large": {}}
    small, large = read(tmp_path, scales=scales), read(tmp_path, "scale=large", scales=scales)
    assert (small.axes, small.seeds) == ({"student.layers": [3], "method.alpha": [0.1, 0.5]}, (4, 5))
    assert (large.axes, large.seeds) == (TABLE["axes"], (0,))
    assert len(study_cells(small, tmp_path)) == 4


def test_what_is_set_stands_over_the_scale_and_the_scale_over_the_file(tmp_path):
    scales = {"small": {"axes.student.layers": [3], "seeds": [4], "training.epochs": 2, "data.rows": 5}}
    study = read(tmp_path, "axes.student.layers=[8]", "seeds=[6]", "training.epochs=1", scales=scales)
    assert study.axes == {"student.layers": [8], "method.alpha": [0.1, 0.5]}
    assert study.seeds == (6,)
    assert study.set == {"training.epochs": 1, "data.rows": 5}


def test_the_study_that_is_written_down_has_its_scale_inside(tmp_path):
    study = read(tmp_path, scales={"small": {"axes.student.layers": [3], "data.rows": 5}})
    (tmp_path / "again.yaml").write_text(study_text(study))
    assert read_study(tmp_path / "again.yaml") == study


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"scale": "other"}, r"^scales\.small sets scale; a scale is part of a study\. Remove the entry\."),
        ({"study": "two"}, r"^scales\.small sets study;"),
        ({"scales.other.seeds": [1]}, r"^scales\.small sets scales\.other\.seeds;"),
        ({"seeds": []}, r"^seeds is empty;"),
        ({"seeds.a": 1}, r"^scales\.small: seeds\.a: seeds is \[0\], which has no keys\."),
        ({"axes.student.layer": [1]}, r"^axes\.student\.layer: no setting of student is called 'layer'\."),
        ({"training.epoch": 1}, r"^set: no setting of training is called 'epoch'\."),
    ],
)
def test_a_mistake_in_a_scale_is_named(tmp_path, entries, message):
    with pytest.raises((ConfigError, UnknownNameError), match=message):
        study_cells(read(tmp_path, scales={"small": entries}), tmp_path)
