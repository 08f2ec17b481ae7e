"""A damaged file in the cache of datasets is made again."""

import logging
from pathlib import Path

import datasets
import pytest
from datasets import Dataset, Features, Value

from lmdistill.data.files.checked_cache import cached_rows, checked

FEATURES = Features({"text": Value("string"), "number": Value("int64")})
ROWS = [{"text": f"text {number}", "number": number} for number in range(50)]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return tmp_path / "cache"


def generated(made):
    def rows():
        made.append("rows")
        yield from ROWS

    return cached_rows(rows, FEATURES, "key")


def mapped(made):
    def columns(batch):
        made.append("map")
        return {"number": [number + 1 for number in batch["number"]]}

    return checked(lambda: generated([]).map(columns, batched=True, new_fingerprint="f" * 16))


def flip(path, text):
    """Change a byte in the middle of the data."""
    content = path.read_bytes()
    assert text in content
    path.write_bytes(content.replace(text, text[:-1] + b"X", 1))


def arrow(rows):
    (one,) = rows.cache_files
    return Path(one["filename"])


@pytest.mark.parametrize("make", [generated, mapped])
def test_rows_are_made_once_and_again_when_their_file_has_changed(make, caplog):
    made = []
    before = make(made).to_list()
    assert make(made).to_list() == before
    assert len(made) == 1
    path = arrow(make(made))
    flip(path, b"text 7")
    with caplog.at_level(logging.WARNING, "lmdistill"):
        assert make(made).to_list() == before
    assert len(made) == 2
    assert caplog.messages == [f"{path} in the cache of datasets has changed; it is made again."]
    assert make(made).to_list() == before
    assert len(made) == 2


def test_a_file_without_a_checksum_is_taken_as_it_is_and_has_one_from_then_on():
    path = arrow(generated([]))
    seal = path.with_name(path.name + ".sha256")
    seal.unlink()
    made = []
    generated(made)
    assert made == []
    assert seal.exists()


def test_a_damaged_checksum_costs_one_more_time():
    path = arrow(generated([]))
    path.with_name(path.name + ".sha256").write_bytes(b"\xff\xfe")
    made = []
    assert generated(made).to_list() == ROWS
    assert made == ["rows"]


def test_rows_in_memory_have_no_files():
    assert checked(lambda: Dataset.from_list(ROWS)).to_list() == ROWS
