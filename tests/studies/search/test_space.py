"""What a search may say, before anything is drawn."""

import re

import pytest
import yaml

from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.studies.schema import read_study, study_text
from lmdistill.studies.search.space import branches
from tests.studies.search.conftest import EPOCHS, RATE, TABLE


def made(tmp_path, *overrides, search=None, **keys):
    """The branches of a study with these keys."""
    table = {**TABLE, **keys, "search": {**TABLE["search"], **(search or {})}}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(table, sort_keys=False))
    return branches(read_study(tmp_path / "study.yaml", overrides))


REFUSED = {
    "unknown field": ({"fields": {"student.layer": [1]}}, r"^search\.fields\.student\.layer: no setting of student is called 'layer'\. Did you mean 'layers'\?"),
    "unknown first part": ({"fields": {"studnet.layers": {"low": 1, "high": 2}}}, r"^search\.fields\.studnet\.layers: no setting of a recipe is called 'studnet'\. Did you mean 'student'\?"),
    "low above high": ({"fields": {EPOCHS: {"low": 4, "high": 1}}}, r"^search\.fields\.training\.epochs\.low is 4 and high is 1; low must not be above high\."),
    "log from zero": ({"fields": {RATE: {"low": 0, "high": 1, "log": True}}}, r"low is 0, and log needs a low above 0"),
    "no number": ({"fields": {RATE: {"low": "a", "high": 1}}}, r"^search\.fields\.training\.optimizer\.learning_rate\.low must be .*, got 'a'"),
    "no finite number": ({"fields": {RATE: {"low": 1, "high": ".inf"}}}, r"high is inf; give two finite numbers|high must be .* got '\.inf'"),
    "half a range": ({"fields": {EPOCHS: {"low": 4}}}, r"^search\.fields\.training\.epochs\.high is missing"),
    "a misspelt end": ({"fields": {EPOCHS: {"low": 4, "hihg": 5}}}, r"^no setting of search\.fields\.training\.epochs is called 'hihg'\. Did you mean 'high'\?"),
    "an end that is refused": ({"fields": {"training.epochs": {"low": -1, "high": 4}}}, r"^search\.fields\.training\.epochs: training\.epochs .*-1"),
    "an empty list": ({"fields": {EPOCHS: []}}, r"^search\.fields\.training\.epochs is empty; give at least one value\."),
    "a value alone": ({"fields": {EPOCHS: 3}}, r"^search\.fields\.training\.epochs must be a list of values or a table of labels, got 3"),
    "a value twice": ({"fields": {EPOCHS: [3, 3]}}, r"^search\.fields\.training\.epochs has 3 twice"),
    "no fields": ({"fields": {}}, r"^search\.fields is empty; name at least one field"),
    "a task": ({"fields": {"task": ["sst2", "rte"]}}, r"^search\.fields\.task: scores of different tasks do not compare\. Make it an axis\."),
    "seeds": ({"fields": {"seeds": [1]}}, r"^search\.fields\.seeds: seeds are a key of the study beside search\.fields"),
    "no trials": ({"trials": 0}, r"^search\.trials must be >= 1, got 0\."),
    "trials of another kind": ({"trials": "many"}, r"^search\.trials must be .*, got 'many'"),
    "an unknown sampler": ({"sampler": "tpee"}, r"^no choice for search\.sampler is called 'tpee'\. Did you mean 'tpe'\?"),
    "a field that is a number": ({"fields": {1: [1]}}, r"^search\.fields\.1: no setting of a recipe is called '1'"),
    "an unknown key": ({"trails": 3}, r"^no setting of search is called 'trails'\. Did you mean 'trials'\?"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_a_mistake_is_named_with_its_place(tmp_path, what):
    search, message = REFUSED[what]
    with pytest.raises((ConfigError, UnknownNameError)) as refused:
        made(tmp_path, search=search)
    assert re.search(message, str(refused.value)), refused.value
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"axes": {EPOCHS: [1]}}, r"^training\.epochs is set by axes\.training\.epochs and by search\.fields\.training\.epochs"),
        ({"set": {EPOCHS: 1}}, r"^training\.epochs is set by set and by search\.fields\.training\.epochs"),
        ({"base": {"task": "synthetic", "method": {"name": "kdd"}}}, r"^base: no method is called 'kdd'"),
        ({"axes": {"student.layers": {"a/b": 1, "A:b": 2}}}, r"^two searches are called A_b: .*'a/b'.* and .*'A:b'.*other labels"),
        ({"axes": {"student.layers": {"a-b": 1, "a": 2}, "student.which": {"c": "first", "b-c": "last"}}}, r"^two searches are called a-b-c: "),
        ({"axes": {"student.layers": {"x" * 200: 1}}}, r"has 216 bytes, and 150 fit"),
    ],
)  # fmt: skip
def test_a_mistake_between_a_search_and_the_rest_is_named(tmp_path, keys, message):
    with pytest.raises(ConfigError, match=message):
        made(tmp_path, **keys)


def test_the_command_line_reaches_every_key(tmp_path):
    (branch,) = made(
        tmp_path, "search.trials=9", f"search.fields.{EPOCHS}=[7]", "search.fields.student.layers=[1, 2]"
    )
    assert [dimension.field for dimension in branch.space] == [RATE, EPOCHS, "student.layers"]
    assert branch.space[1].options == (7,)
    study = read_study(tmp_path / "study.yaml", ["search.trials=9"])
    assert study.search.trials == 9


def test_the_study_that_is_written_down_has_its_search_inside_and_no_password(tmp_path):
    made(tmp_path)
    study = read_study(tmp_path / "study.yaml", ["search.storage=postgresql://me:secret@host/db"])
    assert "secret" not in study_text(study)
    (tmp_path / "again.yaml").write_text(study_text(study))
    again = read_study(tmp_path / "again.yaml")
    assert branches(again) == branches(study)
    assert study_text(again) == study_text(study)


def test_trials_are_named_after_their_number_and_what_they_share(tmp_path):
    axes = {"student.layers": [1, 2]}
    both = made(tmp_path, axes=axes, seeds=[0, 5])
    cells = [cell for branch in both for cell in branch.cells(7, {RATE: 0.25, EPOCHS: 3}, tmp_path)]
    assert [cell.name for cell in cells] == [
        f"layers={layers}-trial-007-seed{seed}" for layers in (1, 2) for seed in (0, 5)
    ]
    assert [cell.row for cell in cells[::2]] == ["KD layers=1 trial-007", "KD layers=2 trial-007"]
    recipe = cells[0].recipe
    assert (recipe.student.layers, recipe.training.epochs, recipe.seeds) == (1, 3, (0,))
    assert recipe.training.optimizer.learning_rate == 0.25
