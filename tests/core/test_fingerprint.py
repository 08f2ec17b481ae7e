"""The same contents have the same name, and others another."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lmdistill.core.fingerprint import file_fingerprint, fingerprint

values = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@dataclass(frozen=True)
class One:
    a: int = 1


@dataclass(frozen=True)
class Two:
    a: int = 1


@given(value=values)
def test_a_fingerprint_is_sixteen_digits_and_a_function(value):
    assert re.fullmatch("[0-9a-f]{16}", fingerprint(value))
    assert fingerprint(value) == fingerprint(value)


@given(one=values, other=values)
def test_other_values_have_other_fingerprints(one, other):
    assume(one != other)
    assert fingerprint(one) != fingerprint(other)


@given(table=st.dictionaries(st.text(), st.integers()))
def test_the_order_of_keys_does_not_count(table):
    assert fingerprint(table) == fingerprint(dict(reversed(table.items())))


def test_what_looks_alike_is_told_apart():
    alike = [1, "1", 1.5, None, [1], ["1"], [[1]], {"a": 1}, One(), Two(), One(2), [One(), Two()], True]
    assert len({fingerprint(value) for value in alike}) == len(alike)
    assert fingerprint(1, 2) != fingerprint([1], 2) != fingerprint(12)


def test_sets_and_paths_are_named_by_what_they_hold():
    assert fingerprint({"b", "a"}) == fingerprint({"a", "b"}) != fingerprint({"a"})
    assert fingerprint(Path("a/b")) == fingerprint(Path("a") / "b") != fingerprint(Path("a"))


def test_a_fingerprint_does_not_depend_on_the_process():
    code = "from lmdistill.core.fingerprint import fingerprint; print(fingerprint({'b', 'a'}, {'x': 1.5}))"
    found = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == fingerprint({"b", "a"}, {"x": 1.5})


def test_what_cannot_be_named_is_refused():
    with pytest.raises(TypeError, match="object has no fingerprint"):
        fingerprint({"a": object()})


def test_files_are_named_by_contents_and_order_alone(tmp_path):
    one, other, copy = tmp_path / "one", tmp_path / "other", tmp_path / "copy"
    for path, text in ((one, "a"), (other, "b"), (copy, "a")):
        path.write_text(text)
    assert file_fingerprint(one) == file_fingerprint(copy) != file_fingerprint(other)
    assert file_fingerprint(one, other) != file_fingerprint(other, one)
    joined, empty = tmp_path / "joined", tmp_path / "empty"
    joined.write_text("ab")
    empty.write_text("")
    assert file_fingerprint(joined, empty) != file_fingerprint(one, other)
