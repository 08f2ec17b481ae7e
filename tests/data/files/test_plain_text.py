"""Text files and blocks."""

import gzip
from itertools import chain, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.data.files import plain_text
from lmdistill.data.files.plain_text import text_file_rows
from lmdistill.data.language.packing import pack_blocks

SHARED = Path(__file__).parents[4] / "shared" / "data" / "text"
STORIES = SHARED / "tinystories_sample_2MiB.txt.gz"


def _file(folder: Path, text: str, name: str = "a.txt") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def _texts(path: Path, separator: str | None = None) -> list[str]:
    return [row.fields["text"] for row in text_file_rows(path, separator).read()]


@given(st.lists(st.lists(st.integers(0, 9), max_size=7), max_size=9), st.integers(2, 6))
def test_blocks_predict_every_token_but_the_first_once(passages, size):
    stream = list(chain(*passages))
    found = list(pack_blocks(passages, size))
    assert list(chain(*(block[1:] for block in found))) == stream[1:]
    assert all(len(block) == size for block in found[:-1])
    assert all(2 <= len(block) <= size for block in found)
    assert all(after[0] == before[-1] for before, after in pairwise(found))


def test_a_block_of_one_token_is_refused():
    with pytest.raises(ConfigError, match=r"2 tokens or more, .* got 1\."):
        list(pack_blocks([[1, 2]], 1))


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
def test_separated_texts_lose_the_cut_last_one_and_say_so(tmp_path, name):
    path = _file(tmp_path, "one\nmore<|endoftext|>\n  two <|endoftext|>\n<|endoftext|>\ncut of", name)
    rows = text_file_rows(path)
    assert [row.fields["text"] for row in rows.read()] == ["one\nmore", "two"]
    assert [row.number for row in rows.read()] == [1, 2]
    assert any("2 texts" in note and "inferred" in note for note in rows.notes)
    assert any("dropped" in note for note in rows.notes)


def test_nothing_is_dropped_after_the_last_separator_of_a_whole_file(tmp_path):
    rows = text_file_rows(_file(tmp_path, "one<|endoftext|>two<|endoftext|>\n"))
    assert [row.fields["text"] for row in rows.read()] == ["one", "two"]
    assert len(rows.notes) == 1


def test_a_text_a_line_and_paragraphs(tmp_path):
    path = _file(tmp_path, " a b \n\n c\nd")
    assert _texts(path) == ["a b", "c", "d"]
    assert _texts(path, "\n\n") == ["a b", "c\nd"]
    assert not any("dropped" in note for note in text_file_rows(path).notes)


@pytest.mark.parametrize("chunk", [1, 3, 5, 1000])
def test_the_size_of_what_is_read_at_once_does_not_matter(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(plain_text, "CHUNK", chunk)
    assert _texts(_file(tmp_path, "one==two====three=="), "==") == ["one", "two", "three"]


def test_a_separator_that_is_not_there_or_empty_is_refused(tmp_path):
    path = _file(tmp_path, "one\ntwo\n")
    with pytest.raises(DataError, match="no text in it ends with '###'"):
        text_file_rows(path, "###")
    with pytest.raises(ConfigError, match="is empty"):
        text_file_rows(path, "")


def test_the_key_follows_contents_and_separator(tmp_path):
    one, other = _file(tmp_path, "a\n\nb\n"), _file(tmp_path, "a\n\nc\n", "b.txt")
    keys = [text_file_rows(one, "\n").key, text_file_rows(one, "\n\n").key, text_file_rows(other, "\n").key]
    assert len(set(keys)) == 3
    assert text_file_rows(one).key == text_file_rows(one, "\n").key


@pytest.mark.skipif(not STORIES.exists(), reason="../shared/data/text is not here")
def test_real_stories_lose_only_the_cut_one():
    texts = _texts(STORIES)
    with gzip.open(STORIES, "rt") as file:
        whole = file.read().split("<|endoftext|>")
    assert texts == [text.strip() for text in whole[:-1] if text.strip()]
    assert len(texts) > 2000
    assert whole[-1].strip()
