"""A change of one byte is noticed, wherever it is."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.checksums import (
    MANIFEST,
    file_checksum,
    first_changed,
    folder_checksums,
    is_unchanged,
    manifest_damage,
    object_checksum,
    read_checked_json,
    write_checked_json,
    write_manifest,
)

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("aé\n"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text("abcd", min_size=1), plain, max_size=4)


def flip(path, at, bit=0):
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[at % len(content)] ^= 1 << bit
    path.write_bytes(bytes(content))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "weights").write_bytes(bytes(range(200)))
    (tmp_path / "deep" / "state").write_text("{}")
    write_manifest(tmp_path)
    return tmp_path


def test_the_checksum_is_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert file_checksum(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_manifest_has_every_file_below_and_not_itself(folder):
    assert manifest_damage(folder) is None
    assert json.loads((folder / MANIFEST).read_text()) == folder_checksums(folder)
    assert sorted(folder_checksums(folder)) == ["deep/state", "weights"]


def test_every_byte_of_every_file_counts_and_the_manifest_too(folder):
    rng = random.Random(0)
    for name in ("weights", "deep/state", MANIFEST):
        path = folder / name
        before = path.read_bytes()
        for at in [0, len(before) - 1, *(rng.randrange(len(before)) for _ in range(40))]:
            flip(path, at, rng.randrange(8))
            damage = manifest_damage(folder)
            if name != MANIFEST or before.strip()[at : at + 1].strip(b' \n{}:",'):  # white space says nothing
                assert damage is not None, (name, at)
            path.write_bytes(before)
    assert manifest_damage(folder) is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "7", '{"a": 1}', '{"\\u0000": "x"}', '{"' + "a" * 5000 + '": "x"}']
)
def test_another_manifest_is_damage_and_no_error(folder, text):
    (folder / MANIFEST).write_text(text)
    assert manifest_damage(folder)


def test_what_is_missing_is_named(folder):
    (folder / "weights").unlink()
    assert manifest_damage(folder) == "weights is missing"
    (folder / MANIFEST).unlink()
    assert manifest_damage(folder) == f"{MANIFEST} is missing"
    assert first_changed(folder, {}) is None


@given(value=objects)
def test_an_object_comes_back_and_the_order_of_its_keys_does_not_count(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("json") / "a.json"
    write_checked_json(path, value)
    assert read_checked_json(path) == value
    stored = json.loads(path.read_text())
    assert is_unchanged(dict(reversed(stored.items())))
    path.write_text(json.dumps(stored, sort_keys=True))
    assert read_checked_json(path) == value


@given(value=objects, at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_an_object_that_a_bit_was_flipped_in_is_the_same_or_damaged(tmp_path_factory, value, at, bit):
    path = tmp_path_factory.mktemp("json") / "a.json"
    write_checked_json(path, value)
    flip(path, at, bit)
    found = read_checked_json(path)
    if found is not None:
        assert {name: one for name, one in found.items() if name in value} == value


def test_an_object_of_an_older_version_is_taken_as_it_is(tmp_path):
    (tmp_path / "a.json").write_text('{"a": 1}')
    assert read_checked_json(tmp_path / "a.json") == {"a": 1}
    assert is_unchanged({"a": 1})
    assert not is_unchanged({"a": 1, "checksum": object_checksum({"a": 2})})


@pytest.mark.parametrize("text", ["", "{", "[1]", "7", "[" * 100_000])
def test_what_is_no_object_is_damaged(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    assert read_checked_json(tmp_path / "a.json") is None
