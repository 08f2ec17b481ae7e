"""Files of texts with random contents: read, or refused in one line."""

import csv
import gzip
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmdistill.core.errors import LmdistillError
from lmdistill.data.load_task import load_task
from lmdistill.recipes.language_model import Texts
from lmdistill.runs.language.data import load_texts
from tests.fuzz.json_values import VALUES, require_clean

pytestmark = pytest.mark.slow

MANY = settings(max_examples=3_000, derandomize=False, database=None, suppress_health_check=list(HealthCheck))

COLUMNS = st.sampled_from(
    ["text", "label", "prompt", "completion", "messages", "instruction", "input", "a", "", " text "]
)
CELLS = st.text(max_size=12) | st.sampled_from(
    ["good", "bad", "0", "1", "0.0", " good", "", "\x00", "=1", '"', "a,b"]
)
SUFFIXES = st.sampled_from(
    [".csv", ".tsv", ".jsonl", ".json", ".txt", ".parquet", ".csv.gz", ".jsonl.gz", ".weird", ""]
)
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system", "x"]), "content": CELLS | VALUES}),
    max_size=4,
)  # fmt: skip


@st.composite
def tables(draw):
    """A table as CSV or JSON, mostly with rows of equal width."""
    names = draw(st.lists(COLUMNS, min_size=1, max_size=4))
    rows = draw(st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), max_size=12))
    kind = draw(st.sampled_from(["csv", "tsv", "jsonl", "json"]))
    if kind in ("csv", "tsv"):
        file = io.StringIO()
        csv.writer(file, delimiter="," if kind == "csv" else "\t").writerows([names, *rows])
        return f".{kind}", file.getvalue()
    values = [dict(zip(names, row, strict=True)) for row in rows]
    for value in values:
        if draw(st.integers(0, 3)) == 0:
            value[draw(COLUMNS)] = draw(VALUES)
        if draw(st.integers(0, 3)) == 0:
            value["messages"] = draw(MESSAGES)
    if kind == "json":
        return ".json", json.dumps(values)
    return ".jsonl", "".join(json.dumps(value) + "\n" for value in values)


@st.composite
def files(draw):
    """Suffix and bytes of a file: a table, perhaps damaged or named otherwise, or any bytes."""
    suffix, text = draw(tables())
    content = text.encode(draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16"])), "surrogatepass")
    if draw(st.booleans()):
        at = draw(st.integers(0, len(content)))
        content = content[:at] + draw(st.binary(max_size=4)) + content[at + draw(st.integers(0, 4)) :]
    if draw(st.integers(0, 4)) == 0:
        suffix = draw(SUFFIXES)
    if draw(st.integers(0, 9)) == 0:
        content = draw(st.binary(max_size=60))
    if suffix.endswith(".gz") and draw(st.booleans()):
        content = gzip.compress(content)
    return suffix, content


@MANY
@given(file=files())
def test_a_file_of_examples_is_read_or_refused_in_one_line(file, tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    suffix, content = file
    path = Path(tmp_path, f"rows{suffix}")
    path.write_bytes(content)
    try:
        task = load_task("own", path)
    except LmdistillError as error:
        require_clean(error)
        return
    assert all(len(split) for split in task.splits.values())


@MANY
@given(file=files())
def test_a_file_of_texts_is_read_or_refused_in_one_line(file, tmp_path):
    suffix, content = file
    path = Path(tmp_path, f"texts{suffix}")
    path.write_bytes(content)
    try:
        found = load_texts(Texts(source=str(path)))
    except LmdistillError as error:
        require_clean(error)
        return
    assert len(found.train)
