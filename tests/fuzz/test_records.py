"""Records with random values: refused in one line, or a table and a page are made of them."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmdistill.analysis.compare import compare
from lmdistill.core.errors import LmdistillError
from lmdistill.records.record import RECORD, find_records
from lmdistill.report.html import report_html
from tests.fuzz.json_values import changed, require_clean
from tests.report.factory import make_record, plain_record, write_run

pytestmark = pytest.mark.slow

READ = settings(
    max_examples=10_000, derandomize=False, database=None, suppress_health_check=list(HealthCheck)
)
SHOWN = settings(READ, max_examples=200)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two runs of one table."""
    root = tmp_path_factory.mktemp("pair")
    return [write_run(root, make_record(name), num_steps=5).path for name in ("FT", "KD")]


def written(folder, value):
    """Write a record as somebody would who edits it."""
    Path(folder, RECORD).write_text(json.dumps(value), encoding="utf-8")


@READ
@given(value=changed(plain_record("KD")))
def test_a_record_is_compared_or_refused_in_one_line(value, pair):
    written(pair[1], value)
    try:
        compare(find_records(pair))
    except LmdistillError as error:
        require_clean(error)


@SHOWN
@given(value=changed(plain_record("KD")))
def test_a_page_of_a_record_is_made_or_refused_in_one_line(value, pair):
    written(pair[1], value)
    try:
        report_html(find_records(pair))
    except LmdistillError as error:
        require_clean(error)


@SHOWN
@given(
    name=st.sampled_from(["history.jsonl", "predictions.jsonl"]),
    lines=st.lists(
        st.tuples(st.text(max_size=20) | st.binary(max_size=20), st.floats(0, 1)), min_size=1, max_size=4
    ),
)
def test_a_file_beside_a_record_is_read_or_refused_in_one_line(name, lines, tmp_path_factory):
    run = write_run(tmp_path_factory.mktemp("run"), make_record("KD"), num_steps=5)
    path = run.path / name
    kept = path.read_bytes().splitlines(keepends=True)
    for line, place in lines:
        raw = line if isinstance(line, bytes) else line.encode("utf-8", "surrogatepass")
        kept.insert(round(place * len(kept)), raw + b"\n")
    path.write_bytes(b"".join(kept))
    try:
        report_html(find_records([run.path]))
    except LmdistillError as error:
        require_clean(error)
