"""YAML of somebody else costs little time and memory, and is refused in one line."""

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError
from lmdistill.recipes import bounded_yaml
from lmdistill.recipes.bounded_yaml import MAX_BYTES, MAX_DEPTH, MAX_PLAIN, yaml_from
from tests.report.factory import make_record, write_run

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
)
HARMFUL = {
    "aliases that grow": (BOMB, "stands for more than 200,000 values"),
    "merges that grow": (
        "a0: &a0 {x: 1}\n"
        + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 30)),
        "stands for more than 200,000 values",
    ),
    "an alias of itself": ("a: &a [*a]\n", r"has an alias \*a inside &a"),
    "an alias of itself, deeper": ("a: &a {b: [{c: *a}]}\n", r"has an alias \*a inside &a"),
    "deep lists": ("a: " + "[" * 100_000, "maximum nesting depth"),
    "deep tables": ("{a: " * 100_000, "is nested more than 64 deep"),
    "deep blocks": ("".join(f"{' ' * n}a:\n" for n in range(900)), "is nested more than 64 deep"),
    "a long text": ("a: '" + "x" * MAX_BYTES + "'", "more than 4,194,304 bytes"),
    "a number of many digits": ("a: " + "9" * 6000, "is not YAML"),
    "a number to the base of 60": ("a: 1" + ":1" * 1_000_000, "characters without quotes"),
    "an object of Python": ("a: !!python/object/apply:os.system ['touch it-ran']\n", "is not YAML"),
    "a name of Python": ("a: !!python/name:os.system\n", "is not YAML"),
    "a new object of Python": ("!!python/object/new:os.system ['touch it-ran']\n", "is not YAML"),
}


@pytest.mark.parametrize("what", HARMFUL)
def test_a_harmful_file_is_refused_at_once_in_one_line(what, place, lmdistill):
    text, match = HARMFUL[what]
    write_run(Path("runs"), make_record("KD"), num_steps=5)
    for file in ("bad.yaml", "runs/study.yaml", "runs/kd-0/recipe.yaml"):
        Path(file).write_text(text)
    began = time.monotonic()
    for command in (
        ("distill", "bad.yaml", "--out", "out"), ("finetune", "bad.yaml", "--out", "out"),
        ("study", "bad.yaml", "--list"), ("study", "bad.yaml"),
    ):  # fmt: skip
        said = lmdistill(*command)
        assert said.code == 2
        assert said.err.startswith("error: bad.yaml ")
        assert said.err.count("\n") == 1
        assert match.replace("\\", "") in said.err
    said = lmdistill("report", "runs")
    assert said.code == 0, said.err
    assert said.err.count("\n") == 1
    assert match.replace("\\", "") in said.err
    assert time.monotonic() - began < 20
    assert not Path("it-ran").exists()


def test_a_setting_of_the_command_line_is_read_by_the_same_rules(place, lmdistill):
    said = lmdistill("distill", "recipe.yaml", "--out", "out", "--set", "student=&a [*a]")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "has an alias *a inside &a" in said.err


def test_the_recipe_of_a_run_that_goes_on_is_read_by_the_same_rules(sent, lmdistill):
    (sent / "record.json").unlink()
    (sent / "recipe.yaml").write_text(BOMB)
    said = lmdistill("distill", "recipe.yaml", "--out", "runs/one")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "200,000 values" in said.err


def test_anchors_that_people_write_are_read():
    text = "a: &a {x: 1, y: [2, 3]}\nb: *a\nc: {<<: *a, x: 5}\nd: [*a, *a]\n"
    assert yaml_from(text, "here") == yaml.safe_load(text)


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "a: {b: 1, b: 2}\n"])
def test_a_key_that_is_there_twice_is_refused(text):
    with pytest.raises(ConfigError, match=r"in line \d and in line \d"):
        yaml_from(text, "here")


def test_depth_and_unquoted_texts_have_the_limits_that_are_named():
    assert yaml_from("[" * MAX_DEPTH + "]" * MAX_DEPTH, "here") is not None
    assert yaml_from("a: " + "x" * MAX_PLAIN, "here") == {"a": "x" * MAX_PLAIN}
    assert yaml_from("a: '" + "x" * 10 * MAX_PLAIN + "'", "here") == {"a": "x" * 10 * MAX_PLAIN}


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_plain_values_are_read_as_pyyaml_reads_them(value):
    text = yaml.safe_dump(value, allow_unicode=True)
    assert yaml_from(text, "here") == yaml.safe_load(text)


def test_there_is_one_reader():
    """No other file of the package hands a text to PyYAML."""
    root = Path(bounded_yaml.__file__).parents[1]
    calls = (
        "yaml.load",
        "yaml.safe_load",
        "yaml.full_load",
        "yaml.unsafe_load",
        "yaml.compose",
        "yaml.parse(",
    )
    found = {path.name for path in root.rglob("*.py") if any(call in path.read_text() for call in calls)}
    assert found == {"bounded_yaml.py"}
