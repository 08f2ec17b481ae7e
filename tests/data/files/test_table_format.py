"""Encodings, delimiters, quotes and headers that are set; columns that nobody uses; damaged JSON and Parquet."""

import json
import re

import pytest
from datasets import Dataset, Features, Value

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.data.files import formats
from lmdistill.data.files.formats import open_rows
from lmdistill.data.files.table_format import TableFormat


def write(folder, text, name="a.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
    return path


def rows(path, **form):
    return [row.fields for row in open_rows(path, TableFormat(**form), same_keys=False).read()]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-8"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_an_encoding_that_is_set_reads_the_file(tmp_path, name, encoding):
    mark = "\t" if name == "a.tsv" else ";"
    text = '{"text": "café", "label": "où"}' if name == "a.jsonl" else f"text{mark}label\ncafé{mark}où\n"
    path = write(tmp_path, text, name, encoding)
    assert rows(path, encoding=encoding) == [{"text": "café", "label": "où"}]
    read = open_rows(path, TableFormat(encoding=encoding), same_keys=False)
    assert any(f"{name} is read as {encoding}" in note for note in read.notes)


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("latin-1", r"a\.csv, line 2: byte 14 is 0xe9, which is not UTF-8; save the file as UTF-8, or set "
         r"data\.encoding to its encoding, such as latin-1 or cp1252\."),
        ("utf-16", r"a\.csv, line 1: byte 0 is 0x.., .* set data\.encoding to its encoding, such as utf-16\."),
    ],
)  # fmt: skip
def test_another_encoding_is_named_by_its_byte_with_the_key(tmp_path, encoding, said):
    path = write(tmp_path, "text,label\ncafé,a\n", encoding=encoding)
    with pytest.raises(DataError, match=said):
        rows(path)
    with pytest.raises(DataError) as caught:
        open_rows(path)  # for a caller whose settings have no encoding
    assert "data.encoding" not in str(caught.value)


def test_a_wrong_encoding_is_told(tmp_path):
    path = write(tmp_path, "text,label\ncafé,a\n")
    with pytest.raises(DataError, match=r"a\.csv, line 2: byte 14 is 0xc3, which is not ascii"):
        rows(path, encoding="ascii")
    with pytest.raises(DataError, match=r"a\.csv is not utf-16"):
        rows(path, encoding="utf-16")
    notes = open_rows(path, TableFormat(encoding="latin-1"), same_keys=False).notes
    assert "a.csv is read as latin-1; it is valid UTF-8 as well, so check its special characters" in notes


@pytest.mark.parametrize("delimiter", ["|", ":", "\t", " ", "~"])
def test_a_delimiter_that_is_set_separates_columns(tmp_path, delimiter):
    path = write(tmp_path, delimiter.join(["text", "label"]) + "\n" + delimiter.join(["a,b;c", "x"]) + "\n")
    assert rows(path, delimiter=delimiter) == [{"text": "a,b;c", "label": "x"}]


def test_quotes_that_are_set_enclose_texts_or_belong_to_them(tmp_path):
    path = write(tmp_path, "text,label\n'a, b',x\n")
    assert rows(path, quote="'") == [{"text": "a, b", "label": "x"}]
    path = write(tmp_path, 'text,label\n"a" is,x\n')
    assert rows(path, quote="") == [{"text": '"a" is', "label": "x"}]
    path = write(tmp_path, 'text\tlabel\n"a"\tx\n', "a.tsv")
    assert rows(path, quote="") == [{"text": '"a"', "label": "x"}]
    assert rows(path) == [{"text": "a", "label": "x"}]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_without_a_header_columns_are_numbers(tmp_path, name):
    mark = "\t" if name == "a.tsv" else ","
    path = write(tmp_path, f"neg{mark}one\npos{mark}two\n", name)
    assert rows(path, header=False) == [{"1": "neg", "2": "one"}, {"1": "pos", "2": "two"}]
    assert [row.number for row in open_rows(path, TableFormat(header=False)).read()] == [1, 2]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"encoding": "latin-99"}, "encoding is 'latin-99', which Python does not know"),
        ({"encoding": "base64"}, "encoding is 'base64', which Python does not know"),
        ({"delimiter": "||"}, "delimiter must be one character other than a line end, got '||'"),
        ({"delimiter": ""}, "delimiter must be one character"),
        ({"quote": "\n"}, "quote must be one character"),
        ({"delimiter": '"'}, "delimiter and quote are both"),
    ],
)
def test_settings_out_of_range_are_refused(settings, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        TableFormat(**settings)


def test_settings_of_another_format_are_refused(tmp_path):
    path = write(tmp_path, '{"a": 1}', "a.jsonl")
    with pytest.raises(ConfigError, match=r"a\.jsonl is no CSV or TSV file, so data\.delimiter"):
        rows(path, header=False)
    Dataset.from_dict({"a": ["x"]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ConfigError, match=r"is a Parquet file, so data\.encoding has no effect"):
        rows(tmp_path / "a.parquet", encoding="latin-1")


def test_columns_without_a_name_and_repeated_names_are_no_reason_to_refuse(tmp_path):
    path = write(tmp_path, "v1,v2,,,\nham,hello,,,\nspam,win,,,\n")
    found = rows(path)
    assert [(row["v1"], row["v2"]) for row in found] == [("ham", "hello"), ("spam", "win")]
    assert list(found[0]) == ["v1", "v2", "unnamed column 3", "unnamed column 4", "unnamed column 5"]
    read = open_rows(write(tmp_path, "text,label,text\na,x,b\n"))
    assert read.fieldnames == ("text (column 1)", "label", "text (column 3)")
    assert any("columns of the same name" in note for note in read.notes)


def test_fields_that_hold_nothing_may_be_too_many_or_too_few(tmp_path):
    assert rows(write(tmp_path, "a,b\n1,2,,\n")) == [{"a": "1", "b": "2"}]
    assert rows(write(tmp_path, "a,b,,\n1,2\n"))[0]["b"] == "2"
    for text in ("a,b\n1,2,3\n", "a,b,c\n1,2\n"):
        with pytest.raises(DataError, match=r"too (many|few) fields"):
            rows(write(tmp_path, text))


def test_objects_with_other_keys_are_rows(tmp_path):
    path = write(
        tmp_path, '{"text": "a", "label": "x", "slots": {"n": 1}}\n{"label": "y", "text": "b"}\n', "a.jsonl"
    )
    assert [row["text"] for row in rows(path)] == ["a", "b"]


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("9" * 6000, "a number has more digits than can be read"),
        (r'"\ud83d"', r"a text has \\ud83d, which is half of a character"),
    ],
)
def test_json_that_python_cannot_hold_is_refused_with_its_line(tmp_path, value, said, listed):
    good = json.dumps({"text": "a", "label": "x"})
    bad = f'{{"text": "b", "label": {value}}}'
    text = f"[{good},\n{bad}]" if listed else f"{good}\n{bad}\n"
    with pytest.raises(DataError, match=said) as caught:
        rows(write(tmp_path, text, "a.json"))
    assert re.search(r"a\.json, line [12]: ", str(caught.value))
    assert "\n" not in str(caught.value)


def test_parquet_without_rows_or_with_a_damaged_page_is_refused(tmp_path):
    path = tmp_path / "a.parquet"
    Dataset.from_dict(
        {"text": [], "label": []}, features=Features({"text": Value("string"), "label": Value("string")})
    ).to_parquet(path)
    assert list(open_rows(path).read()) == [] or pytest.fail("there are no rows")
    Dataset.from_dict({"text": ["a" * 50] * 200}).to_parquet(path)
    data = bytearray(path.read_bytes())
    data[40:80] = b"\xff" * 40
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"a\.parquet cannot be read as Parquet"):
        list(open_rows(path).read())


def test_what_is_no_file_is_refused_before_it_is_read_twice(tmp_path):
    import os

    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(DataError, match=r"is a device or a pipe"):
        formats.open_rows(tmp_path / "a.csv")
